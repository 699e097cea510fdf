"""Products of the Hessian with a vector, over both tails."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from conformance.floats import FORMATS, is_exact
from tools.grids.curve import curvature, curvature_of_probability
from tools.grids.grid import Entry, Grid
from tools.grids.numbers import rough, signed_word, spell, told, word

if TYPE_CHECKING:
    from collections.abc import Iterator

LOGITS = (0.5, 4, 9, 17, 40, 88)
POS_WEIGHTS = (1, 2**-8, 3)
WEIGHTS = {"negative": [-1, -2, -0.5, -4], "mixed_signs": [2, -1, 0, 0.5]}
TARGETS = [0, 0.25, 0.5, 1]
DIRECTION = [1, -1, 0.5, -2]
PROBABILITIES = {
    "two_to_the_minus_60": 2.0**-60,
    "two_to_the_minus_41": 2.0**-41,
    "two_to_the_minus_30": 2.0**-30,
    "two_to_the_minus_14": 2.0**-14,
    "two_to_the_minus_7": 2.0**-7,
    "eighth": 0.125,
    "half": 0.5,
    "seven_eighths": 0.875,
    "one_minus_two_to_the_minus_8": 1 - 2.0**-8,
    "one_minus_two_to_the_minus_11": 1 - 2.0**-11,
    "one_minus_two_to_the_minus_24": 1 - 2.0**-24,
}


def grids() -> Iterator[Grid]:
    """One grid for logits and one for probabilities."""
    for name, operation, cases in (
        ("logits", "bce_with_logits", _logits()),
        ("probabilities", "bce", _probabilities()),
    ):
        yield Grid(
            name=f"{name}/hessian_grid",
            about="The Hessian, which is diagonal, times a direction of both signs.",
            source=("pytorch#18945", "pytorch#59477"),
            defaults={
                "operation": operation,
                "reduction": "none",
                "dtypes": list(FORMATS),
                "flags": ["SecondDerivative"],
            },
            cases=tuple(cases),
        )


def _logits() -> Iterator[Entry]:
    for x in (0, *LOGITS, *(-x for x in LOGITS)):
        for p in POS_WEIGHTS:
            suffix = "" if p == 1 else f"_p_{word(p)}"
            of = "" if p == 1 else f" and pos_weight {told(p)}"
            bend = rough(curvature(x, 1, p))
            entry = _entry(
                f"x_{signed_word(x)}{suffix}",
                f"At {x:g}{of} the second derivative for a positive is {bend}.",
                "logits",
                x,
            )
            yield entry if p == 1 else _with(entry, ["PosWeight"], pos_weight=spell(p))
    for kind, weight in WEIGHTS.items():
        for reduction in ("none", "mean"):
            yield _with(
                _mixed("logits", [-9, -0.5, 0, 4], f"weights_{kind}_{reduction}", reduction),
                ["Weight", "NegativeWeight"],
                weight=weight,
                pos_weight=3,
            )
    yield _mixed("logits", [-17, -1, 1, 17], "both_tails_mean", "mean")
    yield _mixed("logits", [-17, -1, 1, 17], "both_tails_sum", "sum")


def _probabilities() -> Iterator[Entry]:
    for id_, q in PROBABILITIES.items():
        entry = _entry(
            id_,
            f"At {told(q)} the second derivative for a positive is "
            f"{rough(curvature_of_probability(q, 1))} and for a negative "
            f"{rough(curvature_of_probability(q, 0))}.",
            "probabilities",
            q,
        )
        dtypes = [n for n, fmt in FORMATS.items() if is_exact(Fraction(q), fmt)]
        entry = entry if len(dtypes) == len(FORMATS) else {**entry, "dtypes": dtypes}
        yield entry if 2**-7 <= q < 1 - 2**-7 else _with(entry, ["NearlyCertain"])
    for kind, weight in WEIGHTS.items():
        for reduction in ("none", "mean"):
            yield _with(
                _mixed(
                    "probabilities",
                    [0.125, 0.5, 0.25, 0.875],
                    f"weights_{kind}_{reduction}",
                    reduction,
                ),
                ["Weight", "NegativeWeight"],
                weight=weight,
            )
    inside = [2**-7, 0.25, 0.75, 1 - 2**-7]
    yield _mixed("probabilities", inside, "both_sides_mean", "mean")
    yield _mixed("probabilities", inside, "both_sides_sum", "sum")


def _entry(id_: str, about: str, name: str, value: float) -> Entry:
    return {
        "id": id_,
        "about": about,
        name: [spell(value)] * len(TARGETS),
        "targets": TARGETS,
        "direction": DIRECTION,
        "outputs": [f"{name}_hvp"],
        "flags": ["SecondDerivative"],
    }


def _with(entry: Entry, flags: list[str], **more: object) -> Entry:
    return {**entry, **more, "flags": [*entry["flags"], *flags]}


def _mixed(name: str, values: list[float], id_: str, reduction: str) -> Entry:
    divided = ", divided by the number of elements" if reduction == "mean" else ""
    weighed = ", times its weight" if id_.startswith("weights") else ""
    about = f"Each element has its own second derivative{weighed}{divided}."
    entry = _entry(id_, about, name, 0)
    return {**entry, name: [spell(value) for value in values], "reduction": reduction}
