"""The weight of the positive term from 0 to 10,000, over both tails and all targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.floats import FORMATS, round_to
from tools.grids.curve import loss
from tools.grids.grid import Entry, Grid
from tools.grids.numbers import rough, signed_word, word

if TYPE_CHECKING:
    from collections.abc import Iterator

POS_WEIGHTS = (0, 1e-8, 1e-4, 1e-2, 0.1, 0.5, 1, 2, 10, 100, 1e4)
LOGITS = (-80, -17, -0.5, 4, 17, 80)
# 2^-24 is the smallest float16, 1 - 2^-8 the last bfloat16 before 1.
TARGETS = (0, "0x1p-24", 0.25, 0.5, "0x1.fep-1", 1)
_SMALLEST_IN_FLOAT16 = 1e-7


def grids() -> Iterator[Grid]:
    """The one grid."""
    yield Grid(
        name="logits/pos_weight_grid",
        about="Each pos_weight at each logit, with targets from 0 to 1.",
        source=("pytorch#195529",),
        defaults={
            "operation": "bce_with_logits",
            "reduction": "none",
            "dtypes": ["float16", "bfloat16", "float32", "float64"],
            "inputs_rounded_to": "bfloat16",
        },
        cases=tuple(_case(p, x) for p in POS_WEIGHTS for x in LOGITS),
    )


def _case(p: float, x: float) -> Entry:
    flags = ["PosWeight", "SoftTarget"]
    if 0 < p < 0.1:
        flags.append("SmallPosWeight")
    if x <= -17:
        flags.append("NegativeTail")
    if x >= 17:
        flags += ["PositiveTail", "GradientTail"]
    whose = (
        "A pos_weight of 0 leaves a positive"
        if p == 0
        else f"With pos_weight {rough(p)} a positive"
    )
    cost = (
        "nothing to pay"
        if p == 0
        else f"costs {rough(loss(x, 1, round_to(p, FORMATS['bfloat16'])))}"
    )
    entry: Entry = {
        "id": f"p_{word(p)}_x_{signed_word(x)}",
        "about": f"{whose} at {x:g} {cost}; a negative there costs {rough(loss(x, 0))}.",
        "logits": [x] * len(TARGETS),
        "targets": list(TARGETS),
        "pos_weight": p,
        "flags": flags,
    }
    if 0 < p < _SMALLEST_IN_FLOAT16:
        entry["dtypes"] = ["bfloat16", "float32", "float64"]
    return entry
