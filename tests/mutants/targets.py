"""Mistakes with the targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conformance.adapters.numpy import times

from .base import ALL, LOSS, Mutant, OtherInputs, OtherMean, first

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array

    from .base import Arrays, Outputs


class _OtherTargets(OtherInputs):
    """The loss is that of other targets."""

    def other(self, arrays: Arrays) -> Arrays:
        t = self.targets(arrays["targets"])
        return {"targets": np.asarray(t, arrays["targets"].dtype)}

    def targets(self, t: Array) -> Array:
        raise NotImplementedError


class TargetsAboveHalf(_OtherTargets):
    """A target above 1/2 counts as 1, any other as 0."""

    def targets(self, t: Array) -> Array:
        return t > 0.5


class TargetsAboveZero(_OtherTargets):
    """A target above 0 counts as 1."""

    def targets(self, t: Array) -> Array:
        return t > 0


class TargetsOfExactlyOne(_OtherTargets):
    """Every target but 1 counts as 0."""

    def targets(self, t: Array) -> Array:
        return t == 1


class TargetsTruncated(_OtherTargets):
    """The targets are cast to integers."""

    def targets(self, t: Array) -> Array:
        return np.trunc(t)


class TargetsInverted(_OtherTargets):
    """The classes are exchanged."""

    def targets(self, t: Array) -> Array:
        return 1 - t


class TargetsReversed(_OtherTargets):
    """The targets are taken in reverse order."""

    def targets(self, t: Array) -> Array:
        return t[..., ::-1] if t.ndim else t


class TargetsOfFirstElement(_OtherTargets):
    """The first target of a row counts for all of it."""

    def targets(self, t: Array) -> Array:
        return np.broadcast_to(t[..., :1], t.shape) if t.ndim else t


class TargetsClipped(_OtherTargets):
    """Targets outside [0, 1] are clipped."""

    def targets(self, t: Array) -> Array:
        return np.clip(t, 0, 1)


class TargetsSoftened(_OtherTargets):
    """The targets are clipped to [1e-7, 1 - 1e-7]."""

    def targets(self, t: Array) -> Array:
        return np.clip(t, 1e-7, 1 - 1e-7)


class TargetsSmoothed(_OtherTargets):
    """The targets are smoothed by 0.1 unasked."""

    wrong = ALL

    def targets(self, t: Array) -> Array:
        return 0.9 * t + 0.05


class TargetsSigned(_OtherTargets):
    """The targets are taken for signs, of which -1 is the negative class."""

    def targets(self, t: Array) -> Array:
        return (t + 1) / 2


class TargetsSquared(_OtherTargets):
    """The targets are squared, which changes soft ones only."""

    def targets(self, t: Array) -> Array:
        return t * t


class TargetsRoundedToThousandths(_OtherTargets):
    """The targets are rounded to three decimals."""

    def targets(self, t: Array) -> Array:
        return np.round(t, 3)


class TargetsReadAsPercent(_OtherTargets):
    """A target above 1 is taken for a percentage."""

    def targets(self, t: Array) -> Array:
        return np.where(t > 1, t / 100, t)


class NegativeTargetsIgnored(Mutant):
    """Elements with a negative target do not count, as the label -1 does not in Chainer."""

    def weigh(self, outputs: Outputs, arrays: Arrays) -> Outputs:
        found = super().weigh(outputs, arrays)
        return {name: np.where(arrays["targets"] < 0, 0, value) for name, value in found.items()}


class NanTargetsIgnored(Mutant):
    """Elements with a NaN for target are taken for unlabelled, and do not count."""

    def weigh(self, outputs: Outputs, arrays: Arrays) -> Outputs:
        found = super().weigh(outputs, arrays)
        unlabelled = np.isnan(arrays["targets"])
        return {name: np.where(unlabelled, 0, value) for name, value in found.items()}


class MeanOverPositives(OtherMean):
    """The mean is divided by the number of positive targets, as in a detector."""

    def divisor(self, arrays: Arrays, size: int) -> int:
        return max(1, np.count_nonzero(arrays["targets"] > 0))


class TargetEntropySubtracted(Mutant):
    """The entropy of the targets is subtracted: the loss is a Kullback-Leibler divergence."""

    def elementwise(self, operation: str, arrays: Arrays) -> Outputs:
        outputs = super().elementwise(operation, arrays)
        t = np.clip(arrays["targets"], 0, 1)
        entropy = -times(t, np.log(t)) - times(1 - t, np.log1p(-t))
        return outputs | {"loss": outputs["loss"] - entropy}


class InputAndTargetsSwapped(OtherInputs):
    """The first two arguments change places, as in another framework's order."""

    wrong = LOSS

    def other(self, arrays: Arrays) -> Arrays:
        name = next(iter(arrays))
        return {name: arrays["targets"], "targets": first(arrays)}
