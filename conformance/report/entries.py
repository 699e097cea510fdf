"""Counts a run into the lines that a history keeps of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from conformance.history import Entry
from conformance.report.counts import GRADES
from conformance.report.evidence import Subject, subjects_of

if TYPE_CHECKING:
    from conformance.results import Run


def entries_of(run: Run) -> list[Entry]:
    """One entry for each subject of a run, by the cases that it was made with.

    Cases that have changed since are counted as well: a history tells what was so on that day. One
    that was cut short gives none, for what it would have asked nobody knows.
    """
    if run.footer is None:
        return []
    subject_of = subjects_of(run.header)
    counts: defaultdict[Subject, Counter[str]] = defaultdict(Counter)
    for result in run.results:
        found = counts[subject_of(result.adapter, result.device)]
        found[result.status] += 1
        if result.status != "not_run" and result.grade is not None:
            found[result.grade] += 1
    for record in run.not_run:
        counts[subject_of(record.adapter, record.device)]["not_run"] += record.items
    return [
        Entry(
            started=run.header.started,
            suite=run.header.versions.get("bce-conformance", ""),
            corpus=run.header.corpus,
            adapter=subject.adapter,
            version=subject.version,
            device=subject.device,
            asked=sum(found[status] for status in ("passed", "deviates", "failed", "not_run")),
            passed=found["passed"],
            deviates=found["deviates"],
            failed=found["failed"],
            not_run=found["not_run"],
            **{grade: found[grade] for grade in GRADES},
        )
        for subject, found in sorted(counts.items())
    ]
