"""Formulas of the loss of logits that overflow, round to zero, or are clamped."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from conformance.adapters.numpy import logistic, softplus, times

from .base import Logits, OtherInputs, TwoLogarithms

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array

    from .base import Arrays, Outputs


class LogOfSigmoid(TwoLogarithms):
    """The logarithm is taken of a rounded sigmoid, 1 / (1 + exp -x)."""

    def minus_log(self, z: Array) -> Array:
        return -np.log(1 / (1 + np.exp(-z)))


class LogOfAccurateSigmoid(TwoLogarithms):
    """The logarithm is taken of a sigmoid that keeps its digits, but is 1 for large logits."""

    kind = "accuracy"

    def minus_log(self, z: Array) -> Array:
        return -np.log(logistic(z))


class LogOfOneMinusSigmoid(Logits):
    """The negative term is -log(1 - S(x))."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        negative = -np.log(1 - logistic(x))
        return {"loss": times(p * t, softplus(-x)) + times(1 - t, negative)}


class LogOfSigmoidPlus1e7(TwoLogarithms):
    """The sigmoid is moved by 1e-7 to keep the logarithm finite."""

    def minus_log(self, z: Array) -> Array:
        return -np.log(logistic(z) + 1e-7)


class LogOfSigmoidPlus1e12(TwoLogarithms):
    """The sigmoid is moved by 1e-12 to keep the logarithm finite."""

    def minus_log(self, z: Array) -> Array:
        return -np.log(logistic(z) + 1e-12)


class SigmoidClippedAt1e7(TwoLogarithms):
    """The sigmoid is clipped to [1e-7, 1 - 1e-7], Keras' epsilon."""

    def minus_log(self, z: Array) -> Array:
        return -np.log(np.clip(logistic(z), 1e-7, 1 - 1e-7))


class SigmoidClippedAt1e15(TwoLogarithms):
    """The sigmoid is clipped to [1e-15, 1 - 1e-15], the old epsilon of scikit-learn's log_loss."""

    def minus_log(self, z: Array) -> Array:
        return -np.log(np.clip(logistic(z), 1e-15, 1 - 1e-15))


class BceLossOfSigmoid(TwoLogarithms):
    """BCELoss is given the sigmoid, and clamps each logarithm at -100."""

    def minus_log(self, z: Array) -> Array:
        return np.minimum(-np.log(1 / (1 + np.exp(-z))), 100)


class SoftplusWithoutMaximum(TwoLogarithms):
    """The softplus is log1p(exp z), which overflows."""

    def minus_log(self, z: Array) -> Array:
        return np.log1p(np.exp(-z))


class LogForLog1p(TwoLogarithms):
    """The softplus has log(1 + e) for log1p(e), and loses a small e."""

    def minus_log(self, z: Array) -> Array:
        return np.maximum(-z, 0) + np.log(1 + np.exp(-np.abs(z)))


class SoftplusLinearAbove20(TwoLogarithms):
    """The softplus is the identity above 20, as PyTorch's Softplus is: too early for float64."""

    kind = "accuracy"

    def minus_log(self, z: Array) -> Array:
        return np.where(-z > 20, -z, softplus(-z))


class SoftplusLinearAbove10(TwoLogarithms):
    """The softplus is the identity above 10."""

    kind = "accuracy"

    def minus_log(self, z: Array) -> Array:
        return np.where(-z > 10, -z, softplus(-z))


class SoftplusZeroBelowMinus20(TwoLogarithms):
    """The softplus is 0 below -20, where float32 cannot tell 1 + e from 1."""

    def minus_log(self, z: Array) -> Array:
        return np.where(z > 20, 0, softplus(-z))


class SoftplusZeroBelowMinus80(TwoLogarithms):
    """The softplus is 0 below -80."""

    def minus_log(self, z: Array) -> Array:
        return np.where(z > 80, 0, softplus(-z))


