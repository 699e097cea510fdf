"""Mistakes with the loss of probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conformance.adapters.numpy import bce, logistic, times

from .base import OtherInputs, Probabilities

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array

    from .base import Arrays, Outputs


class _OtherLogarithm(Probabilities):
    """Base of those that have another logarithm."""

    def change(self, q: Array, t: Array) -> Outputs:
        return {"loss": -times(t, self.log(q)) - times(1 - t, self.log_of_rest(q))}

    def log(self, q: Array) -> Array:
        """What goes for log q."""
        return np.log(q)

    def log_of_rest(self, q: Array) -> Array:
        """What goes for log(1 - q)."""
        return self.log(1 - q)


class LogOfOneMinusProbability(_OtherLogarithm):
    """The negative term has log(1 - q) for log1p(-q), and loses a small q."""

    kind = "accuracy"


class ProbabilityClippedAt1e7(_OtherLogarithm):
    """The probability is clipped to [1e-7, 1 - 1e-7], Keras' epsilon."""

    def log(self, q: Array) -> Array:
        return np.log(np.clip(q, 1e-7, 1 - 1e-7))


class ProbabilityPlus1e12(_OtherLogarithm):
    """The probability is moved by 1e-12 to keep the logarithm finite."""

    def log(self, q: Array) -> Array:
        return np.log(q + 1e-12)


class ProbabilityPlus1e7(_OtherLogarithm):
    """The probability is moved by 1e-7 to keep the logarithm finite."""

    def log(self, q: Array) -> Array:
        return np.log(q + 1e-7)


class LogarithmClampedAt1000(_OtherLogarithm):
    """The logarithm is clamped at -1000 and not at -100."""

    def log(self, q: Array) -> Array:
        return np.maximum(np.log(q), -1000)

    def log_of_rest(self, q: Array) -> Array:
        return np.maximum(np.log1p(-q), -1000)


class LogarithmClampedAt50(_OtherLogarithm):
    """The logarithm is clamped at -50."""

    def log(self, q: Array) -> Array:
        return np.maximum(np.log(q), -50)

    def log_of_rest(self, q: Array) -> Array:
        return np.maximum(np.log1p(-q), -50)


class PositiveLogarithmClamped(_OtherLogarithm):
    """Only the logarithm of the positive term is clamped."""

    def log(self, q: Array) -> Array:
        return np.maximum(np.log(q), -100)

    def log_of_rest(self, q: Array) -> Array:
        return np.log1p(-q)


class LogarithmOfZeroIsZero(_OtherLogarithm):
    """The logarithm of 0 counts as 0, as by nan_to_num."""

    def log(self, q: Array) -> Array:
        return np.where(q == 0, 0, np.log(q))

    def log_of_rest(self, q: Array) -> Array:
        return np.where(q == 1, 0, np.log1p(-q))


class LogarithmOfSubnormalsIsInfinite(_OtherLogarithm):
    """A subnormal probability counts as 0."""

    def log(self, q: Array) -> Array:
        return np.log(np.where(q < np.finfo(q.dtype).tiny, 0, q))

    def log_of_rest(self, q: Array) -> Array:
        return np.log1p(-q)


class LogitOfProbability(Probabilities):
    """The loss is that of the logit log(q / (1 - q)), which rounds what is near 1."""

    kind = "accuracy"

    def change(self, q: Array, t: Array) -> Outputs:
        x = np.log(q / (1 - q))
        # log1p(exp -|x|) is right; what is lost, q / (1 - q) has lost.
        small = np.log1p(np.exp(-np.abs(x)))
        up, down = np.maximum(x, 0) + small, np.maximum(-x, 0) + small
        return {"loss": times(t, down) + times(1 - t, up)}


class ProductUnclamped(Probabilities):
    """Nothing keeps 0 log 0 from being NaN."""

    def change(self, q: Array, t: Array) -> Outputs:
        return {"loss": -t * np.log(q) - (1 - t) * np.log1p(-q)}


class ProductClamped(Probabilities):
    """The product of target and logarithm is clamped, not the logarithm."""

    def change(self, q: Array, t: Array) -> Outputs:
        positive = np.fmax(t * np.log(q), -100)
        return {"loss": -positive - np.fmax((1 - t) * np.log1p(-q), -100)}


