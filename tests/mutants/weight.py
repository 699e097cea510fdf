"""Mistakes with the weight."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from conformance.adapters.numpy import softplus, times

from .base import Mutant, OtherInputs, OtherMean, first, is_square

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array
    from conformance.model import Question

    from .base import Arrays, Outputs


class _OtherWeight(OtherInputs):
    """The loss is multiplied by another weight."""

    def other(self, arrays: Arrays) -> Arrays:
        w = self.weight(arrays["weight"], arrays)
        return {"weight": np.asarray(w, arrays["weight"].dtype)}

    def weight(self, w: Array, arrays: Arrays) -> Array:
        raise NotImplementedError


class WeightIgnored(_OtherWeight):
    """The weight is ignored."""

    def weight(self, w: Array, arrays: Arrays) -> Array:
        return np.ones_like(w)


class WeightIgnoredBesidePosWeight(_OtherWeight):
    """The weight is ignored where a pos_weight is given."""

    def weight(self, w: Array, arrays: Arrays) -> Array:
        return w if np.all(arrays.get("pos_weight", 1) == 1) else np.ones_like(w)


class WeightSquared(_OtherWeight):
    """The weight is applied twice."""

    def weight(self, w: Array, arrays: Arrays) -> Array:
        return w * w


class WeightSquareRoot(_OtherWeight):
    """The weight is applied under a square root."""

    def weight(self, w: Array, arrays: Arrays) -> Array:
        return np.sign(w) * np.sqrt(np.abs(w))


class WeightAbsolute(_OtherWeight):
    """The sign of the weight is ignored."""

    def weight(self, w: Array, arrays: Arrays) -> Array:
        return np.abs(w)


class WeightNotNegative(_OtherWeight):
    """A negative weight counts as 0."""

    def weight(self, w: Array, arrays: Arrays) -> Array:
        return np.maximum(w, 0)


class WeightAtMostOne(_OtherWeight):
    """A weight above 1 counts as 1."""

    def weight(self, w: Array, arrays: Arrays) -> Array:
        return np.minimum(w, 1)


class WeightAsMask(_OtherWeight):
    """Every weight but 0 counts as 1."""

    def weight(self, w: Array, arrays: Arrays) -> Array:
        return (w != 0).astype(w.dtype)


class WeightTruncated(_OtherWeight):
    """The weight is truncated to an integer."""

    def weight(self, w: Array, arrays: Arrays) -> Array:
        return np.trunc(w)


class WeightZeroIsNone(_OtherWeight):
    """A weight of 0 is taken for none, as by Python's `weight or 1`."""

    def weight(self, w: Array, arrays: Arrays) -> Array:
        return np.where(w == 0, 1, w)


class WeightOfFirstElement(_OtherWeight):
    """The first weight counts for all elements."""

    def weight(self, w: Array, arrays: Arrays) -> Array:
        return w.reshape(-1)[0] if w.size else w


class WeightAveraged(_OtherWeight):
    """The mean of the loss is multiplied by the mean of the weights."""

    def weight(self, w: Array, arrays: Arrays) -> Array:
        return w.mean() if w.size else w


class WeightScaledToMeanOne(_OtherWeight):
    """The weights are scaled to a mean of 1."""

    def weight(self, w: Array, arrays: Arrays) -> Array:
        return w / w.mean() if w.size and w.mean() else w


class WeightAlongTheBatch(_OtherWeight):
    """On square shapes a weight of classes is taken along the batch."""

    def weight(self, w: Array, arrays: Arrays) -> Array:
        return w[:, np.newaxis] if w.ndim == 1 and is_square(first(arrays)) else w


class WeightAlongTheChannels(_OtherWeight):
    """On images of as many channels as columns a weight is taken along dimension 1."""

    def weight(self, w: Array, arrays: Arrays) -> Array:
        shape = first(arrays).shape
        channels = w.ndim == 1 and len(shape) == 4 and w.size == shape[1]
        return w[:, np.newaxis, np.newaxis] if channels else w


class WeightOnPositiveTerm(Mutant):
    """The weight multiplies the positive term alone."""

    def weigh(self, outputs: Outputs, arrays: Arrays) -> Outputs:
        found = super().weigh(outputs, arrays)
        x, t = first(arrays), arrays["targets"]
        negative = (1 - t) * (softplus(x) if "logits" in arrays else -np.log1p(-x))
        return found | {"loss": found["loss"] + times(1 - arrays["weight"], negative)}


class WeightMasksNan(Mutant):
    """A weight of 0 hides a NaN of the loss, as where() does and a product does not."""

    def weigh(self, outputs: Outputs, arrays: Arrays) -> Outputs:
        found = super().weigh(outputs, arrays)
        return found | {"loss": np.where(arrays["weight"] == 0, 0, found["loss"])}


class _WithoutWeight(Mutant):
    """Base of those that ignore the weight in one reduction."""

    reduction: ClassVar[str]

    def read(self, question: Question) -> Question:
        question = super().read(question)
        if question.reduction != self.reduction:
            return question
        inputs = {name: array for name, array in question.inputs.items() if name != "weight"}
        return replace(question, inputs=inputs)


class WeightIgnoredUnreduced(_WithoutWeight):
    """The weight is ignored where nothing is reduced."""

    reduction = "none"


class WeightIgnoredInSums(_WithoutWeight):
    """The weight is ignored in sums."""

    reduction = "sum"


class WeightIgnoredInMeans(_WithoutWeight):
    """The weight is ignored in means."""

    reduction = "mean"


class MeanOverWeights(OtherMean):
    """The mean is divided by the sum of the weights, as that of a cross-entropy of classes is."""

    def divisor(self, arrays: Arrays, size: int) -> Array:
        return np.broadcast_to(arrays["weight"], first(arrays).shape).sum()


class MeanOverNonZeroWeights(OtherMean):
    """The mean is divided by the number of weights that are not 0."""

    def divisor(self, arrays: Arrays, size: int) -> int:
        return np.count_nonzero(np.broadcast_to(arrays["weight"], first(arrays).shape))
