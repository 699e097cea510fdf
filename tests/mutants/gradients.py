"""Wrong first derivatives of a right loss of logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conformance.adapters.numpy import bce_with_logits, logistic, softplus, times

from .base import DERIVATIVES, GRADIENT, TARGETS_GRADIENT, Logits, Mutant, OtherAnswer, OtherInputs

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array
    from conformance.model import Question

    from .base import Arrays, Outputs


class _OtherGradient(Logits):
    """Base of those that get the derivative with respect to the logits wrong."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"logits_grad": self.gradient(x, t, p)}

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        raise NotImplementedError


class GradientIgnoresPosWeight(_OtherGradient):
    """The gradient is S(x) - t, whatever the pos_weight."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        return (1 - t) * logistic(x) - t * logistic(-x)


class GradientTimesPosWeight(_OtherGradient):
    """The gradient is p (S(x) - t)."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        return p * ((1 - t) * logistic(x) - t * logistic(-x))


class GradientInterpolatesPosWeight(_OtherGradient):
    """The gradient is (1 + (p - 1) t) (S(x) - t), which is right for hard targets only."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        return (1 + (p - 1) * t) * ((1 - t) * logistic(x) - t * logistic(-x))


class GradientWithPosWeightOnNegatives(_OtherGradient):
    """The pos_weight multiplies the negative part of the gradient."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        return p * (1 - t) * logistic(x) - t * logistic(-x)


class GradientOfHardTargets(_OtherGradient):
    """The gradient is that of targets rounded to 0 or 1."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        return np.where(t > 0.5, -p * logistic(-x), logistic(x))


class GradientNegated(_OtherGradient):
    """The gradient has the wrong sign."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        return -bce_with_logits(x, t, p)["logits_grad"]


class GradientDetached(_OtherGradient):
    """The gradient is 0: the loss was cut from the graph."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        return np.zeros_like(x)


class GradientZeroAtZero(_OtherGradient):
    """At x = 0 the gradient is 0, as if |x| and max(x, 0) had subgradients that cancel."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        return np.where(x == 0, 0, bce_with_logits(x, t, p)["logits_grad"])


class GradientOfMaximumAtZero(_OtherGradient):
    """At x = 0 max(x, 0) has the slope 0 and |x| the slope 0, so that 1/2 is missing."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        right = bce_with_logits(x, t, p)["logits_grad"]
        return np.where(x == 0, right - (1 + (p - 1) * t) / 2, right)


class GradientThroughProbability(_OtherGradient):
    """The gradient goes through a sigmoid and a division by q (1 - q), 0/0 in the tails."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        q = 1 / (1 + np.exp(-x))
        return ((1 - t) / (1 - q) - p * t / q) * (q * (1 - q))


class GradientThroughClampedProbability(_OtherGradient):
    """The gradient goes through a q (1 - q) of at least 1e-12, and is 0 in the tails."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        q = 1 / (1 + np.exp(-x))
        slope = q * (1 - q)
        return ((1 - t) * q - p * t * (1 - q)) / np.maximum(slope, 1e-12) * slope


class GradientThroughEpsilon(_OtherGradient):
    """The gradient is that of log(S + 1e-7)."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        up, down = logistic(x), logistic(-x)
        return ((1 - t) / (down + 1e-7) - p * t / (up + 1e-7)) * up * down


class GradientZeroBeyond15(_OtherGradient):
    """Beyond 15 the gradient is 0: a clamp of the logits saturates."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        return np.where(np.abs(x) > 15, 0, bce_with_logits(x, t, p)["logits_grad"])


class GradientZeroBeyond100(_OtherGradient):
    """Beyond 100 the gradient is 0: a clamp of the logits saturates."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        return np.where(np.abs(x) > 100, 0, bce_with_logits(x, t, p)["logits_grad"])


class GradientOfHardSigmoid(_OtherGradient):
    """The gradient is that of a hard sigmoid, x/4 + 1/2 clipped to [0, 1]."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        up = np.clip(x / 4 + 0.5, 0, 1)
        return (1 - t) * up - p * t * (1 - up)


class GradientClipped(_OtherGradient):
    """The gradient is clipped to [-1, 1]."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        return np.clip(bce_with_logits(x, t, p)["logits_grad"], -1, 1)


