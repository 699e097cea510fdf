"""Targets strictly inside (0, 1), next to its ends and between, over the whole curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.floats import FORMATS, is_exact
from tools.grids.curve import loss
from tools.grids.grid import Entry, Grid
from tools.grids.numbers import rough, signed_word, spell, spell_all, told

if TYPE_CHECKING:
    from collections.abc import Iterator

LOGITS = (0.0625, 1, 4, 9, 17, 40, 88, 1024)
TINY = {
    "smallest_float16": 2.0**-24,
    "smallest_bfloat16": 2.0**-133,
    "smallest_normal_float32": 2.0**-126,
    "smallest_float32": 2.0**-149,
    "smallest_float64": 2.0**-1074,
}


def grids() -> Iterator[Grid]:
    """The one grid."""
    yield Grid(
        name="logits/soft_targets_grid",
        about="Soft targets, tiny ones, those that nearly are 1, tenths and quarters.",
        source=("pytorch#195529",),
        defaults={
            "operation": "bce_with_logits",
            "reduction": "none",
            "dtypes": list(FORMATS),
            "flags": ["SoftTarget"],
        },
        cases=(*_tiny(), *_nearly_certain(), *_tenths(), *_quarters()),
    )


def _dtypes(*values: float) -> list[str]:
    return [name for name, f in FORMATS.items() if all(is_exact(v, f) for v in values)]


def _tiny() -> Iterator[Entry]:
    for name, t in TINY.items():
        which = f"A target of {told(t)}, the {name.replace('_', ' ')},"
        facts = {-1: "decides the loss once exp(x) is smaller", 1: "is as good as 0"}
        for side, sign in (("negatives", -1), ("positives", 1)):
            logits = [sign * x for x in LOGITS]
            last = logits[-1]
            flags = ["SoftTarget", "TinyTarget"] + (["NegativeTail"] if sign < 0 else [])
            if "normal" not in name:
                flags.append("Subnormal")
            yield {
                "id": f"{name}_{side}",
                "about": (f"{which} {facts[sign]}; at {last} the loss is {rough(loss(last, t))}."),
                "dtypes": _dtypes(t),
                "logits": spell_all(logits),
                "targets": [spell(t)] * len(logits),
                "flags": flags,
            }


def _nearly_certain() -> Iterator[Entry]:
    """Targets one unit roundoff inside of 0 and 1; exchanging them mirrors a case."""
    for name, fmt in FORMATS.items():
        u = fmt.unit_roundoff
        for x in (1, 9, 17, 88):
            for side, sign, right in (("plus", 1, 1 - u), ("minus", -1, u)):
                yield {
                    "id": f"x_{signed_word(x).replace('plus', side)}_within_u_of_{name}",
                    "about": (
                        f"At {sign * x:g} a target of 1 - 2^-{fmt.precision} costs "
                        f"{rough(loss(sign * x, 1 - u))} and one of 2^-{fmt.precision} "
                        f"{rough(loss(sign * x, u))}."
                    ),
                    "dtypes": _dtypes(1 - u),
                    "logits": spell_all([sign * x] * 2),
                    "targets": spell_all([right, 1 - right]),
                    "flags": ["SoftTarget", "TinyTarget", "MirrorPair"],
                }


def _tenths() -> Iterator[Entry]:
    for name in FORMATS:
        yield {
            "id": f"tenths_of_{name}",
            "about": f"Tenths, rounded to {name}, are targets like any other.",
            "inputs_rounded_to": name,
            "dtypes": [other for other in FORMATS if _holds(other, name)],
            "logits": [-9, -9, -1, -1, 1, 1, 9, 9],
            "targets": [0.1, 0.9] * 4,
        }


def _holds(wide: str, narrow: str) -> bool:
    """Whether every decimal near 1 that is rounded to ``narrow`` is exact in ``wide``."""
    return FORMATS[wide].precision >= FORMATS[narrow].precision


def _quarters() -> Iterator[Entry]:
    for x in (0.0625, 4, 17, 88, 1024):
        for side, sign in (("plus", 1), ("minus", -1)):
            quarters = [0.25, 0.5, 0.75]
            yield {
                "id": f"x_{signed_word(x).replace('plus', side)}_quarters",
                "about": f"Halfway between the targets 0 and 1 the loss at {sign * x:g} is "
                f"{rough(loss(sign * x, 0.5))}.",
                "logits": spell_all([sign * x] * 3),
                "targets": quarters if sign > 0 else quarters[::-1],
                "flags": ["SoftTarget", "MirrorPair"],
            }
