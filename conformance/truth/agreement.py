"""Takes a text for the truth only where both oracles give it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from flint import arb, ctx, fmpq

from conformance.truth import arb as arb_oracle
from conformance.truth import closed_form
from conformance.truth.digits import decimal_text, interval_texts, padded
from conformance.truth.errors import Disagreement, Unproven
from conformance.truth.precision import ACCURATE_BITS, PRECISIONS

if TYPE_CHECKING:
    import mpmath

    from conformance.truth.sums import WeightedSum


def agreed_text(asked: WeightedSum, where: str) -> str:
    """The proven 40 digits of a weighted sum.

    Args:
        asked: The sum.
        where: Its place, for messages.

    Raises:
        Disagreement: If the oracles differ in the first 45 digits.
        Unproven: If the largest precision does not prove the digits.
    """
    closed = closed_form.evaluate(asked, where)
    texts = None
    for precision in PRECISIONS:
        texts = compare(arb_oracle.enclose(asked, precision), closed, precision, where)
        if texts is not None and texts[0] == texts[1]:
            exact = isinstance(closed, Fraction) and Fraction(texts[0]) == closed
            return texts[0] if exact else padded(texts[0])
    if texts is None or _has_huge_exponent(texts[0]):
        msg = (
            f"{where}: {PRECISIONS[-1]} bits do not prove 40 digits. "
            "Give inputs whose terms cancel less."
        )
        raise Unproven(msg)
    return _beside_tie(asked, *texts, where)


def _has_huge_exponent(text: str) -> bool:
    """Whether a fraction of integers is too large an object for this number."""
    return len(text.partition("e")[2]) > len("-9999")


def _beside_tie(asked: WeightedSum, low: str, high: str, where: str) -> str:
    """The one of two neighbouring texts that is nearer to the sum.

    No ball is narrow enough to tell 5 from 5 + exp(-1e30). The closed form is: less the number
    halfway, its rational parts cancel exactly.
    """
    halfway = (Fraction(low) + Fraction(high)) / 2
    rest = closed_form.evaluate(replace(asked, constant=asked.constant - halfway), where)
    return padded(low if rest < 0 else high)


def compare(
    enclosure: arb_oracle.Enclosure, closed: Fraction | mpmath.mpf, precision: int, where: str
) -> tuple[str, str] | None:
    """The texts between which a value lies, from an enclosure and a closed form of it.

    An exact closed form is taken as it is, once a ball of relative radius 2**-150 contains it (for
    0: relative to the addends). Of any other the ends of such a ball give the texts, once it meets
    the closed form within 2**-150.

    Args:
        enclosure: What the first oracle proves, at ``precision`` bits.
        closed: What the second oracle computes.
        precision: Bits.
        where: The place, for the message.

    Returns:
        Two equal texts where the digits are proven, two neighbours where the ball contains the
        number halfway, None where the ball is too wide to tell.

    Raises:
        Disagreement: If the ball excludes the closed form.
    """
    ball, scale = enclosure
    with ctx.workprec(precision):
        tolerance = arb(fmpq(1, 2**ACCURATE_BITS))
        if isinstance(closed, Fraction):
            other = arb(fmpq(closed.numerator, closed.denominator))
        else:
            other = arb(closed) * arb(1, tolerance)
        if not ball.overlaps(other):
            msg = (
                f"{where}: the oracles differ: {ball.str(45)} by Arb, {other.str(45)} by the "
                "closed form. One of the two formulas is wrong: mend it."
            )
            raise Disagreement(msg)
        size = abs(other) if closed else scale
        if not ball.rad() <= tolerance * size:
            return None
        if isinstance(closed, Fraction):
            text = decimal_text(closed)
            return text, text
        # log10(2) > 3/10: no more digits than the ball has bits for.
        middle, radius, exponent = ball.mid_rad_10exp(precision * 3 // 10)
    return interval_texts(int(middle), int(radius), int(exponent))
