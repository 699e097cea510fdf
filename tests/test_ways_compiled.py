"""Tests of the ways that prepare a function: torch.compile and torch.export."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from factories import make_case

from conformance.adapters.ways.aot_eager import AotEager
from conformance.adapters.ways.export import Export
from conformance.adapters.ways.inductor import Inductor
from conformance.asking import question_of
from conformance.errors import ConformanceError
from conformance.model import Array, Computed, Declined, Raised

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from conformance.adapters._torch import Tensors
    from conformance.adapters.ways._batches import Batched, Losses
    from conformance.adapters.ways._compiled import Compiled
    from conformance.model import Answer, Question

# A warning is no part of an answer, and a run ignores it.
pytestmark = pytest.mark.filterwarnings("ignore")

EAGER = (AotEager, Export)
ALL = (*EAGER, Inductor)
CYCLE = Array((100_000,), (0.5, -3.0, 12.25, -0.125, 7.0, -21.0, 0.75), described=True)
HALVES = Array((100_000,), (0.0, 1.0, 0.5), described=True)


def ask(dtype: str = "float32", **given: Any) -> Question:
    return question_of(make_case(filled=False, **given), "cpu", dtype)


def asked() -> list[Question]:
    """Questions of many kinds, of some kinds more than one."""
    logits, targets = [[0.5, -3.0, 40.0], [-0.25, 2.0, -17.0]], [[0, 1, 0.5], [1, 0, 0.25]]
    chances = [[0.5, 0.25, 1.0], [0.125, 0.0, 0.75]]
    return [
        ask(logits=logits, targets=targets),
        ask(logits=logits, targets=targets, reduction="mean", weight=[1, 2, 0.5]),
        ask(logits=targets, targets=targets),
        ask(logits=logits, targets=targets, reduction="sum", pos_weight=[3, 0.5, 1]),
        ask(probabilities=chances, targets=targets, reduction="sum"),
        ask(probabilities=chances, targets=targets, grad_output=logits, weight=[[2], [3]]),
        ask(logits=1.5, targets=0.75, legacy={"size_average": False}),
        ask(logits=[], targets=[], reduction="mean"),
        ask("float16", logits=logits, targets=targets, reduction="mean"),
        ask("bfloat16", probabilities=chances, targets=targets, reduction="mean"),
        ask(logits=CYCLE, targets=HALVES, reduction="sum"),
        ask(logits=logits[::-1], targets=targets),
    ]


def answers(way: Batched, questions: Sequence[Question]) -> list[Answer]:
    found = list(way.evaluate_all(questions))
    assert len(questions) == len(found)
    return found


def bits(answer: Answer) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    assert isinstance(answer, Computed), answer
    return {
        name: (array.dtype.name, array.shape, array.tobytes())
        for name, array in answer.outputs.items()
    }


@pytest.mark.parametrize("kind", EAGER)
def test_a_batch_gives_every_question_the_bits_that_it_gets_alone(kind: type[Batched]) -> None:
    way = kind()
    questions = asked()
    assert [bits(way.evaluate(each)) for each in questions] == [
        bits(answer) for answer in answers(way, questions)
    ]


def test_inductor_gives_a_question_in_a_batch_the_bits_that_it_gets_alone(
    capfd: pytest.CaptureFixture[str],
) -> None:
    way = Inductor()
    questions = asked()
    together = answers(way, questions)
    for place in (5, 8, 10):
        assert bits(way.evaluate(questions[place])) == bits(together[place])
    assert ("", "") == capfd.readouterr()


@pytest.mark.parametrize("kind", EAGER)
@pytest.mark.parametrize("width", [1, 3, 100])
def test_answers_come_in_order_whatever_the_width(
    kind: type[Batched], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "width", width)
    questions = [
        ask(logits=[float(number)] * (1 + number % 3), targets=[0.0] * (1 + number % 3))
        for number in range(10)
    ]
    for question, answer in zip(questions, answers(kind(), questions), strict=True):
        expected = np.log1p(np.exp(np.float64(question.inputs["logits"])))
        assert isinstance(answer, Computed)
        np.testing.assert_allclose(answer.outputs["loss"], expected, rtol=1e-6)


def test_many_questions_of_a_kind_are_compiled_once() -> None:
    graphs = []

    def count(graph: torch.fx.GraphModule, _: list[torch.Tensor]) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    class Counting(AotEager):
        backend = staticmethod(count)

    way = Counting()
    questions = [ask(logits=[float(number)], targets=[1.0]) for number in range(5)]
    assert all(isinstance(answer, Computed) for answer in answers(way, questions))
    assert 1 == len(graphs) - 1  # One is the trial whether anything can be compiled.


def test_what_cannot_be_traced_leaves_its_batch_which_stays_whole() -> None:
    widths = []

    class Watched(AotEager):
        def prepare(self, examples: Sequence[Tensors]) -> Losses:
            widths.append(len(examples))
            return super().prepare(examples)

    odd = ask(
        logits=[1.0, 2.0],
        targets=[0, 1],
        input_dtypes={"targets": "complex64"},
        outputs=("loss", "logits_grad"),
    )
    sound = [ask(logits=[0.5] * size, targets=[1.0] * size) for size in range(1, 8)]
    *first, last = answers(Watched(), [*sound, odd])
    assert isinstance(last, Raised)
    assert all(isinstance(answer, Computed) for answer in first)
    # All of them, those that can be traced, and the other one: in a batch, and as a user asks it.
    assert [8, 7, 1, 1] == widths


@pytest.mark.parametrize("kind", ALL)
def test_what_is_refused_spoils_nothing_beside_it(kind: type[Batched]) -> None:
    questions = [
        ask(logits=[1.0, 2.0], targets=[0.0, 1.0]),
        ask(logits=[1.0, 2.0], targets=[0.0]),
        ask(
            logits=[1.0, 2.0],
            targets=[0, 1],
            input_dtypes={"targets": "int64"},
            outputs=("loss", "logits_grad"),
        ),
        ask(logits=[1.0], targets=[1.0], reduction="average"),
        ask(probabilities=[0.5], targets=[1.0]),
    ]
    first, *refused, last = answers(kind(), questions)
    assert [Raised] * 3 == [type(answer) for answer in refused]
    assert isinstance(first, Computed)
    assert isinstance(last, Computed)
    np.testing.assert_allclose(last.outputs["loss"], [np.log(2)], rtol=1e-6)


@pytest.mark.parametrize("kind", EAGER)
def test_eager_kernels_keep_their_check_of_values(kind: type[Batched]) -> None:
    bad, good = answers(
        kind(),
        [
            ask(probabilities=[2.0], targets=[1.0]),
            ask(probabilities=[0.5], targets=[1.0]),
        ],
    )
    assert isinstance(bad, Raised)
    assert "between 0 and 1" in bad.message
    assert isinstance(good, Computed)


def test_inductor_answers_a_probability_of_two_as_a_user_gets_it() -> None:
    (answer,) = answers(Inductor(), [ask(probabilities=[2.0], targets=[0.0])])
    loss = torch.compile(torch.nn.functional.binary_cross_entropy)
    expected = loss(torch.tensor([2.0]), torch.tensor([0.0])).reshape(1)
    torch.compiler.reset()
    assert isinstance(answer, Computed)
    np.testing.assert_array_equal(expected.numpy(), answer.outputs["loss"])


@pytest.mark.parametrize("kind", [AotEager, Inductor])
def test_second_derivatives_are_declined_because_pytorch_refuses_them(
    kind: type[Compiled],
) -> None:
    question = ask(logits=[1.0], targets=[0.5], direction=[1.0])
    assert isinstance(kind().decline(question), Declined)
    tensor = torch.tensor([1.0], requires_grad=True)
    loss = torch.compile(torch.nn.functional.softplus, backend=kind.backend)(tensor).sum()
    (slope,) = torch.autograd.grad(loss, tensor, create_graph=True)
    with pytest.raises(RuntimeError, match="does not currently support double backward"):
        torch.autograd.grad(slope, tensor)
    torch.compiler.reset()


def test_an_exported_program_has_second_derivatives() -> None:
    question = ask(logits=[0.0], targets=[0.5], direction=[2.0])
    assert Export().decline(question) is None
    (answer,) = answers(Export(), [question])
    assert isinstance(answer, Computed)
    np.testing.assert_array_equal(np.float32([0.5]), answer.outputs["logits_hvp"])


def test_a_loss_that_runs_uncompiled_is_no_answer() -> None:
    with (
        torch.compiler.set_stance("force_eager"),
        pytest.raises(ConformanceError, match="uncompiled"),
    ):
        AotEager().evaluate(ask(logits=[1.0], targets=[0.5]))


def test_a_compiler_that_fails_is_one_sentence(tmp_path: Path) -> None:
    program = """
import sys
from test_ways_compiled import Inductor, ask
from conformance.errors import ConformanceError
try:
    Inductor().evaluate_all([ask(logits=[1.0], targets=[0.5])])
except ConformanceError as error:
    sys.exit(str(error))
"""
    environment = {
        **os.environ,
        "CXX": "false",
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert 1 == done.returncode
    assert (
        done.stderr.strip().splitlines()[-1].startswith("torch:inductor: nothing can be compiled")
    )