class TotalCapped(Probabilities):
    """The loss of an element is capped at 100, and not each logarithm."""

    def change(self, q: Array, t: Array) -> Outputs:
        return {"loss": np.minimum(bce(q, t)["loss"], 100)}


class EpsilonOfFloat16(Probabilities):
    """The epsilon 1e-12 is cast to float16, where it is 0."""

    def change(self, q: Array, t: Array) -> Outputs:
        epsilon = q.dtype.type(np.float16(1e-12))
        return {"loss": -t * np.log(q + epsilon) - (1 - t) * np.log(1 - q + epsilon)}


class ProbabilitiesInverted(OtherInputs):
    """The probability is that of the negative class."""

    operation = "bce"

    def other(self, arrays: Arrays) -> Arrays:
        return {"probabilities": 1 - arrays["probabilities"]}


class SigmoidOfProbability(OtherInputs):
    """The probability is taken for a logit."""

    operation = "bce"

    def other(self, arrays: Arrays) -> Arrays:
        return {"probabilities": logistic(arrays["probabilities"])}


class NegativeTermOfProbabilityMissing(Probabilities):
    """The negative term is missing."""

    def change(self, q: Array, t: Array) -> Outputs:
        return {"loss": -times(t, np.log(q))}


class _OtherProbabilityGradient(Probabilities):
    """Base of those that get the derivative with respect to the probabilities wrong."""

    def change(self, q: Array, t: Array) -> Outputs:
        return {"probabilities_grad": self.gradient(q, t)}

    def gradient(self, q: Array, t: Array) -> Array:
        raise NotImplementedError


class ProbabilityGradientBoundedAt1e7(_OtherProbabilityGradient):
    """The denominator q (1 - q) of the gradient is at least 1e-7."""

    def gradient(self, q: Array, t: Array) -> Array:
        return (q - t) / np.maximum(q * (1 - q), 1e-7)


class ProbabilityGradientShifted(_OtherProbabilityGradient):
    """The denominator of the gradient is q (1 - q) + 1e-12."""

    def gradient(self, q: Array, t: Array) -> Array:
        return (q - t) / (q * (1 - q) + 1e-12)


class ProbabilityGradientUndivided(_OtherProbabilityGradient):
    """The gradient is that with respect to the logit, q - t."""

    def gradient(self, q: Array, t: Array) -> Array:
        return q - t


class ProbabilityGradientNegated(_OtherProbabilityGradient):
    """The gradient has the wrong sign."""

    def gradient(self, q: Array, t: Array) -> Array:
        return -bce(q, t)["probabilities_grad"]


class ProbabilityGradientUnlimited(_OtherProbabilityGradient):
    """At 0 and 1 the gradient is 0/0, whatever its limit."""

    def gradient(self, q: Array, t: Array) -> Array:
        return (q - t) / (q * (1 - q))


class ProbabilityGradientZeroNearEdges(_OtherProbabilityGradient):
    """Within 1e-7 of 0 and 1 the gradient is 0: a clip saturates."""

    def gradient(self, q: Array, t: Array) -> Array:
        clipped = (q < 1e-7) | (q > 1 - 1e-7)
        return np.where(clipped, 0, bce(q, t)["probabilities_grad"])


class ProbabilityGradientOfHardTargets(_OtherProbabilityGradient):
    """The gradient is that of targets rounded to 0 or 1."""

    def gradient(self, q: Array, t: Array) -> Array:
        return np.where(t > 0.5, -1 / q, 1 / (1 - q))


class ProbabilityTargetsGradientMissing(Probabilities):
    """The targets have the gradient 0."""

    def change(self, q: Array, t: Array) -> Outputs:
        return {"targets_grad": np.zeros_like(q)}


class ProbabilityTargetsGradientNegated(Probabilities):
    """The gradient of the targets has the wrong sign."""

    def change(self, q: Array, t: Array) -> Outputs:
        return {"targets_grad": np.log(q) - np.log1p(-q)}


class ProbabilityTargetsGradientClamped(Probabilities):
    """The gradient of the targets is clamped at 16.1, the logit of Keras' epsilon."""

    def change(self, q: Array, t: Array) -> Outputs:
        return {"targets_grad": np.clip(bce(q, t)["targets_grad"], -16.1, 16.1)}
