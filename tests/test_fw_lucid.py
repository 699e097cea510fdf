"""The adapters of lucid; they are tested where lucid is installed."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from factories import make_case

from conformance import adapters
from conformance.asking import question_of
from conformance.corpus import load_corpus
from conformance.deviations import load_ledger
from conformance.model import Computed, Declined
from conformance.runner import Runner

# Not by importing lucid, which on an older Python only its adapters can.
if problem := adapters.missing("lucid"):
    pytest.skip(problem, allow_module_level=True)

if TYPE_CHECKING:
    from conformance.model import Case, Question

BOTH = ["lucid", "lucid:module"]


@cache
def small_cases() -> list[Case]:
    """Those of a loss, with few elements."""
    return [
        case
        for case in load_corpus().cases
        if case.job is None and all(math.prod(each.shape) < 300 for each in case.inputs.values())
    ]


def question(dtype: str = "float32", **given: object) -> Question:
    return question_of(make_case(filled=False, **given), "cpu", dtype)


def test_lucid_is_imported_with_its_annotations_unevaluated() -> None:
    adapters.load("lucid")
    import lucid  # noqa: PLC0415 - its adapter has made that possible

    assert "list[_TensorLike]" == lucid.types._TensorLike.__annotations__["_prev"]


def test_the_byte_code_that_pip_has_stored_is_left_alone() -> None:
    adapters.load("lucid")
    import lucid  # noqa: PLC0415

    assert "annotations" not in vars(lucid.types)  # No line has been put into the module.
    assert lucid.types.__spec__.loader.get_code("lucid.types").co_flags & annotations.compiler_flag


@pytest.mark.parametrize("name", BOTH)
def test_the_version_is_that_of_lucid_dl(name: str) -> None:
    assert metadata.version("lucid-dl") == adapters.load(name).versions()["lucid"]


@pytest.mark.parametrize("name", BOTH)
def test_what_lucid_does_not_have_is_declined(name: str) -> None:
    adapter = adapters.load(name)
    declined = adapter.decline(question("bfloat16", probabilities=[0.5], targets=[1]))
    assert Declined(f"{name} does not offer bfloat16") == declined
    assert "targets_grad" not in adapter.outputs


def test_only_the_functional_form_has_a_pos_weight() -> None:
    asked = question(logits=[0.5], targets=[1], pos_weight=[2])
    assert adapters.load("lucid").decline(asked) is None
    declined = Declined("lucid:module does not offer pos_weight")
    assert declined == adapters.load("lucid:module").decline(asked)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_the_gradient_is_that_of_the_sum_of_the_loss_times_what_flows_in(
    reduction: str, dtype: str
) -> None:
    factor = [2.0, -3.0] if reduction == "none" else 2.0
    given: dict[str, Any] = {"logits": [0.0, 1.0], "targets": [1.0, 0.0], "grad_output": factor}
    answer = adapters.load("lucid").evaluate(question(dtype, reduction=reduction, **given))
    count = 2 if reduction == "mean" else 1
    slopes = np.array([-0.5, 1 / (1 + math.exp(-1))])
    loss, gradient = answer.outputs["loss"], answer.outputs["logits_grad"]
    np.testing.assert_allclose(slopes * factor / count, gradient, rtol=2e-3)
    assert (dtype, dtype) == (loss.dtype, gradient.dtype)
    assert ((2,) if reduction == "none" else ()) == loss.shape


def test_inputs_of_any_strides_are_taken_and_left_as_they_are() -> None:
    asked = question(probabilities=[0.25, 0.5, 0.75], targets=[0, 1, 1])
    backwards = replace(asked, inputs={name: each[::-1] for name, each in asked.inputs.items()})
    kept = {name: each.copy() for name, each in backwards.inputs.items()}
    expected = adapters.load("lucid").evaluate(asked).outputs
    actual = adapters.load("lucid").evaluate(backwards).outputs
    for name, array in expected.items():
        np.testing.assert_array_equal(array[::-1], actual[name])
    for name, array in kept.items():
        np.testing.assert_array_equal(array, backwards.inputs[name])


def test_the_module_of_probabilities_gives_the_bits_of_the_functional_form() -> None:
    asked = question(
        probabilities=[0.1, 0.6, 0.9], targets=[0, 1, 0.5], weight=[1, 2, 3], reduction="mean"
    )
    functional, module = (adapters.load(name).evaluate(asked).outputs for name in BOTH)
    assert {"loss", "probabilities_grad"} == set(module)
    for name, array in functional.items():
        assert array.tobytes() == module[name].tobytes()


def test_the_module_of_logits_raises_what_lucid_raises() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'eps'"):
        adapters.load("lucid:module").evaluate(question(logits=[0.5], targets=[1]))


def test_a_loss_alone_needs_no_backward_pass() -> None:
    case = make_case(filled=False, logits=[1.0], targets=[1.0], outputs=("loss",))
    answer = adapters.load("lucid").evaluate(question_of(case, "cpu", "float64"))
    assert isinstance(answer, Computed)
    assert {"loss"} == set(answer.outputs)


@pytest.mark.filterwarnings("ignore")  # As in a run: what is warned of is no part of an answer.
@pytest.mark.parametrize("name", BOTH)
def test_a_sample_of_the_corpus_is_right_or_a_known_deviation(name: str) -> None:
    adapter = adapters.load(name)
    ledger = load_ledger(adapter.ledgers(), adapter.versions())
    for dtype in ("float16", "float32", "float64"):
        chosen = [case for case in small_cases() if dtype in case.dtypes][::41]
        results = Runner().run(adapter, "cpu", dtype, chosen, ledger)
        assert [] == [f"{each.case}: {each.reason}" for each in results if each.status == "failed"]
        assert any(each.status == "passed" for each in results)
        assert any(each.status == "deviates" for each in results)
