"""Sums up the known deviations that the results have met."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.report.marks import ulp_text, worst_ulp
from conformance.report.matrix import dtype_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.report.evidence import Evidence, Subject
    from conformance.results import Result, Run


UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class Deviation:
    """A known deviation: which results match its entry.

    Attributes:
        subjects: Those of whom it is known.
        since: The day on which it was written down, or UNKNOWN.
        age: How long it has been known on the day of the latest run, in words, or UNKNOWN.
        worst: The largest error in ulp, in words; UNKNOWN where none can be told, as of a NaN.
    """

    subjects: Sequence[Subject]
    link: str
    reason: str
    since: str
    age: str
    dtypes: Sequence[str]
    worst: str
    cases: Sequence[str]
    items: int


def deviations(evidence: Evidence, runs: Sequence[Run]) -> list[Deviation]:
    """Known deviations, those that have stood the longest first, then the most frequent.

    What several subjects share, under one link and for one reason, is told once.
    """
    found: defaultdict[tuple[str, str], list[Result]] = defaultdict(list)
    subjects: defaultdict[tuple[str, str], set[Subject]] = defaultdict(set)
    for subject, result in evidence.results:
        if result.status == "deviates":
            key = result.deviation or "", result.reason or ""
            found[key].append(result)
            subjects[key].add(subject)
    latest = max(filter(None, (_day(run.header.started) for run in runs)), default=None)
    rows = []
    for (link, reason), results in found.items():
        days = filter(None, (_day(result.since or "") for result in results))
        since = min(days, default=None)
        told = [ulp for ulp in map(worst_ulp, results) if ulp is not None]
        rows.append(
            Deviation(
                subjects=sorted(subjects[link, reason]),
                link=link,
                reason=reason,
                since=since.isoformat() if since else UNKNOWN,
                age=_age(since, latest) if since and latest else UNKNOWN,
                dtypes=sorted({result.dtype for result in results}, key=dtype_order),
                worst=ulp_text(max(told)) if told else UNKNOWN,
                cases=sorted({result.case for result in results}),
                items=len(results),
            )
        )
    return sorted(
        rows,
        key=lambda row: (row.since == UNKNOWN, row.since, -row.items, row.link, row.reason),
    )


def _day(text: str) -> dt.date | None:
    """The day of an ISO 8601 date or time; None where it is neither."""
    try:
        return dt.datetime.fromisoformat(text).date()
    except ValueError:
        return None


def _age(since: dt.date, day: dt.date) -> str:
    """Whole days, and from two months on whole months; UNKNOWN of a day that lies ahead."""
    days = (day - since).days
    if days < 0:
        return UNKNOWN
    months = 12 * (day.year - since.year) + day.month - since.month - (day.day < since.day)
    count, unit = (days, "day") if months < 2 else (months, "month")
    return f"{count} {unit}" + "s" * (count != 1)
