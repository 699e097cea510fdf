"""Logits at the limits of each dtype, in mirror pairs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from conformance.floats import FORMATS
from tools.grids.curve import exponential, loss, rounded, softplus
from tools.grids.grid import Entry, Grid
from tools.grids.numbers import first, rough, spell_all, step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.floats import Format

ONE_BRANCH = {"float16": 9, "bfloat16": 7, "float32": 17, "float64": 37}
"""Where 1 + exp(-x) has long rounded to 1, so that a formula with one branch has no digit left."""

CUTS = ((15, 20), (30, 50), (88, 100))
"""Where published implementations cut logits or losses off."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Logits of one kind.

    Attributes:
        id: Its part of the ids.
        fact: What is so about them, for a sentence that goes on; ends without a full stop.
        logits: They, positive.
        flags: Of the cases, besides MirrorPair.
    """

    id: str
    fact: str
    logits: tuple[float, ...]
    flags: tuple[str, ...]


def grids() -> Iterator[Grid]:
    """One grid for each dtype."""
    for name, fmt in FORMATS.items():
        yield Grid(
            name=f"logits/extremes_{name}",
            about=f"Logits where the range or the precision of {name} ends, on both sides.",
            source=("pytorch#195529", "pytorch#195677"),
            defaults={"operation": "bce_with_logits", "reduction": "none", "dtypes": [name]},
            cases=tuple(case for theme in themes(fmt) for case in pair(theme, fmt)),
        )


def pair(theme: Theme, fmt: Format) -> Iterator[Entry]:
    """The cases at the logits and at their negatives, whose targets are exchanged."""
    sixteen = ["SixteenBit"] if fmt.bits == 16 else []
    last = theme.logits[-1]
    for side, sign, right in (("plus", 1, 1), ("minus", -1, 0)):
        names = ("positive", "negative") if right else ("negative", "positive")
        yield {
            "id": f"{side}_{theme.id}",
            "about": (
                f"{theme.fact}; at {rough(sign * last, 5)} a {names[0]} costs "
                f"{rough(loss(last, 1))} and a {names[1]} {rough(loss(last, 0))}."
            ),
            "logits": spell_all(sign * x for x in theme.logits for _ in range(2)),
            "targets": [right, 1 - right] * len(theme.logits),
            "flags": ["MirrorPair", *theme.flags, *sixteen],
        }


def themes(fmt: Format) -> Iterator[Theme]:
    """From the smallest logit to the largest."""
    yield from _near_zero(fmt)
    yield from _thresholds(fmt)
    yield from _cuts(fmt)
    yield from _powers(fmt)
    last = f"Up to the largest number of {fmt.name} nothing overflows but exp(x)"
    yield Theme("max", last, (fmt.max / 2, fmt.max), ("LargeLogit",))


def _near_zero(fmt: Format) -> Iterator[Theme]:
    flags = ("GradientAtZero", "Subnormal")
    smallest = step(0.0, fmt)
    largest = step(fmt.smallest_normal, fmt, -1)
    flat = "The loss is log 2 and the slope of the targets is the logit"
    yield Theme("smallest_subnormal", flat, (smallest,), flags)
    yield Theme("smallest_normal", flat, (largest, fmt.smallest_normal), flags)
    u = fmt.unit_roundoff
    # In float64 the gradient at u and 2u is within 1e-49 of a tie, beyond 40 digits.
    beside_ties = (1.25 * u, 2.5 * u)
    eps = beside_ties if fmt.name == "float64" else (u, 2 * u, 3 * u)
    beside = f"Next to the unit roundoff of {fmt.name} the gradient leaves 1/2"
    yield Theme("unit_roundoff", beside, eps, ("GradientAtZero",))
    around = "Either side of 1 the curve is smooth"
    yield Theme("around_one", around, (1 - u, 1 + 2 * u, 1), ("Everyday",))


def _thresholds(fmt: Format) -> Iterator[Theme]:
    name = fmt.name
    point = ONE_BRANCH[name]
    gone = f"1 + exp(-x) is 1 in {name}"
    near = (step(point, fmt, -1), step(point, fmt), point)
    yield Theme("one_branch", gone, near, ("PositiveTail", "NegativeTail", "GradientTail"))
    # The softplus of a number above 1 rounds to it once exp(-x) is below half an ulp.
    start = first(fmt, 1, 64, lambda x: rounded(softplus(x), fmt) == x)
    identity = f"From {rough(start, 9)} on log(1 + exp x) is x in {name}"
    yield Theme("identity", identity, (step(start, fmt, -1), start), ("Cancellation",))
    top = first(fmt, 1, 1000, lambda x: rounded(exponential(x), fmt) == inf)
    overflow = f"From {rough(top, 9)} on exp(x) overflows {name}"
    yield Theme("exp_overflow", overflow, (step(top, fmt, -1), top), ("LargeLogit", "Overflow"))
    tail = partial(lambda x: softplus(-x))
    subnormal = first(fmt, 1, 1000, lambda x: bool(tail(x) < fmt.smallest_normal))
    below = f"From {rough(subnormal, 9)} on the smaller loss is subnormal in {name}"
    flags = ("PositiveTail", "NegativeTail", "Subnormal")
    yield Theme("loss_subnormal", below, (step(subnormal, fmt, -1), subnormal), flags)
    zero = first(fmt, 1, 1000, lambda x: rounded(tail(x), fmt) == 0)
    nothing = f"From {rough(zero, 9)} on the smaller loss rounds to 0 in {name}"
    middle = float(round((subnormal + zero) / 2))
    yield Theme("loss_zero", nothing, (middle, step(zero, fmt, -1), zero), flags)


def _cuts(fmt: Format) -> Iterator[Theme]:
    for low, high in CUTS:
        fact = f"Cut off at {low}, these logits would have one loss, and at {high} the last two"
        flags = ("PositiveTail", "NegativeTail", "LargeLogit")
        logits = (low, step(low, fmt), high, high + 1)
        yield Theme(f"cut_at_{low}_or_{high}", fact, logits, flags)


def _powers(fmt: Format) -> Iterator[Theme]:
    small = "Powers of 2 below 1 are exact in every dtype"
    yield Theme("powers_below_1", small, tuple(2.0**-k for k in (8, 4, 2, 1)), ("Everyday",))
    for low in (0, 4, 8):
        fact = f"The powers of 2 from {2 ** (low + 1)} to {2 ** (low + 4)} are exact in every dtype"
        logits = tuple(2.0**k for k in range(low + 1, low + 5))
        flags = ("Everyday",) if low == 0 else ("LargeLogit",)
        yield Theme(f"powers_to_{2 ** (low + 4)}", fact, logits, flags)
    if fmt.emax > 64:
        fact = "At 2^31, 2^32, 2^63 and 2^64 integers end and floats go on"
        logits = tuple(2.0**k for k in (31, 32, 63, 64))
        yield Theme("powers_beyond_integers", fact, logits, ("LargeLogit",))
    top = f"In the top binades of {fmt.name} a wrong certainty costs its logit"
    yield Theme("top_powers", top, (2.0 ** (fmt.emax - 1), 2.0**fmt.emax), ("LargeLogit",))
