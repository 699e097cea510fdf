"""Distances of an answer, from the truth or from another answer, in units in the last place.

``ulp_error`` is a real number, measured against a truth; ``ulp_distance`` is an integer, counted
between two answers.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from conformance.floats import FORMATS, Format, Real, in_ulps, round_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NO_DISTANCE = 2**64 - 1
"""The ulp_distance between NaN and a number."""

_LARGEST = sys.float_info.max
_SMALLEST = math.ulp(0.0)


def _is_finite(value: Real) -> bool:
    """Tell whether a real is finite; math.isfinite overflows on a large Fraction."""
    return not isinstance(value, float) or math.isfinite(value)


def ulp(value: Real, fmt: Format) -> Fraction:
    """Return the distance between neighbours of ``fmt`` in the binade of a finite ``value``.

    That is 2**(max(floor(log2(abs(value))), emin) - precision + 1), Goldberg's definition as
    J.-M. Muller extends it to the reals ("On the definition of ulp(x)", INRIA RR-5504, 2005);
    beyond the range of the format, the top binade's.

    Raises:
        ValueError: If ``value`` is nan.
        OverflowError: If ``value`` is infinite.
    """
    return Fraction(2) ** in_ulps(value, fmt)[2]


def ulp_error(answer: float, truth: Real, fmt: Format) -> float:
    """Return abs(answer - truth) in ulp of the truth, from exact arithmetic.

    An infinite answer counts as 2**(emax + 1), with its sign; but it is right, 0.0, where the
    truth rounds to it. Two NaN are 0.0 apart, a NaN and a number nan, an infinite truth and
    another number inf. A finite error above the largest float64 is returned as that.

    Args:
        answer: A number of ``fmt``.
        truth: The exact value.
        fmt: The format whose ulp it is measured in.
    """
    expected = round_to(truth, fmt)
    if math.isnan(answer) or math.isnan(expected):
        return 0.0 if math.isnan(answer) and math.isnan(expected) else math.nan
    if math.isinf(answer) and answer == expected:
        return 0.0
    if not _is_finite(truth):
        return math.inf
    if math.isinf(answer):
        given = Fraction(2) ** (fmt.emax + 1) * (1 if answer > 0 else -1)
    else:
        given = Fraction(answer)
    return float(min(abs(given - Fraction(truth)) / ulp(truth, fmt), Fraction(_LARGEST)))


def ulp_distance(
    a: np.ndarray[Any, np.dtype[Any]], b: np.ndarray[Any, np.dtype[Any]]
) -> npt.NDArray[np.uint64]:
    """Count, element by element, the steps from neighbour to neighbour between two answers.

    The two zeros are one number, infinity is the neighbour of the largest number, all NaN are
    0 apart, and a NaN is NO_DISTANCE from a number.

    Args:
        a: An array of one of the FORMATS.
        b: Another, of the same shape and dtype.

    Returns:
        An array of their shape.

    Raises:
        ValueError: If their shapes or dtypes differ.
    """
    if (a.shape, a.dtype) != (b.shape, b.dtype):
        msg = (
            f"An array of {a.dtype} {a.shape} has no ulp distance to one of {b.dtype} {b.shape};"
            " give two of one dtype and shape."
        )
        raise ValueError(msg)
    fmt = FORMATS[a.dtype.name]
    # Without its sign bit, a number's bits count the steps from zero to it. They also tell a NaN
    # without touching it as a float, which a signaling NaN would answer with a warning.
    bits_a, bits_b = a.view(fmt.uint).astype(np.uint64), b.view(fmt.uint).astype(np.uint64)
    sign = np.uint64(2 ** (fmt.bits - 1))
    infinity = np.uint64((2 * fmt.emax + 1) << (fmt.precision - 1))
    steps_a, steps_b = bits_a & ~sign, bits_b & ~sign
    nan_a, nan_b = steps_a > infinity, steps_b > infinity
    apart = np.maximum(steps_a, steps_b) - np.minimum(steps_a, steps_b)
    distance = np.where((bits_a ^ bits_b) & sign, steps_a + steps_b, apart)
    distance[nan_a != nan_b] = NO_DISTANCE
    distance[nan_a & nan_b] = 0
    return distance


def _split(numerator: int, denominator: int) -> tuple[float, float]:
    """Return a quotient as an unevaluated sum of two floats, within the range of float64.

    The second is never zero unless the sum is exact, so that no inexact answer passes as exact.
    """
    try:
        hi = numerator / denominator
    except OverflowError:
        return -_LARGEST if numerator < 0 else _LARGEST, 0.0
    hi_numerator, hi_denominator = hi.as_integer_ratio()
    rest = numerator * hi_denominator - hi_numerator * denominator
    lo = rest / (denominator * hi_denominator)
    if rest and not lo:
        lo = math.copysign(_SMALLEST, hi)  # The sign of hi, which it must not cancel.
    return hi, lo


@dataclass(frozen=True, slots=True, eq=False)
class Reals:
    """A vector of truths, prepared to grade many answers of one format at once.

    Attributes:
        format: The format of the answers.
        rounded: The truths, correctly rounded.
        hi: Each truth in units of its own ulp, to the nearest float64; a truth that is nan or
            infinite stands here as it is.
        lo: What ``hi`` leaves out, to the nearest float64.
        exponent: Each ulp is 2**exponent.
    """

    format: Format
    rounded: npt.NDArray[np.float64] = field(repr=False)
    hi: npt.NDArray[np.float64] = field(repr=False)
    lo: npt.NDArray[np.float64] = field(repr=False)
    exponent: npt.NDArray[np.int32] = field(repr=False)

    @classmethod
    def prepare(cls, values: Iterable[Real], fmt: Format) -> Self:
        """Take the truths in order."""
        rounded, his, los, exponents = [], [], [], []
        for value in values:
            if _is_finite(value):
                numerator, denominator, exponent = in_ulps(value, fmt)
                hi, lo = _split(numerator, denominator)
            else:
                hi, lo, exponent = float(value), 0.0, 0
            rounded.append(round_to(value, fmt))
            his.append(hi)
            los.append(lo)
            exponents.append(exponent)
        return cls(
            fmt,
            np.array(rounded, dtype=np.float64),
            np.array(his, dtype=np.float64),
            np.array(los, dtype=np.float64),
            np.array(exponents, dtype=np.int32),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join vectors of one format, at least one.

        Raises:
            ValueError: If there is none, or their formats differ.
        """
        if len({part.format for part in parts}) != 1:
            names = ", ".join(sorted({part.format.name for part in parts})) or "none"
            msg = f"Reals of one format can be joined, and these have: {names}."
            raise ValueError(msg)
        return cls(
            parts[0].format,
            np.concatenate([part.rounded for part in parts]),
            np.concatenate([part.hi for part in parts]),
            np.concatenate([part.lo for part in parts]),
            np.concatenate([part.exponent for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.hi)

    def _differences(self, answers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return abs(answer - truth) in ulp; inf where it is infinite or overflows float64.

        ``scaled - hi`` is exact where the two are within a factor of 2 (Sterbenz), and there it
        is 0 or at least twice ``lo``; elsewhere its relative error is a rounding.
        """
        infinite = np.isinf(answers)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            scaled = np.ldexp(answers, -self.exponent)
            beyond = np.ldexp(1.0, self.format.emax + 1 - self.exponent[infinite])
            scaled[infinite] = np.copysign(beyond, answers[infinite])
            differences = np.abs((scaled - self.hi) - self.lo)
        differences[infinite & (answers == self.rounded)] = 0.0
        differences[np.isnan(answers) & np.isnan(self.hi)] = 0.0
        return differences

    def errors(self, answers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the ``ulp_error`` of each answer, to a relative 2**-50.

        Args:
            answers: Numbers of the format, widened to float64, of shape (len(self),).
        """
        differences = self._differences(answers)
        return np.where(np.isfinite(self.hi), np.minimum(differences, _LARGEST), differences)

    def within(
        self, answers: npt.NDArray[np.float64], bounds: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.bool_]:
        """Tell of each answer whether abs(answer - truth) <= bound, the error as in ``errors``.

        Neither overflow nor underflow turns a verdict. Where error and bound agree to a relative
        2**-50, it may go either way.

        Args:
            answers: Numbers of the format, widened to float64, of shape (len(self),).
            bounds: Absolute bounds, not in ulp, of the same shape, none negative. One that is
                not finite allows nothing but an error of exactly 0.
        """
        differences = self._differences(answers)
        with np.errstate(over="ignore", under="ignore"):
            near: npt.NDArray[np.bool_] = differences <= np.ldexp(bounds, -self.exponent)
        # Where the difference overflows, the truth vanishes beside the answer.
        overflowed = np.isinf(differences) & np.isfinite(self.hi)
        near[overflowed] = np.abs(answers[overflowed]) <= bounds[overflowed]
        near[~np.isfinite(bounds)] = False
        near[differences == 0] = True
        return near
