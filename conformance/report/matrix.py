"""Reduces results to one cell for each case group, subject and choice of dtype."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import urlencode

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


@dataclass(frozen=True, slots=True)
class _Glance:
    """What the matrix takes from one result."""

    severity: tuple[int, int, float]
    status: str
    mark: str
    heat: str
    ulp: float | None

    @classmethod
    def at(cls, result: Result) -> _Glance:
        """Take it from ``result``."""
        return cls(severity(result), result.status, mark(result), heat(result), worst_ulp(result))


def build_matrix(evidence: Evidence) -> Matrix:
    """Reduce ``evidence`` to its matrix, without the subjects and groups that have no result."""
    found: defaultdict[tuple[str, Subject, str], list[_Glance]] = defaultdict(list)
    for subject, result in evidence.results:
        group = evidence.cases[result.case].group
        glance = _Glance.at(result)
        found[group, subject, result.dtype].append(glance)
        found[group, subject, ALL].append(glance)
    groups = sorted({group for group, _, _ in found})
    dtypes = sorted({dtype for _, _, dtype in found} - {ALL}, key=dtype_order)
    subjects = evidence.active
    return Matrix(
        subjects=subjects,
        areas=[
            (area, [group[len(area) :].removeprefix("/") for group in members])
            for area, members in groupby(groups, key=lambda group: group.partition("/")[0])
        ],
        views={
            dtype: [
                _cell(evidence, group, subject, dtype, found.get((group, subject, dtype), []))
                for group in groups
                for subject in subjects
            ]
            for dtype in (ALL, *dtypes)
        },
    )


def dtype_order(dtype: str) -> tuple[int, str]:
    """Sorts dtypes from narrow to wide; bfloat16, the coarsest, first of the known ones."""
    known = ("bfloat16", "float16", "float32", "float64")
    return (known.index(dtype) if dtype in known else len(known), dtype)


def _cell(
    evidence: Evidence, group: str, subject: Subject, dtype: str, results: Sequence[_Glance]
) -> Cell:
    adapter = evidence.named(subject)
    query = {"group": group, "adapter": adapter, "device": subject.device}
    if dtype != ALL:
        query["dtype"] = dtype
    href = "#" + urlencode(query, safe="/")
    place = f"{group}, {adapter} on {subject.device}, {dtype}"
    run = [result for result in results if result.status != "not_run"]
    if not run:
        words = f"{place}: {f'none of {len(results)}' if results else 'nothing'} run"
        return Cell(NOT_RUN, "", "none", failed=False, part="", words=words, href=href)
    worst = max(run, key=lambda result: result.severity)
    alike = [result.ulp for result in run if result.mark == worst.mark]
    known = [ulp for ulp in alike if ulp is not None]
    # Only where every such result has a distance is the largest one the worst.
    number = ulp_text(max(known)) if len(known) == len(alike) else ""
    told = f", {number} ulp at worst" if number else ""
    return Cell(
        mark=worst.mark,
        number=number,
        heat=max(result.heat for result in run),
        failed=any(result.status == "failed" for result in run),
        part="" if len(run) == len(results) else f"{len(run)}/{len(results)}",
        words=f"{place}: {MARKS[worst.mark]}{told}; {len(run)} of {len(results)} run",
        href=href,
    )
