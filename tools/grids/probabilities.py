"""Probabilities over the whole range of each dtype, with targets from 0 to 1."""

from __future__ import annotations

from fractions import Fraction
from math import exp
from typing import TYPE_CHECKING

from conformance.floats import FORMATS
from conformance.truth.policies import DENOMINATOR_EPS, LOG_FLOOR
from tools.grids.curve import loss_of_probability
from tools.grids.grid import Entry, Grid
from tools.grids.numbers import rough, spell, spell_all, step, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.floats import Format

POWERS = (1000, 500, 200, 145, 144, 130, 100, 60, 41, 40, 39, 30, 20, 12, 8, 4)
"""2^-40 is just below 1e-12, 2^-144 just above exp(-100)."""

_NAMED = {
    "smallest_subnormal",
    "largest_subnormal",
    "smallest_normal",
    "last_but_one",
    "last_before_one",
}


def grids() -> Iterator[Grid]:
    """One grid for each dtype."""
    for name, fmt in FORMATS.items():
        yield Grid(
            name=f"probabilities/grid_{name}",
            about=f"Probabilities from the smallest {name} to the last one before 1.",
            source=("pytorch#4867",),
            defaults={"operation": "bce", "reduction": "none", "dtypes": [name]},
            cases=tuple(_case(id_, q, fmt) for id_, q in _points(fmt)),
        )


def _points(fmt: Format) -> Iterator[tuple[str, float]]:
    """Ids and probabilities, each once, the complements of small ones where they are exact."""
    lowest = fmt.emin - fmt.precision + 1
    yield "smallest_subnormal", 2.0**lowest
    yield "largest_subnormal", step(fmt.smallest_normal, fmt, -1)
    yield "smallest_normal", fmt.smallest_normal
    powers = [k for k in POWERS if lowest < -k and -k != fmt.emin]
    for k in powers:
        yield f"two_to_the_minus_{k}", 2.0**-k
    for name, q in (("quarter", 0.25), ("three_eighths", 0.375), ("half", 0.5)):
        yield name, q
    for name, q in (("five_eighths", 0.625), ("three_quarters", 0.75)):
        yield name, q
    for k in reversed([*(k for k in powers if k < fmt.precision - 1)]):
        yield f"one_minus_two_to_the_minus_{k}", 1 - 2.0**-k
    yield "last_but_one", 1 - 2 * fmt.unit_roundoff
    yield "last_before_one", 1 - fmt.unit_roundoff


def _case(id_: str, q: float, fmt: Format) -> Entry:
    targets = (0, step(0.0, fmt), 0.25, 0.5, 1 - fmt.unit_roundoff, 1)
    flags = ["SoftTarget", "TinyTarget"]
    if min(q, 1 - q) < 2**-7:
        flags.append("NearlyCertain")
    if q < fmt.smallest_normal:
        flags.append("Subnormal")
    which = f", the {id_.replace('_', ' ')}," if id_ in _NAMED else ""
    entry: Entry = {
        "id": id_,
        "about": (
            f"At {told(q)}{which} a positive costs {rough(loss_of_probability(q, 1))} "
            f"and a negative {rough(loss_of_probability(q, 0))}."
        ),
        "probabilities": [spell(q)] * len(targets),
        "targets": spell_all(targets),
        "flags": flags,
    }
    policies = ["limit"]
    if q < exp(LOG_FLOOR):
        policies.append("clamp_log_100")
    if Fraction(q) * (1 - Fraction(q)) < DENOMINATOR_EPS:
        policies.append("denominator_eps_1e_12")
    return {**entry, "policies": policies} if policies[1:] else entry
