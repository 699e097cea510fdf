"""Compares the answers of older runs with those of newer ones."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from conformance.model import Grade
from conformance.results import version_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.results import NotRun, Result, Run

Kind = Literal["regressed", "gone", "new", "improved", "changed", "same"]
By = Literal["grade", "status", "ulp"]

FACTOR, MARGIN = 2, 1
"""Of one grade, an error is another one if it is at least twice as large (a bit of accuracy) and
more than 1 ulp larger: below that, rounding alone moves it."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_STATUSES = {"passed": 0, "deviates": 1, "failed": 2}


class Question(NamedTuple):
    """What is asked of whom."""

    case: str
    adapter: str
    device: str
    dtype: str


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one answer.

    Attributes:
        kind: "regressed", "improved" or "same", of an answer that both sides have; "new" or "gone",
            of one that only one side has; "changed", of one whose case is no longer the same.
        old: None, or not run, if new.
        new: None if gone.
        by: What decided, of an answer that regressed or improved.
        output: The output that decided, where it is one.
        size: How much: a number of grades, of statuses, or of doublings of an error.
    """

    kind: Kind
    question: Question
    old: Result | None
    new: Result | None
    by: By | None = None
    output: str | None = None
    size: float = 0


@dataclass(frozen=True, slots=True)
class Side:
    """The runs of one side, as one.

    Attributes:
        results: The last answer to each question.
        not_run: Why a whole (adapter, device) was not run.
        versions: (adapter, device) to the version compared.
        older: (adapter, device) to the versions left out, for another started later.
    """

    results: Mapping[Question, Result]
    not_run: Sequence[NotRun]
    versions: Mapping[tuple[str, str], str]
    older: Mapping[tuple[str, str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides, and what became of each answer: of each kind, the worst first."""

    old: Side
    new: Side
    changes: Mapping[Kind, Sequence[Change]]


def compare(old: Sequence[Run], new: Sequence[Run]) -> Comparison:
    """Compare two sides, question by question.

    An answer regressed if its grade (that of its worst output) is worse. Where the grades are the
    same, its status decides, then the grade of an output, then the error of one, by FACTOR and
    MARGIN; an output that got worse counts before one that got better. An answer that is no longer
    run regressed, too: it is worse than whatever it was. One that was not run before is new.
    """
    before, after = gather_side(old), gather_side(new)
    changes: dict[Kind, list[Change]] = {kind: [] for kind in KINDS}
    for question in before.results.keys() | after.results.keys():
        change = _change(question, before.results.get(question), after.results.get(question))
        if change is not None:
            changes[change.kind].append(change)
    for found in changes.values():
        found.sort(key=_order)
    return Comparison(before, after, changes)


def gather_side(runs: Sequence[Run]) -> Side:
    """The last answer to each question, an answer before none; of one version of each adapter."""
    ordered = sorted(runs, key=lambda run: run.header.started)
    versions: dict[tuple[str, str], dict[str, None]] = {}
    for run in ordered:
        for adapter, device in dict.fromkeys((one.adapter, one.device) for one in run.results):
            found = versions.setdefault((adapter, device), {})
            version = version_of(run.header, adapter)
            found.pop(version, None)
            found[version] = None
    last = {key: list(found)[-1] for key, found in versions.items()}
    results: dict[Question, Result] = {}
    for run in ordered:
        kept = {key for key, version in last.items() if version_of(run.header, key[0]) == version}
        for result in run.results:
            if (result.adapter, result.device) not in kept:
                continue
            question = Question(result.case, result.adapter, result.device, result.dtype)
            if result.status != "not_run" or question not in results:
                results[question] = result
    return Side(
        results,
        [record for run in ordered for record in run.not_run],
        last,
        {key: list(found)[:-1] for key, found in versions.items() if len(found) > 1},
    )


def reasons(comparison: Comparison) -> Counter[str]:
    """Why what is gone was not run, where the newer runs tell, with the number of answers."""
    told = {(one.adapter, one.device): one.reason for one in comparison.new.not_run}
    places = [(one.question.adapter, one.question.device) for one in comparison.changes["gone"]]
    return Counter(told[place] for place in places if place in told)


def _change(question: Question, old: Result | None, new: Result | None) -> Change | None:
    if old is None or old.status == "not_run":
        ran = new is not None and new.status != "not_run"
        return Change("new", question, old, new) if ran else None
    if new is None:
        return Change("gone", question, old, new)
    if old.sha256 != new.sha256:
        return Change("changed", question, old, new)
    for size, by, output in _steps(old, new):
        kind: Kind = "regressed" if size > 0 else "improved"
        return Change(kind, question, old, new, by, output, abs(size))
    return Change("same", question, old, new)


def _steps(old: Result, new: Result) -> Iterator[tuple[float, By, str | None]]:
    """What differs, what decides first: how much (above 0 for the worse), by what, in which output.

    The size is a number of grades, of statuses, or of doublings of an error.
    """
    if new.status == "not_run":
        yield 1, "status", None
        return
    if worse := _rank(new) - _rank(old):
        yield worse, "grade", None
    if worse := _STATUSES[new.status] - _STATUSES[old.status]:
        yield worse, "status", None
    for name in sorted(old.outputs.keys() & set(new.declined)):
        yield 1, "status", name
    common = sorted(old.outputs.keys() & new.outputs.keys())
    outputs = [(name, old.outputs[name], new.outputs[name]) for name in common]
    steps: list[tuple[float, By, str]] = [
        (Grade[now.grade] - Grade[was.grade], "grade", name) for name, was, now in outputs
    ]
    steps += [(_doublings(was.ulp, now.ulp), "ulp", name) for name, was, now in outputs]
    yield from sorted((step for step in steps if step[0] > 0), key=_by_grade)
    for name in sorted(new.outputs.keys() & set(old.declined)):
        yield -1, "status", name
    yield from sorted((step for step in steps if step[0] < 0), key=_by_grade)


def _by_grade(step: tuple[float, By, str]) -> tuple[By, float]:
    size, by, _ = step
    return by, -abs(size)


def _doublings(old: float | None, new: float | None) -> float:
    """By how many doublings an error grew (or, below 0, shrank), if by enough to be another one."""
    if old is None or new is None:
        return 0
    low, high = min(old, new), max(old, new)
    if high < FACTOR * low or high - low <= MARGIN:
        return 0
    return math.copysign(math.log2(high / max(low, 1)), new - old)


def _rank(result: Result | None) -> int:
    return -1 if result is None or result.grade is None else Grade[result.grade]


def _order(change: Change) -> tuple[int, int, float, Question]:
    """The worst first: of what got better, what had been the worst."""
    shown = change.old if change.kind == "improved" else change.new
    status = -1 if shown is None or shown.status == "not_run" else _STATUSES[shown.status]
    return -_rank(shown), -status, -change.size, change.question
