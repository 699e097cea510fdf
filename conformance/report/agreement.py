"""Counts how often two subjects give the same bits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from conformance.report.distances import ABSENT, APART, OTHER, SAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.report.distances import AnswerTable
    from conformance.report.evidence import Subject


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many of the ``common`` answers of two subjects are the ``same`` bit for bit.

    Attributes:
        largest: The largest distance in ulp between any two that have one.
        without: How many differ by no number of ulps.
        example: Id of the case on which they are furthest apart; where no distance can be told,
            of the first on which they differ. None where there is none.
    """

    one: Subject
    other: Subject
    same: int
    common: int
    largest: int
    without: int
    example: str | None


def compare_subjects(table: AnswerTable, subjects: Sequence[Subject]) -> list[Agreement]:
    """Compare every two adapters, on one device, over the items that both ran.

    Two that never ran on one device are compared as they are; one adapter on two devices is not
    compared here. Every output counts: an answer whose loss agrees and whose gradient does not is
    not the same.
    """
    found = []
    together = {
        (one[:2], other[:2])
        for one, other in combinations(subjects, 2)
        if one.device == other.device
    }
    for one, other in combinations(subjects, 2):
        pair = one[:2], other[:2]
        if one[:2] == other[:2] or (one.device != other.device and pair in together):
            continue
        verdicts, steps = table.compare(one, other)
        apart = np.where(verdicts == APART, steps, 0)
        common = int(np.count_nonzero(verdicts != ABSENT))
        [different] = np.nonzero(verdicts > SAME)
        if common:
            furthest = int(apart.argmax() if apart.any() else (verdicts > SAME).argmax())
            found.append(
                Agreement(
                    one,
                    other,
                    same=common - len(different),
                    common=common,
                    largest=int(apart.max()),
                    without=int(np.count_nonzero(verdicts == OTHER)),
                    example=table.items[furthest][0] if different.size else None,
                )
            )
    return found
