"""Names the choices that implementations make where a definition leaves room."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from conformance.model import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT = "limit"

LOG_FLOOR = -100
"""Below it, ``clamp_log_100`` cuts a logarithm off."""

DENOMINATOR_EPS = Fraction(float.fromhex("0x1.197998p-40"))
"""The divisor's floor under ``denominator_eps_1e_12``: the float32 nearest 1e-12."""


class Quantity(NamedTuple):
    """One output of one operation under one policy: what an oracle has a formula for."""

    operation: str
    output: str
    policy: str = LIMIT


@dataclass(frozen=True, slots=True)
class Policy:
    """A named choice.

    Attributes:
        about: One sentence for a person.
        covers: Operation to those of its outputs that the choice settles.
    """

    about: str
    covers: Mapping[str, frozenset[str]]


POLICIES: Mapping[str, Policy] = {
    LIMIT: Policy(
        about="Where a formula reads 0*inf or divides by 0, the value is its limit.",
        covers={name: frozenset(operation.outputs) for name, operation in OPERATIONS.items()},
    ),
    "nan_at_infinity": Policy(
        about="The loss of an infinite logit is NaN: inf - inf in the textbook formula.",
        covers={"bce_with_logits": frozenset({"loss"})},
    ),
    "clamp_log_100": Policy(
        about="Each logarithm of the loss is at least -100.",
        covers={"bce": frozenset({"loss"})},
    ),
    "denominator_eps_1e_12": Policy(
        about="The gradient divides by max(q*(1-q), 1e-12), the constant rounded to float32.",
        covers={"bce": frozenset({"probabilities_grad"})},
    ),
}

Formula = TypeVar("Formula")


def formula_for(table: Mapping[Quantity, Formula], quantity: Quantity) -> Formula:
    """The entry for ``quantity``; that of its limit where its policy changes nothing here."""
    found = table.get(quantity)
    return table[quantity._replace(policy=LIMIT)] if found is None else found