class GradientWithoutSigmoidPrime(_OtherGradient):
    """The gradient is that with respect to the probability."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        return times(1 - t, 1 / logistic(-x)) - times(p * t, 1 / logistic(x))


class GradientSubtracts(_OtherGradient):
    """The gradient is S(x) - t for the weights of the textbook: it cancels for x far above 0."""

    kind = "accuracy"

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        return (1 + (p - 1) * t) * logistic(x) - p * t


class GradientByTanh(_OtherGradient):
    """The sigmoid is (1 + tanh(x/2)) / 2, and loses the negative tail."""

    kind = "accuracy"

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        up, down = ((1 + np.tanh(z / 2)) / 2 for z in (x, -x))
        return (1 - t) * up - p * t * down


class GradientOverflows(_OtherGradient):
    """The sigmoid is e / (1 + e) with e = exp x, infinity over infinity for large x."""

    def gradient(self, x: Array, t: Array, p: Array) -> Array:
        up = np.exp(x) / (1 + np.exp(x))
        return (1 - t) * up - p * t * logistic(-x)


class _OtherTargetSlope(Logits):
    """Base of those that get the derivative with respect to the targets wrong."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"targets_grad": np.broadcast_to(self.slope(x, t, p), np.broadcast(x, p).shape)}

    def slope(self, x: Array, t: Array, p: Array) -> Array:
        raise NotImplementedError


class TargetsGradientMissing(_OtherTargetSlope):
    """The targets have the gradient 0."""

    def slope(self, x: Array, t: Array, p: Array) -> Array:
        return np.zeros_like(x)


class TargetsGradientNegated(_OtherTargetSlope):
    """The gradient of the targets has the wrong sign."""

    def slope(self, x: Array, t: Array, p: Array) -> Array:
        return -bce_with_logits(x, t, p)["targets_grad"]


class TargetsGradientIgnoresPosWeight(_OtherTargetSlope):
    """The gradient of the targets is -x, whatever the pos_weight."""

    def slope(self, x: Array, t: Array, p: Array) -> Array:
        return -x


class TargetsGradientZeroAtHardTargets(_OtherTargetSlope):
    """Targets of 0 and 1 have the gradient 0, as if clipped."""

    def slope(self, x: Array, t: Array, p: Array) -> Array:
        return np.where((t == 0) | (t == 1), 0, bce_with_logits(x, t, p)["targets_grad"])


class TargetsGradientCancels(_OtherTargetSlope):
    """The gradient of the targets is p s(-x) - s(x), which loses a small x."""

    kind = "accuracy"

    def slope(self, x: Array, t: Array, p: Array) -> Array:
        return times(p, softplus(-x)) - softplus(x)


class TargetsGradientByLogSigmoid(_OtherTargetSlope):
    """The gradient of the targets is log(1 - S) - p log S, infinite in the tails."""

    def slope(self, x: Array, t: Array, p: Array) -> Array:
        return np.log(1 - logistic(x)) - p * np.log(logistic(x))


class UnweightedGradient(OtherInputs):
    """The gradient lacks the weight."""

    wrong = GRADIENT

    def other(self, arrays: Arrays) -> Arrays:
        return {"weight": np.ones_like(arrays["weight"])}


class UnweightedTargetsGradient(UnweightedGradient):
    """The gradient of the targets lacks the weight."""

    wrong = TARGETS_GRADIENT


class UndividedGradient(Mutant):
    """The gradients of a mean are not divided by the number of elements."""

    def reduce(self, outputs: Outputs, reduction: str) -> Outputs:
        found = super().reduce(outputs, reduction)
        return found | {name: outputs[name] for name in DERIVATIVES & outputs.keys()}


class GradientOfMeanForSum(Mutant):
    """The gradients of a sum are divided by the number of elements."""

    def reduce(self, outputs: Outputs, reduction: str) -> Outputs:
        found = super().reduce(outputs, reduction)
        wrong = super().reduce(outputs, "mean" if reduction == "sum" else reduction)
        return found | {name: wrong[name] for name in DERIVATIVES & outputs.keys()}


class GradientDividedByRows(Mutant):
    """The gradients of a mean are divided by the number of rows."""

    def reduce(self, outputs: Outputs, reduction: str) -> Outputs:
        found = super().reduce(outputs, reduction)
        rows = max(1, len(np.atleast_1d(outputs["loss"])))
        if reduction == "mean":
            found |= {name: outputs[name] / rows for name in DERIVATIVES & outputs.keys()}
        return found


class GradientFlattened(OtherAnswer):
    """The gradients are returned without their axes."""

    def returned(self, outputs: Outputs, question: Question) -> Outputs:
        return {name: outputs[name].reshape(-1) for name in DERIVATIVES & outputs.keys()}


class TargetsGradientOfInput(OtherAnswer):
    """The gradient of the targets is that of the input."""

    def returned(self, outputs: Outputs, question: Question) -> Outputs:
        (gradient,) = GRADIENT & outputs.keys()
        return {"targets_grad": outputs[gradient]}
