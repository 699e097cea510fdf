"""What every mutant is a deviation from: the NumPy adapter, which here knows old arguments too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from conformance.adapters.numpy import NumpyAdapter
from conformance.operations import effective_reduction

if TYPE_CHECKING:
    from conformance.model import Computed, Question


class Reference(NumpyAdapter):
    """Right, and asked like PyTorch: ``size_average`` and ``reduce`` override ``reduction``.

    Attributes:
        about: What is wrong with it, in a sentence.
        kind: "semantic" for another function than the one asked for, which has to be graded wrong
            somewhere; "accuracy" for one that loses digits or range, which must not be accurate.
        equivalent: Why no question can tell it from a sound implementation; None if one can.
    """

    name: ClassVar[str] = "reference"
    about: ClassVar[str] = "Nothing is wrong with the reference."
    kind: ClassVar[Literal["semantic", "accuracy"]] = "semantic"
    equivalent: ClassVar[str | None] = "It is what mutants deviate from."
    options: ClassVar[frozenset[str]] = NumpyAdapter.options | {"legacy"}

    def evaluate(self, question: Question) -> Computed:
        return super().evaluate(self.read(question))

    def read(self, question: Question) -> Question:
        """The question as it is understood: in today's arguments."""
        reduction = effective_reduction(question.reduction, question.legacy)
        return replace(question, reduction=reduction, legacy={})
