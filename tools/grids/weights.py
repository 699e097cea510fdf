"""Weights of every sign and size, and weights along every combination of axes."""

from __future__ import annotations

from itertools import combinations, cycle, permutations
from math import prod
from typing import TYPE_CHECKING, Any

from conformance.floats import FORMATS
from tools.grids.grid import Entry, Grid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Shape = tuple[int, ...]

REDUCTIONS = ("none", "sum", "mean")
LOGITS = (-4, -0.5, 0, 0.75, 2, 8, 1)
PROBABILITIES = (0.5, 0.125, 0.75, 0.9375, 0.25, 0.0625, 0.625)
TARGETS = (0, 1, 0.5, 1, 0)
ALONG_AXES = (1, 2, 0.5, 4, 0.25, 3, 8, 1.5, 0, 0.75, 6)
DIFFERENT = {1: (5,), 2: (2, 3), 3: (2, 3, 4), 4: (2, 3, 4, 5)}
EQUAL = {rank: (3,) * rank for rank in (2, 3, 4)}
_MOST_POSITIONS = 12

VALUES: dict[str, tuple[str, list[Any], list[str]]] = {
    "zeros": ("Weights of zero leave a loss of 0", [0] * 6, ["ZeroWeight"]),
    "zero_or_one": (
        "Weights of zero mask their elements",
        [1, 0, 1, 0, 0, 1],
        ["ZeroWeight"],
    ),
    "minus_zeros": (
        "A weight of negative zero masks as zero does",
        ["-0.0", 1, "-0.0", 1, 1, "-0.0"],
        ["ZeroWeight", "SignedZero"],
    ),
    "negatives": (
        "Weights below zero turn the sign of loss and gradients",
        [-1, -2, -0.5, -1, -3, -0.25],
        ["NegativeWeight"],
    ),
    "fractions": ("Weights below 1 shrink the loss", [0.5, 0.25, 0.125, 0.75, 0.375, 0.625], []),
    "mixed_signs": (
        "Weights of both signs are taken as they are, not by magnitude",
        [1, -1, 2, -0.5, -3, 0.25],
        ["NegativeWeight", "Cancellation"],
    ),
    "thousands": ("Weights of some thousands scale the loss", [1024, 2048, 512, 4096, 1, 256], []),
    "huge": (
        "Weights from 2^100 to 2^120 take the loss near the end of the range of float32",
        ["0x1p+100", "0x1p+101", "0x1p+102", "0x1p+110", "0x1p+115", "0x1p+120"],
        [],
    ),
    "tiny": (
        "Weights from 2^-126 to 2^-100 take the loss near the other end of the range of float32",
        ["0x1p-100", "0x1p-101", "0x1p-110", "0x1p-120", "0x1p-124", "0x1p-126"],
        [],
    ),
    "from_tiny_to_huge": (
        "Weights of 2^60 and of 2^-60 stand side by side",
        ["0x1p-60", "0x1p+60", 1, "0x1p-30", "0x1p+30", 1],
        [],
    ),
}
_BEYOND_FLOAT16 = {"huge", "tiny", "from_tiny_to_huge"}


def grids() -> Iterator[Grid]:
    """One grid for logits, which have a pos_weight as well, and one for probabilities."""
    for folder, operation, name, values in (
        ("logits", "bce_with_logits", "logits", LOGITS),
        ("probabilities", "bce", "probabilities", PROBABILITIES),
    ):
        cases = [*_values(name, values), *_axes(name, values), *_trap(name, values)]
        if name == "logits":
            cases += _two_axes()
        yield Grid(
            name=f"{folder}/weights_grid",
            about="Weights of every sign and size, and weights along every combination of axes.",
            source=("pytorch#5157", "pytorch#54843"),
            defaults={"operation": operation, "dtypes": list(FORMATS), "flags": ["Weight"]},
            cases=tuple(cases),
        )


def _values(name: str, values: Sequence[float]) -> Iterator[Entry]:
    for kind, (fact, weights, flags) in VALUES.items():
        for reduction in REDUCTIONS:
            entry: Entry = {
                "id": f"{kind}_{reduction}",
                "about": f"{fact}{_ENDINGS[reduction]}.",
                "reduction": reduction,
                name: list(values[:6]),
                "targets": [0, 1, 0.5, 1, 0, 0.25],
                "weight": weights,
                "flags": ["Weight", *flags, *_flags_of(reduction)],
            }
            if kind in _BEYOND_FLOAT16:
                entry["dtypes"] = [dtype for dtype in FORMATS if dtype != "float16"]
            yield entry


