"""The four binary float formats, with exact conversion between their values and texts.

Everything here is integer arithmetic: no result depends on the rounding of the machine. The
formats are those of IEEE 754-2019, 3.3, and bfloat16, which has the exponents of float32.
"""

from __future__ import annotations

import math
import re
import reprlib
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Real = Fraction | float
"""An exact real number; the float, where there is one, is nan, inf, -inf or -0.0."""

MAX_TEXT = 2000
"""Longest text of a number, in characters."""

_SIGN = r"(?P<sign>[+-]?)"
_WORD = re.compile(r"[+-]?inf|nan")
_DECIMAL = re.compile(
    _SIGN + r"(?=\.?[0-9])(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?(?:[eE](?P<power>[+-]?[0-9]+))?"
)
_HEX = re.compile(
    _SIGN + r"0[xX](?=\.?[0-9a-fA-F])(?P<whole>[0-9a-fA-F]*)(?:\.(?P<part>[0-9a-fA-F]*))?"
    r"(?:[pP](?P<power>[+-]?[0-9]+))?"
)

_DECIMAL_ORDER = 1000
_BINARY_ORDER = 3322  # The least with 2**order > 10**_DECIMAL_ORDER.
_HUGE = Fraction(10**_DECIMAL_ORDER)
_TINY = 1 / _HUGE


@dataclass(frozen=True, slots=True)
class Format:
    """A binary float format.

    Attributes:
        name: The name of its dtype.
        precision: Bits of the significand, the hidden one included.
        emin: Exponent of the smallest normal number, 2**emin.
        emax: Exponent of the top binade, [2**emax, 2**(emax + 1)).
    """

    name: str
    precision: int
    emin: int
    emax: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its NumPy dtype; that of bfloat16 is ml_dtypes'."""
        return np.dtype(ml_dtypes.bfloat16 if self.name == "bfloat16" else self.name)

    @property
    def bits(self) -> int:
        """Width of a number, in bits."""
        return self.dtype.itemsize * 8

    @property
    def uint(self) -> np.dtype[Any]:
        """The unsigned integer dtype of the same width, to view raw bits with."""
        return np.dtype(f"uint{self.bits}")

    @property
    def unit_roundoff(self) -> float:
        """The largest relative error of rounding to nearest: 2**-precision, half an ulp of 1."""
        return math.ldexp(1.0, -self.precision)

    @property
    def smallest_normal(self) -> float:
        """2**emin."""
        return math.ldexp(1.0, self.emin)

    @property
    def max(self) -> float:
        """The largest finite number."""
        return math.ldexp(2**self.precision - 1, self.emax - self.precision + 1)


FORMATS: Mapping[str, Format] = {
    "float16": Format("float16", precision=11, emin=-14, emax=15),
    "bfloat16": Format("bfloat16", precision=8, emin=-126, emax=127),
    "float32": Format("float32", precision=24, emin=-126, emax=127),
    "float64": Format("float64", precision=53, emin=-1022, emax=1023),
}


def parse(text: str) -> Real:
    """Return the exact value of a decimal, of a C99 hex float, or of nan, inf, -inf.

    A magnitude from about 10**1000 on counts as 10**1000, one below about 10**-1000 as
    10**-1000: no format can tell the difference, the exponent of a truth may have hundreds of
    digits, and Python prints no integer of more than 4300. Neither is exact in any format, so
    neither passes for an input.

    Raises:
        ValueError: If ``text`` is none of these, or is longer than MAX_TEXT characters.
    """
    if len(text) > MAX_TEXT:
        msg = f"A number of {len(text)} characters is too long; write at most {MAX_TEXT}."
        raise ValueError(msg)
    if _WORD.fullmatch(text):
        return float(text)
    if match := _DECIMAL.fullmatch(text):
        base, order_limit = 10, _DECIMAL_ORDER
    elif match := _HEX.fullmatch(text):
        base, order_limit = 16, _BINARY_ORDER
    else:
        msg = (
            f"{reprlib.repr(text)} is not a number; write a decimal (0.1, 1e-7),"
            " a hex float (0x1.8p-3), nan, inf or -inf."
        )
        raise ValueError(msg)
    part = match["part"] or ""
    digits = (match["whole"] + part).lstrip("0")
    power = int(match["power"] or 0)
    negative = match["sign"] == "-"
    if not digits:
        return -0.0 if negative else Fraction(0)

    # The magnitude lies in [b**(order - 1), b**order), where b is 10, or 2 for hex floats.
    magnitude = int(digits, base)
    power -= len(part) if base == 10 else 4 * len(part)
    order = power + (len(digits) if base == 10 else magnitude.bit_length())
    if order > order_limit:
        value = _HUGE
    elif order <= -order_limit:
        value = _TINY
    else:
        scale = (10 if base == 10 else 2) ** abs(power)
        value = Fraction(magnitude * scale) if power >= 0 else Fraction(magnitude, scale)
    return -value if negative else value


