"""The second oracle: closed forms, linear over the rationals in a few functions, by mpmath.

A value is kept as exact rational multiples of the atoms 1, log a, softplus(-y), S(-y) and S'(y),
each well conditioned. Whatever cancels, cancels before anything is rounded: if only multiples of 1
remain, then the value is exact, a zero included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import mpmath

from conformance.truth.errors import Unproven
from conformance.truth.policies import DENOMINATOR_EPS, LOG_FLOOR, Quantity, formula_for
from conformance.truth.precision import ACCURATE_BITS, PRECISIONS

if TYPE_CHECKING:
    from conformance.truth.sums import WeightedSum

_context = mpmath.MPContext()


class Atom(NamedTuple):
    """A function's value at an exact argument."""

    function: Callable[[Fraction], mpmath.mpf]
    argument: Fraction


Combination = Mapping[Atom, Fraction]
"""Each atom's coefficient."""


def evaluate(asked: WeightedSum, where: str) -> Fraction | mpmath.mpf:
    """Compute a weighted sum: exactly if it is rational, else to 2**-150, relative.

    Args:
        asked: The sum.
        where: Its place, for the message.

    Raises:
        Unproven: If its terms cancel beyond the largest precision.
    """
    formula = formula_for(FORMULAS, asked.quantity)
    total = _combine(
        (asked.constant, {ONE: Fraction(1)}),
        *((weight, formula(*map(Fraction, point))) for point, weight in asked.terms.items()),
    )
    if not total.keys() - {ONE}:
        return total.get(ONE, Fraction(0))
    for precision in PRECISIONS:
        with _context.workprec(precision):
            terms = [_mpf(factor) * atom.function(atom.argument) for atom, factor in total.items()]
            value = _context.fsum(terms)
            # Each term is right to a few units of its last place; 2**8 of them is generous.
            error = _context.ldexp(_context.fsum(terms, absolute=True), 8 - precision)
            if error <= _context.ldexp(abs(value), -ACCURATE_BITS):
                return value
    msg = (
        f"{where}: its terms cancel so far that {PRECISIONS[-1]} bits do not give 40 digits. "
        "Give inputs that cancel less."
    )
    raise Unproven(msg)


def _combine(*multiples: tuple[Fraction, Combination]) -> Combination:
    """The sum of coefficient times combination, without the atoms that cancel."""
    total: defaultdict[Atom, Fraction] = defaultdict(Fraction)
    for coefficient, combination in multiples:
        for atom, factor in combination.items():
            total[atom] += coefficient * factor
    return {atom: factor for atom, factor in total.items() if factor}


def _mpf(value: Fraction) -> mpmath.mpf:
    return _context.mpf(value.numerator) / value.denominator


def _one(_: Fraction) -> mpmath.mpf:
    return _context.one


def _softplus_value(z: Fraction) -> mpmath.mpf:
    """log(1 + exp z) for z <= 0, by log y = 2 atanh((y - 1)/(y + 1))."""
    return 2 * _context.atanh(1 / (1 + 2 * _context.exp(-_mpf(z))))


def _sigmoid_value(z: Fraction) -> mpmath.mpf:
    return 1 / (1 + _context.exp(-_mpf(z)))


def _sigmoid_slope_value(z: Fraction) -> mpmath.mpf:
    """The slope of the sigmoid, 1/(4 cosh^2(z/2))."""
    return _context.sech(_mpf(z) / 2) ** 2 / 4


def _log_value(a: Fraction) -> mpmath.mpf:
    if Fraction(1, 2) < a < 2:
        return 2 * _context.atanh(_mpf((a - 1) / (a + 1)))
    return _context.log(_mpf(a))


ONE = Atom(_one, Fraction(0))


def _rational(value: Fraction) -> Combination:
    return {ONE: value}


def _softplus(z: Fraction) -> Combination:
    """log(1 + exp z), which is z + softplus(-z)."""
    if z <= 0:
        return {Atom(_softplus_value, z): Fraction(1)}
    return {ONE: z, Atom(_softplus_value, -z): Fraction(1)}


