"""The weighted sum of elements that both oracles are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.truth.elements import Point
    from conformance.truth.policies import Quantity


@dataclass(frozen=True, slots=True)
class WeightedSum:
    """``constant`` plus, over the ``terms``, the weight times ``quantity`` at the point.

    Attributes:
        quantity: What is summed, for the weight 1.
        terms: Point, inside the domain, to its weight, exact.
        constant: The part known without an oracle: limits at the ends of the domain.
    """

    quantity: Quantity
    terms: Mapping[Point, Fraction]
    constant: Fraction = Fraction(0)
