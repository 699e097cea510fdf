"""The curves behind the thresholds and sentences of grids, to 60 digits."""

from __future__ import annotations

from fractions import Fraction
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

import mpmath

from conformance.floats import round_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.floats import Format

P = ParamSpec("P")


def _precise(function: Callable[P, mpmath.mpf]) -> Callable[P, mpmath.mpf]:
    @wraps(function)
    def evaluate(*args: P.args, **kwargs: P.kwargs) -> mpmath.mpf:
        with mpmath.workdps(60):
            return +function(*args, **kwargs)

    return evaluate


@_precise
def exponential(x: float) -> mpmath.mpf:
    """Exp x."""
    return mpmath.exp(x)


@_precise
def softplus(z: float) -> mpmath.mpf:
    """log(1 + exp z)."""
    return max(mpmath.mpf(z), 0) + mpmath.log1p(mpmath.exp(-abs(mpmath.mpf(z))))


@_precise
def loss(x: float, t: float, p: float = 1.0) -> mpmath.mpf:
    """The loss of a logit, without weight."""
    return p * mpmath.mpf(t) * softplus(-x) + (1 - mpmath.mpf(t)) * softplus(x)


@_precise
def target_slope(x: float, p: float) -> mpmath.mpf:
    """The gradient of the loss of a logit with respect to the target."""
    return p * softplus(-x) - softplus(x)


@_precise
def loss_of_probability(q: float, t: float) -> mpmath.mpf:
    """The loss of a probability inside (0, 1), without weight."""
    return -(mpmath.mpf(t) * mpmath.log(q) + (1 - mpmath.mpf(t)) * mpmath.log1p(-mpmath.mpf(q)))


def rounded(value: mpmath.mpf, fmt: Format) -> float:
    """The number of ``fmt`` nearest to a positive value."""
    _, mantissa, exponent, _ = value._mpf_
    # Far beyond the range, the power of 2 would be an integer of 1e300 bits.
    exponent = max(min(exponent, 5000), -5000)
    scale = Fraction(2) ** exponent
    return round_to(Fraction(int(mantissa)) * scale, fmt)


def root_of_slope(p: float) -> float:
    """The logit at which the gradient with respect to the target is 0, for a pos_weight."""
    return float(mpmath.findroot(lambda x: target_slope(x, p), (-30, 30), solver="anderson"))


@_precise
def curvature(x: float, t: float, p: float) -> mpmath.mpf:
    """The second derivative of the loss of a logit, without weight."""
    upper = mpmath.mpf(1) / (1 + mpmath.exp(-mpmath.mpf(x)))
    lower = mpmath.mpf(1) / (1 + mpmath.exp(mpmath.mpf(x)))
    return (p * mpmath.mpf(t) + 1 - mpmath.mpf(t)) * upper * lower


@_precise
def curvature_of_probability(q: float, t: float) -> mpmath.mpf:
    """The second derivative of the loss of a probability inside (0, 1), without weight."""
    inner = mpmath.mpf(q)
    return t / inner**2 + (1 - mpmath.mpf(t)) / (1 - inner) ** 2
