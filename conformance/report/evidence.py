"""Joins runs and cases into the results that a report shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conformance.model import Case
    from conformance.results import Header, NotRun, Result, Run


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """One adapter, at one version, on one device.

    Attributes:
        adapter: The adapter's name.
        version: Version of the framework behind it without its local part ("+cpu"), or "".
        device: "cpu", "cuda" or "cuda:N".
    """

    adapter: str
    version: str
    device: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Items that a subject did not run, for one reason; ``dtype`` is None for all of them."""

    subject: Subject
    dtype: str | None
    reason: str
    items: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the runs say of the current cases.

    Attributes:
        cases: The current cases by id, sorted.
        subjects: Every subject with a result or a NotRun, sorted.
        active: Those that ran anything.
        results: One result per (case, subject, dtype), sorted by these.
        absent: NotRun records of subjects of which no run has a result.
        stale: Per run, the results whose case has changed or is gone; they are left out.
        replaced: Results left out because another run answers the same item, later.
    """

    cases: Mapping[str, Case]
    subjects: Sequence[Subject]
    active: Sequence[Subject]
    results: Sequence[tuple[Subject, Result]]
    absent: Sequence[tuple[Subject, NotRun]]
    stale: Sequence[int]
    replaced: int

    def named(self, subject: Subject) -> str:
        """The adapter's name, with its version where the report holds more than one."""
        versions = {other.version for other in self.subjects if other.adapter == subject.adapter}
        return f"{subject.adapter} {subject.version}" if len(versions) > 1 else subject.adapter

    def unanswered(self) -> list[Unanswered]:
        """What was not run, summed by subject, dtype and reason."""
        counts: Counter[tuple[Subject, str | None, str]] = Counter()
        for subject, record in self.absent:
            counts[subject, None, record.reason] += record.items
        for subject, result in self.results:
            if result.status == "not_run":
                counts[subject, result.dtype, result.reason or "no reason given"] += 1
        return [
            Unanswered(subject, dtype, reason, items)
            for (subject, dtype, reason), items in sorted(
                counts.items(), key=lambda item: (item[0][0], item[0][1] or "", item[0][2])
            )
        ]


def gather(runs: Sequence[Run], cases: Iterable[Case]) -> Evidence:
    """Join ``runs`` and ``cases``.

    A result belongs to a case only if both have the same sha256. Where runs answer the same item
    more than once, an executed one goes before one that was not run, then the latest.
    """
    by_id = {case.id: case for case in sorted(cases, key=lambda case: case.id)}
    chosen: dict[tuple[str, Subject, str], Result] = {}
    stale = [0] * len(runs)
    replaced = 0
    # Stable: of runs that started together, the one given last counts as the latest.
    for index in sorted(range(len(runs)), key=lambda index: runs[index].header.started):
        header = runs[index].header
        for result in runs[index].results:
            case = by_id.get(result.case)
            if case is None or case.sha256 != result.sha256:
                stale[index] += 1
                continue
            key = result.case, _subject(header, result), result.dtype
            earlier = chosen.get(key)
            replaced += earlier is not None
            if earlier is None or result.status != "not_run" or earlier.status == "not_run":
                chosen[key] = result
    results = [(key[1], chosen[key]) for key in sorted(chosen)]
    absent = _absent(runs, {subject for subject, _ in results})
    return Evidence(
        cases=by_id,
        subjects=sorted({subject for subject, _ in [*results, *absent]}),
        active=sorted({subject for subject, result in results if result.status != "not_run"}),
        results=results,
        absent=absent,
        stale=stale,
        replaced=replaced,
    )


def _absent(runs: Sequence[Run], seen: set[Subject]) -> list[tuple[Subject, NotRun]]:
    """NotRun records, without those that another run makes good or repeats."""
    latest: dict[tuple[Subject, str], NotRun] = {}
    for run in sorted(runs, key=lambda run: run.header.started):
        answered = {_subject(run.header, result) for result in run.results}
        for record in run.not_run:
            subject = _subject(run.header, record)
            if subject not in seen or subject in answered:
                latest[subject, record.reason] = record
    return [(subject, record) for (subject, _), record in sorted(latest.items(), key=_by_key)]


def _by_key(item: tuple[tuple[Subject, str], NotRun]) -> tuple[Subject, str]:
    return item[0]


def _subject(header: Header, record: Result | NotRun) -> Subject:
    """The subject of a record; an adapter is looked up by its own name, then "pytorch-" + name."""
    head = record.adapter.split("-")[0]
    names = (record.adapter, f"pytorch-{record.adapter}", head, f"pytorch-{head}")
    version = next((header.versions[name] for name in names if name in header.versions), "")
    return Subject(record.adapter, version.split("+")[0], record.device)
