"""Shortens a result to the mark, number and colour that a cell has room for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.results import OutputResult, Result

GRADE_MARKS = {"exact": "=", "faithful": "f", "accurate": "a", "coarse": "c", "wrong": "X"}
NOT_RUN = "\N{EN DASH}"
DEVIATES = "D"
RAISED = "r"

MARKS = {
    "=": "exact: the correctly rounded truth",
    "f": "faithful: less than 1 ulp off",
    "a": "accurate: what a careful implementation reaches",
    "c": "coarse: what the textbook formula loses by cancellation",
    "X": "wrong: beyond that, or not a number where one is due",
    DEVIATES: "a known deviation: wrong, written down with its issue",
    RAISED: "raised an error where one is due",
    NOT_RUN: "not run",
}

GRADE_RANKS = {grade: rank for rank, grade in enumerate(GRADE_MARKS)}
STATUS_RANKS = {"not_run": 0, "passed": 1, "deviates": 2, "failed": 3}

_FAR = ("over 10\N{MULTIPLICATION SIGN}", "over 1e6\N{MULTIPLICATION SIGN}")
HEAT_LABELS = ("exact", "faithful", "accurate", "coarse", "wrong", *_FAR)
"""What the heat classes h0 ... h6 mean: a grade; and of a wrong answer, its error over "coarse"."""

_HEAT_BOUNDS = (10.0, 1e6)


def mark(result: Result) -> str:
    """The mark of one result, a key of MARKS."""
    if result.status == "not_run":
        return NOT_RUN
    if result.status == "deviates":
        return DEVIATES
    if result.status == "passed" and not result.outputs:
        return RAISED
    return GRADE_MARKS.get(result.grade or "wrong", "X")


def severity(result: Result, ulp: float | None) -> tuple[int, int, float]:
    """Sorts results, given their ``worst_ulp``: failed last, then by grade, then by ulp."""
    grade = GRADE_RANKS.get(result.grade or "", -1)
    return STATUS_RANKS[result.status], grade, math.inf if ulp is None else ulp


def worst_output(result: Result) -> tuple[str, OutputResult] | None:
    """The name and grading of the worst output; None where there is none."""
    # Every result comes by here more than once: a key function would take twice as long.
    found: tuple[str, OutputResult] | None = None
    most, furthest = -1, -1.0
    for item in result.outputs.items():
        rank = GRADE_RANKS.get(item[1].grade, len(GRADE_RANKS))
        if rank >= most:
            ulp = item[1].ulp
            distance = math.inf if ulp is None else ulp
            if rank > most or distance > furthest:
                found, most, furthest = item, rank, distance
    return found


def worst_ulp(result: Result) -> float | None:
    """The error of the worst output in ulp; None where no distance can be told."""
    worst = worst_output(result)
    return None if worst is None else worst[1].ulp


def heat(result: Result) -> str:
    """The CSS class that colours a result: by grade, and beyond "coarse" by its error over that."""
    worst = worst_output(result)
    if result.status == "not_run":
        return "none"
    if worst is None:
        return "h0" if result.status == "passed" else "h6"
    rank = GRADE_RANKS.get(worst[1].grade, len(GRADE_RANKS))
    if rank < GRADE_RANKS["wrong"]:
        return f"h{rank}"
    # Without a ratio no distance can be told: a NaN, or another shape.
    ratios = [output.ratio for output in result.outputs.values() if output.grade == "wrong"]
    ratio = max((math.inf if ratio is None else ratio for ratio in ratios), default=math.inf)
    return f"h{GRADE_RANKS['wrong'] + sum(ratio > bound for bound in _HEAT_BOUNDS)}"


def ulp_text(ulp: float | None) -> str:
    """``ulp`` in at most six characters: "0", "<0.01", "0.52", "37", "1.7e7"; "" for None."""
    if ulp is None or math.isnan(ulp):
        return ""
    if ulp == 0:
        return "0"
    if ulp < 0.005:
        return "<0.01"
    if ulp < 9.95:
        return f"{ulp:.2g}"
    if ulp < 9999.5:
        return f"{ulp:.0f}"
    mantissa, _, exponent = f"{ulp:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def steps_text(steps: int) -> str:
    """A distance in whole ulps, as short as ``ulp_text``; a dot for none."""
    return f"{steps:,}" if 0 < steps < 10_000 else ulp_text(float(steps)) if steps else "·"


def share_text(part: int, whole: int) -> str:
    """``part`` of ``whole`` in percent, cut off, so that only all of it is 100 %."""
    return f"{1000 * part // max(1, whole) / 10:g} %"
