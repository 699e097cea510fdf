"""Counts how often two subjects give the same bits."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.report.evidence import Evidence, Subject
    from conformance.results import Result

Bits = tuple[tuple[str, str | None, str | None], ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many of the ``common`` answers of two subjects are the ``same`` bit for bit.

    Attributes:
        example: Id of the first case on which they differ; None where there is none.
    """

    one: Subject
    other: Subject
    same: int
    common: int
    example: str | None


def compare_subjects(evidence: Evidence) -> list[Agreement]:
    """Compare every two subjects over the items that both computed.

    Every output counts: an answer whose loss agrees and whose gradient does not is not the same.
    """
    answers: defaultdict[Subject, dict[tuple[str, str], Bits]] = defaultdict(dict)
    for subject, result in evidence.results:
        bits = _bits(result)
        if bits:
            answers[subject][result.case, result.dtype] = bits
    found = []
    for one, other in combinations(evidence.subjects, 2):
        mine, theirs = answers[one], answers[other]
        common = [key for key in mine if key in theirs]
        different = [key for key in common if mine[key] != theirs[key]]
        if common:
            example = min(different)[0] if different else None
            same = len(common) - len(different)
            found.append(Agreement(one, other, same, len(common), example))
    return found


def _bits(result: Result) -> Bits:
    """Name, dtype and bits of each output; empty where any output has none."""
    outputs = sorted(result.outputs.items())
    bits = tuple((name, output.dtype, output.bits or output.digest) for name, output in outputs)
    return bits if all(item[2] is not None for item in bits) else ()
