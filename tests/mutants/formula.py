"""Losses that are not binary cross-entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conformance.adapters.numpy import logistic, softplus, times

from .base import Logits, Mutant, OtherInputs

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array

    from .base import Arrays, Outputs


class _OtherLoss(Mutant):
    """Base of those that change the right loss of each element."""

    def elementwise(self, operation: str, arrays: Arrays) -> Outputs:
        outputs = super().elementwise(operation, arrays)
        return outputs | {"loss": self.loss(outputs["loss"])}

    def loss(self, loss: Array) -> Array:
        raise NotImplementedError


class LossInBits(_OtherLoss):
    """The logarithm is of base 2."""

    def loss(self, loss: Array) -> Array:
        return loss / np.log(2, dtype=loss.dtype)


class LossInDigits(_OtherLoss):
    """The logarithm is of base 10."""

    def loss(self, loss: Array) -> Array:
        return loss / np.log(10, dtype=loss.dtype)


class LossHalved(_OtherLoss):
    """The loss is multiplied by 1/2."""

    def loss(self, loss: Array) -> Array:
        return loss / 2


class LossDoubled(_OtherLoss):
    """The loss is multiplied by 2, like a deviance."""

    def loss(self, loss: Array) -> Array:
        return loss * 2


class LossNegated(_OtherLoss):
    """The minus before the logarithm is missing."""

    def loss(self, loss: Array) -> Array:
        return -loss


class LossAbsolute(_OtherLoss):
    """The loss is made positive, which that of targets outside [0, 1] need not be."""

    def loss(self, loss: Array) -> Array:
        return np.abs(loss)


class LossNotNegative(_OtherLoss):
    """A negative loss counts as 0."""

    def loss(self, loss: Array) -> Array:
        return np.maximum(loss, 0)


class PositiveTermOnly(Logits):
    """The negative term is missing."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": times(p * t, softplus(-x))}


class NegativeTermOnly(Logits):
    """The positive term is missing."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": np.broadcast_to(times(1 - t, softplus(x)), np.broadcast(x, t).shape)}


class FocalLoss(Logits):
    """The loss is the focal loss with gamma 2."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        positive = times(p * t * logistic(-x) ** 2, softplus(-x))
        return {"loss": positive + times((1 - t) * logistic(x) ** 2, softplus(x))}


class HingeLoss(Logits):
    """The loss is a hinge, max(0, 1 - y x)."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": p * t * np.maximum(1 - x, 0) + (1 - t) * np.maximum(1 + x, 0)}


class SquaredError(Logits):
    """The loss is the squared error of the sigmoid."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": p * (logistic(x) - t) ** 2}


class DoubleSigmoid(OtherInputs):
    """The sigmoid is taken before a loss that takes it itself."""

    operation = "bce_with_logits"

    def other(self, arrays: Arrays) -> Arrays:
        return {"logits": logistic(arrays["logits"])}


class LogitsNegated(OtherInputs):
    """The logit is that of the negative class."""

    operation = "bce_with_logits"

    def other(self, arrays: Arrays) -> Arrays:
        return {"logits": -arrays["logits"]}


class LogitsHalved(OtherInputs):
    """The sigmoid is taken for (1 + tanh x) / 2 with half the logit."""

    operation = "bce_with_logits"

    def other(self, arrays: Arrays) -> Arrays:
        return {"logits": arrays["logits"] / 2}


class SoftmaxOverRows(Logits):
    """The logits compete along the last axis: a softmax takes the place of the sigmoid."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        if not x.ndim or not x.size:
            return {}
        top = x.max(axis=-1, keepdims=True)
        total = top + np.log(np.exp(x - top).sum(axis=-1, keepdims=True))
        return {"loss": p * t * (total - x)}
