"""Questions to adapters, good and bad."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import fakes
import numpy as np
import pytest
from factories import make_case

from conformance.asking import question_of
from conformance.deviations import Ledger
from conformance.errors import ConformanceError
from conformance.model import Expected, Grade
from conformance.runner import Runner

if TYPE_CHECKING:
    from conformance.model import Case
    from conformance.results import Result

CASES = [
    make_case(id="g/one", logits=[1.0], targets=[1.0]),
    make_case(id="g/two", logits=[13.0], targets=[0.0]),
    make_case(id="g/three", logits=[-2.0, 4.0], targets=[0.25, 1.0], reduction="mean"),
]

DUE = replace(
    make_case(filled=False, logits=[1.0], targets=[1.0, 0.0]), expected=Expected(raises=True)
)


def run(adapter: Any, cases: list[Case] = CASES, require: Grade = Grade.coarse) -> list[Result]:
    return Runner(require).run(adapter, "cpu", "float32", cases, Ledger())


def test_results_come_in_the_order_of_the_cases() -> None:
    results = run(fakes.Right())
    assert ["g/one", "g/two", "g/three"] == [result.case for result in results]
    assert {"passed"} == {result.status for result in results}
    assert {"right"} == {result.adapter for result in results}


BROKEN = [
    (fakes.Lists, "at fault: loss is a list, not a NumPy array"),
    (fakes.Nothing, "at fault: it returned NoneType, not Computed(...)"),
    (fakes.Exits, "at fault: SystemExit: 3"),
    (fakes.Slips, "at fault: NameError: name 'undefined_name' is not defined"),
    (fakes.Mutates, "at fault: it changed its input 'targets'"),
    (fakes.DeclinesWithAWord, "at fault: decline() gave 'no', not Declined(reason) or None"),
]


@pytest.mark.parametrize(
    ("adapter", "reason"),
    [
        (fakes.HalfTheLoss, "ulp away"),
        (fakes.ExtraAxis, "loss: its shape is (1, 1), not (1,)"),
        (fakes.InDouble, "loss: its dtype is float64, not float32"),
        (fakes.NoGradient, "targets_grad: not returned"),
        (fakes.Raises, "raised RuntimeError: first line"),
        (fakes.SaysNothingReadable, "raised UnreadableError: its message cannot be read"),
        (fakes.SaysTooMuch, r"raised RuntimeError: \ud800" + "x" * 299),
        *BROKEN,
    ],
)
def test_a_misbehaving_adapter_is_wrong_and_says_how(adapter: Any, reason: str) -> None:
    result = run(adapter())[0]
    assert ("failed", "wrong") == (result.status, result.grade)
    assert reason in str(result.reason)


@pytest.mark.parametrize(
    "adapter", [kind for kind, _ in BROKEN if kind not in (fakes.Lists, fakes.Mutates)]
)
def test_a_broken_adapter_does_not_pass_where_an_error_is_due(adapter: Any) -> None:
    (result,) = run(adapter(), [DUE])
    assert ("failed", "wrong") == (result.status, result.grade)


def test_an_interrupt_is_no_answer_even_where_a_framework_makes_an_exit_of_it() -> None:
    class Interrupted(fakes.Right):
        def evaluate(self, question: Any) -> Any:
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt:
                raise SystemExit(1)  # noqa: B904 - as a framework does

    with pytest.raises(KeyboardInterrupt):
        run(Interrupted())


def test_outputs_that_are_not_offered_are_not_asked_for() -> None:
    result = run(fakes.LossOnly())[0]
    assert "passed" == result.status
    assert ["loss"] == list(result.outputs)
    assert ["logits_grad", "targets_grad"] == list(result.declined)
    only = make_case(logits=[1.0], targets=[1.0], outputs=("targets_grad",))
    (declined,) = run(fakes.LossOnly(), [only])
    assert "loss-only offers none of the outputs asked for" == declined.reason


def test_an_adapter_that_prints_leaves_stdout_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert {"passed"} == {result.status for result in run(fakes.Prints())}
    assert "" == capsys.readouterr().out


def test_a_question_that_breaks_the_bulk_costs_only_itself() -> None:
    runner = Runner()
    results = runner.run(fakes.BreaksInBulk(), "cpu", "float32", CASES, Ledger())
    assert ["passed", "failed", "passed"] == [result.status for result in results]
    assert {("breaks-in-bulk", "cpu", "float32"): "ValueError: thirteen"} == runner.asker.broke_off


def test_a_bulk_with_an_answer_too_few_is_asked_one_by_one() -> None:
    runner = Runner()
    results = runner.run(fakes.Forgets(), "cpu", "float32", CASES, Ledger())
    assert {"passed"} == {result.status for result in results}
    assert "it gave 2 answers to 3 questions" in runner.asker.broke_off.values()


def test_what_is_not_declared_is_not_run() -> None:
    results = run(fakes.Float64Only())
    assert {("not_run", None)} == {(result.status, result.grade) for result in results}
    assert "float64-only does not offer float32" == results[0].reason


def test_an_error_that_is_due_passes_and_is_recorded() -> None:
    (result,) = run(fakes.Right(), [DUE])
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
    assert {
        "id",
        "operation",
        "reduction",
        "dtype",
        "device",
        "inputs",
        "outputs",
        "legacy",
        "mixed",
        "job",
    } == fields
    assert "bfloat16" == question.inputs["logits"].dtype.name
