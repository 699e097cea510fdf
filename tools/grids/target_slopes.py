"""The gradient with respect to the target, alone, around the logit at which it is zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.floats import FORMATS, round_to
from tools.grids.curve import root_of_slope, softplus, target_slope
from tools.grids.grid import Entry, Grid
from tools.grids.numbers import rough, signed_word, spell, spell_all, step, told, word

if TYPE_CHECKING:
    from collections.abc import Iterator

POS_WEIGHTS = (2.0**-20, 0.125, 0.5, 2, 3, 10, 1000)
NEAR_ONE = {
    f"1_{side}_u_of_{name}": (1 + sign * fmt.unit_roundoff * (1 if sign < 0 else 2), name)
    for name, fmt in FORMATS.items()
    for side, sign in (("minus", -1), ("plus", 1))
}
TINY = (2.0**-24, 2.0**-14, 2.0**-8)


def grids() -> Iterator[Grid]:
    """The one grid."""
    yield Grid(
        name="logits/targets_grad_grid",
        about="The slope p s(-x) - s(x) of the loss along its target, with s the softplus.",
        source=("pytorch#56683",),
        defaults={
            "operation": "bce_with_logits",
            "reduction": "none",
            "dtypes": list(FORMATS),
            "flags": ["TargetSlope"],
        },
        cases=(*_roots(), *_near_one(), *_tails(), *_without_pos_weight()),
    )


def _entry(id_: str, about: str, logits: list[float], p: float, flags: list[str]) -> Entry:
    return {
        "id": id_,
        "about": about,
        "logits": spell_all(logits),
        "targets": [0.5] * len(logits),
        "pos_weight": spell(p),
        "outputs": ["targets_grad"],
        "flags": ["TargetSlope", *flags],
    }


def _roots() -> Iterator[Entry]:
    fmt = FORMATS["bfloat16"]
    for p in POS_WEIGHTS:
        root = root_of_slope(p)
        nearest = round_to(root, fmt)
        sign = -1 if nearest < 0 else 1
        logits = [sign * step(abs(nearest), fmt, count) for count in range(-2, 3)]
        slope = rough(target_slope(nearest, p))
        about = (
            f"With pos_weight {told(p)} the slope is 0 at {rough(root)}; at the nearest bfloat16 "
            f"it is {slope}."
        )
        yield _entry(f"p_{word(p)}_root", about, logits, p, ["Cancellation", "PosWeight"])


def _near_one() -> Iterator[Entry]:
    for name, (p, dtype) in NEAR_ONE.items():
        fmt = FORMATS[dtype]
        about = (
            f"With pos_weight {_beside_one(p)} the slope is -x and p - 1 times the softplus of -x."
        )
        logits = [-17.0, -1.0, -(2.0**-14), 0.0, 2.0**-14, 1.0, 17.0]
        entry = _entry(f"p_{name}", about, logits, p, ["Cancellation", "PosWeight"])
        holders = [n for n, other in FORMATS.items() if other.precision >= fmt.precision]
        yield {**entry, "dtypes": holders}


def _tails() -> Iterator[Entry]:
    for p in (0.0, *POS_WEIGHTS):
        for x in (-17.0, 17.0):
            yield _entry(
                f"p_{word(p)}_x_{signed_word(x)}",
                f"With pos_weight {told(p) if p else 0} the slope at {x:g} is pos_weight times "
                f"{rough(softplus(-x))} less {rough(softplus(x))}.",
                [x],
                p,
                ["PosWeight"],
            )


def _without_pos_weight() -> Iterator[Entry]:
    for x in (*TINY, 1.0, 88.0, 1000.0):
        entry = _entry(
            f"either_side_of_{word(x)}",
            f"Without a pos_weight the slope at {told(x)} is exactly that number's negative.",
            [-x, x],
            1.0,
            ["Cancellation"],
        )
        del entry["pos_weight"]
        yield entry


def _beside_one(p: float) -> str:
    sign = "-" if p < 1 else "+"
    return f"1 {sign} {told(abs(p - 1))}"
