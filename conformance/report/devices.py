"""Compares the answers of one adapter on several devices, bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, groupby
from typing import TYPE_CHECKING

import numpy as np

from conformance.report.addresses import rows_href
from conformance.report.distances import ABSENT, APART, OTHER, SAME, UNMEASURED
from conformance.report.matrix import dtype_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.report.distances import AnswerTable
    from conformance.report.evidence import Evidence, Subject

STEPS = {"to 1 ulp": 1, "to 4": 4, "to 64": 64, "beyond": None}
"""Distances that are counted together, in words, each with the last one; None is no end."""

_lasts = np.array([last for last in STEPS.values() if last], np.uint64)


@dataclass(frozen=True, slots=True)
class Devices:
    """One adapter at one version, in one dtype, on one device against another.

    Attributes:
        compared: Questions that it answered on both; ``same``, ``steps``, ``other`` and
            ``unmeasured`` add up to it.
        same: Those with the same bits in every output.
        steps: Those that differ, by the largest distance of their elements, as in STEPS.
        other: Those that differ by no number of ulps: NaN against a number, shape, dtype, error.
        unmeasured: Those that differ, of which the runs keep only digests.
        largest: The largest distance in ulp.
        example: The case with that distance, or one of the ``other``; None where there is none.
        grades: Questions whose grades differ.
        href: The results whose grades differ.
    """

    one: Subject
    another: Subject
    dtype: str
    compared: int
    same: int
    steps: tuple[int, ...]
    other: int
    unmeasured: int
    largest: int
    example: str | None
    grades: int
    href: str


@dataclass(frozen=True, slots=True)
class InShort:
    """The same over all dtypes; ``near`` answers are the same or within 4 ulp."""

    one: Subject
    another: Subject
    compared: int
    same: int
    near: int
    grades: int
    href: str

    @property
    def part(self) -> float:
        """The same, as a part of what was compared."""
        return self.same / self.compared


def compare_devices(evidence: Evidence, table: AnswerTable) -> list[Devices]:
    """A row for each adapter and version, each two devices that it ran on, and each dtype."""
    found: list[Devices] = []
    for _, subjects in groupby(evidence.active, key=lambda subject: subject[:2]):
        for one, other in combinations(subjects, 2):
            found += _compare(evidence, table, one, other)
    return found


def _compare(
    evidence: Evidence, table: AnswerTable, one: Subject, other: Subject
) -> Iterator[Devices]:
    verdicts, steps = table.compare(one, other)
    differ = table.grades[one] != table.grades[other]
    dtypes = np.array([dtype for _, dtype in table.items], object)
    for dtype in sorted(set(dtypes[verdicts != ABSENT]), key=dtype_order):
        [places] = np.nonzero((dtypes == dtype) & (verdicts != ABSENT))
        kinds, apart = verdicts[places], steps[places]
        measured = apart[kinds == APART]
        worst = apart.argmax() if measured.any() else (kinds == OTHER).argmax()
        adapter = evidence.named(one)
        yield Devices(
            one,
            other,
            dtype,
            compared=len(places),
            same=int(np.count_nonzero(kinds == SAME)),
            steps=tuple(
                np.bincount(np.searchsorted(_lasts, measured), minlength=len(STEPS)).tolist()
            ),
            other=int(np.count_nonzero(kinds == OTHER)),
            unmeasured=int(np.count_nonzero(kinds == UNMEASURED)),
            largest=int(apart.max()),
            example=table.items[places[worst]][0] if (kinds != SAME).any() else None,
            grades=int(np.count_nonzero(differ[places])),
            href=rows_href(adapter=adapter, dtype=dtype, differs="on"),
        )


def in_short(evidence: Evidence, devices: Sequence[Devices]) -> list[InShort]:
    """Add up the rows of each two subjects."""
    found = []
    for (one, another), group in groupby(devices, key=lambda pair: (pair.one, pair.another)):
        rows = list(group)
        same = sum(row.same for row in rows)
        found.append(
            InShort(
                one,
                another,
                compared=sum(row.compared for row in rows),
                same=same,
                near=same + sum(sum(row.steps[:2]) for row in rows),
                grades=sum(row.grades for row in rows),
                href=rows_href(adapter=evidence.named(one), differs="on"),
            )
        )
    return found
