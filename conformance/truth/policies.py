"""Names the choices that implementations make where a definition leaves room."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from conformance.model import DTYPE_POLICIES, REFUSE
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT = "limit"

ZERO_TIMES_INFINITY = "zero_times_infinity"
"""Under it the weight 0 times an infinite value is NaN; under all others it is 0."""

LOG_FLOOR = -100
"""Below it, ``clamp_log_100`` cuts a logarithm off."""

DENOMINATOR_EPS = Fraction(float.fromhex("0x1.197998p-40"))
"""The divisor's floor under ``denominator_eps_1e_12``: the float32 nearest 1e-12."""


class Quantity(NamedTuple):
    """One output of one operation under one policy: what an oracle has a formula for."""

    operation: str
    output: str
    policy: str = LIMIT


_EVERY = {
    name: frozenset(operation.outputs)
    for name, operation in OPERATIONS.items()
    if not operation.is_job
}

POLICIES: Mapping[str, Mapping[str, frozenset[str]]] = {
    LIMIT: _EVERY,
    ZERO_TIMES_INFINITY: _EVERY,
    REFUSE: {name: frozenset() for name in OPERATIONS},
    **dict.fromkeys((*DTYPE_POLICIES, "empty_mean_nan"), _EVERY),
    "nan_at_infinity": {"bce_with_logits": frozenset({"loss"})},
    "clamp_log_100": {"bce": frozenset({"loss"})},
    "denominator_eps_1e_12": {"bce": frozenset({"probabilities_grad"})},
}
"""Policy to operation to the outputs that it settles; cases/policies.yaml explains each."""

Formula = TypeVar("Formula")


def formula_for(table: Mapping[Quantity, Formula], quantity: Quantity) -> Formula:
    """The entry for ``quantity``; that of its limit where its policy changes nothing here."""
    found = table.get(quantity)
    return table[quantity._replace(policy=LIMIT)] if found is None else found
