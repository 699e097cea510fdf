"""Joins runs and cases into the results that a report shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from conformance.report.repeats import Varying, varying
from conformance.results import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from conformance.model import Case
    from conformance.results import Header, NotRun, Result, Run


class Subject(NamedTuple):
    """One adapter, at one version, on one device; a key of every table, so a tuple.

    Attributes:
        adapter: The adapter's name: that of a framework, or of one of several ways to run it.
        version: Version of the framework behind it without its local part ("+cpu"), or "".
        device: "cpu", "cuda" or "cuda:N".
    """

    adapter: str
    version: str
    device: str

    @property
    def framework(self) -> str:
        """What several ways to run it have in common: the name as far as a colon."""
        return self.adapter.partition(":")[0]

    @property
    def way(self) -> str:
        """What stands behind the colon: "" for the plain form."""
        return self.adapter.partition(":")[2]


_Item = tuple[str, int, str]
"""Case, number of the subject, dtype."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Items that a subject did not run, for one reason.

    Attributes:
        dtypes: Those of the items, in order; none where no item was made for each.
    """

    subject: Subject
    reason: str
    dtypes: Sequence[str]
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
        sources: Of each subject with a result, the runs that its results are from.
        varying: Items whose answers are not the same bits each time.
    """

    cases: Mapping[str, Case]
    subjects: Sequence[Subject]
    active: Sequence[Subject]
    results: Sequence[tuple[Subject, Result]]
    absent: Sequence[tuple[Subject, NotRun]]
    stale: Sequence[int]
    replaced: int
    sources: Mapping[Subject, Sequence[Run]]
    varying: Sequence[Varying]

    def named(self, subject: Subject) -> str:
        """The adapter's name, with its version where the report holds more than one."""
        versions = {other.version for other in self.subjects if other.adapter == subject.adapter}
        return f"{subject.adapter} {subject.version}" if len(versions) > 1 else subject.adapter

    def unanswered(self) -> list[Unanswered]:
        """What was not run, summed by subject and reason, of a subject the most first."""
        counts: Counter[tuple[Subject, str]] = Counter()
        dtypes: defaultdict[tuple[Subject, str], set[str]] = defaultdict(set)
        for subject, record in self.absent:
            counts[subject, record.reason] += record.items
        for subject, result in self.results:
            if result.status == "not_run":
                key = subject, result.reason or "no reason given"
                counts[key] += 1
                dtypes[key].add(result.dtype)
        return [
            Unanswered(subject, reason, sorted(dtypes[subject, reason]), items)
            for (subject, reason), items in sorted(
                counts.items(), key=lambda item: (item[0][0], -item[1], item[0][1])
            )
        ]


def gather(runs: Sequence[Run], cases: Iterable[Case]) -> Evidence:
    """Join ``runs`` and ``cases``.

    A result belongs to a case only if both have the same sha256. Where runs answer the same item
    more than once, an executed one goes before one that was not run, then the latest.
    """
    by_id = {case.id: case for case in sorted(cases, key=lambda case: case.id)}
    asked = [_subjects(run) for run in runs]
    subjects = sorted({subject for found in asked for subject in found.values()})
    # Numbers for subjects: keys of a hundred thousand items sort and hash the faster.
    numbers = {subject: number for number, subject in enumerate(subjects)}
    chosen: dict[_Item, tuple[int, Result]] = {}
    repeats: dict[_Item, list[tuple[int, Result]]] = {}
    stale = [0] * len(runs)
    replaced = 0
    # Stable: of runs that started together, the one given last counts as the latest.
    for index in sorted(range(len(runs)), key=lambda index: runs[index].header.started):
        mine = {pair: numbers[subject] for pair, subject in asked[index].items()}
        for result in runs[index].results:
            case = by_id.get(result.case)
            if case is None or case.sha256 != result.sha256:
                stale[index] += 1
                continue
            key = result.case, mine[result.adapter, result.device], result.dtype
            earlier = chosen.get(key)
            if earlier is not None:
                replaced += 1
                repeats.setdefault(key, [earlier]).append((index, result))
            elif result.varied:
                repeats[key] = [(index, result)]
            if earlier is None or result.status != "not_run" or earlier[1].status == "not_run":
                chosen[key] = index, result
    results = []
    origins: defaultdict[Subject, set[int]] = defaultdict(set)
    for key in sorted(chosen):
        index, result = chosen[key]
        subject = subjects[key[1]]
        results.append((subject, result))
        origins[subject].add(index)
    absent = _absent(runs, asked, origins.keys())
    again = {
        (case, subjects[number], dtype): found for (case, number, dtype), found in repeats.items()
    }
    return Evidence(
        cases=by_id,
        subjects=sorted(origins.keys() | {subject for subject, _ in absent}),
        active=sorted({subject for subject, result in results if result.status != "not_run"}),
        results=results,
        absent=absent,
        stale=stale,
        replaced=replaced,
        sources={
            subject: [runs[index] for index in sorted(found)] for subject, found in origins.items()
        },
        varying=varying(runs, again),
    )


