"""Mistakes with the gradient that flows back into the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .base import DERIVATIVES, LOSS, SECOND, TARGETS_GRADIENT, OtherInputs, first, is_square

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array

    from .base import Arrays


class _OtherUpstream(OtherInputs):
    """The derivatives are those for another grad_output."""

    wrong = DERIVATIVES

    def other(self, arrays: Arrays) -> Arrays:
        g = self.upstream(arrays["grad_output"], arrays)
        return {"grad_output": np.asarray(g, arrays["grad_output"].dtype)}

    def upstream(self, g: Array, arrays: Arrays) -> Array:
        raise NotImplementedError


class UpstreamIgnored(_OtherUpstream):
    """What flows back into the loss is ignored."""

    def upstream(self, g: Array, arrays: Arrays) -> Array:
        return np.ones_like(g)


class UpstreamIgnoredByTargets(UpstreamIgnored):
    """What flows back into the loss is ignored in the gradient of the targets."""

    wrong = TARGETS_GRADIENT


class UpstreamIgnoredBySecondDerivative(UpstreamIgnored):
    """What flows back into the loss is ignored in the second derivative."""

    wrong = SECOND


class UpstreamSquared(_OtherUpstream):
    """What flows back into the loss is applied twice."""

    def upstream(self, g: Array, arrays: Arrays) -> Array:
        return g * g


class UpstreamAbsolute(_OtherUpstream):
    """The sign of what flows back into the loss is ignored."""

    def upstream(self, g: Array, arrays: Arrays) -> Array:
        return np.abs(g)


class UpstreamOfFirstElement(_OtherUpstream):
    """The first of what flows back counts for all elements, as of an expanded gradient."""

    def upstream(self, g: Array, arrays: Arrays) -> Array:
        return g.reshape(-1)[0] if g.size else g


class UpstreamAveraged(_OtherUpstream):
    """The mean of what flows back counts for all elements."""

    def upstream(self, g: Array, arrays: Arrays) -> Array:
        return g.mean() if g.size else g


class UpstreamTransposed(_OtherUpstream):
    """On square shapes what flows back is taken transposed."""

    def upstream(self, g: Array, arrays: Arrays) -> Array:
        return g.T if g.ndim == 2 and is_square(first(arrays)) else g


class UpstreamOfScalarIgnored(_OtherUpstream):
    """What flows back into a reduced loss is ignored."""

    def upstream(self, g: Array, arrays: Arrays) -> Array:
        return g if g.ndim else np.ones_like(g)


class UpstreamOfElementsIgnored(_OtherUpstream):
    """What flows back into an unreduced loss is ignored."""

    def upstream(self, g: Array, arrays: Arrays) -> Array:
        return np.ones_like(g) if g.ndim else g


class UpstreamOfZeroIgnored(_OtherUpstream):
    """A grad_output of 0 is taken for none, as by Python's `grad_output or 1`."""

    def upstream(self, g: Array, arrays: Arrays) -> Array:
        return np.where(g == 0, 1, g)


class UpstreamInTheLoss(OtherInputs):
    """What flows back multiplies the loss as well."""

    wrong = LOSS

    def other(self, arrays: Arrays) -> Arrays:
        return {"weight": arrays["weight"] * arrays["grad_output"]}
