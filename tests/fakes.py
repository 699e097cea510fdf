"""Small adapters that behave, and misbehave, in one way each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.adapters.base import LossAdapter
from conformance.adapters.numpy import NumpyAdapter
from conformance.model import Computed

if TYPE_CHECKING:
    from conformance.model import Question


class Right(NumpyAdapter):
    name = "right"


class Changed(NumpyAdapter):
    """Right, but for what ``change`` does to its outputs."""

    def change(self, outputs: dict[str, Any]) -> None:
        raise NotImplementedError

    def evaluate(self, question: Question) -> Computed:
        outputs = dict(super().evaluate(question).outputs)
        self.change(outputs)
        return Computed(**outputs)


class HalfTheLoss(Changed):
    name = "half-the-loss"

    def change(self, outputs: dict[str, Any]) -> None:
        outputs["loss"] = (outputs["loss"] / 2).astype(outputs["loss"].dtype)


class ExtraAxis(Changed):
    name = "extra-axis"

    def change(self, outputs: dict[str, Any]) -> None:
        outputs["loss"] = outputs["loss"][np.newaxis]


class InDouble(Changed):
    name = "in-double"

    def change(self, outputs: dict[str, Any]) -> None:
        outputs["loss"] = outputs["loss"].astype(np.float64)


class NoGradient(Changed):
    name = "no-gradient"

    def change(self, outputs: dict[str, Any]) -> None:
        del outputs["targets_grad"]


class Lists(Changed):
    name = "lists"

    def change(self, outputs: dict[str, Any]) -> None:
        outputs["loss"] = outputs["loss"].tolist()


class Nothing(LossAdapter):
    name = "nothing"

    def evaluate(self, question: Question) -> Computed:
        return None  # type: ignore[return-value]


class Raises(LossAdapter):
    name = "raises"

    def evaluate(self, question: Question) -> Computed:
        msg = "first line\nsecond line"
        raise RuntimeError(msg)


class Slips(LossAdapter):
    name = "slips"

    def evaluate(self, question: Question) -> Computed:
        return undefined_name  # type: ignore[name-defined] # noqa: F821


class SaysNothingReadable(LossAdapter):
    """Raises an exception whose message cannot be read."""

    name = "unreadable"

    def evaluate(self, question: Question) -> Computed:
        class UnreadableError(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        raise UnreadableError


class SaysTooMuch(LossAdapter):
    """Raises an exception whose message is long, and no valid Unicode."""

    name = "too-much"

    def evaluate(self, question: Question) -> Computed:
        raise RuntimeError("\ud800" + "x" * 10**6)


class DeclinesWithAWord(Right):
    name = "declines-with-a-word"

    def decline(self, question: Question) -> Any:
        return "no"


class LossOnly(Right):
    name = "loss-only"
    outputs = frozenset({"loss"})


class CannotBeMade(Right):
    name = "cannot-be-made"

    def __init__(self) -> None:
        msg = "no device"
        raise RuntimeError(msg)


class Nameless(LossAdapter):
    def evaluate(self, question: Question) -> Computed:
        return Computed()


class Numpy(Right):
    name = "numpy"


class KnowsNoFacts(Right):
    name = "knows-no-facts"
    distributions = ("no-such-distribution",)

    def device_facts(self, device: str) -> str:
        raise RuntimeError


class Exits(LossAdapter):
    name = "exits"

    def evaluate(self, question: Question) -> Computed:
        sys.exit(3)


class Prints(Right):
    name = "prints"

    def evaluate(self, question: Question) -> Computed:
        print("noise on stdout")
        return super().evaluate(question)


class Mutates(Right):
    name = "mutates"

    def evaluate(self, question: Question) -> Computed:
        answer = super().evaluate(question)
        question.inputs["targets"][...] = 0
        return answer


class BreaksInBulk(Right):
    """Its bulk evaluation breaks off at a question whose first input is 13."""

    name = "breaks-in-bulk"

    def evaluate(self, question: Question) -> Computed:
        if next(iter(question.inputs.values())).flat[0] == 13:
            msg = "thirteen"
            raise ValueError(msg)
        return super().evaluate(question)

    def evaluate_all(self, questions: Any) -> Any:
        return [self.evaluate(question) for question in questions]


class Forgets(Right):
    """Its bulk evaluation gives one answer too few."""

    name = "forgets"

    def evaluate_all(self, questions: Any) -> Any:
        return [self.evaluate(question) for question in questions[1:]]


class Float64Only(Right):
    name = "float64-only"
    dtypes = frozenset({"float64"})


NOT_AN_ADAPTER = 1
