"""Questions to adapters, good and bad."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import fakes
import numpy as np
import pytest
from factories import make_case

from conformance.deviations import Ledger
from conformance.errors import ConformanceError
from conformance.model import Expected, Grade
from conformance.runner import Runner, question_of

if TYPE_CHECKING:
    from conformance.model import Case, Result

CASES = [
    make_case(id="g/one", logits=[1.0], targets=[1.0]),
    make_case(id="g/two", logits=[13.0], targets=[0.0]),
    make_case(id="g/three", logits=[-2.0, 4.0], targets=[0.25, 1.0], reduction="mean"),
]


def run(adapter: Any, cases: list[Case] = CASES, require: Grade = Grade.coarse) -> list[Result]:
    return Runner(require).run(adapter, "cpu", "float32", cases, Ledger())


def test_results_come_in_the_order_of_the_cases() -> None:
    results = run(fakes.Right())
    assert ["g/one", "g/two", "g/three"] == [result.case for result in results]
    assert {"passed"} == {result.status for result in results}
    assert {"right"} == {result.adapter for result in results}


@pytest.mark.parametrize(
    ("adapter", "reason"),
    [
        (fakes.HalfTheLoss, "ulp away"),
        (fakes.ExtraAxis, "loss: its shape is (1, 1), not (1,)"),
        (fakes.InDouble, "loss: its dtype is float64, not float32"),
        (fakes.NoGradient, "targets_grad: not returned"),
        (fakes.Lists, "raised NoAnswer: loss is a list, not a NumPy array"),
        (fakes.Nothing, "raised NoAnswer: the adapter returned NoneType, not Computed(...)"),
        (fakes.Raises, "raised RuntimeError: first line"),
        (fakes.Exits, "raised SystemExit: 3"),
        (fakes.Mutates, "raised InputChanged: the adapter changed its input 'targets'"),
    ],
)
def test_a_misbehaving_adapter_is_wrong_and_says_how(adapter: Any, reason: str) -> None:
    result = run(adapter())[0]
    assert ("failed", "wrong") == (result.status, result.grade)
    assert reason in str(result.reason)


def test_an_adapter_that_prints_leaves_stdout_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert {"passed"} == {result.status for result in run(fakes.Prints())}
    assert "" == capsys.readouterr().out


def test_a_question_that_breaks_the_bulk_costs_only_itself() -> None:
    statuses = [result.status for result in run(fakes.BreaksInBulk())]
    assert ["passed", "failed", "passed"] == statuses


def test_a_bulk_with_an_answer_too_few_is_asked_one_by_one() -> None:
    assert {"passed"} == {result.status for result in run(fakes.Forgets())}


def test_what_is_not_declared_is_not_run() -> None:
    results = run(fakes.Float64Only())
    assert {("not_run", None)} == {(result.status, result.grade) for result in results}
    assert "float64-only does not offer float32" == results[0].reason


def test_an_error_that_is_due_passes_and_is_recorded() -> None:
    case = make_case(filled=False, logits=[1.0], targets=[1.0, 0.0])
    (result,) = run(fakes.Right(), [replace(case, expected=Expected(raises=True))])
    assert ("passed", "exact") == (result.status, result.grade)
    assert str(result.raised).startswith("ValueError: targets have shape")


def test_a_higher_bar_fails_what_is_below_it() -> None:
    class Coarse(fakes.Changed):
        name = "coarse"

        def change(self, outputs: dict[str, Any]) -> None:
            outputs["loss"] = outputs["loss"] * np.float32(1 + 6e-7)

    cases = [make_case(logits=[-0.125], targets=[0.0])]
    assert "passed" == run(Coarse(), cases)[0].status
    assert "failed" == run(Coarse(), cases, Grade.faithful)[0].status


def test_an_unfilled_case_is_refused() -> None:
    with pytest.raises(ConformanceError, match="has no expected answer"):
        run(fakes.Right(), [make_case(filled=False, logits=[1.0], targets=[1.0])])


def test_a_question_has_no_answer_in_it() -> None:
    question = question_of(CASES[0], "cpu", "bfloat16")
    fields = set(type(question).__dataclass_fields__)
    assert {"id", "operation", "reduction", "dtype", "device", "inputs", "outputs"} == fields
    assert "bfloat16" == question.inputs["logits"].dtype.name
