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

_RANKS = {grade: rank for rank, grade in enumerate(GRADE_MARKS)}
_STATUS_RANKS = {"not_run": 0, "passed": 1, "deviates": 2, "failed": 3}

HEAT_LABELS = ("exact", "faithful", "accurate", "coarse", "wrong", "by 10 times", "by 1e6 times")
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


def severity(result: Result) -> tuple[int, int, float]:
    """Sorts results from best to worst: failed last, then by grade, then by ulp."""
    ulp = worst_ulp(result)
    grade = _RANKS.get(result.grade or "", -1)
    return _STATUS_RANKS[result.status], grade, math.inf if ulp is None else ulp


def worst_output(result: Result) -> tuple[str, OutputResult] | None:
    """The name and grading of the worst output; None where there is none."""
    if not result.outputs:
        return None
    return max(result.outputs.items(), key=_badness)


def _badness(item: tuple[str, OutputResult]) -> tuple[int, float]:
    output = item[1]
    rank = _RANKS.get(output.grade, len(_RANKS))
    return rank, math.inf if output.ulp is None else output.ulp


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
    rank = _RANKS.get(worst[1].grade, len(_RANKS))
    if rank < _RANKS["wrong"]:
        return f"h{rank}"
    # Without a ratio no distance can be told: a NaN, or another shape.
    ratios = [output.ratio for output in result.outputs.values() if output.grade == "wrong"]
    ratio = max((math.inf if ratio is None else ratio for ratio in ratios), default=math.inf)
    return f"h{_RANKS['wrong'] + sum(ratio > bound for bound in _HEAT_BOUNDS)}"


def ulp_text(ulp: float | None) -> str:
    """``ulp`` in at most six characters: "0", "0.52", "37", "1.7e7"; "" for None."""
    if ulp is None or math.isnan(ulp):
        return ""
    if ulp == 0:
        return "0"
    if 0.005 <= ulp < 9.95:
        return f"{ulp:.2g}"
    if 9.95 <= ulp < 9999.5:
        return f"{ulp:.0f}"
    mantissa, _, exponent = f"{ulp:.1e}".partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
