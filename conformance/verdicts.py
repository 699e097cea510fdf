"""Decides what an answer is worth, once each of its outputs has been graded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from conformance.model import Answer, Broken, Case, Computed, Crashed, Grade, Raised, TimedOut
from conformance.results import OutputResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Graded = tuple[str, OutputResult]
"""An output's name, and its grading against one of its truths."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer is worth.

    Attributes:
        grade: The worst of its outputs; "exact" for an error that was due.
        outputs: Output name to its grading.
        reason: Why it is wrong, in a sentence.
    """

    grade: Grade
    outputs: Mapping[str, OutputResult] = field(default_factory=dict)
    reason: str | None = None


def verdict_without_values(answer: Answer, *, due: bool) -> Verdict:
    """The verdict on an answer with nothing to compare; ``due`` is whether an error is right."""
    match answer:
        case Raised() if due:
            return Verdict(Grade.exact)
        case Raised(kind, message):
            return _wrong(f"raised {kind}: {message}")
        case Broken(message):
            return _wrong(f"the adapter is at fault: {message}")
        case Crashed(message):
            return _wrong(f"crashed: {message}")
        case TimedOut(message):
            return _wrong(f"timed out: {message}")
        case Computed():
            return _wrong("returned values where an error is due")
        case _:
            msg = f"{type(answer).__name__} cannot be graded"
            raise TypeError(msg)


def chosen(case: Case, results: Sequence[Graded]) -> dict[str, OutputResult]:
    """The grading of each output that counts, where several policies are right.

    Each output of a loss may follow a policy of its own, and has the best of its grades. All
    outputs of a job follow one: of those under which none is wrong, the one whose truth is the
    nearest; where there is none, the nearest of all.
    """
    if case.job is None:
        best: dict[str, OutputResult] = {}
        for output, result in results:
            if output not in best or Grade[result.grade] < Grade[best[output].grade]:
                best[output] = result
        return {output: best[output] for output in case.outputs}
    under: dict[str | None, dict[str, OutputResult]] = {}
    for output, result in results:
        under.setdefault(result.policy, {})[output] = result
    # min() keeps the first of equals, and a case lists its policies in order of preference.
    assert case.expected is not None  # noqa: S101 - it has been graded against
    order = [alternative.policy for alternative in case.expected.alternatives]
    policies = sorted(under, key=order.index)
    found = under[min(policies, key=lambda policy: _distance(under[policy].values()))]
    return {output: found[output] for output in case.outputs}


def _distance(results: Iterable[OutputResult]) -> tuple[bool, float]:
    """How far an answer is from the truth of a policy: whether wrong, and the largest error."""
    wrong = any(result.grade == Grade.wrong.name for result in results)
    return wrong, max(np.inf if result.ulp is None else result.ulp for result in results)


def verdict_on(outputs: Mapping[str, OutputResult]) -> Verdict:
    """The verdict on an answer whose outputs have been graded, each under one policy."""
    grade = max(Grade[result.grade] for result in outputs.values())
    wrong = [
        f"{output}: {_problem(result)}" for output, result in outputs.items() if result.message
    ]
    return Verdict(grade, outputs, "; ".join(wrong) or None)


def _problem(result: OutputResult) -> str:
    nearest = f" (beside {result.policy}, the nearest policy)" if result.policy else ""
    return f"{result.message}{nearest}"


def _wrong(reason: str) -> Verdict:
    return Verdict(Grade.wrong, reason=reason)
