"""The inputs over which the search ranges.

Three domains, each within the next, so that a case is no more complicated than its error needs:

* plain: hard targets, no weights.
* soft: targets in [0, 1].
* weighted: a weight besides, and with logits a pos_weight.

In all three nothing overflows on the way to a result, and PyTorch's policies for probabilities do
not apply: neither its logarithms clamped at -100 nor its denominators of at least 1e-12. What
happens there is known, has cases of its own, and would hide everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.floats import Format

Values = npt.NDArray[np.float64]
Bits = npt.NDArray[np.unsignedinteger[Any]]

DOMAINS = ("plain", "soft", "weighted")

_LARGEST_LOGIT = 2.0**10  # Beyond 745 even float64 knows nothing but 0 and the logit itself.
_SMALLEST = 2.0**-24  # The smallest subnormal of float16.
_EDGE = 2.0**-38  # q (1-q) stays above 1e-12.


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers of a format that an input may be.

    Attributes:
        format: Their format.
        least: Their smallest magnitude, but for zero.
        most: Their largest magnitude.
        signed: Whether they may be negative.
        zero: Whether 0 is one of them.
    """

    format: Format
    least: float
    most: float
    signed: bool = False
    zero: bool = False

    def contains(self, values: Values) -> npt.NDArray[np.bool_]:
        """Tell of each value whether it is one of them."""
        magnitudes = np.abs(values)
        inside = (magnitudes >= self.least) & (magnitudes <= self.most)
        inside |= self.zero & (values == 0)
        inside &= self.signed | ~np.signbit(values)
        return inside

    def draw(self, rng: np.random.Generator, count: int) -> Values:
        """Draw by bit pattern, so that every binade has the same chance.

        Of numbers up to 1, half are 1 less such a number, so that those next to 1 have theirs.
        """
        first, last = (int(encode(np.array(end), self.format)) for end in (self.least, self.most))
        bits = rng.integers(first, last, count, dtype=self.format.uint.type, endpoint=True)
        values = decode(bits, self.format)
        coin = rng.random(count) < 0.5
        if self.signed:
            values[coin] *= -1
        elif self.most <= 1:
            values[coin] = rounded(1 - values[coin], self.format)
        return np.where(self.contains(values), values, self.most)


def ranges_of(operation: str, domain: str, format_: Format) -> Mapping[str, Range]:
    """The range of each input of an operation in a domain; an input that is left out has none."""
    narrow = format_.name == "float16"
    if operation == "bce_with_logits":
        ranges = {"logits": Range(format_, 2.0**-20, _LARGEST_LOGIT, signed=True)}
    else:
        edge = 2.0**-12 if narrow else _EDGE
        ranges = {"probabilities": Range(format_, edge, 1 - max(edge, format_.unit_roundoff))}
    hard = domain == "plain"
    ranges["targets"] = Range(format_, 1.0 if hard else _SMALLEST, 1.0, zero=True)
    if domain == "weighted":
        # In float16 a weight of 4 and a pos_weight of 8 take a logit of 1024 to 32768.
        ranges["weight"] = Range(format_, 2.0**-10, 4.0 if narrow else 2.0**10)
        if operation == "bce_with_logits":
            ranges["pos_weight"] = Range(format_, 2.0**-20, 8.0 if narrow else 2.0**10)
    return ranges


def encode(values: Values, format_: Format) -> Bits:
    """The bit patterns of values, rounded to a format."""
    bits: Bits = rounded(values, format_).astype(format_.dtype).view(format_.uint)
    return bits


def decode(bits: Bits, format_: Format) -> Values:
    """The values of bit patterns; a NaN among them does not warn."""
    with np.errstate(invalid="ignore"):
        return bits.view(format_.dtype).astype(np.float64)


def rounded(values: Values, format_: Format) -> Values:
    """Values rounded to a format."""
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(format_.dtype).astype(np.float64)
