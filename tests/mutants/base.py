"""The ways in which a mutant may differ from the reference.

A mutant is a class whose docstring says in a sentence what is wrong and, where known, who did it.
It overrides one step of the reference:

    read         the question, as it is understood
    prepare      the inputs, in the dtype of the computation
    elementwise  loss and derivatives of each element, for the weight 1
    weigh        multiplied by weight, grad_output and direction
    reduce       the reduction
    answer       what is returned

The classes below make the common changes short. A change of a value alone leaves the derivatives
right, and the other way round: an implementation that is wrong throughout is easier to catch.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from conformance.adapters.numpy import times
from conformance.operations import OPERATIONS

from .reference import Reference

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array
    from conformance.model import Computed, Question

Outputs = dict[str, Any]
Arrays = dict[str, Any]

LOSS = frozenset({"loss"})
GRADIENT = frozenset({"logits_grad", "probabilities_grad"})
TARGETS_GRADIENT = frozenset({"targets_grad"})
SECOND = frozenset({"logits_hvp", "probabilities_hvp"})
DERIVATIVES = GRADIENT | TARGETS_GRADIENT | SECOND
ALL = LOSS | DERIVATIVES


class Mutant(Reference):
    """The reference with one thing wrong: named after its class, explained by its docstring."""

    equivalent = None

    def __init_subclass__(cls) -> None:
        cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()
        cls.about = " ".join((cls.__doc__ or "").split())


class Formula(Mutant):
    """Computes some outputs of one operation by another formula."""

    operation: ClassVar[str]

    def change(self, *arguments: Array) -> Outputs:
        """The elementwise outputs that are wrong, from the arguments of the operation."""
        raise NotImplementedError

    def elementwise(self, operation: str, arrays: Arrays) -> Outputs:
        outputs = super().elementwise(operation, arrays)
        if operation != self.operation:
            return outputs
        arguments = (arrays[name] for name in OPERATIONS[operation].arguments)
        return outputs | self.change(*arguments)


class Logits(Formula):
    """A formula of bce_with_logits: ``change(x, t, p)``."""

    operation = "bce_with_logits"


class TwoLogarithms(Logits):
    """Takes something else for -log S(x) and -log S(-x)."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": times(p * t, self.minus_log(x)) + times(1 - t, self.minus_log(-x))}

    def minus_log(self, z: Array) -> Array:
        """What goes for -log S(z), the softplus of -z."""
        raise NotImplementedError


class Probabilities(Formula):
    """A formula of bce: ``change(q, t)``."""

    operation = "bce"


class OtherInputs(Mutant):
    """Computes some outputs, the loss unless it says otherwise, from other inputs.

    Attributes:
        operation: The only operation that it gets wrong; None for all.
        wrong: The outputs that it gets wrong.
    """

    operation: ClassVar[str | None] = None
    wrong: ClassVar[frozenset[str]] = LOSS

    def other(self, arrays: Arrays) -> Arrays:
        """The inputs that are not as they should be, by name."""
        raise NotImplementedError

    def elementwise(self, operation: str, arrays: Arrays) -> Outputs:
        outputs = super().elementwise(operation, arrays)
        if not self._concerns(arrays):
            return outputs
        return self._mixed(outputs, super().elementwise(operation, arrays | self.other(arrays)))

    def weigh(self, outputs: Outputs, arrays: Arrays) -> Outputs:
        right = super().weigh(outputs, arrays)
        if not self._concerns(arrays):
            return right
        return self._mixed(right, super().weigh(outputs, arrays | self.other(arrays)))

    def _concerns(self, arrays: Arrays) -> bool:
        return self.operation is None or OPERATIONS[self.operation].inputs[0] in arrays

    def _mixed(self, right: Outputs, wrong: Outputs) -> Outputs:
        return {name: (wrong if name in self.wrong else right)[name] for name in right}


class OtherAnswer(Mutant):
    """Returns something else than was computed."""

    def returned(self, outputs: Outputs, question: Question) -> Outputs:
        """The outputs that are returned in another form, from those computed."""
        raise NotImplementedError

    def answer(self, outputs: Outputs, question: Question) -> Computed:
        return super().answer(outputs | self.returned(outputs, question), question)


class OtherMean(OtherAnswer):
    """Divides the mean loss by something else than the number of elements."""

    def divisor(self, arrays: Arrays, size: int) -> Any:
        raise NotImplementedError

    def returned(self, outputs: Outputs, question: Question) -> Outputs:
        if question.reduction != "mean":
            return {}
        arrays = self.prepare(question)
        size = first(arrays).size
        divisor = self.divisor(arrays, size)
        return {} if divisor == size else {"loss": outputs["loss"] * (size / np.asarray(divisor))}


def first(arrays: Arrays) -> Array:
    """The logits or the probabilities."""
    return next(iter(arrays.values()))


def is_square(array: Array) -> bool:
    """Whether an array along the last axis fits along the first as well."""
    return array.ndim == 2 and array.shape[0] == array.shape[1]
