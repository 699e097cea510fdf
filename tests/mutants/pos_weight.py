"""Mistakes with the pos_weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conformance.adapters.numpy import bce_with_logits, softplus, times

from .base import Logits, OtherInputs, OtherMean, is_square

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array

    from .base import Arrays, Outputs

NONE = np.float32(1)


class PosWeightOnBothTerms(Logits):
    """The pos_weight multiplies the whole loss."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": times(p, bce_with_logits(x, t, NONE)["loss"])}


class PosWeightOnNegativeTerm(Logits):
    """The pos_weight multiplies the negative term."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": times(t, softplus(-x)) + times(p * (1 - t), softplus(x))}


class PosWeightInterpolated(Logits):
    """The whole loss is multiplied by 1 + (p - 1) t, which is right for hard targets only."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": times(1 + (p - 1) * t, bce_with_logits(x, t, NONE)["loss"])}


class PosWeightInsideTheLogit(Logits):
    """The pos_weight multiplies the logit of the positive term."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": times(t, softplus(-p * x)) + times(1 - t, softplus(x))}


class PosWeightOfLikelihood(Logits):
    """The pos_weight multiplies the likelihood of the positive class and not its logarithm."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"loss": times(t, softplus(-x) - np.log(p)) + times(1 - t, softplus(x))}


class _OtherPosWeight(OtherInputs):
    """The loss is that of another pos_weight."""

    operation = "bce_with_logits"

    def other(self, arrays: Arrays) -> Arrays:
        p = self.pos_weight(arrays["pos_weight"], arrays)
        return {"pos_weight": np.asarray(p, arrays["pos_weight"].dtype)}

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        raise NotImplementedError


class PosWeightIgnored(_OtherPosWeight):
    """The pos_weight is ignored."""

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        return np.ones_like(p)


class PosWeightIgnoredBesideWeight(_OtherPosWeight):
    """The pos_weight is ignored where a weight is given."""

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        return p if np.all(arrays["weight"] == 1) else np.ones_like(p)


class PosWeightOfHardTargetsOnly(_OtherPosWeight):
    """The pos_weight counts for targets of exactly 1 only."""

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        return np.where(arrays["targets"] == 1, p, 1)


class PosWeightOfLikelyTargetsOnly(_OtherPosWeight):
    """The pos_weight counts for targets above 1/2 only."""

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        return np.where(arrays["targets"] > 0.5, p, 1)


class PosWeightAlongTheBatch(_OtherPosWeight):
    """On square shapes a pos_weight of classes is taken along the batch."""

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        return p[:, np.newaxis] if p.ndim == 1 and is_square(arrays["logits"]) else p


class PosWeightAlongTheChannels(_OtherPosWeight):
    """On images of as many channels as columns a pos_weight is taken along dimension 1."""

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        shape = arrays["logits"].shape
        channels = p.ndim == 1 and len(shape) == 4 and p.size == shape[1]
        return p[:, np.newaxis, np.newaxis] if channels else p


class PosWeightOfFirstClass(_OtherPosWeight):
    """The first pos_weight counts for all classes."""

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        return p.reshape(-1)[0] if p.size else p


class PosWeightAveraged(_OtherPosWeight):
    """The mean of the pos_weights counts for all classes."""

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        return p.mean() if p.size else p


class PosWeightReversed(_OtherPosWeight):
    """The pos_weights are taken in reverse order of the classes."""

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        return p[..., ::-1] if p.ndim else p


class PosWeightAtLeastOne(_OtherPosWeight):
    """A pos_weight below 1 counts as 1."""

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        return np.maximum(p, 1)


class PosWeightTruncated(_OtherPosWeight):
    """The pos_weight is truncated to an integer."""

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        return np.trunc(p)


class PosWeightSquared(_OtherPosWeight):
    """The pos_weight is applied twice."""

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        return p * p


class PosWeightZeroIsNone(_OtherPosWeight):
    """A pos_weight of 0 is taken for none, as by Python's `pos_weight or 1`."""

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        return np.where(p == 0, 1, p)


class PosWeightAsFraction(_OtherPosWeight):
    """The pos_weights are scaled to a mean of 1."""

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        return p / p.mean() if p.size and p.mean() else p


class PosWeightClampedAtHundred(_OtherPosWeight):
    """The pos_weight is at most 100."""

    def pos_weight(self, p: Array, arrays: Arrays) -> Array:
        return np.minimum(p, 100)


class MeanOverPosWeights(OtherMean):
    """The mean is divided by the sum of 1 + (p - 1) t."""

    def divisor(self, arrays: Arrays, size: int) -> Array | int:
        if "pos_weight" not in arrays:
            return size
        return np.sum(1 + (arrays["pos_weight"] - 1) * arrays["targets"])
