"""Finds the items whose answers are not the same bits each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conformance.varying import Comparer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.report.evidence import Subject
    from conformance.results import Result, Run


class Varying(NamedTuple):
    """An item whose answers are not the same bits each time, in one run or in several.

    Attributes:
        subject: Who was asked.
        reproducible: False where machine, device, its settings and build are the same, so that
            nothing but chance is left to explain it.
        outputs: The names of the outputs that differ, or "an error".
        grades: The grades that the answers got, in the order of the runs.
    """

    case: str
    subject: Subject
    dtype: str
    reproducible: bool
    outputs: tuple[str, ...]
    grades: tuple[str, ...]


def varying(
    runs: Sequence[Run],
    repeats: Mapping[tuple[str, Subject, str], Sequence[tuple[int, Result]]],
) -> list[Varying]:
    """Those of ``repeats`` that differ: item to its answers, each with the index of its run.

    One answer stands alone there if it varied when its run asked for it again.
    """
    comparer = Comparer(runs)
    found = []
    for (case, subject, dtype), answers in sorted(repeats.items()):
        if difference := comparer.difference(answers):
            grades = dict.fromkeys(result.grade for _, result in answers if result.grade)
            found.append(
                Varying(
                    case,
                    subject,
                    dtype,
                    difference.reproducible,
                    difference.outputs,
                    tuple(grades),
                )
            )
    return found