def in_ulps(value: Real, fmt: Format) -> tuple[int, int, int]:
    """Measure a finite value in its own ulp.

    The ulp is the distance between neighbours in the value's binade: the smallest subnormal
    below 2**emin, zero included, and the top binade's beyond the format's range.

    Returns:
        A numerator, a positive denominator, the exponent of the ulp: the value is
        numerator / denominator * 2**exponent.

    Raises:
        ValueError: If ``value`` is nan.
        OverflowError: If ``value`` is infinite.
    """
    numerator, denominator = value.as_integer_ratio()
    if numerator == 0:
        return 0, 1, fmt.emin - fmt.precision + 1
    # Of n / d, the binade is that of the bit lengths or one below.
    binade = abs(numerator).bit_length() - denominator.bit_length()
    binade = min(max(binade, fmt.emin), fmt.emax)
    exponent = binade - fmt.precision + 1
    if exponent >= 0:
        denominator <<= exponent
    else:
        numerator <<= -exponent
    if binade > fmt.emin and abs(numerator) < denominator << (fmt.precision - 1):
        numerator <<= 1
        exponent -= 1
    return numerator, denominator, exponent


def round_to(value: Real, fmt: Format) -> float:
    """Return the number of ``fmt`` nearest to ``value``, which float64 holds exactly.

    Correctly rounded (IEEE 754-2019, 4.3.1): ties to even, through the subnormals, to infinity
    from half an ulp above the largest number on. Zeros keep their sign, and so do values that
    round to zero.
    """
    if isinstance(value, float) and (value == 0 or not math.isfinite(value)):
        return value
    numerator, denominator, exponent = in_ulps(value, fmt)
    significand, rest = divmod(abs(numerator), denominator)
    if 2 * rest > denominator or (2 * rest == denominator and significand % 2 == 1):
        significand += 1
    if significand >> fmt.precision and exponent == fmt.emax - fmt.precision + 1:
        magnitude = math.inf
    else:
        magnitude = math.ldexp(significand, exponent)
    return -magnitude if numerator < 0 else magnitude


def is_exact(value: Real, fmt: Format) -> bool:
    """Tell whether ``value`` is a number of ``fmt``, as nan, the infinities and -0.0 are."""
    if isinstance(value, float) and not math.isfinite(value):
        return True
    numerator, denominator = value.as_integer_ratio()
    if numerator == 0:
        return True
    if denominator & (denominator - 1):
        return False
    # It is an odd integer of some bits, times a power of two: no rounding is needed to see it.
    scale = denominator.bit_length() - 1
    bits = abs(numerator).bit_length()
    zeros = (numerator & -numerator).bit_length() - 1
    smallest = fmt.emin - fmt.precision + 1
    return (
        bits - zeros <= fmt.precision and bits - 1 - scale <= fmt.emax and zeros - scale >= smallest
    )


def to_array(
    values: Sequence[float], shape: tuple[int, ...], fmt: Format
) -> np.ndarray[Any, np.dtype[Any]]:
    """Return an array of ``shape`` in the dtype of ``fmt``, filled with ``values`` in C order.

    The values must be numbers of ``fmt``. They are repeated cyclically until the array is full;
    those that it has no room for are left out.

    Raises:
        ValueError: If there are no values for an array that has elements.
    """
    size = math.prod(shape)
    if not values and size:
        msg = f"No values to fill the shape {shape}; give at least one."
        raise ValueError(msg)
    array = np.array(values[:size], dtype=np.float64).astype(fmt.dtype)
    # np.resize joins as many arrays as there are repeats: for 10**6 it takes 100 times as long.
    return (np.tile(array, -(-size // len(array))) if size else array)[:size].reshape(shape)


def hex_text(value: float) -> str:
    """Return the shortest C99 hex float, such as "-0x1.8p-3"; "nan", "inf" or "-inf"."""
    if not math.isfinite(value):
        return repr(value)
    significand, _, exponent = value.hex().partition("p")
    return f"{significand.rstrip('0').rstrip('.')}p{exponent}"


def decimal_text(value: float) -> str:
    """Return the shortest decimal that float64 reads back as ``value``: "-40", "0.5", "1e-07".

    Negative zero is "-0.0": YAML reads "-0" as the integer.
    """
    text = repr(value)
    return text if text == "-0.0" else text.removesuffix(".0")
