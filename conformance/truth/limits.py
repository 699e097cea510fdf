"""States what each loss is where its formula reads 0*inf or divides by 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from conformance.truth.policies import LIMIT, ZERO_TIMES_INFINITY, Quantity, formula_for

if TYPE_CHECKING:
    from conformance.truth.elements import Point

Extended = Fraction | float
"""A finite value, exact; or one of the floats inf, -inf and nan."""

Limit = Callable[..., Extended | None]
"""From an element's inputs to its value; None where the formula holds as it stands."""


def limit_at(quantity: Quantity, point: Point) -> Extended | None:
    """The value of ``quantity`` at an end of its domain, for the weight 1.

    Returns:
        None inside the domain, where the oracles answer; nan if an input is NaN.
    """
    if any(math.isnan(value) for value in point):
        return math.nan
    return formula_for(LIMITS, quantity)(*point)


def weighted(value: Extended, factor: Extended, policy: str = LIMIT) -> Extended:
    """``factor * value``; but for one policy 0*inf is 0: the factor 0 masks all but a NaN.

    Args:
        value: Of an element, for the weight 1.
        factor: A finite one, exact, or nan.
        policy: Of its quantity.
    """
    if not isinstance(factor, Fraction):
        return math.nan
    if isinstance(value, Fraction):
        return factor * value
    if factor or math.isnan(value):
        return math.copysign(1.0, factor) * value
    return math.nan if policy == ZERO_TIMES_INFINITY else Fraction(0)


def product(factors: Iterable[float]) -> Extended:
    """The exact product of finite factors; nan if one is NaN."""
    total = Fraction(1)
    for factor in factors:
        if math.isnan(factor):
            return math.nan
        total *= Fraction(factor)
    return total


def _infinite(coefficient: Fraction) -> Extended:
    """``coefficient * inf``, where 0*inf is 0."""
    return math.copysign(math.inf, coefficient) if coefficient else Fraction(0)


def _at_infinite_logit(
    above: Callable[[Fraction, Fraction], Extended],
    below: Callable[[Fraction, Fraction], Extended],
) -> Limit:
    """The limit that is above(t, p) at the logit inf, below(t, p) at -inf."""

    def limit(x: float, t: float, p: float) -> Extended | None:
        if math.isinf(t):
            return math.nan
        if math.isfinite(x):
            return None
        return (above if x > 0 else below)(Fraction(t), Fraction(p))

    return limit


def _at_certainty(
    never: Callable[[Fraction], Extended], always: Callable[[Fraction], Extended]
) -> Limit:
    """The limit that is never(t) at the probability 0, always(t) at 1."""

    def limit(q: float, t: float) -> Extended | None:
        if 0 < q < 1:
            return None
        return (always if q == 1 else never)(Fraction(t))

    return limit


def _nowhere(*_: float) -> None:
    """The limit of a formula that holds at the ends too."""


LIMITS: Mapping[Quantity, Limit] = {
    Quantity("bce_with_logits", "loss"): _at_infinite_logit(
        above=lambda t, _p: _infinite(1 - t), below=lambda t, p: _infinite(p * t)
    ),
    Quantity("bce_with_logits", "logits_grad"): _at_infinite_logit(
        above=lambda t, _p: 1 - t, below=lambda t, p: -p * t
    ),
    Quantity("bce_with_logits", "targets_grad"): _at_infinite_logit(
        above=lambda _t, _p: -math.inf, below=lambda _t, p: _infinite(p)
    ),
    Quantity("bce_with_logits", "logits_hvp"): _at_infinite_logit(
        above=lambda _t, _p: Fraction(0), below=lambda _t, _p: Fraction(0)
    ),
    Quantity("bce_with_logits", "loss", "nan_at_infinity"): _at_infinite_logit(
        above=lambda _t, _p: math.nan, below=lambda _t, _p: math.nan
    ),
    Quantity("bce", "loss"): _at_certainty(never=_infinite, always=lambda t: _infinite(1 - t)),
    Quantity("bce", "probabilities_grad"): _at_certainty(
        never=lambda t: -math.inf if t else Fraction(1),
        always=lambda t: Fraction(-1) if t == 1 else math.inf,
    ),
    Quantity("bce", "targets_grad"): _at_certainty(
        never=lambda _t: math.inf, always=lambda _t: -math.inf
    ),
    Quantity("bce", "probabilities_hvp"): _at_certainty(
        never=lambda t: math.inf if t else Fraction(1),
        always=lambda t: Fraction(1) if t == 1 else math.inf,
    ),
    Quantity("bce", "loss", "clamp_log_100"): _at_certainty(
        never=lambda t: 100 * t, always=lambda t: 100 * (1 - t)
    ),
    Quantity("bce", "probabilities_grad", "denominator_eps_1e_12"): _nowhere,
}
