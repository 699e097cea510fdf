"""Computes what the case of a job expects: every output, under every policy."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from flint import arb, ctx

from conformance.errors import ConformanceError
from conformance.jobs import CONVENTIONS, convention_of
from conformance.model import REFUSE, Alternative, Case, Expected, Truth
from conformance.truth import job_arb, job_closed_form
from conformance.truth.agreement import compare
from conformance.truth.arb import Enclosure
from conformance.truth.digits import padded
from conformance.truth.errors import Unproven
from conformance.truth.job_domain import check_convention, check_job
from conformance.truth.job_problem import problem_of
from conformance.truth.job_run import results_of
from conformance.truth.job_schedule import validated
from conformance.truth.precision import ACCURATE_BITS, PRECISIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import mpmath

    from conformance.jobs import Convention, Job
    from conformance.truth.job_problem import Problem
    from conformance.truth.job_run import Result

JOB_PRECISIONS = PRECISIONS[:5]
"""Bits, tried in turn; a job that needs more would take minutes."""

ZERO_BITS = 1024
"""Bits from which on a narrow ball bears out a closed form of 0."""


def expected_for_job(case: Case) -> Expected:
    """Compute the truth of every output of a job, under each of its policies.

    Without policies there is one alternative, whose policy is None and which is the definition.
    Of a case with positions, ``parameters`` holds these of each step.

    Raises:
        InvalidQuestion: If the question is such that a right answer raises.
        UndefinedQuestion: If the definition, or a policy, leaves the question open.
        Disagreement: If the two oracles differ.
        Unproven: If 40 digits cannot be proven.
        ConformanceError: If a policy or a position does not exist, the arrays do not fit, or two
            policies give the same answer.
    """
    where = f"{case.path}: {case.id}"
    if case.job is None:
        msg = f"{where}: it has no job. Give one."
        raise ConformanceError(msg)
    check_job(case, case.job)
    found: dict[Convention, Mapping[str, Truth]] = {}
    alternatives = []
    for policy in case.policies or (None,):
        if policy == REFUSE:
            alternatives.append(Alternative(policy, {}, raises=True))
            continue
        if policy is not None and policy not in CONVENTIONS:
            known = ", ".join((*CONVENTIONS, REFUSE))
            msg = f"{where}: there is no policy {policy!r}. Give one of {known}."
            raise ConformanceError(msg)
        # The roundoff of an answer's arithmetic changes nothing in the truth.
        convention = replace(convention_of(policy), computed_in=None)
        if convention not in found:
            found[convention] = _truths(case, case.job, convention)
        alternatives.append(Alternative(policy, found[convention]))
    _check_distinct(where, alternatives)
    return Expected(alternatives=tuple(alternatives))


def _check_distinct(where: str, alternatives: Sequence[Alternative]) -> None:
    """Refuse policies between which no answer could choose."""
    for index, first in enumerate(alternatives):
        for second in alternatives[index + 1 :]:
            if _told_apart_by(first) == _told_apart_by(second):
                msg = (
                    f"{where}: policies {first.policy!r} and {second.policy!r} give the same "
                    "answer. Leave one out."
                )
                raise ConformanceError(msg)


def _told_apart_by(alternative: Alternative) -> tuple[Any, ...]:
    if alternative.raises:
        return (REFUSE,)
    convention = convention_of(alternative.policy)
    return (convention.computed_in, convention.stored_in, dict(alternative.outputs))


def _truths(case: Case, job: Job, convention: Convention) -> Mapping[str, Truth]:
    """The truth of each of the case's outputs under one convention."""
    check_convention(case, job, convention)
    counted = {"validated": str(validated(job, convention)), "drift": "0"}
    asked = [name for name in case.outputs if name not in counted]
    problem = problem_of(case, job, convention)
    proven = _proven(case, problem, convention, asked) if asked else {}
    return {
        name: Truth((), (counted[name],)) if name in counted else proven[name]
        for name in case.outputs
    }


def _proven(
    case: Case, problem: Problem, convention: Convention, asked: Sequence[str]
) -> Mapping[str, Truth]:
    """The truth of computed outputs, by the least precision that proves all of them."""
    for precision in JOB_PRECISIONS:
        balls = _computed(job_arb, case, problem, convention, precision)
        closed = _computed(job_closed_form, case, problem, convention, precision)
        proven = {}
        for name in asked:
            where = f"{problem.where}: {name}"
            truth = _truth(balls[name], closed[name], precision, where)
            if truth is None:
                break
            proven[name] = _decided(truth, convention) if name == "decisions" else truth
        else:
            return proven
    msg = (
        f"{problem.where}: {JOB_PRECISIONS[-1]} bits do not prove 40 digits. "
        "Give a job of fewer steps, or numbers whose terms cancel less."
    )
    raise Unproven(msg)


def _computed(
    module: Any, case: Case, problem: Problem, convention: Convention, precision: int
) -> Mapping[str, Result]:
    with module.working(precision):
        return results_of(module.Oracle(problem), case, problem, convention)


def _truth(ball: Result, closed: Result, precision: int, where: str) -> Truth | None:
    """One output in texts; None where ``precision`` bits do not prove all of it."""
    texts = []
    for enclosure, value in zip(ball.numbers, closed.numbers, strict=True):
        text = _text(enclosure, value, precision, where)
        if text is None:
            return None
        texts.append(text)
    return Truth(ball.shape, tuple(texts), ball.positions)


def _decided(above_half: Truth, convention: Convention) -> Truth:
    """The decisions, "0" or "1", by how far each probability is above 1/2."""
    at_half = str(int(convention.half_is_positive))
    return replace(
        above_half,
        values=tuple(
            at_half if text == "0" else str(int(text[0] != "-")) for text in above_half.values
        ),
    )


def _text(ball: arb, closed: mpmath.mpf, precision: int, where: str) -> str | None:
    """The 40 digits of a number; None where ``precision`` bits do not prove them.

    A number is exact where the ball is a point that the closed form meets; or where the closed
    form is 0 and the ball narrow, at a precision at which nothing else cancels so far.
    """
    if not closed and not ball.is_exact() and precision < ZERO_BITS:
        return None
    with ctx.workprec(precision):
        exact = None
        if not closed:
            exact = Fraction(0)
        elif ball == arb(closed):
            significand, exponent = map(int, ball.man_exp())
            exact = significand * Fraction(2) ** exponent
        scale = arb(2) ** (ACCURATE_BITS - precision // 2)
    texts = compare(Enclosure(ball, scale), closed if exact is None else exact, precision, where)
    if texts is None or texts[0] != texts[1]:
        return None
    return texts[0] if exact is not None and Fraction(texts[0]) == exact else padded(texts[0])
