"""None, sum and mean, from no element to a million."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conformance.floats import FORMATS
from tools.grids.grid import Entry, Grid
from tools.grids.numbers import rough, spell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DTYPES = tuple(FORMATS)
MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Pattern:
    """Values that repeat until an array is full.

    Attributes:
        id: Its part of the ids.
        fact: What is so, for a sentence that begins with the count and the reduction.
        values: Of the logits or probabilities.
        targets: Of the targets.
        weight: Of the weight; empty for none.
        sizes: The counts of elements.
        dtypes: Those asked.
        flags: Of the cases, besides those of every reduction.
    """

    id: str
    fact: str
    values: tuple[float, ...]
    targets: tuple[float, ...] = (0,)
    weight: tuple[float, ...] = ()
    sizes: tuple[int, ...] = (7, 1000, 100_000)
    dtypes: tuple[str, ...] = DTYPES
    flags: tuple[str, ...] = field(default=())


_CYCLE = (0, 1, 0.5)
LOGITS = (
    Pattern("constant", "equal losses of 0.974", (0.5,), sizes=(1000, 100_000, MOST)),
    Pattern("alternating", "losses of 3.05 and 0.0486 in turn", (3, -3)),
    Pattern(
        "cyclic",
        "seven logits and three targets in turn",
        (-2, -0.5, 0, 0.25, 1, 3, -7),
        _CYCLE,
    ),
    Pattern(
        "one_large",
        "one loss of 512 in twenty beside losses of 0.00248",
        (512, *[-6] * 19),
        sizes=(20, 1000, 100_000),
    ),
    Pattern(
        "tiny",
        "losses of 2.06e-9, too small for float16 one by one",
        (-20,),
        sizes=(1000, 100_000),
        flags=("NegativeTail",),
    ),
    Pattern(
        "confident",
        "confident negatives of 6.14e-6 each, which 1 + exp(x) loses in 16 bits",
        (-12,),
        sizes=(1000, 100_000, MOST),
        flags=("NegativeTail",),
    ),
    Pattern(
        "opposite",
        "weights of 1 and -1 in turn, which cancel almost all of it",
        (-2, -0.5, 0, 0.25, 1, 3, -7),
        _CYCLE,
        weight=(1, -1),
        sizes=(1000, 100_000),
        flags=("Weight", "NegativeWeight", "Cancellation"),
    ),
    Pattern("wrong", "losses of 64, whose sum leaves float16 beyond 1023 of them", (64,)),
    Pattern(
        "half_overflowing",
        "losses of 2^120, whose sum leaves bfloat16 and float32 beyond 255 of them",
        (2.0**120,),
        sizes=(7, 255, 256, 1000),
        dtypes=("bfloat16", "float32", "float64"),
        flags=("LargeLogit", "Overflow"),
    ),
    Pattern(
        "float16_edge",
        "losses of 32, whose sum is the largest float16 at 2047 of them and infinite at 2048",
        (32,),
        sizes=(2047, 2048),
        dtypes=("float16",),
        flags=("SixteenBit", "Overflow"),
    ),
    *(
        Pattern(
            f"top_of_{name}",
            f"losses of 2^{fmt.emax}, of which {name} holds one and not the sum of two",
            (2.0**fmt.emax,),
            sizes=(7, 1000),
            dtypes=(name,),
            flags=("LargeLogit", "Overflow"),
        )
        for name, fmt in FORMATS.items()
    ),
)
PROBABILITIES = (
    Pattern("constant", "equal losses of 0.288", (0.25,), sizes=(1000, 100_000, MOST)),
    Pattern("alternating", "losses of 2.08 and 0.134 in turn", (0.875, 0.125)),
    Pattern(
        "cyclic",
        "seven probabilities and three targets in turn",
        (0.125, 0.5, 0.0625, 0.75, 0.9375, 0.25, 0.625),
        _CYCLE,
        sizes=(1000, 100_000, MOST),
    ),
    Pattern(
        "one_large",
        "one loss of 5.55 in twenty beside losses of 0.000977",
        (1 - 2.0**-8, *[2.0**-10] * 19),
        sizes=(20, 1000, 100_000),
    ),
    Pattern(
        "confident",
        "confident negatives of 2^-14 each, which log(1 - q) loses in 16 bits",
        (2.0**-14,),
        flags=("NearlyCertain",),
    ),
    Pattern(
        "opposite",
        "weights of 1 and -1 in turn, which cancel almost all of it",
        (0.125, 0.5, 0.0625, 0.75, 0.9375, 0.25, 0.625),
        _CYCLE,
        weight=(1, -1),
        sizes=(1000, 100_000),
        flags=("Weight", "NegativeWeight", "Cancellation"),
    ),
)


def grids() -> Iterator[Grid]:
    """One grid for logits and one for probabilities."""
    for name, operation, patterns, spaced in (
        ("logits", "bce_with_logits", LOGITS, _spaced_logits()),
        ("probabilities", "bce", PROBABILITIES, _spaced_probabilities()),
    ):
        yield Grid(
            name=f"{name}/reductions_grid",
            about="None, sum and mean over the same values, from no element to a million.",
            source=("pytorch#24933",),
            defaults={"operation": operation, "dtypes": list(DTYPES), "flags": ["Reduction"]},
            cases=(
                *_empty(name),
                *_one(name, patterns[0]),
                *_unreduced(name, patterns),
                *(
                    _case(name, pattern, size, reduction)
                    for pattern in patterns
                    for size in pattern.sizes
                    for reduction in ("sum", "mean")
                ),
                *spaced,
            ),
        )


def _empty(name: str) -> Iterator[Entry]:
    facts = {
        "none": "A loss without elements is empty",
        "sum": "The sum over no element is 0",
        "mean": "The mean over no element is 0/0",
    }
    for reduction, fact in facts.items():
        empty: list[int] = []
        yield {
            "id": f"empty_{reduction}",
            "about": f"{fact}.",
            "reduction": reduction,
            name: empty,
            "targets": empty,
            "flags": ["Reduction", "Empty"],
        }


def _one(name: str, pattern: Pattern) -> Iterator[Entry]:
    shapes = {"none": "with its axis", "sum": "without an axis", "mean": "without an axis"}
    for reduction, shape in shapes.items():
        yield {
            "id": f"one_{reduction}",
            "about": f"One element with reduction {reduction} has its own loss, {shape}.",
            "reduction": reduction,
            name: list(pattern.values),
            "targets": [0],
        }


def _unreduced(name: str, patterns: Sequence[Pattern]) -> Iterator[Entry]:
    (cyclic,) = [pattern for pattern in patterns if pattern.id == "cyclic"]
    for size in (7, 1000, 100_000):
        yield _case(name, cyclic, size, "none")


def _case(name: str, pattern: Pattern, size: int, reduction: str) -> Entry:
    if reduction == "none":
        about = f"Without a reduction there are {size} losses: {pattern.fact}."
    else:
        about = f"The {reduction} is over {size} elements: {pattern.fact}."
    flags = ["Reduction", *(["LargeReduction"] if size >= 1000 else []), *pattern.flags]
    entry: Entry = {
        "id": f"{pattern.id}_{size}_{reduction}",
        "about": about,
        "reduction": reduction,
        name: _repeat(pattern.values, size),
        "targets": _repeat(pattern.targets, size),
    }
    if pattern.weight:
        entry["weight"] = _repeat(pattern.weight, size)
    if pattern.dtypes != DTYPES:
        entry["dtypes"] = list(pattern.dtypes)
    return {**entry, "positions": _positions(size), "flags": flags}


def _repeat(values: Sequence[float], size: int) -> dict[str, Any]:
    return {"repeat": [spell(value) for value in values[:size]], "shape": [size]}


def _positions(size: int) -> list[int]:
    return sorted({0, 1, 2, size // 2, size - 1})


def _spaced_logits() -> Iterator[Entry]:
    yield from _spaced("logits", 7, (-3, 3), DTYPES)
    end = 999 / 128
    yield from _spaced("logits", 1000, (-end, end), ("float16", "float32", "float64"))
    yield from _spaced("logits", 1025, (-64, 64), ("float16", "float32", "float64"))


def _spaced_probabilities() -> Iterator[Entry]:
    yield from _spaced("probabilities", 7, (0.125, 0.875), DTYPES)
    end = 1000 / 1024
    yield from _spaced("probabilities", 1000, (1 / 1024, end), ("float16", "float32", "float64"))


def _spaced(
    name: str, size: int, ends: tuple[float, float], dtypes: Sequence[str]
) -> Iterator[Entry]:
    for reduction in ("sum", "mean"):
        yield {
            "id": f"spaced_{size}_{reduction}",
            "about": f"The {reduction} takes {size} evenly spaced {name} from {rough(ends[0])} to "
            f"{rough(ends[1])}, no two alike.",
            "reduction": reduction,
            name: {"linspace": [spell(end) for end in ends], "shape": [size]},
            "targets": _repeat(_CYCLE, size),
            "dtypes": list(dtypes),
            "positions": _positions(size),
            "flags": ["Reduction", *(["LargeReduction"] if size >= 1000 else [])],
        }
