"""Compares the ways to run one framework with its plain form."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conformance.report.distances import ABSENT, APART, OTHER, SAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.report.counts import Counts
    from conformance.report.distances import AnswerTable
    from conformance.report.evidence import Evidence, Subject


@dataclass(frozen=True, slots=True)
class Way:
    """One way to run a framework beside its plain form, at one version and on one device.

    Attributes:
        counts: Of all that it was asked.
        common: Questions that the plain form answered as well.
        same: Those of them with the same bits in every output, or an error on both sides.
        better: Those of them with a better grade than the plain form's; ``worse`` likewise.
        largest: The largest distance to the plain form's answer in ulp, of those that have one.
        furthest: The case with that distance, or else one that differs by no number of ulps; None
            where there is none.
        lost: The cases, each once, in which the plain form raises an error and this way gives a
            value.
        lost_items: Questions of which that is so.
    """

    subject: Subject
    counts: Counts
    common: int
    same: int
    better: int
    worse: int
    largest: int
    furthest: str | None
    lost: Sequence[str]
    lost_items: int


@dataclass(frozen=True, slots=True)
class Ways:
    """All ways to run one framework at one version on one device, beside the plain form.

    Attributes:
        counts: Of all that the plain form was asked.
    """

    plain: Subject
    counts: Counts
    rows: Sequence[Way]

    @property
    def alike(self) -> int:
        """Ways that give the plain form's bits wherever both answer."""
        return sum(row.same == row.common > 0 for row in self.rows)

    @property
    def losing(self) -> int:
        """Ways that give a number where the plain form raises an error."""
        return sum(row.lost_items > 0 for row in self.rows)


def compare_ways(
    evidence: Evidence, table: AnswerTable, counts: Mapping[Subject, Counts]
) -> list[Ways]:
    """One for each framework, version and device of which a way and the plain form were run."""
    groups: defaultdict[Subject, list[Subject]] = defaultdict(list)
    for subject in evidence.subjects:
        plain = subject._replace(adapter=subject.framework)
        if subject.way and plain in evidence.active:
            groups[plain].append(subject)
    silent = _without_values(
        evidence, {*groups, *(way for ways in groups.values() for way in ways)}
    )
    return [
        Ways(plain, counts[plain], [_compare(plain, way, table, counts, silent) for way in ways])
        for plain, ways in groups.items()
        if any(way in evidence.active for way in ways)
    ]


def _without_values(
    evidence: Evidence, subjects: set[Subject]
) -> dict[Subject, dict[tuple[str, str], bool]]:
    """Case and dtype of each question that a subject gave no value to: whether it raised an error.

    It did not where it was at fault, or where its process ended.
    """
    found: dict[Subject, dict[tuple[str, str], bool]] = {subject: {} for subject in subjects}
    for subject, result in evidence.results:
        if (result.raised is not None or result.fault) and subject in found:
            found[subject][result.case, result.dtype] = result.raised is not None
    return found


def _compare(
    plain: Subject,
    way: Subject,
    table: AnswerTable,
    counts: Mapping[Subject, Counts],
    silent: Mapping[Subject, Mapping[tuple[str, str], bool]],
) -> Way:
    verdicts, steps = table.compare(plain, way)
    common = verdicts != ABSENT
    gap = np.where(common, table.grades[way] - table.grades[plain], 0)
    apart = np.where(verdicts == APART, steps, 0)
    furthest = None
    if apart.any():
        furthest = table.items[apart.argmax()][0]
    elif (verdicts == OTHER).any():
        furthest = table.items[(verdicts == OTHER).argmax()][0]
    lost = [
        table.items[item]
        for item in np.flatnonzero(verdicts > SAME).tolist()
        if silent[plain].get(table.items[item]) and table.items[item] not in silent[way]
    ]
    return Way(
        way,
        counts[way],
        common=int(np.count_nonzero(common)),
        same=int(np.count_nonzero(verdicts == SAME)),
        better=int(np.count_nonzero(gap < 0)),
        worse=int(np.count_nonzero(gap > 0)),
        largest=int(apart.max(initial=0)),
        furthest=furthest,
        lost=list(dict.fromkeys(case for case, _ in lost)),
        lost_items=len(lost),
    )
