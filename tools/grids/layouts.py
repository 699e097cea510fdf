"""The same questions, with inputs that lie in memory in every way."""

from __future__ import annotations

from itertools import count, cycle, islice
from math import prod
from typing import TYPE_CHECKING

from conformance.floats import FORMATS
from tools.grids.grid import Entry, Grid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Shape = tuple[int, ...]

REDUCTIONS = ("none", "sum", "mean")
SHAPES: Mapping[int, Shape] = {1: (7,), 2: (3, 5), 3: (2, 3, 4), 4: (2, 3, 2, 2)}
# The periods have no factor in common with a row, so that elements out of order show.
VALUES: Mapping[str, tuple[float, ...]] = {
    "logits": (-4, -0.5, 0, 0.75, 2, 9, 1),
    "targets": (0, 1, 0.5, 1, 0, 0.25, 0.75),
    "weight": (1, 2, 0.5, 4, 0.25, 3, 8, 1.5, 0.75, 6, -1),
    "pos_weight": (2, 0.5, 3, 1, 0.25, 4, 10, 0.125, 5, 1.5, 7),
}
RANKS: Mapping[str, tuple[int, ...]] = {
    "transposed": (2, 3, 4),
    "strided": (1, 2, 3, 4),
    "reversed": (1, 2, 3, 4),
    "expanded": (1, 2, 3, 4),
    "channels_last": (4,),
}
FACTS: Mapping[str, str] = {
    "transposed": "with the first axis varying fastest",
    "strided": "with gaps between the elements",
    "reversed": "with every stride negative",
    "expanded": "with one number in memory for all of the first axis",
    "channels_last": "with the channels varying fastest",
}


def grids() -> Iterator[Grid]:
    """The one grid."""
    yield Grid(
        name="logits/layout_grid",
        about="The answer does not depend on how an input lies in memory.",
        defaults={
            "operation": "bce_with_logits",
            "dtypes": list(FORMATS),
            "flags": ["Layout", "Weight", "PosWeight"],
        },
        cases=tuple(_cases()),
    )


def _cases() -> Iterator[Entry]:
    """Each layout of each input and of all at once; the reductions take turns."""
    turn = count()
    for layout, ranks in RANKS.items():
        for rank in ranks:
            for name in (*VALUES, "all"):
                yield _case(layout, rank, name, REDUCTIONS[next(turn) % 3])


def _case(layout: str, rank: int, name: str, reduction: str) -> Entry:
    laid_out = tuple(VALUES) if name == "all" else (name,)
    shape = SHAPES[rank]
    whose = "All inputs" if name == "all" else "Targets" if name == "targets" else f"A {name}"
    whose = "Logits" if name == "logits" else whose
    lie = "lies" if whose.startswith("A ") else "lie"
    arrays = {
        key: _array(key, shape, constant=layout == "expanded" and key in laid_out) for key in VALUES
    }
    return {
        "id": f"{layout}_rank_{rank}_{name}_{reduction}",
        "about": f"{whose} of shape {shape} {lie} {FACTS[layout]}.",
        "reduction": reduction,
        **arrays,
        "layout": dict.fromkeys(laid_out, layout),
        "positions": list(range(prod(shape))),
    }


def _array(name: str, shape: Shape, *, constant: bool) -> Entry:
    """An array that is the same along its first axis where it is to be expanded there."""
    values = VALUES[name]
    if constant:
        values = tuple(islice(cycle(values), prod(shape[1:])))
    return {"repeat": list(values), "shape": list(shape)}
