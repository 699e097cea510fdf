"""The first oracle: Arb balls that provably enclose the truth, derivatives by power series."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flint import arb, arb_series, ctx, fmpq

from conformance.operations import OPERATIONS
from conformance.truth.policies import DENOMINATOR_EPS, LOG_FLOOR, Quantity, formula_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from fractions import Fraction

    from conformance.truth.elements import Point
    from conformance.truth.sums import WeightedSum


class Enclosure(NamedTuple):
    """A ball that contains the value, beside the sum of the magnitudes of its addends."""

    ball: arb
    scale: arb


def enclose(asked: WeightedSum, precision: int) -> Enclosure:
    """Enclose a weighted sum, computing with ``precision`` bits.

    The ball is right at every precision, only wide (even infinite) at one that is too small.
    """
    addends_at = _addends(asked.quantity)
    with ctx.workprec(precision):
        ball = _ball(asked.constant)
        scale = abs(ball)
        for point, weight in asked.terms.items():
            factor = _ball(weight)
            for addend in addends_at(point):
                term = factor * addend
                ball += term
                scale += abs(term)
    return Enclosure(ball, scale)


def _ball(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


def _addends(quantity: Quantity) -> Callable[[Point], Sequence[arb]]:
    """The function from a point to the addends of ``quantity`` there."""
    if quantity in GRADIENTS:
        return GRADIENTS[quantity]
    if quantity.output == "loss":
        loss = formula_for(LOSSES, quantity)
        return lambda point: [
            addend[0] for addend in loss(*(arb_series([value], 1) for value in point))
        ]
    # A policy reaches a gradient by a row of its own, never by way of the loss it changes.
    differentiable = LOSSES[Quantity(quantity.operation, "loss")]
    operation = OPERATIONS[quantity.operation]
    moving = operation.arguments.index(operation.differentiated(quantity.output) or "")
    order = 2 if quantity.output == operation.hessian_product else 1
    # The coefficient of z^k is the k-th derivative over k!, and 1! = 1, 2! = 2.
    return lambda point: [
        order * addend[order]
        for addend in differentiable(
            *(
                arb_series([value, 1] if index == moving else [value], order + 1)
                for index, value in enumerate(point)
            )
        )
    ]


def _with_constant(constant: arb, series: arb_series) -> arb_series:
    terms = [series[power] for power in range(1, series.prec)]
    return arb_series([constant, *terms], series.prec)


def _softplus(z: arb_series) -> arb_series:
    """log(1 + exp z); its constant by log1p, since 1 + exp z loses all of a tiny exp z."""
    if z[0] > 0:
        # Of a large exp z, the second derivative would lose all.
        return z + _softplus(-z)
    exp = z.exp()
    return _with_constant(exp[0].log1p(), (1 + exp).log())


def _log_complement(q: arb_series) -> arb_series:
    """log(1 - q); its constant by log1p, since 1 - q loses all of a tiny q."""
    return _with_constant((-q[0]).log1p(), (1 - q).log())


def _bce_with_logits(x: arb_series, t: arb_series, p: arb_series) -> Sequence[arb_series]:
    return (p * t * _softplus(-x), (1 - t) * _softplus(x))


def _bce(q: arb_series, t: arb_series) -> Sequence[arb_series]:
    return (-t * q.log(), (t - 1) * _log_complement(q))


def _bce_clamped(q: arb_series, t: arb_series) -> Sequence[arb_series]:
    return (-t * _at_least(LOG_FLOOR, q.log()), (t - 1) * _at_least(LOG_FLOOR, _log_complement(q)))


def _at_least(floor: int, series: arb_series) -> arb_series:
    """max(floor, series) as a value; nobody asks for the derivative of the clamped loss."""
    return arb_series([series[0].max(arb(floor))], 1)


def _bce_gradient_over_eps(point: Point) -> Sequence[arb]:
    q, t = (arb(value) for value in point)
    divisor = (q * (1 - q)).max(_ball(DENOMINATOR_EPS))
    return (q / divisor, -t / divisor)


LOSSES: Mapping[Quantity, Callable[..., Sequence[arb_series]]] = {
    Quantity("bce_with_logits", "loss"): _bce_with_logits,
    Quantity("bce", "loss"): _bce,
    Quantity("bce", "loss", "clamp_log_100"): _bce_clamped,
}
"""The addends of each loss, for the weight 1; its gradients are their derivatives."""

GRADIENTS: Mapping[Quantity, Callable[[Point], Sequence[arb]]] = {
    Quantity("bce", "probabilities_grad", "denominator_eps_1e_12"): _bce_gradient_over_eps,
}
"""The addends of those gradients that a policy makes other than the loss's derivative."""
