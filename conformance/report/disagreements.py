"""Finds the questions on which adapters or devices disagree."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from conformance.report.addresses import rows_href
from conformance.report.distances import ABSENT
from conformance.report.marks import GRADE_RANKS, ulp_text
from conformance.report.matrix import dtype_order
from conformance.report.names import Names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.report.distances import AnswerTable
    from conformance.report.evidence import Evidence, Subject

_GRADES = list(GRADE_RANKS)

MOST = 30
"""Rows that are shown."""

_HALF = 0.5
"""Errors below half an ulp are as good as one another: no rounding does better."""

_FACTOR = 2.0
"""Errors of one grade differ where one is more than this many times another."""


class Camp(NamedTuple):
    """Those that got one grade, and of one grade about one error."""

    grade: str
    members: str


class _Gap(NamedTuple):
    """How much the best differs from the worst; sorts."""

    grades: int
    ratio: float


_Answers = dict["Subject", tuple[int, float]]
"""Subject to the rank of its grade and its error."""
_Pattern = tuple[str, bool, Camp]
"""Group, whether grades differ, the worst camp."""
_Found = Sequence[tuple[_Gap, str, str, tuple[Camp, ...]]]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Questions of one group on which the same are furthest from the truth, with one grade.

    Attributes:
        camps: Those of the example, the best first.
        count: How many questions.
        dtypes: Those in which they are asked.
        example: The case and the dtype on which they differ most.
        ulps: The largest error of each camp there, in ulp, as text.
        href: All of them, and what else differs in the group.
    """

    group: str
    camps: tuple[Camp, ...]
    count: int
    dtypes: Sequence[str]
    example: tuple[str, str]
    ulps: tuple[str, ...]
    href: str


@dataclass(frozen=True, slots=True)
class Disagreements:
    """What was found, the widest gap of grades first, then the largest ratio of errors.

    Attributes:
        sides: Who differs from whom, with the number of questions by grade.
        rows: At most MOST.
        hidden: Rows beyond, and the questions in them.
        by_grade: Questions on which grades differ.
        by_error: Those on which only errors do.
        compared: Questions that two or more answered.
    """

    sides: Sequence[tuple[tuple[str, ...], int]]
    rows: Sequence[Disagreement]
    hidden: tuple[int, int]
    by_grade: int
    by_error: int
    compared: int


def find_disagreements(evidence: Evidence, table: AnswerTable) -> Disagreements:
    """Compare, on each case and dtype, all those that ran it."""
    names = Names(evidence)
    found: defaultdict[_Pattern, list[tuple[_Gap, str, str, tuple[Camp, ...]]]] = defaultdict(list)
    sides: defaultdict[tuple[str, ...], int] = defaultdict(int)
    differing: dict[tuple[str, str], _Answers] = {}
    compared, items = _differing(evidence, table)
    by_grade = 0
    for item, gap in items:
        case, dtype = table.items[item]
        answers = {
            subject: (int(table.grades[subject][item]), float(table.errors[subject][item]))
            for subject in evidence.active
            if table.grades[subject][item] != ABSENT
        }
        camps = tuple(
            Camp(grade, names.of(members, answers)) for grade, members in _camps(answers, gap)
        )
        group = evidence.cases[case].group
        found[group, gap.grades > 0, camps[-1]].append((gap, case, dtype, camps))
        differing[case, dtype] = answers
        if gap.grades:
            by_grade += 1
            sides[tuple(camp.members for camp in camps)] += 1
    order = sorted(found, key=lambda pattern: _place(pattern, found[pattern]))
    return Disagreements(
        sides=sorted(sides.items(), key=lambda item: (-item[1], item[0])),
        rows=[_row(pattern, found[pattern], differing) for pattern in order[:MOST]],
        hidden=(len(order[MOST:]), sum(len(found[pattern]) for pattern in order[MOST:])),
        by_grade=by_grade,
        by_error=len(differing) - by_grade,
        compared=compared,
    )


def _differing(evidence: Evidence, table: AnswerTable) -> tuple[int, list[tuple[int, _Gap]]]:
    """How many items two or more ran; those on which they differ, and by how much."""
    if not evidence.active:
        return 0, []
    grades = np.array([table.grades[subject] for subject in evidence.active])
    errors = np.array([table.errors[subject] for subject in evidence.active])
    ran = grades != ABSENT
    compared = ran.sum(axis=0) > 1
    gaps = grades.max(axis=0) - np.where(ran, grades, len(GRADE_RANKS)).min(axis=0)
    errors = np.maximum(errors, _HALF)
    largest = np.where(ran, errors, 0).max(axis=0)
    smallest = np.where(ran, errors, np.inf).min(axis=0)
    ratios = np.ones(len(table.items))
    with np.errstate(over="ignore"):
        np.divide(largest, smallest, out=ratios, where=largest != smallest)
    [items] = np.nonzero(compared & ((gaps > 0) | (ratios > _FACTOR)))
    pairs = zip(gaps[items].tolist(), ratios[items].tolist(), strict=True)
    return int(compared.sum()), [
        (item, _Gap(*pair)) for item, pair in zip(items.tolist(), pairs, strict=True)
    ]


def _camps(answers: _Answers, gap: _Gap) -> list[tuple[str, list[Subject]]]:
    """Grade and members of each camp, the best first."""
    camps: defaultdict[tuple[int, bool], list[Subject]] = defaultdict(list)
    least = max(min(error for _, error in answers.values()), _HALF)
    for subject, (rank, error) in answers.items():
        far = gap.grades == 0 and error > _FACTOR * least
        camps[rank, far].append(subject)
    return [(_GRADES[rank], members) for (rank, _), members in sorted(camps.items())]


def _place(pattern: _Pattern, questions: _Found) -> tuple[Any, ...]:
    widest = max(questions)[0]
    return -widest.grades, -widest.ratio, -len(questions), pattern


def _row(
    pattern: _Pattern, questions: _Found, differing: Mapping[tuple[str, str], _Answers]
) -> Disagreement:
    group, by_grade, _ = pattern
    gap, case, dtype, camps = max(questions)
    answers = differing[case, dtype]
    errors = [
        max(answers[subject][1] for subject in members) for _, members in _camps(answers, gap)
    ]
    dtypes = sorted({question[2] for question in questions}, key=dtype_order)
    # The table's filter goes by grades; what differs by error alone is among its worst.
    chosen = {"differs": "on"} if by_grade else {"sort": "-ulp"}
    if len(dtypes) == 1:
        chosen["dtype"] = dtype
    return Disagreement(
        group,
        camps,
        len(questions),
        dtypes,
        (case, dtype),
        tuple("" if math.isinf(error) else ulp_text(error) for error in errors),
        rows_href(group=group, **chosen),
    )
