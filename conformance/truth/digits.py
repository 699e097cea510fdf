"""Writes numbers as decimal texts of 40 significant digits.

The one form of a number: rounded to nearest (ties to even); plain ("-2", "0.00025") where its
decimal exponent is at least -5 and below 21, else scientific with one digit before the point
("4.25e-18", "1e21"). Zero is "0": a truth has no signed zero. An exact text has no zero at its
end; a rounded one always has 40 digits, so that a reader can tell the two apart.
"""

from __future__ import annotations

import math
from fractions import Fraction

DIGITS = 40
PLAIN_EXPONENTS = range(-5, 21)


def decimal_text(value: Fraction) -> str:
    """The decimal text of an exact value; exact if it needs no more than 40 digits."""
    return _layout(*_rounded(value))


def padded(text: str) -> str:
    """The text of a number that was rounded: zeros make up the 40 digits."""
    significand, mark, exponent = text.partition("e")
    digits = significand.lstrip("-").replace(".", "").lstrip("0")
    point = "" if "." in significand else "."
    missing = DIGITS - len(digits)
    return significand + (point + "0" * missing if missing else "") + mark + exponent


def interval_texts(middle: int, radius: int, exponent: int) -> tuple[str, str]:
    """The texts of the ends of (middle +- radius) * 10**exponent, the lower end first.

    Every number between has a text between; where the two are equal, it is theirs. All
    arithmetic is on integers, so the exponent may have any number of digits.
    """
    low, high = (_rounded(Fraction(end)) for end in (middle - radius, middle + radius))
    return _layout(low[0], low[1] + exponent), _layout(high[0], high[1] + exponent)


def _rounded(value: Fraction) -> tuple[int, int]:
    """The integers (significand, exponent) of ``value`` in 40 digits, no zero at the end."""
    if not value:
        return 0, 0
    magnitude = abs(value)
    bits = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    exponent = math.floor(bits * math.log10(2))
    # The estimate is right, or one off in either direction.
    if magnitude < Fraction(10) ** exponent:
        exponent -= 1
    elif magnitude >= Fraction(10) ** (exponent + 1):
        exponent += 1
    last = exponent - DIGITS + 1
    significand = round(magnitude / Fraction(10) ** last)
    while significand % 10 == 0:
        significand //= 10
        last += 1
    return (significand if value > 0 else -significand), last


def _layout(significand: int, exponent: int) -> str:
    """The text of significand * 10**exponent."""
    sign = "-" if significand < 0 else ""
    digits = str(abs(significand))
    if digits == "0":
        return "0"
    leading = exponent + len(digits) - 1
    if leading not in PLAIN_EXPONENTS:
        point = "." if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{point}{digits[1:]}e{leading}"
    if exponent >= 0:
        return sign + digits + "0" * exponent
    if leading < 0:
        return f"{sign}0.{'0' * (-leading - 1)}{digits}"
    return f"{sign}{digits[: leading + 1]}.{digits[leading + 1 :]}"
