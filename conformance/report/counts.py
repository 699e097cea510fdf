"""Counts results into the tables of the report."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.model import REFUSE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.report.evidence import Evidence, Subject

GRADES = ("exact", "faithful", "accurate", "coarse", "wrong")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items were asked, and what became of them."""

    passed: int = 0
    deviates: int = 0
    failed: int = 0
    not_run: int = 0
    grades: tuple[int, ...] = (0,) * len(GRADES)

    @property
    def asked(self) -> int:
        """All items, with those not run."""
        return self.passed + self.deviates + self.failed + self.not_run

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.passed + other.passed,
            self.deviates + other.deviates,
            self.failed + other.failed,
            self.not_run + other.not_run,
            tuple(mine + theirs for mine, theirs in zip(self.grades, other.grades, strict=True)),
        )


def count(evidence: Evidence) -> dict[Subject, Counts]:
    """The counts of every subject, NotRun records included."""
    statuses: defaultdict[Subject, Counter[str]] = defaultdict(Counter)
    for subject, record in evidence.absent:
        statuses[subject]["not_run"] += record.items
    for subject, result in evidence.results:
        statuses[subject][result.status] += 1
        if result.status != "not_run" and result.grade is not None:
            statuses[subject][result.grade] += 1
    return {
        subject: Counts(
            passed=found["passed"],
            deviates=found["deviates"],
            failed=found["failed"],
            not_run=found["not_run"],
            grades=tuple(found[grade] for grade in GRADES),
        )
        for subject in evidence.subjects
        for found in [statuses[subject]]
    }


def rows_of(
    evidence: Evidence, counts: Mapping[Subject, Counts]
) -> list[tuple[Subject, str, Counts]]:
    """Subject, name without its version, and counts: of each, but of ways that ran nothing at once.

    Where several ways to run one framework ran nothing on a device, one row has them all.
    """
    rows: defaultdict[tuple[Subject, bool], list[Subject]] = defaultdict(list)
    for subject in counts:
        idle = bool(subject.way) and subject not in evidence.active
        rows[subject._replace(adapter=subject.framework) if idle else subject, idle].append(subject)
    return [
        (
            subjects[0],
            f"{key.adapter} in {len(subjects)} ways" if len(subjects) > 1 else subjects[0].adapter,
            sum((counts[subject] for subject in subjects), Counts()),
        )
        for (key, _), subjects in rows.items()
    ]


def policies(evidence: Evidence) -> list[tuple[str, list[int]]]:
    """Policy, and for each active subject how many results were graded under it.

    Those of scenarios are left to the table of trainers. A result counts once for each policy that
    any of its outputs follows.
    """
    found: defaultdict[str, Counter[Subject]] = defaultdict(Counter)
    for subject, result in evidence.results:
        case = evidence.cases[result.case]
        if case.job is not None:
            continue
        followed = {output.policy for output in result.outputs.values()} - {None}
        if result.raised and REFUSE in case.policies:
            followed.add(REFUSE)
        for policy in followed:
            found[str(policy)][subject] += 1
    return [
        (policy, [tally[subject] for subject in evidence.active])
        for policy, tally in sorted(found.items())
    ]
