"""The transforms of torch.func, dual numbers and double backward, on real questions."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from factories import make_case

from conformance import adapters
from conformance.adapters._torch import Tensors
from conformance.adapters.ways import func_vmap
from conformance.asking import ask_alone, question_of
from conformance.corpus import load_corpus
from conformance.deviations import load_ledger
from conformance.floats import FORMATS
from conformance.layouts import lay_out
from conformance.model import Computed, Declined, Raised
from conformance.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.corpus import Corpus
    from conformance.model import Question

REVERSE = ["torch:func.grad", "torch:func.vmap", "torch:func.jacrev"]
TANGENTS = ["torch:func.jvp", "torch:forward_ad", "torch:double_backward"]
SECOND = ["torch:func.grad", "torch:func.vmap", "torch:func.hessian", *TANGENTS]
ALL = [*REVERSE, "torch:func.hessian", *TANGENTS]

# As the runner does: what a framework warns of is no part of its answer.
pytestmark = pytest.mark.filterwarnings("ignore")


def question(dtype: str = "float32", **given: object) -> Question:
    return question_of(make_case(filled=False, **given), "cpu", dtype)


@cache
def corpus() -> Corpus:
    return load_corpus()


def sample(dtype: str, step: int, *groups: str) -> Iterator[Question]:
    """Every so many questions of these groups."""
    for case in [each for each in corpus().cases if each.group in groups][::step]:
        if dtype in case.dtypes:
            yield question_of(case, "cpu", dtype)


def equal(expected: Any, actual: Any, outputs: tuple[str, ...]) -> bool:
    """Whether the outputs have the same bits."""
    return all(
        expected.outputs[name].tobytes() == actual.outputs[name].tobytes() for name in outputs
    )


@pytest.mark.parametrize("dtype", list(FORMATS))
@pytest.mark.parametrize("name", ALL)
def test_a_sample_of_the_corpus_is_right_or_a_known_deviation(name: str, dtype: str) -> None:
    way = adapters.load(name)
    ledger = load_ledger(way.ledgers(), way.versions())
    small = [
        case
        for case in corpus().cases
        if dtype in case.dtypes
        and not way.outputs.isdisjoint(case.outputs)
        and all(math.prod(array.shape) < 300 for array in case.inputs.values())
    ]
    # Others in each dtype.
    chosen = small[list(FORMATS).index(dtype) :: 127]
    results = Runner().run(way, "cpu", dtype, chosen, ledger)
    assert [] == [f"{each.case}: {each.reason}" for each in results if each.status == "failed"]
    assert any(each.status == "passed" for each in results)


@pytest.mark.parametrize("name", REVERSE[:2])
def test_the_kernel_of_probabilities_gives_its_own_bits_in_reverse_mode(name: str) -> None:
    way, eager = adapters.load(name), adapters.load("torch")
    asked = [*sample("float32", 3, "probabilities/interior", "probabilities/weights")]
    assert len(asked) > 5
    for each in asked:
        assert equal(eager.evaluate(each), way.evaluate(each), each.outputs), each.id


@pytest.mark.parametrize("name", TANGENTS[1:])
def test_outside_torch_func_the_loss_of_logits_is_that_of_the_kernel(name: str) -> None:
    way, eager = adapters.load(name), adapters.load("torch")
    asked = [*sample("float32", 2, "logits/negative_tail", "logits/positive_tail")]
    assert len(asked) > 5
    for each in asked:
        assert equal(eager.evaluate(each), way.evaluate(each), ("loss",)), each.id


def test_under_torch_func_the_loss_of_logits_is_another_composition() -> None:
    """So that its deviations are its own: a confident positive has no loss any more."""
    asked = question(logits=[20.0], targets=[1.0])
    assert adapters.load("torch").evaluate(asked).outputs["loss"] > 2e-9
    for name in ("torch:func.grad", "torch:func.vmap", "torch:func.jvp", "torch:func.jacrev"):
        assert 0 == adapters.load(name).evaluate(asked).outputs["loss"]


@pytest.mark.parametrize("name", [*REVERSE, *TANGENTS])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_gradients_are_those_of_the_sum_of_the_loss_times_what_flows_in(
    name: str, reduction: str
) -> None:
    factors = [2.0, -3.0] if reduction == "none" else 6.0
    asked = question(
        logits=[0.0, 0.0], targets=[1.0, 0.0], grad_output=factors, reduction=reduction
    )
    answer = adapters.load(name).evaluate(asked)
    expected = {"none": [-1.0, -1.5], "sum": [-3.0, 3.0], "mean": [-1.5, 1.5]}
    assert expected[reduction] == answer.outputs["logits_grad"].tolist()
    assert [0, 0] == answer.outputs["targets_grad"].tolist()


@pytest.mark.parametrize("name", SECOND)
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_the_hessian_is_multiplied_by_the_direction(name: str, reduction: str) -> None:
    asked = question(
        logits=[0.0, 0.0], targets=[1.0, 0.0], direction=[4.0, -8.0], reduction=reduction
    )
    wanted = {"none": [1.0, -2.0], "sum": [1.0, -2.0], "mean": [0.5, -1.0]}
    answer = adapters.load(name).evaluate(asked)
    assert wanted[reduction] == answer.outputs["logits_hvp"].tolist()


@pytest.mark.parametrize("name", REVERSE + TANGENTS)
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_an_empty_loss_has_an_empty_gradient(name: str, reduction: str) -> None:
    asked = question(
        logits=np.zeros((0, 3)).tolist(), targets=np.zeros((0, 3)).tolist(), reduction=reduction
    )
    answer = adapters.load(name).evaluate(asked)
    assert asked.inputs["logits"].shape == answer.outputs["logits_grad"].shape
    assert asked.inputs["logits"].shape == answer.outputs["targets_grad"].shape


@pytest.mark.parametrize(
    ("name", "reduction", "limit"),
    [
        ("torch:func.jvp", "mean", 1024),
        ("torch:forward_ad", "sum", 256),
        ("torch:double_backward", "mean", 256),
        ("torch:func.jacrev", "none", 1024),
        ("torch:func.hessian", "none", 1024),
        ("torch:func.hessian", "sum", 1024),
    ],
)
def test_what_would_take_too_much_is_declined_with_the_limit(
    name: str, reduction: str, limit: int
) -> None:
    way = adapters.load(name)
    largest, beyond = (
        question(logits=[0.5] * size, targets=[1.0] * size, reduction=reduction)
        for size in (limit, limit + 1)
    )
    assert way.decline(largest) is None
    answer = ask_alone(way, beyond)
    assert isinstance(answer, Declined)
    assert str(limit) in answer.reason or str(limit**2) in answer.reason


@pytest.mark.parametrize("name", [*TANGENTS, "torch:func.grad", "torch:func.vmap"])
def test_an_unreduced_loss_has_no_limit(name: str) -> None:
    for legacy in ({}, {"reduce": False}):
        asked = question(logits=[0.0] * 5000, targets=[1.0] * 5000, legacy=legacy)
        assert [-0.5] * 5000 == ask_alone(adapters.load(name), asked).outputs[  # type: ignore[union-attr]
            "logits_grad"
        ].tolist()


@pytest.mark.parametrize("name", TANGENTS)
def test_the_reduction_that_counts_is_the_one_that_holds(name: str) -> None:
    asked = question(logits=[0.0] * 2000, targets=[1.0] * 2000, legacy={"size_average": False})
    assert isinstance(ask_alone(adapters.load(name), asked), Declined)


@pytest.mark.parametrize("name", TANGENTS)
def test_a_tangent_cannot_have_a_dtype_of_its_own(name: str) -> None:
    asked = question(logits=[0.5], targets=[1.0], input_dtypes={"targets": "float64"})
    answer = ask_alone(adapters.load(name), asked)
    assert Declined(f"{name} does not offer input_dtypes") == answer


def test_a_hessian_gives_second_derivatives_alone() -> None:
    asked = question(logits=[0.5], targets=[1.0], direction=[1.0])
    assert {"logits_hvp"} == adapters.load("torch:func.hessian").evaluate(asked).outputs.keys()


def test_a_question_that_raises_in_a_batch_costs_only_itself() -> None:
    way = adapters.load("torch:func.vmap")
    asked = [
        question(probabilities=[value], targets=[1.0])
        for value in (0.5, 0.25, 1.5, 0.125, float("nan"), 0.75, 1.0)
    ]
    answers = list(way.evaluate_all(asked))
    assert [2, 4] == [i for i, each in enumerate(answers) if isinstance(each, Raised)]
    for each, answer in zip(asked, answers, strict=True):
        if isinstance(answer, Computed):
            assert equal(way.evaluate(each), answer, each.outputs)


def test_questions_of_one_signature_share_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = recorded(monkeypatch)
    pairs = [[0.5, 0.25], [0.0, 1.0]]
    asked = [question(logits=pair, targets=[1.0, 0.0]) for pair in pairs] * 3
    asked.insert(2, question(logits=[0.5], targets=[1.0]))
    answers = list(adapters.load("torch:func.vmap").evaluate_all(asked))
    assert 2 == len(calls)
    assert [2, 2, 1, 2, 2, 2, 2] == [each.outputs["loss"].size for each in answers]  # type: ignore[union-attr]
    assert -0.5 == answers[1].outputs["logits_grad"][0]  # type: ignore[union-attr]


def test_what_differs_in_more_than_numbers_is_not_stacked(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = recorded(monkeypatch)
    asked = [
        question(logits=[0.5], targets=[1.0]),
        question(logits=[0.5], targets=[1.0], reduction="sum"),
        question(logits=[0.5], targets=[1.0], legacy={"reduce": False}),
        question(logits=[0.5], targets=[1.0], outputs=("loss", "logits_grad")),
        question(logits=[0.5], targets=[1.0], weight=[2.0]),
        question(logits=[0.5], targets=[1.0], input_dtypes={"targets": "float64"}),
    ]
    assert len(asked) == len(list(adapters.load("torch:func.vmap").evaluate_all(asked)))
    assert len(asked) == len(calls)


def test_memory_with_gaps_is_mapped_alone_as_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = recorded(monkeypatch)
    asked = [question(logits=[[0.5, 1.0], [2.0, 3.0]], targets=[[1.0, 0.0]] * 2) for _ in range(2)]
    for each in asked:
        inputs = dict(each.inputs)
        inputs["logits"] = lay_out(inputs["logits"], "transposed")
        object.__setattr__(each, "inputs", inputs)
    list(adapters.load("torch:func.vmap").evaluate_all(asked))
    assert [(1, 2), (1, 2)] == [tensors.input.stride() for tensors in calls]


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Tensors]:
    """What is differentiated from now on, a batch each."""
    calls: list[Tensors] = []
    real = func_vmap.derivatives

    def derivatives(tensors: Tensors) -> dict[str, torch.Tensor]:
        calls.append(tensors)
        return real(tensors)

    monkeypatch.setattr(func_vmap, "derivatives", derivatives)
    return calls


def test_a_tangent_that_is_not_carried_through_is_no_zero() -> None:
    way: Any = adapters.load("torch:forward_ad")
    at = torch.tensor([0.5, 1.0])
    for reduction in ("none", "sum"):
        tensors = Tensors(question(logits=[0.5, 1.0], targets=[1.0, 0.0], reduction=reduction))
        loss, slope = way.derivative(tensors, lambda _: torch.ones(2), at)
        assert slope is None
        assert set() == tensors.computed(loss, slope).outputs.keys() - {"loss"}


def test_two_backward_passes_take_no_zero_for_a_missing_dependence() -> None:
    way: Any = adapters.load("torch:double_backward")
    other = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="independent"):
        way.along(lambda _: 2 * other, torch.tensor([0.5, 1.0]), torch.ones(2))