def _absent(
    runs: Sequence[Run],
    asked: Sequence[Mapping[tuple[str, str], Subject]],
    seen: AbstractSet[Subject],
) -> list[tuple[Subject, NotRun]]:
    """NotRun records, without what another run makes good or repeats."""
    latest: dict[tuple[Subject, str], tuple[str, NotRun]] = {}
    for index in sorted(range(len(runs)), key=lambda index: runs[index].header.started):
        run = runs[index]
        answered = {(result.adapter, result.device) for result in run.results}
        for record in run.not_run:
            pair = record.adapter, record.device
            subject = asked[index][pair]
            if subject not in seen or pair in answered:
                latest[subject, record.reason] = run.header.corpus, record
    left = _unanswered(runs, asked, {subject for subject, _ in latest})
    found = []
    for (subject, _), (corpus, record) in sorted(latest.items(), key=lambda item: item[0]):
        items = min(record.items, left[subject, corpus])
        left[subject, corpus] -= items
        if items:
            found.append((subject, replace(record, items=items)))
    return found


def _unanswered(
    runs: Sequence[Run],
    asked: Sequence[Mapping[tuple[str, str], Subject]],
    subjects: AbstractSet[Subject],
) -> dict[tuple[Subject, str], int]:
    """How many questions no run with the same corpus has a result of, by subject and corpus.

    Such runs have one list of questions, of which each may have answered a part.
    """
    planned: Counter[tuple[Subject, str]] = Counter()
    answered: defaultdict[tuple[Subject, str], set[tuple[str, str]]] = defaultdict(set)
    for run, named in zip(runs, asked, strict=True):
        mine = {pair: subject for pair, subject in named.items() if subject in subjects}
        plan: Counter[Subject] = Counter()
        for result in run.results:
            if subject := mine.get((result.adapter, result.device)):
                plan[subject] += 1
                answered[subject, run.header.corpus].add((result.case, result.dtype))
        for record in run.not_run:
            if subject := mine.get((record.adapter, record.device)):
                plan[subject] += record.items
        for subject, items in plan.items():
            key = subject, run.header.corpus
            planned[key] = max(planned[key], items)
    return {key: max(0, items - len(answered[key])) for key, items in planned.items()}


def subjects_of(header: Header) -> Callable[[str, str], Subject]:
    """Tells the subject of an adapter and a device in one run, each worked out once."""

    @cache
    def subject_of(adapter: str, device: str) -> Subject:
        return Subject(adapter, version_of(header, adapter), device)

    return subject_of


def _subjects(run: Run) -> dict[tuple[str, str], Subject]:
    """The subject of each adapter and device in one run."""
    subject_of = subjects_of(run.header)
    pairs = {(result.adapter, result.device) for result in run.results}
    pairs |= {(record.adapter, record.device) for record in run.not_run}
    return {pair: subject_of(*pair) for pair in pairs}