def _sigmoid(z: Fraction) -> Combination:
    """1/(1 + exp(-z)), which is 1 - S(-z), and 1/2 at 0."""
    if z == 0:
        return _rational(Fraction(1, 2))
    if z < 0:
        return {Atom(_sigmoid_value, z): Fraction(1)}
    return {ONE: Fraction(1), Atom(_sigmoid_value, -z): Fraction(-1)}


def _sigmoid_slope(z: Fraction) -> Combination:
    """The slope of the sigmoid, even in z, and 1/4 at 0."""
    if z == 0:
        return _rational(Fraction(1, 4))
    return {Atom(_sigmoid_slope_value, abs(z)): Fraction(1)}


def _log(a: Fraction) -> Combination:
    """The logarithm; that of a power of 2 in terms of log 2, so that such logarithms cancel."""
    if a.numerator == 1 and a.denominator.bit_count() == 1:
        return {Atom(_log_value, Fraction(2)): Fraction(1 - a.denominator.bit_length())}
    return {Atom(_log_value, a): Fraction(1)}


def _clamped_log(a: Fraction) -> Combination:
    # Equality is impossible: the logarithm of a rational other than 1 is transcendental.
    with _context.workprec(PRECISIONS[0]):
        below = _log_value(a) < LOG_FLOOR
    return _rational(Fraction(LOG_FLOOR)) if below else _log(a)


def _logits_loss(x: Fraction, t: Fraction, p: Fraction) -> Combination:
    # Not the sum of two softplus of the definition: a slip there must not be repeated here.
    return _combine((1 - t, _rational(x)), (1 + (p - 1) * t, _softplus(-x)))


def _logits_grad(x: Fraction, t: Fraction, p: Fraction) -> Combination:
    return _combine((1 - t, _rational(Fraction(1))), (-1 - (p - 1) * t, _sigmoid(-x)))


def _logits_targets_grad(x: Fraction, _: Fraction, p: Fraction) -> Combination:
    return _combine((Fraction(-1), _rational(x)), (p - 1, _softplus(-x)))


def _logits_hvp(x: Fraction, t: Fraction, p: Fraction) -> Combination:
    return _combine((1 + (p - 1) * t, _sigmoid_slope(x)))


def _bce_loss(q: Fraction, t: Fraction) -> Combination:
    return _combine((-t, _log(q)), (t - 1, _log(1 - q)))


def _bce_loss_clamped(q: Fraction, t: Fraction) -> Combination:
    return _combine((-t, _clamped_log(q)), (t - 1, _clamped_log(1 - q)))


def _probabilities_grad(q: Fraction, t: Fraction) -> Combination:
    return _rational((q - t) / (q * (1 - q)))


def _probabilities_grad_over_eps(q: Fraction, t: Fraction) -> Combination:
    return _rational((q - t) / max(q * (1 - q), DENOMINATOR_EPS))


def _probabilities_hvp(q: Fraction, t: Fraction) -> Combination:
    return _rational((q * q - 2 * q * t + t) / (q * (1 - q)) ** 2)


def _bce_targets_grad(q: Fraction, _: Fraction) -> Combination:
    return _combine((Fraction(-1), _log(q)), (Fraction(1), _log(1 - q)))


FORMULAS: Mapping[Quantity, Callable[..., Combination]] = {
    Quantity("bce_with_logits", "loss"): _logits_loss,
    Quantity("bce_with_logits", "logits_grad"): _logits_grad,
    Quantity("bce_with_logits", "targets_grad"): _logits_targets_grad,
    Quantity("bce_with_logits", "logits_hvp"): _logits_hvp,
    Quantity("bce", "loss"): _bce_loss,
    Quantity("bce", "loss", "clamp_log_100"): _bce_loss_clamped,
    Quantity("bce", "probabilities_grad"): _probabilities_grad,
    Quantity("bce", "probabilities_grad", "denominator_eps_1e_12"): _probabilities_grad_over_eps,
    Quantity("bce", "targets_grad"): _bce_targets_grad,
    Quantity("bce", "probabilities_hvp"): _probabilities_hvp,
}
"""Each quantity, for the weight 1."""
