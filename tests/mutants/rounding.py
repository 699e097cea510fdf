"""Results rounded too early, too often, or in the wrong direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from conformance.adapters.numpy import mean

from .base import ALL, Mutant, OtherAnswer, OtherInputs, first

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array
    from conformance.model import Question

    from .base import Arrays, Outputs


class _RoundedInBetween(Mutant):
    """Base of those that change results of the question's dtype before they are reduced."""

    kind = "accuracy"

    def evaluate(self, question: Question) -> Any:
        # Adapters are asked one question at a time, and steps after the first do not see it.
        self.dtype = first(question.inputs).dtype
        return super().evaluate(question)


class RoundedBeforeReduction(_RoundedInBetween):
    """Losses are rounded to the dtype of the question, and overflow, before they are averaged."""

    kind = "semantic"

    def weigh(self, outputs: Outputs, arrays: Arrays) -> Outputs:
        found = super().weigh(outputs, arrays)
        loss = found["loss"]
        return found | {"loss": loss.astype(self.dtype).astype(loss.dtype)}


class SumInSixteenBits(_RoundedInBetween):
    """A sum is accumulated in the 16 bits of the question, and stops growing."""

    def reduce(self, outputs: Outputs, reduction: str) -> Outputs:
        found = super().reduce(outputs, reduction)
        if reduction == "none" or not outputs["loss"].size:
            return found
        losses = outputs["loss"].astype(self.dtype)
        total = np.add.accumulate(losses.reshape(-1))[-1]
        size = 1 if reduction == "sum" else losses.size
        return found | {"loss": np.asarray(total, found["loss"].dtype) / size}


class MeanOfRoundedSum(_RoundedInBetween):
    """The sum is rounded to the dtype of the question before it is divided, and overflows."""

    kind = "semantic"

    def reduce(self, outputs: Outputs, reduction: str) -> Outputs:
        found = super().reduce(outputs, reduction)
        if reduction != "mean" or not np.isfinite(found["loss"]):
            return found
        losses = outputs["loss"]
        total = losses.sum().astype(self.dtype).astype(losses.dtype)
        return found | {"loss": np.asarray(total / losses.size)}


class CountInSixteenBits(_RoundedInBetween):
    """The number of elements is rounded to the dtype of the question, and overflows."""

    kind = "semantic"

    def reduce(self, outputs: Outputs, reduction: str) -> Outputs:
        found = super().reduce(outputs, reduction)
        if reduction != "mean":
            return found
        losses = outputs["loss"]
        count = np.asarray(losses.size).astype(self.dtype).astype(losses.dtype)
        return found | {"loss": np.asarray(mean(losses) * (losses.size / count))}


class _Rounded(OtherAnswer):
    """Base of those that round the results of all outputs in another way."""

    kind = "accuracy"

    def returned(self, outputs: Outputs, question: Question) -> Outputs:
        dtype = first(question.inputs).dtype
        return {name: self.rounded(value, dtype) for name, value in outputs.items()}

    def rounded(self, value: Array, dtype: np.dtype[Any]) -> Array:
        raise NotImplementedError


class ResultsTruncated(_Rounded):
    """Results are rounded towards zero."""

    equivalent = (
        "Rounding towards zero is off by less than 1 ulp, which is faithful; what was infinite"
        " stays so here, see ResultsSaturate."
    )

    def rounded(self, value: Array, dtype: np.dtype[Any]) -> Array:
        nearest = value.astype(dtype)
        away = np.isfinite(nearest) & (np.abs(nearest.astype(value.dtype)) > np.abs(value))
        return np.where(away, np.nextafter(nearest, np.zeros((), dtype)), nearest)


class ResultsSaturate(_Rounded):
    """Results beyond the largest number of the dtype become that number."""

    kind = "semantic"

    def rounded(self, value: Array, dtype: np.dtype[Any]) -> Array:
        largest = float(ml_dtypes.finfo(dtype).max)
        return np.clip(value, -largest, largest)


class SubnormalsFlushed(_Rounded):
    """Subnormal results are flushed to zero, as on many devices."""

    def rounded(self, value: Array, dtype: np.dtype[Any]) -> Array:
        tiny = float(ml_dtypes.finfo(dtype).smallest_normal)
        return np.where(np.abs(value) < tiny, 0, value)


class ResultsOfThreeDigits(_Rounded):
    """Results keep 12 bits, those of a fast reciprocal without a step of Newton's."""

    def rounded(self, value: Array, dtype: np.dtype[Any]) -> Array:
        significand, exponent = np.frexp(value)
        return np.ldexp(np.round(significand * 4096) / 4096, exponent).astype(value.dtype)


class ResultsThroughFloat32(_Rounded):
    """Results of float64 are rounded to float32 on the way."""

    def rounded(self, value: Array, dtype: np.dtype[Any]) -> Array:
        return value.astype(np.float32).astype(value.dtype)


class SixteenBitsRoundedTwice(_Rounded):
    """Results of bfloat16 are rounded to float16's digits before: twice, and so up or down."""

    equivalent = "Two roundings to nearest are off by less than 1 ulp, which is faithful."

    def rounded(self, value: Array, dtype: np.dtype[Any]) -> Array:
        if dtype != ml_dtypes.bfloat16:
            return value
        significand, exponent = np.frexp(value)
        return np.ldexp(np.round(significand * 2048) / 2048, exponent).astype(value.dtype)


class SubnormalInputsFlushed(OtherInputs):
    """Subnormal inputs count as zero, as on many devices."""

    kind = "accuracy"
    wrong = ALL

    def other(self, arrays: Arrays) -> Arrays:
        return {
            name: np.where(np.abs(array) < np.finfo(array.dtype).tiny, 0, array)
            for name, array in arrays.items()
        }
