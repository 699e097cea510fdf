"""Spells numbers for case files, their ids, and their sentences."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import mpmath
import numpy as np

from conformance.floats import hex_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conformance.floats import Format

Spelled = int | float | str

_LONGEST_DECIMAL = 10  # Beyond that, a hex float is easier to read than its decimals.
SMALLEST_TOLD = mpmath.mpf("1e-400")
_WORDS = {0.25: "quarter", 0.5: "half", 0.75: "three_quarters"}


def spell(value: float) -> Spelled:
    """The number as a case file writes it: an integer, an exact short decimal, or a hex float."""
    if value == 0 and np.signbit(value):
        return "-0.0"
    if value == int(value) and abs(value) < 2**53:
        return int(value)
    text = repr(value)
    if len(text) <= _LONGEST_DECIMAL and Fraction(text) == Fraction(value):
        return value
    return hex_text(value)


def spell_all(values: Iterable[float]) -> list[Spelled]:
    """Each of the numbers as a case file writes it."""
    return [spell(value) for value in values]


def word(value: float) -> str:
    """The number as a part of an id: "17", "quarter", "1e_minus_8", "minus_0_5"."""
    if value < 0:
        return f"minus_{word(-value)}"
    if value in _WORDS:
        return _WORDS[value]
    if 0 < value < 2**-7 and math.frexp(value)[0] == 0.5:
        return f"two_to_the_minus_{1 - math.frexp(value)[1]}"
    text = f"{value:g}".replace("e-0", "e-").replace("e+0", "e+")
    return text.replace("e-", "e_minus_").replace("e+", "e_plus_").replace(".", "_")


def signed_word(value: float) -> str:
    """The number as a part of an id, with "plus" where it is positive."""
    return f"plus_{word(value)}" if value > 0 else word(value)


def rough(value: mpmath.mpf | float, digits: int = 3) -> str:
    """The number as a sentence gives it: to a few significant digits."""
    number = mpmath.mpf(value)
    magnitude = abs(number)
    if magnitude == 0:
        return "0"
    if magnitude < SMALLEST_TOLD:
        return "less than 1e-400"
    if 1e-3 <= magnitude < 1e7:
        places = max(0, digits - 1 - int(mpmath.floor(mpmath.log10(magnitude))))
        text = f"{float(number):.{places}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, power = mpmath.nstr(number, digits, min_fixed=0, max_fixed=0).partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(power)}"


def told(value: float) -> str:
    """A positive number as a sentence gives it, 2^-k and 1 - 2^-k as such where they are small."""
    if value >= 2**-7 and not 0 < 1 - value < 2**-7:
        return rough(value)
    rest = value if value < 0.5 else 1 - value
    mantissa, exponent = math.frexp(rest)
    if mantissa != 0.5:
        return rough(value)
    return f"{'' if value < 0.5 else '1 - '}2^{exponent - 1}"


def step(value: float, fmt: Format, count: int = 1) -> float:
    """The number of ``fmt`` that is ``count`` numbers above a positive one."""
    return _of_bits(_bits(value, fmt) + count, fmt)


def first(fmt: Format, low: float, high: float, holds: Callable[[float], bool]) -> float:
    """The smallest number of ``fmt`` that ``holds``, which turns from False at low to True at high.

    Raises:
        ValueError: If it does not.
    """
    if holds(low) or not holds(high):
        msg = f"The property does not turn true between {low} and {high}."
        raise ValueError(msg)
    below, above = _bits(low, fmt), _bits(high, fmt)
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if holds(_of_bits(middle, fmt)) else (middle, above)
    return _of_bits(above, fmt)


def _bits(value: float, fmt: Format) -> int:
    return int(np.array([value], fmt.dtype).view(fmt.uint)[0])


def _of_bits(bits: int, fmt: Format) -> float:
    return float(np.array([bits], fmt.uint).view(fmt.dtype)[0])
