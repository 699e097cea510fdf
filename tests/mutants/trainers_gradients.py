"""Trainers that step by another gradient than that of the window."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.jobs import parameter_shapes
from conformance.optimizers import clipped

from .trainers import OtherJob, WrongTrainer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.jobs import Job
    from conformance.loops import Indices


class ClippedTooLate(WrongTrainer):
    """The gradient is clipped after the step, when it no longer matters."""

    def clip(self, gradient: Any) -> Any:
        return gradient


class ClippedByParameter(WrongTrainer):
    """Each parameter is clipped by its own norm, and not all by the total norm."""

    def clip(self, gradient: Any) -> Any:
        parts = (super(ClippedByParameter, self).clip(part) for part in self._parts(gradient))
        return np.concatenate(list(parts))

    def _parts(self, gradient: Any) -> Iterator[Any]:
        start = 0
        for _, shape in parameter_shapes(self.job, self.work.features.shape):
            yield gradient[start : start + prod(shape)]
            start += prod(shape)


class ClippedByBatch(WrongTrainer):
    """Each batch of a window is clipped, and not the window."""

    def batch_gradient(self, batch: Indices) -> Any:
        return super().clip(super().batch_gradient(batch))

    def clip(self, gradient: Any) -> Any:
        return gradient


class ClippedBeforeDivision(WrongTrainer):
    """The sum over a window is clipped, and divided afterwards."""

    def clip(self, gradient: Any) -> Any:
        return super().clip(gradient * len(self.window)) / len(self.window)


class ClippedAlways(WrongTrainer):
    """A gradient that is shorter than the limit is scaled up to it."""

    def clip(self, gradient: Any) -> Any:
        if self.job.clip_norm is None:
            return super().clip(gradient)
        return gradient * (self.job.clip_norm / np.sqrt((gradient * gradient).sum()))


class ClippedByLargest(WrongTrainer):
    """The norm is the largest element and not the root of the sum of squares."""

    def clip(self, gradient: Any) -> Any:
        if self.job.clip_norm is None:
            return super().clip(gradient)
        return gradient * np.minimum(self.job.clip_norm / np.abs(gradient).max(), 1)


class ClippedBySquaredNorm(WrongTrainer):
    """The root of the norm is forgotten."""

    def clip(self, gradient: Any) -> Any:
        if self.job.clip_norm is None:
            return super().clip(gradient)
        return gradient * np.minimum(self.job.clip_norm / (gradient * gradient).sum(), 1)


class NormTakenForValue(OtherJob):
    """A limit of the norm is taken for one of the elements."""

    def other(self, job: Job) -> dict[str, Any]:
        return {"clip_norm": None, "clip_value": job.clip_value or job.clip_norm}


class ValueTakenForNorm(OtherJob):
    """A limit of the elements is taken for one of the norm."""

    def other(self, job: Job) -> dict[str, Any]:
        return {"clip_value": None, "clip_norm": job.clip_norm or job.clip_value}


class ValueClippedAbove(WrongTrainer):
    """Elements are limited from above only."""

    def clip(self, gradient: Any) -> Any:
        if self.job.clip_value is None:
            return super().clip(gradient)
        return np.minimum(gradient, self.job.clip_value)


class DecayClipped(WrongTrainer):
    """The decay is part of what is clipped."""

    def clip(self, gradient: Any) -> Any:
        decay = self.optimum.settings.weight_decay * self.parameters
        return super().clip(gradient + decay) - decay


class GradientInFloat16(WrongTrainer):
    """Gradients are rounded to float16 and not scaled before."""

    def batch_gradient(self, batch: Indices) -> Any:
        gradient = super().batch_gradient(batch)
        return gradient.astype(np.float16).astype(gradient.dtype)


class GradientStillScaled(WrongTrainer):
    """The gradient is clipped before the scale of 2^16 is taken out of it."""

    def clip(self, gradient: Any) -> Any:
        return clipped(gradient * 65536, self.job, 0.0) / 65536
