"""The built-in adapters, on the real frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from factories import make_case

from conformance import adapters
from conformance.adapters import BUILT_IN, MissingFrameworkError, UnknownAdapterError
from conformance.adapters._torch import to_array, to_tensor
from conformance.asking import ask_alone, question_of
from conformance.corpus import load_corpus
from conformance.floats import FORMATS
from conformance.layouts import lay_out
from conformance.model import Computed, Declined, Raised

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.model import Question

TORCH_BASED = ["torch", "ignite", "lightning"]

# As the runner does: what a framework warns of is no part of its answer.
pytestmark = pytest.mark.filterwarnings("ignore")


def question(dtype: str = "float32", **given: object) -> Question:
    return question_of(make_case(filled=False, **given), "cpu", dtype)


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_the_listing_says_what_the_class_declares(name: str) -> None:
    adapter = adapters.load(name)
    assert name == adapter.name
    assert set(BUILT_IN[name].devices or ()) == adapter.devices
    assert set(adapter.distributions) == set(adapter.versions())


@pytest.mark.parametrize("dtype", list(FORMATS))
def test_every_bit_pattern_survives_the_way_to_pytorch_and_back(dtype: str) -> None:
    fmt = FORMATS[dtype]
    bits = np.arange(2**16, dtype=np.uint64) << np.uint64(max(0, fmt.bits - 16))
    array = bits.astype(fmt.uint).view(fmt.dtype)
    assert array.tobytes() == to_array(to_tensor(array, "cpu")).tobytes()


@pytest.mark.parametrize("name", TORCH_BASED)
def test_a_tensor_does_not_share_the_question_s_memory(name: str) -> None:
    asked = question(logits=[1.0], targets=[0.0])
    before = asked.inputs["logits"].copy()
    adapters.load(name).evaluate(asked)
    assert before == asked.inputs["logits"]


@pytest.mark.parametrize("name", list(BUILT_IN))
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_gradients_are_those_of_the_sum_of_the_loss(name: str, reduction: str) -> None:
    asked = question(logits=[0.0, 0.0], targets=[1.0, 0.0], reduction=reduction)
    answer = adapters.load(name).evaluate(asked)
    scale = 2 if reduction == "mean" else 1
    assert [-0.5 / scale, 0.5 / scale] == answer.outputs["logits_grad"].tolist()
    assert () == answer.outputs["loss"].shape or reduction == "none"


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_only_the_outputs_asked_for_come_back(name: str) -> None:
    for outputs in (("loss", "logits_grad"), ("logits_grad",), ("targets_grad",)):
        asked = question(logits=[0.5], targets=[1.0], outputs=outputs)
        assert set(outputs) == set(adapters.load(name).evaluate(asked).outputs)


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_a_question_without_an_answer_raises(name: str) -> None:
    for bad in (
        question(logits=[[0.5], [1.0]], targets=[0.0, 1.0]),
        question(logits=[0.5], targets=[0.0], weight=[1.0, 2.0]),
        question(probabilities=[1.5], targets=[0.0]),
    ):
        assert isinstance(ask_alone(adapters.load(name), bad), Raised)


@pytest.mark.parametrize("name", ["ignite", "lightning"])
def test_one_run_answers_questions_of_any_shape_and_goes_on_after_errors(name: str) -> None:
    adapter = adapters.load(name)
    questions = [
        question(logits=[0.5], targets=[1.0]),
        question(logits=[1.0, 2.0], targets=[0.0]),
        question(logits=[[np.nan, np.inf]], targets=[[0.0, 1.0]], reduction="mean"),
        question(logits=[], targets=[], reduction="sum"),
        question(probabilities=0.25, targets=1.0),
        question(logits=[0.5], targets=[1.0]),
    ]
    together = list(adapter.evaluate_all(questions))
    assert [Computed, Raised, *[Computed] * 4] == [type(answer) for answer in together]
    for asked, answer in zip(questions, together, strict=True):
        alone = ask_alone(adapter, asked)
        if isinstance(answer, Computed):
            assert isinstance(alone, Computed)
            for name_, array in answer.outputs.items():
                assert array.tobytes() == alone.outputs[name_].tobytes()
        else:
            assert answer == alone


@pytest.mark.parametrize("name", ["ignite", "lightning"])
@pytest.mark.parametrize("dtype", list(FORMATS))
def test_one_run_goes_through_the_whole_corpus(name: str, dtype: str) -> None:
    adapter = adapters.load(name)
    corpus = load_corpus()
    cases = [case for case in corpus.cases if dtype in case.dtypes and case.job is None]
    questions = [question_of(case, "cpu", dtype) for case in cases]
    offered = [question for question in questions if adapter.decline(question) is None]
    assert len(offered) > len(questions) / 2
    assert len(offered) == len(list(adapter.evaluate_all(offered)))


def test_an_unknown_adapter_is_told_the_known_ones() -> None:
    with pytest.raises(UnknownAdapterError, match="unknown adapter 'tensorfow'"):
        adapters.load("tensorfow")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("absent_module:Adapter", "cannot be imported: No module named 'absent_module'"),
        ("fakes:Absent", "cannot be imported: module 'fakes' has no attribute 'Absent'"),
        ("fakes:NOT_AN_ADAPTER", "is not a subclass of conformance.adapters.base.LossAdapter"),
        ("fakes:CannotBeMade", "cannot be imported: RuntimeError: no device"),
        ("this_module_exits:Adapter", "cannot be imported: SystemExit: 3"),
        ("fakes:Nameless", "needs a name of letters"),
        (":Adapter", "cannot be imported: ValueError"),
        ("..up:Adapter", "cannot be imported: TypeError"),
        ("test_layers.py:Adapter", "cannot be imported"),
    ],
)
def test_a_path_that_leads_to_no_adapter_is_one_sentence(
    name: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "this_module_exits.py").write_text("raise SystemExit(3)", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnknownAdapterError, match=problem):
        adapters.load(name)


def test_a_path_leads_to_an_adapter() -> None:
    assert "right" == adapters.load("fakes:Right").name


def test_a_framework_that_is_not_installed_comes_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listing = adapters.Listing("nowhere:Adapter", ("not_installed_here",), "that 'and[this]'")
    monkeypatch.setattr(adapters, "OURS", {"gone": listing})
    with pytest.raises(MissingFrameworkError, match=r"with: pip install that 'and\[this\]'$"):
        adapters.load("gone")


@pytest.mark.parametrize("layout", ["transposed", "strided", "expanded", "channels_last"])
@pytest.mark.parametrize("dtype", list(FORMATS))
def test_a_tensor_has_the_strides_of_its_array(layout: Any, dtype: str) -> None:
    array = np.zeros((2, 3, 4, 5), FORMATS[dtype].dtype)
    array[...] = np.arange(5)
    laid = lay_out(array, layout)
    tensor = to_tensor(laid, "cpu")
    assert tuple(stride // laid.itemsize for stride in laid.strides) == tensor.stride()
    assert array.tobytes() == to_array(tensor).tobytes()


@pytest.mark.parametrize("name", TORCH_BASED)
@pytest.mark.parametrize("layout", ["transposed", "strided", "reversed", "expanded"])
def test_the_answer_is_the_same_in_every_layout(name: str, layout: Any) -> None:
    given: Any = {"logits": [[0.5, 0.5], [2.0, 2.0]], "targets": [[0.0, 1.0], [1.0, 0.0]]}
    adapter = adapters.load(name)
    plain = adapter.evaluate(question("float64", **given))
    laid = adapter.evaluate(question("float64", **given, layout={"logits": layout}))
    for output, values in plain.outputs.items():
        np.testing.assert_array_max_ulp(values, laid.outputs[output], 4)


def test_an_integer_is_no_parameter_of_a_trainer() -> None:
    asked = question(logits=[1.0], targets=[0.0], input_dtypes={"logits": "int64"})
    answer = ask_alone(adapters.load("ignite"), asked)
    assert Declined("a parameter is of a floating-point dtype, not int64") == answer


def test_what_an_adapter_does_not_declare_is_declined() -> None:
    asked = question(logits=[1.0], targets=[0.0], direction=[1.0], grad_output=[2.0])
    answer = ask_alone(adapters.load("ignite"), asked)
    assert Declined("ignite does not offer direction") == answer
    assert isinstance(ask_alone(adapters.load("torch"), asked), Computed)
