"""NaN and infinity hidden, made up, or passed on to the wrong elements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conformance.adapters.numpy import softplus

from .base import DERIVATIVES, Logits, Mutant, OtherInputs, first

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array

    from .base import Arrays, Outputs


class NanLossIsZero(Mutant):
    """A loss of NaN counts as 0."""

    def weigh(self, outputs: Outputs, arrays: Arrays) -> Outputs:
        found = super().weigh(outputs, arrays)
        return found | {"loss": np.where(np.isnan(found["loss"]), 0, found["loss"])}


class NanGradientIsZero(Mutant):
    """Derivatives of NaN count as 0, as by a hook that cleans gradients."""

    def weigh(self, outputs: Outputs, arrays: Arrays) -> Outputs:
        found = super().weigh(outputs, arrays)
        clean = {name: np.where(np.isnan(value), 0, value) for name, value in found.items()}
        return found | {name: clean[name] for name in DERIVATIVES & found.keys()}


class LossNanToNum(Mutant):
    """The loss goes through nan_to_num, which makes infinity the largest number."""

    def weigh(self, outputs: Outputs, arrays: Arrays) -> Outputs:
        found = super().weigh(outputs, arrays)
        return found | {"loss": np.nan_to_num(found["loss"])}


class LogitsNanToNum(OtherInputs):
    """The logits go through nan_to_num."""

    operation = "bce_with_logits"

    def other(self, arrays: Arrays) -> Arrays:
        return {"logits": np.nan_to_num(arrays["logits"])}


class ClampDropsNan(OtherInputs):
    """The logits are clamped by fmin and fmax, which take the limit for NaN."""

    operation = "bce_with_logits"

    def other(self, arrays: Arrays) -> Arrays:
        limit = np.finfo(arrays["logits"].dtype).max
        return {"logits": np.fmax(np.fmin(arrays["logits"], limit), -limit)}


class InfiniteLogitIsZero(OtherInputs):
    """An infinite logit counts as 0."""

    operation = "bce_with_logits"

    def other(self, arrays: Arrays) -> Arrays:
        return {"logits": np.where(np.isinf(arrays["logits"]), 0, arrays["logits"])}


class InfiniteLogitIsLarge(OtherInputs):
    """An infinite logit counts as the largest number of float16."""

    operation = "bce_with_logits"

    def other(self, arrays: Arrays) -> Arrays:
        x = arrays["logits"]
        return {"logits": np.where(np.isinf(x), np.copysign(np.float32(65504), x), x)}


class InfiniteLossIsMissing(Mutant):
    """An infinite loss counts as 0, as by a mask of what is finite."""

    def weigh(self, outputs: Outputs, arrays: Arrays) -> Outputs:
        found = super().weigh(outputs, arrays)
        return found | {"loss": np.where(np.isinf(found["loss"]), 0, found["loss"])}


class GradientNanAtInfinity(Logits):
    """The gradient at an infinite logit is NaN, infinity over infinity."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        e = np.exp(np.abs(x))
        up = np.where(x >= 0, e, 1) / (1 + e)
        return {"logits_grad": (1 - t) * up - p * t * (1 - up)}


class NanAtZeroTimesInfinity(Logits):
    """A term of the coefficient 0 is NaN where the softplus is infinite."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": p * t * softplus(-x) + (1 - t) * softplus(x)}


class NanOfTargetsHidden(OtherInputs):
    """A target of NaN counts as 0."""

    def other(self, arrays: Arrays) -> Arrays:
        return {"targets": np.nan_to_num(arrays["targets"])}


class NanOfWeightHidden(OtherInputs):
    """A weight or pos_weight of NaN counts as 0."""

    def other(self, arrays: Arrays) -> Arrays:
        names = {"weight", "pos_weight"} & arrays.keys()
        return {name: np.where(np.isnan(arrays[name]), 0, arrays[name]) for name in names}


class NanSpreadsToAll(Mutant):
    """One NaN makes every element NaN."""

    def elementwise(self, operation: str, arrays: Arrays) -> Outputs:
        outputs = super().elementwise(operation, arrays)
        spoiled = np.isnan(outputs["loss"]).any()
        return {name: value + np.nan if spoiled else value for name, value in outputs.items()}


class InfinitySpreadsToAll(Mutant):
    """One infinite input makes the gradient of every element NaN, as by a norm to divide by."""

    def elementwise(self, operation: str, arrays: Arrays) -> Outputs:
        outputs = super().elementwise(operation, arrays)
        if not np.isinf(first(arrays)).any():
            return outputs
        return outputs | {name: outputs[name] + np.nan for name in DERIVATIVES & outputs.keys()}
