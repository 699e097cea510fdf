"""Answers to verdicts."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from factories import make_case
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.adapters.numpy import NumpyAdapter
from conformance.asking import question_of
from conformance.bounds import bounds_of
from conformance.floats import FORMATS, parse, round_to
from conformance.grading import Grader, Verdict, grade_elements
from conformance.model import Broken, Computed, Expected, Grade, Raised
from conformance.ulps import Reals, ulp

CASE = make_case(logits=[-3.0, 0.5], targets=[0.0, 1.0])


def right() -> dict[str, Any]:
    return dict(NumpyAdapter().evaluate(question_of(CASE, "cpu", "float32")).outputs)


def verdict(answer: Any, case: Any = CASE) -> Verdict:
    (found,) = Grader("float32").grade([(case, answer)])
    return found


def test_a_right_answer_passes_with_its_numbers() -> None:
    found = verdict(Computed(**right()))
    assert found.grade <= Grade.accurate
    assert found.reason is None
    output = found.outputs["loss"]
    assert ("float32", (2,)) == (output.dtype, output.shape)
    assert right()["loss"].tobytes().hex() == output.bits
    assert 2 == len(output.ulps)
    assert output.ulp == max(error for error in output.ulps if error is not None)
    assert output.ratio is not None
    assert output.ratio < 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda loss: None, "loss: not returned"),
        (lambda loss: loss[:1], r"loss: its shape is (1,), not (2,)"),
        (lambda loss: loss.astype(np.float64), "loss: its dtype is float64, not float32"),
        (lambda loss: loss * np.nan, "loss: at [1] got nan (nan), the truth is 0.474"),
        (lambda loss: loss + np.float32([0, 1]), "loss: at [1] got 1.474076"),
        (lambda loss: -loss, "ulp away"),
    ],
)
def test_a_wrong_answer_says_why(change: Any, message: str) -> None:
    outputs = right()
    outputs["loss"] = change(outputs["loss"])
    found = verdict(Computed(**outputs))
    assert Grade.wrong is found.grade
    assert message in str(found.reason)
    assert "exact" != found.outputs["loss"].grade
    assert Grade[found.outputs["logits_grad"].grade] <= Grade.accurate


def test_an_exception_is_wrong_unless_it_is_due() -> None:
    raised = Raised("ValueError", "no")
    found = verdict(raised)
    assert (Grade.wrong, "raised ValueError: no") == (found.grade, found.reason)
    due = make_case(filled=False, logits=[1.0], targets=[1.0, 0.0])
    due = replace(due, expected=Expected(raises=True))
    assert Grade.exact is verdict(raised, due).grade
    computed = verdict(Computed(loss=np.zeros(1, np.float32)), due)
    assert (Grade.wrong, "returned values where an error is due") == (
        computed.grade,
        computed.reason,
    )


@pytest.mark.parametrize(
    ("loss", "grade", "policy"),
    [(np.inf, "exact", "limit"), (100, "exact", "clamp_log_100"), (99, "wrong", "limit")],
)
def test_the_nearest_policy_is_found_output_by_output(loss: float, grade: str, policy: str) -> None:
    case = make_case(
        probabilities=[0.0], targets=[1.0], outputs=("loss",), policies=("limit", "clamp_log_100")
    )
    output = verdict(Computed(loss=np.float32([loss])), case).outputs["loss"]
    assert (grade, policy) == (output.grade, output.policy)


def test_zeros_of_either_sign_are_one_truth() -> None:
    case = make_case(logits=[0.0], targets=[0.5], outputs=("logits_grad",))
    for zero in (0.0, -0.0):
        assert Grade.exact is verdict(Computed(logits_grad=np.float32([zero])), case).grade


def test_an_infinite_answer_counts_as_the_number_it_would_round_from() -> None:
    case = make_case(
        logits=[60000.0],
        targets=[0.0],
        weight=[1.0908203125],
        outputs=("loss",),
        dtypes=("float16",),
    )
    grader = Grader("float16")
    (found,) = grader.grade([(case, Computed(loss=np.float16([np.inf])))])
    assert Grade.accurate is found.grade


def test_answers_of_many_cases_are_graded_as_one_by_one() -> None:
    other = make_case(
        id="group/other", reduction="mean", logits=[[1.0, -2.0]], targets=[[0.25, 1.0]]
    )
    pairs = [
        (CASE, Computed(**right())),
        (other, NumpyAdapter().evaluate(question_of(other, "cpu", "float32"))),
        (CASE, Raised("E", "e")),
        (CASE, Computed()),
    ]
    assert [verdict(answer, case) for case, answer in pairs] == Grader("float32").grade(pairs)


def test_the_largest_error_is_told_even_where_another_element_is_graded_worse() -> None:
    case = make_case(logits=[-20.0, 5.0], targets=[0.0, 0.0], outputs=("loss",))
    loss = np.float32([0, 5.0067153 * (1 + 1e-5)])
    output = verdict(Computed(loss=loss), case).outputs["loss"]
    assert "wrong" == output.grade
    assert output.ulp == max(error for error in output.ulps if error is not None)
    assert output.ulp == pytest.approx(9.283e6, rel=1e-3)


def test_an_adapter_at_fault_is_wrong_even_where_an_error_is_due() -> None:
    due = replace(
        make_case(filled=False, logits=[1.0], targets=[1.0, 0.0]), expected=Expected(raises=True)
    )
    assert Grade.wrong is verdict(Broken("a slip"), due).grade


def test_an_empty_output_is_exact() -> None:
    case = make_case(logits=[], targets=[])
    empty = np.zeros(0, np.float32)
    found = verdict(Computed(loss=empty, logits_grad=empty, targets_grad=empty), case)
    assert Grade.exact is found.grade


truths = st.builds(
    lambda digits, power, sign: sign * Fraction(digits) * Fraction(10) ** power,
    st.integers(1, 10**40),
    st.integers(-90, -2),
    st.sampled_from([-1, 1]),
)


@pytest.mark.parametrize("dtype", list(FORMATS))
@given(truth=truths)
@settings(max_examples=150, deadline=None)
def test_grades_follow_the_distance_from_the_truth(dtype: str, truth: Fraction) -> None:
    fmt = FORMATS[dtype]
    reals = Reals.prepare([truth], fmt)
    rounded = round_to(truth, fmt)
    if not np.isfinite(rounded):
        return
    step = float(Fraction(2) ** int(reals.exponent[0]))

    def grade(answer: float, accurate: float = 0.0, coarse: float = 0.0) -> Grade:
        answers = np.array([answer])
        bounds = np.array([accurate]), np.array([coarse])
        return Grade(int(grade_elements(reals, answers, reals.errors(answers), *bounds)[0]))

    assert Grade.exact is grade(rounded)
    away = rounded + (step if rounded >= truth else -step)
    assert Grade.accurate >= grade(away)
    assert Grade.accurate is grade(away + 2 * (away - rounded))
    far = rounded + 64 * (away - rounded)
    error = float(abs(Fraction(far) - truth))
    assert Grade.wrong is grade(far, error * (1 - 1e-9), error * (1 - 1e-9))
    assert Grade.coarse is grade(far, error * (1 - 1e-9), error * (1 + 1e-9))
    assert Grade.accurate is grade(far, error * (1 + 1e-9), 0.0)


@pytest.mark.parametrize("dtype", list(FORMATS))
@given(
    x=st.integers(-(2**12), 2**12).map(lambda k: k / 2**8),
    t=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    p=st.sampled_from([None, 0.25, 4.0]),
)
@settings(max_examples=40, deadline=None)
def test_the_last_number_within_a_bound_and_the_first_beyond_have_different_grades(
    dtype: str, x: float, t: float, p: float | None
) -> None:
    fmt = FORMATS[dtype]
    case = make_case(
        logits=[round_to(x, fmt)],
        targets=[t],
        outputs=("loss",),
        dtypes=(dtype,),
        **({} if p is None else {"pos_weight": [p]}),
    )
    assert case.expected is not None
    truth = Fraction(parse(case.expected.alternatives[0].outputs["loss"].values[0]))
    bounds = bounds_of(case, fmt, None)["loss"]
    grader = Grader(dtype)

    def grade(answer: Any) -> Grade:
        (found,) = grader.grade([(case, Computed(loss=np.array([answer], fmt.dtype)))])
        return found.grade

    def last_within(bound: Fraction) -> Any:
        """The largest number at most ``bound`` above the truth."""
        number = fmt.dtype.type(round_to(truth + bound, fmt))
        below = np.nextafter(number, fmt.dtype.type(-np.inf))
        return below if Fraction(float(number)) > truth + bound else number

    assert Grade.exact is grade(round_to(truth, fmt))
    for bound, inside in ((bounds.accurate, Grade.accurate), (bounds.coarse, Grade.coarse)):
        exact = Fraction(float(bound[0]))
        number = last_within(exact)
        beyond = np.nextafter(number, fmt.dtype.type(np.inf))
        error = abs(Fraction(float(beyond)) - truth)
        # The rule of 4 ulp may reach further; a hair of 2**-40 is left to the arithmetic.
        if error > max(exact * (1 + Fraction(1, 2**40)), 4 * ulp(truth, fmt)):
            assert grade(number) <= inside
            assert grade(beyond) > inside