class SoftplusExponentialBelowMinus10(TwoLogarithms):
    """The softplus is exp z below -10, one term of its series too few."""

    def minus_log(self, z: Array) -> Array:
        return np.where(z > 10, np.exp(-z), softplus(-z))


class SoftplusMaximumMissing(TwoLogarithms):
    """The softplus lacks max(z, 0)."""

    def minus_log(self, z: Array) -> Array:
        return np.log1p(np.exp(-np.abs(z)))


class SoftplusMaximumOfOtherSign(TwoLogarithms):
    """The softplus has max(-z, 0)."""

    def minus_log(self, z: Array) -> Array:
        return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


class SoftplusOfAbsolute(TwoLogarithms):
    """The softplus lacks the minus before the absolute value, and overflows."""

    def minus_log(self, z: Array) -> Array:
        return np.maximum(-z, 0) + np.log1p(np.exp(np.abs(z))) - np.abs(z)


class LogAddExpOfHalves(TwoLogarithms):
    """The softplus is z/2 + log(2 cosh(z/2)), which overflows and cancels."""

    def minus_log(self, z: Array) -> Array:
        return -z / 2 + np.log(2 * np.cosh(z / 2))


class TextbookFormula(Logits):
    """PyTorch's (1 - t) x + (1 + (p - 1) t) s(-x) cancels in the negative tail."""

    kind = "accuracy"

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": times(1 - t, x) + (1 + (p - 1) * t) * softplus(-x)}


class SubtractedFormula(Logits):
    """TensorFlow's max(x, 0) - x t + log1p(exp -|x|) cancels for confident right logits."""

    kind = "accuracy"

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        plain = np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))
        return {"loss": plain + times((p - 1) * t, softplus(-x))}


class FormulaWithoutMaximum(Logits):
    """The loss is (1 - t) x + log1p(exp -x), which overflows for x far below 0."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": (1 - t) * x + (1 + (p - 1) * t) * np.log1p(np.exp(-x))}


class FormulaWithLog(Logits):
    """PyTorch's formula of before 2018, with log(exp(-m) + exp(-x - m)), rounds tails to zero."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        m = np.maximum(-x, 0)
        logarithm = m + np.log(np.exp(-m) + np.exp(-x - m))
        return {"loss": (1 - t) * x + (1 + (p - 1) * t) * logarithm}


class FormulaWithSignSlip(Logits):
    """The loss is (1 - t) x + max(x, 0) + log1p(exp -|x|)."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": (1 - t) * x + (1 + (p - 1) * t) * softplus(x)}


class SoftplusOfSignedLogit(Logits):
    """The loss is s((1 - 2t) x), which is right for hard targets only."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": (1 + (p - 1) * t) * softplus((1 - 2 * t) * x)}


class _ClampedLogits(OtherInputs):
    """Base of those that clamp the logits of the loss."""

    operation = "bce_with_logits"
    limit: ClassVar[float]

    def other(self, arrays: Arrays) -> Arrays:
        return {"logits": np.clip(arrays["logits"], -self.limit, self.limit)}


class LogitsClampedAt15(_ClampedLogits):
    """The logits are clamped to [-15, 15]."""

    limit = 15


class LogitsClampedAt30(_ClampedLogits):
    """The logits are clamped to [-30, 30]."""

    limit = 30


class LogitsClampedAt88(_ClampedLogits):
    """The logits are clamped to [-88, 88], where float32's exp overflows."""

    limit = 88


class LogitsClampedAt100(_ClampedLogits):
    """The logits are clamped to [-100, 100]."""

    limit = 100


class LogitsClampedAt1e4(_ClampedLogits):
    """The logits are clamped to [-10000, 10000]."""

    limit = 1e4


class LossClampedAt100(Logits):
    """The loss of an element is at most 100, as that of a probability is in PyTorch."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": np.minimum(times(p * t, softplus(-x)) + times(1 - t, softplus(x)), 100)}


class LossPlus1e7(Logits):
    """The loss is moved by 1e-7 from zero."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": times(p * t, softplus(-x)) + times(1 - t, softplus(x)) + 1e-7}
