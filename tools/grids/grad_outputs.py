"""Gradients that flow in from above, as vectors and as the factors of loss scaling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.floats import FORMATS
from tools.grids.grid import Entry, Grid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LOGITS = [-9, -0.5, 0, 0.75, 4, 2]
TARGETS = [0, 1, 0.5, 1, 0, 0.25]
_BEYOND_FLOAT16 = {"65536", "2_to_the_minus_64", "huge", "tiny"}

VECTORS: Mapping[str, tuple[str, list[Any]]] = {
    "ones": ("of ones changes nothing", [1] * 6),
    "zeros": ("of zeros leaves no gradient", [0] * 6),
    "mask": ("of zeros and ones masks elements", [1, 0, 0, 1, 1, 0]),
    "negative": ("below zero turns every gradient", [-1, -2, -0.5, -1, -4, -0.25]),
    "fractions": ("below 1 shrinks every gradient", [0.5, 0.25, 0.125, 0.75, 0.375, 0.625]),
    "mixed_signs": ("of both signs keeps them apart", [1, -1, 2, -0.5, -3, 0.25]),
    "scale": ("of 1024, as in loss scaling, is exact in every dtype", [1024] * 6),
    "huge": ("of 2^64 leaves the digits as they are", ["0x1p+64"] * 6),
    "tiny": ("of 2^-64 leaves the digits as they are", ["0x1p-64"] * 6),
}
SCALARS: Mapping[str, tuple[str, Any]] = {
    "0": ("a factor of 0 leaves no gradient", 0),
    "1": ("a factor of 1 changes nothing", 1),
    "minus_1": ("a factor of -1 turns every gradient", -1),
    "half": ("a factor of 1/2 halves every gradient", 0.5),
    "minus_3": ("a factor of -3 turns every gradient and triples it", -3),
    "1024": ("a factor of 1024, as in loss scaling, is exact in every dtype", 1024),
    "65536": ("a factor of 65536, as loss scaling begins with, is beyond float16", 65536),
    "2_to_the_minus_64": ("a factor of 2^-64 leaves the digits as they are", "0x1p-64"),
}


def grids() -> Iterator[Grid]:
    """The one grid."""
    yield Grid(
        name="logits/grad_output_grid",
        about="The loss does not depend on what flows in from above; both gradients do.",
        defaults={
            "operation": "bce_with_logits",
            "dtypes": list(FORMATS),
            "flags": ["GradOutput"],
        },
        cases=(*_vectors(), *_scalars(), *_with_weights()),
    )


def _entry(id_: str, about: str, reduction: str, grad_output: Any) -> Entry:
    entry: Entry = {
        "id": id_,
        "about": about,
        "reduction": reduction,
        "logits": LOGITS,
        "targets": TARGETS,
        "grad_output": grad_output,
    }
    return entry


def _without_float16(name: str) -> Entry:
    kept = [dtype for dtype in FORMATS if dtype != "float16"]
    return {"dtypes": kept} if name in _BEYOND_FLOAT16 else {}


def _vectors() -> Iterator[Entry]:
    for name, (fact, vector) in VECTORS.items():
        entry = _entry(f"none_{name}", f"A vector {fact}.", "none", vector)
        yield {**entry, **_without_float16(name)}
    fold = [LOGITS[:3], LOGITS[3:]], [TARGETS[:3], TARGETS[3:]], [[1, -1, 2], [-0.5, -3, 0.25]]
    entry = _entry("none_matrix", "A matrix acts element by element.", "none", fold[2])
    yield {**entry, "logits": fold[0], "targets": fold[1]}


def _scalars() -> Iterator[Entry]:
    for name, (fact, factor) in SCALARS.items():
        for reduction in ("sum", "mean"):
            entry = _entry(
                f"{reduction}_{name}", f"Above a {reduction}, {fact}.", reduction, factor
            )
            yield {**entry, **_without_float16(name)}
    for reduction in ("sum", "mean"):
        entry = _entry(
            f"{reduction}_thousand",
            f"Above a {reduction}, a factor of -64 reaches each of a thousand elements.",
            reduction,
            -64,
        )
        yield {
            **entry,
            "logits": {"repeat": [-2, -0.5, 0, 0.25, 1, 3, -7], "shape": [1000]},
            "targets": {"repeat": [0, 1, 0.5], "shape": [1000]},
            "positions": [0, 1, 2, 500, 999],
            "flags": ["GradOutput", "LargeReduction"],
        }


def _with_weights() -> Iterator[Entry]:
    factors = {"none": [1, -1, 2, -0.5, -3, 0.25], "sum": -2, "mean": -2}
    for reduction, factor in factors.items():
        entry = _entry(
            f"{reduction}_with_weights",
            "A weight and what flows in from above multiply each other.",
            reduction,
            factor,
        )
        yield {
            **entry,
            "weight": [1, 2, -1, 0.5, 0, 4],
            "pos_weight": 3,
            "flags": ["GradOutput", "Weight", "PosWeight"],
        }
