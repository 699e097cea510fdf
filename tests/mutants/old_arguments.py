"""PyTorch's old arguments size_average and reduce, misunderstood."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .base import Mutant

if TYPE_CHECKING:
    from conformance.model import Question


class ReductionWinsOverOldArguments(Mutant):
    """The reduction wins over `size_average` and `reduce`, where those are given."""

    def read(self, question: Question) -> Question:
        return replace(question, legacy={})


class ReduceIgnored(Mutant):
    """The old argument `reduce` is ignored."""

    def read(self, question: Question) -> Question:
        legacy = {name: value for name, value in question.legacy.items() if name != "reduce"}
        return super().read(replace(question, legacy=legacy))


class SizeAverageIgnored(Mutant):
    """The old argument `size_average` is ignored."""

    def read(self, question: Question) -> Question:
        legacy = {name: value for name, value in question.legacy.items() if name == "reduce"}
        return super().read(replace(question, legacy=legacy))


class SizeAverageWinsOverReduce(Mutant):
    """The old argument `size_average` reduces even where `reduce` says not to."""

    def read(self, question: Question) -> Question:
        if "size_average" in question.legacy:
            question = replace(question, legacy={**question.legacy, "reduce": True})
        return super().read(question)


class SumByDefault(Mutant):
    """Old arguments that leave `size_average` out reduce to a sum."""

    def read(self, question: Question) -> Question:
        if question.legacy:
            question = replace(question, legacy={"size_average": False, **question.legacy})
        return super().read(question)
