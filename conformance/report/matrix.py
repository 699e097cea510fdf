"""Reduces results to one cell for each case group, subject and choice of dtype."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Self

from conformance.report.addresses import rows_href
from conformance.report.marks import MARKS, NOT_RUN, heat, mark, severity, ulp_text, worst_ulp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.report.evidence import Evidence, Subject
    from conformance.results import Result

ALL = "all dtypes"


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell of the matrix says.

    Attributes:
        mark: The mark of the worst result, a key of MARKS.
        number: Its largest error in ulp, as text; "" where there is none.
        heat: CSS class of the worst result's colour.
        failed: Whether any result fails.
        part: "3/5" where only 3 of 5 were run; "" where all were.
        words: The same in words.
        href: Address, within the page, of the results behind the cell.
    """

    mark: str
    number: str
    heat: str
    failed: bool
    part: str
    words: str
    href: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """Cells by dtype, then by group in rows, then by subject in columns.

    Attributes:
        subjects: The columns.
        areas: Rows by first part of the group: area, then the groups' names within it.
        views: Choice of dtype (ALL first) to cells in row-major order.
    """

    subjects: Sequence[Subject]
    areas: Sequence[tuple[str, Sequence[str]]]
    views: dict[str, Sequence[Cell]]


@dataclass(slots=True)
class _Tally:
    """What one cell takes from its results.

    Attributes:
        worst: The worst of those run: its severity, and its mark.
        ulps: The largest error behind each mark; infinite where any result has none.
    """

    asked: int = 0
    run: int = 0
    failed: bool = False
    heat: str = ""
    worst: tuple[tuple[int, int, float], str] = ((-1, -1, -1.0), NOT_RUN)
    ulps: dict[str, float] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        """Take one more."""
        self.asked += 1
        if result.status == "not_run":
            return
        self.run += 1
        self.failed |= result.status == "failed"
        self.heat = max(self.heat, heat(result))
        ulp, sign = worst_ulp(result), mark(result)
        self.worst = max(self.worst, (severity(result, ulp), sign))
        error = math.inf if ulp is None else ulp
        self.ulps[sign] = max(self.ulps.get(sign, 0.0), error)

    def __iadd__(self, other: _Tally) -> Self:
        self.asked += other.asked
        self.run += other.run
        self.failed |= other.failed
        self.heat = max(self.heat, other.heat)
        self.worst = max(self.worst, other.worst)
        for sign, error in other.ulps.items():
            self.ulps[sign] = max(self.ulps.get(sign, 0.0), error)
        return self


def build_matrix(evidence: Evidence) -> Matrix:
    """Reduce ``evidence`` to its matrix, without the subjects and groups that have no result."""
    found: defaultdict[tuple[str, Subject, str], _Tally] = defaultdict(_Tally)
    for subject, result in evidence.results:
        found[evidence.cases[result.case].group, subject, result.dtype].add(result)
    jobs = {_area(case.group) for case in evidence.cases.values() if case.job is not None}
    # The losses first: a job is made of them.
    groups = sorted({group for group, _, _ in found}, key=lambda name: (_area(name) in jobs, name))
    dtypes = sorted({dtype for _, _, dtype in found}, key=dtype_order)
    for (group, subject, _), tally in list(found.items()):
        found[group, subject, ALL] += tally
    subjects = evidence.active
    return Matrix(
        subjects=subjects,
        areas=[
            (area, [group[len(area) :].removeprefix("/") for group in members])
            for area, members in groupby(groups, key=_area)
        ],
        views={
            dtype: [
                _cell(evidence, group, subject, dtype, found.get((group, subject, dtype), _Tally()))
                for group in groups
                for subject in subjects
            ]
            for dtype in (ALL, *dtypes)
        },
    )


def _area(group: str) -> str:
    return group.partition("/")[0]


def dtype_order(dtype: str) -> tuple[int, str]:
    """Sorts dtypes from narrow to wide; bfloat16, the coarsest, first of the known ones."""
    known = ("bfloat16", "float16", "float32", "float64")
    return (known.index(dtype) if dtype in known else len(known), dtype)


def _cell(evidence: Evidence, group: str, subject: Subject, dtype: str, tally: _Tally) -> Cell:
    adapter = evidence.named(subject)
    chosen = "" if dtype == ALL else dtype
    href = rows_href(group=group, adapter=adapter, device=subject.device, dtype=chosen)
    place = f"{group}, {adapter} on {subject.device}, {dtype}"
    if not tally.run:
        words = f"{place}: {f'none of {tally.asked}' if tally.asked else 'nothing'} run"
        return Cell(NOT_RUN, "", "none", failed=False, part="", words=words, href=href)
    sign = tally.worst[1]
    # Only where every such result has a distance is the largest one the worst.
    number = "" if math.isinf(tally.ulps[sign]) else ulp_text(tally.ulps[sign])
    told = f", {number} ulp at worst" if number else ""
    return Cell(
        mark=sign,
        number=number,
        heat=tally.heat,
        failed=tally.failed,
        part="" if tally.run == tally.asked else f"{tally.run}/{tally.asked}",
        words=f"{place}: {MARKS[sign]}{told}; {tally.run} of {tally.asked} run",
        href=href,
    )