_ENDINGS = {
    "none": ", element by element",
    "sum": ", before the sum is taken",
    "mean": ", and the mean divides by the count",
}


def _flags_of(reduction: str) -> list[str]:
    return ["MeanByCount"] if reduction == "mean" else []


def _axes(name: str, values: Sequence[float]) -> Iterator[Entry]:
    """Every combination of axes of shapes whose sizes differ."""
    reductions = cycle(REDUCTIONS)
    for rank, shape in DIFFERENT.items():
        for axes in (
            axes for count in range(rank + 1) for axes in combinations(range(rank), count)
        ):
            along = _kept(shape, axes)
            for reduction in REDUCTIONS[::2] if rank in (1, 2) else (next(reductions),):
                yield {
                    "id": f"rank_{rank}_{_axes_word(axes)}_{reduction}",
                    "about": (
                        f"A weight of shape {along} beside an input of shape {shape} "
                        f"{_acts_on(axes)}."
                    ),
                    **_described(name, values, shape, reduction),
                    "weight": _repeat(ALONG_AXES, along),
                    "flags": ["Weight", "Broadcasting", *_flags_of(reduction)],
                }


def _trap(name: str, values: Sequence[float]) -> Iterator[Entry]:
    """Shapes whose sizes are equal: a weight of fewer axes fits any, and means the last."""
    reductions = cycle(REDUCTIONS)
    for rank, shape in EQUAL.items():
        for count in range(1, rank):
            along = shape[:count]
            yield _trapped(
                f"equal_rank_{rank}_last_{count}",
                f"A weight of shape {along} beside an input of shape {shape} lies on its last "
                f"{'axis' if count == 1 else f'{count} axes'}",
                _described(name, values, shape, next(reductions)),
                along,
            )
        for axis in range(rank):
            along = _kept(shape, (axis,))
            yield _trapped(
                f"equal_rank_{rank}_axis_{axis}",
                f"A weight of shape {along} varies along axis {axis} of an input of shape {shape}",
                _described(name, values, shape, next(reductions)),
                along,
            )


def _trapped(id_: str, fact: str, described: Entry, along: Shape) -> Entry:
    flags = ["Weight", "Broadcasting", "SquareTrap", *_flags_of(described["reduction"])]
    entry = {"about": f"{fact}.", **described, "weight": _repeat(ALONG_AXES, along), "flags": flags}
    return {"id": f"{id_}_{described['reduction']}", **entry}


def _two_axes() -> Iterator[Entry]:
    """A weight along one axis and a pos_weight along another."""
    reductions = cycle(REDUCTIONS)
    for rank in (2, 3, 4):
        for own, other in permutations(range(rank), 2):
            shape = DIFFERENT[rank]
            reduction = next(reductions)
            yield {
                "id": f"rank_{rank}_weight_{own}_pos_weight_{other}_{reduction}",
                "about": (
                    f"A weight along axis {own} and a pos_weight along axis {other} of an input "
                    f"of shape {shape} make a factor for each pair of indices."
                ),
                **_described("logits", LOGITS, shape, reduction),
                "weight": _repeat(ALONG_AXES, _kept(shape, (own,))),
                "pos_weight": _repeat(ALONG_AXES[1:], _kept(shape, (other,))),
                "flags": ["Weight", "PosWeight", "Broadcasting", *_flags_of(reduction)],
            }


def _described(name: str, values: Sequence[float], shape: Shape, reduction: str) -> Entry:
    """Input and targets whose periods are no divisors of a row, so that no two rows are equal."""
    size = prod(shape)
    return {
        "reduction": reduction,
        name: _repeat(values, shape),
        "targets": _repeat(TARGETS, shape),
        "positions": list(range(0, size, -(-size // _MOST_POSITIONS))),
    }


def _repeat(values: Sequence[float], shape: Shape) -> Entry:
    return {"repeat": list(values[: max(1, prod(shape))]), "shape": list(shape)}


def _kept(shape: Shape, axes: Sequence[int]) -> Shape:
    return tuple(size if axis in axes else 1 for axis, size in enumerate(shape))


def _axes_word(axes: Sequence[int]) -> str:
    return f"axes_{'_'.join(map(str, axes))}" if axes else "no_axis"


def _acts_on(axes: Sequence[int]) -> str:
    if not axes:
        return "is one factor for all of it"
    *most, last = map(str, axes)
    if not most:
        return f"varies along axis {last}"
    return f"varies along the axes {', '.join(most)} and {last}"
