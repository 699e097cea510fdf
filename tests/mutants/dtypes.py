"""Inputs, computations and results in the wrong dtype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import ml_dtypes
import numpy as np

from conformance.model import Computed

from .base import DERIVATIVES, LOSS, Mutant, OtherInputs, first

if TYPE_CHECKING:
    from conformance.model import Question

    from .base import Arrays, Outputs

SIXTEEN_BITS = ("float16", "bfloat16")


class _ComputedIn(Mutant):
    """Base of those that compute in another dtype.

    Attributes:
        asked: The dtypes of questions that it computes so.
        working: The dtype that it computes in; None for that of the question.
    """

    asked: ClassVar[tuple[str, ...]]
    working: ClassVar[Any] = None

    def prepare(self, question: Question) -> Arrays:
        arrays = super().prepare(question)
        if question.dtype not in self.asked:
            return arrays
        working = self.working or first(question.inputs).dtype
        return {name: array.astype(working) for name, array in arrays.items()}


class SixteenBitsThroughout(_ComputedIn):
    """Float16 and bfloat16 are computed in themselves, with every step rounded."""

    kind = "accuracy"
    asked = SIXTEEN_BITS


class Bfloat16ThroughFloat16(_ComputedIn):
    """Bfloat16 is computed in float16, whose range is smaller."""

    asked = ("bfloat16",)
    working = np.float16


class Float16ThroughBfloat16(_ComputedIn):
    """Float16 is computed in bfloat16, which has fewer digits."""

    kind = "accuracy"
    asked = ("float16",)
    working = ml_dtypes.bfloat16


class Float64ThroughFloat32(_ComputedIn):
    """Float64 is computed in float32."""

    kind = "accuracy"
    asked = ("float64",)
    working = np.float32


class Float32ThroughBfloat16(OtherInputs):
    """The inputs are rounded to bfloat16, as by an autocast that was not asked for."""

    kind = "accuracy"

    def other(self, arrays: Arrays) -> Arrays:
        return {
            name: array.astype(ml_dtypes.bfloat16).astype(array.dtype)
            for name, array in arrays.items()
        }


class WeightsInFloat16(OtherInputs):
    """Weights and pos_weights are kept in float16, and lose digits or overflow."""

    kind = "accuracy"

    def other(self, arrays: Arrays) -> Arrays:
        return {
            name: arrays[name].astype(np.float16).astype(arrays[name].dtype)
            for name in {"weight", "pos_weight"} & arrays.keys()
        }


class _ReturnedIn(Mutant):
    """Base of those that return outputs in another dtype."""

    dtype: ClassVar[str]
    outputs_changed: ClassVar[frozenset[str]]

    def answer(self, outputs: Outputs, question: Question) -> Computed:
        found = dict(super().answer(outputs, question).outputs)
        for name in self.outputs_changed & found.keys():
            found[name] = found[name].astype(self.dtype)
        return Computed(**found)


class LossInFloat32(_ReturnedIn):
    """The loss is returned in float32, whatever the dtype of the question."""

    dtype = "float32"
    outputs_changed = LOSS


class LossInFloat64(_ReturnedIn):
    """The loss is returned in float64, as by an item() made an array again."""

    dtype = "float64"
    outputs_changed = LOSS


class DerivativesInFloat32(_ReturnedIn):
    """Derivatives are returned in float32, whatever the dtype of the question."""

    dtype = "float32"
    outputs_changed = DERIVATIVES


class LossInDtypeOfIntegerTargets(Mutant):
    """The loss of integer targets is returned in their dtype."""

    def answer(self, outputs: Outputs, question: Question) -> Computed:
        found = dict(super().answer(outputs, question).outputs)
        targets = question.inputs["targets"]
        if targets.dtype.kind in "iub" and "loss" in found:
            found["loss"] = found["loss"].astype(targets.dtype)
        return Computed(**found)


class TargetsCastToInput(Mutant):
    """Targets of another dtype are first rounded to that of the input."""

    kind = "accuracy"

    def prepare(self, question: Question) -> Arrays:
        arrays = super().prepare(question)
        dtype = first(question.inputs).dtype
        return arrays | {"targets": arrays["targets"].astype(dtype).astype(first(arrays).dtype)}


class InputCastToTargets(Mutant):
    """The input is first rounded to the dtype of the targets, even to integers."""

    kind = "accuracy"

    def prepare(self, question: Question) -> Arrays:
        arrays = super().prepare(question)
        name, x = next(iter(arrays.items()))
        return arrays | {name: x.astype(question.inputs["targets"].dtype).astype(x.dtype)}


class WeightsCastToInput(Mutant):
    """Weights of another dtype are first rounded to that of the input."""

    kind = "accuracy"

    def prepare(self, question: Question) -> Arrays:
        arrays = super().prepare(question)
        dtype = first(question.inputs).dtype
        names = {"weight", "pos_weight"} & arrays.keys()
        rounded = {name: arrays[name].astype(dtype) for name in names}
        return arrays | {name: array.astype(first(arrays).dtype) for name, array in rounded.items()}


class UnsignedTargetsNegated(Mutant):
    """The product -t log q negates unsigned targets in their own dtype: of 1 it makes 255."""

    def prepare(self, question: Question) -> Arrays:
        arrays = super().prepare(question)
        targets = question.inputs["targets"]
        if targets.dtype.kind != "u":
            return arrays
        return arrays | {"targets": -np.negative(targets).astype(first(arrays).dtype)}
