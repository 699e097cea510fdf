"""The ways to run PyTorch: what all of them keep to, and what is particular in a few."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from factories import make_case

from conformance import adapters
from conformance.adapters import WAYS, UnknownAdapterError
from conformance.asking import ask_alone, question_of
from conformance.deviations import load_ledger
from conformance.grading import Grader
from conformance.model import Computed, Declined, Expected, Grade, Raised
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from conformance.adapters.base import LossAdapter
    from conformance.model import Answer, Case

# As the runner does: what a framework warns of is no part of its answer.
pytestmark = pytest.mark.filterwarnings("ignore")

OUTPUTS = {name for operation in OPERATIONS.values() for name in operation.outputs}
OPTIONS = {"weight", "pos_weight", "grad_output", "direction", "input_dtypes", "legacy"}
EAGER = ["torch:module", "torch:aten", "torch:checkpoint"]
AUTOCAST = ["torch:autocast_bf16", "torch:autocast_fp16"]


def way(name: str) -> LossAdapter:
    if missing := adapters.missing(name):
        pytest.skip(missing)
    return adapters.load(name)


def ask(name: str, dtype: str = "float32", **given: Any) -> Answer:
    return ask_alone(way(name), question_of(make_case(filled=False, **given), "cpu", dtype))


def values(name: str, dtype: str = "float32", **given: Any) -> dict[str, np.ndarray[Any, Any]]:
    answer = ask(name, dtype, **given)
    assert isinstance(answer, Computed), answer
    return dict(answer.outputs)


def same_answer(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and one[name].tobytes() == other[name].tobytes()
        for name in one
    )


def of_outputs(adapter: LossAdapter, **given: Any) -> Case:
    """A case that asks for those outputs that the adapter has."""
    whole = make_case(filled=False, **given)
    return make_case(outputs=tuple(o for o in whole.outputs if o in adapter.outputs), **given)


@pytest.mark.parametrize("name", WAYS)
def test_a_way_is_what_its_listing_says(name: str) -> None:
    adapter = way(name)
    assert name == adapter.name
    assert set(WAYS[name].devices or ()) == adapter.devices
    assert {"torch"} == set(adapter.versions())


@pytest.mark.parametrize("name", WAYS)
def test_a_way_declares_only_what_there_is(name: str) -> None:
    adapter = way(name)
    assert adapter.operations == {"bce", "bce_with_logits"}
    assert adapter.outputs
    assert adapter.outputs <= OUTPUTS
    assert adapter.options <= OPTIONS
    assert set(adapter.loss_dtypes) <= adapter.dtypes


@pytest.mark.parametrize("name", WAYS)
def test_the_ledgers_of_a_way_can_be_read(name: str) -> None:
    adapter = way(name)
    entries = load_ledger(adapter.ledgers(), adapter.versions()).entries
    assert {"torch"} == {name for _, entry in entries for name in entry.when} or not entries


@pytest.mark.parametrize("name", WAYS)
def test_a_way_is_right_or_declines(name: str) -> None:
    adapter = way(name)
    asked = [
        of_outputs(adapter, logits=[0.5, -1.0, 2.0], targets=[1.0, 0.0, 0.25]),
        of_outputs(
            adapter,
            logits=[[0.5, -1.0], [2.0, -3.0]],
            targets=[[1.0, 0.0], [0.0, 1.0]],
            weight=[2.0, 0.5],
            pos_weight=[3.0, 1.0],
            reduction="mean",
        ),
        of_outputs(adapter, probabilities=[0.25, 0.5], targets=[1.0, 0.0], reduction="sum"),
        of_outputs(adapter, logits=[0.5, -1.0], targets=[1.0, 0.5], direction=[1.0, -2.0]),
    ]
    bad = {"logits": [[0.5], [1.0]], "targets": [0.0, 1.0], "reduction": "mean"}
    due = make_case(filled=False, expected=Expected(raises=True), **bad)
    asked.append(replace(due, outputs=tuple(o for o in due.outputs if o in adapter.outputs)))
    # A grader remembers truths by the id.
    asked = [replace(case, id=f"g/{n}") for n, case in enumerate(asked) if case.outputs]
    questions = [question_of(case, "cpu", "float32") for case in asked]
    kept = [index for index, question in enumerate(questions) if not adapter.decline(question)]
    assert kept
    answers = list(adapter.evaluate_all([questions[index] for index in kept]))
    pairs = list(zip([asked[index] for index in kept], answers, strict=True))
    for (case, _), verdict in zip(pairs, Grader("float32").grade(pairs), strict=True):
        assert verdict.grade <= Grade.accurate, (case.inputs, verdict)


def test_no_framework_is_imported_before_a_way_is_asked_for() -> None:
    program = (
        "import sys; from conformance import adapters\n"
        "for name in adapters.expand(['torch:*']):\n"
        "    adapters.find(name), adapters.missing(name)\n"
        "print([name for name in sys.modules if name.partition('.')[0] == 'torch'])"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "[]" == done.stdout.strip()


def test_a_star_stands_for_every_way_beside_the_plain_one() -> None:
    assert ["torch", *WAYS] == adapters.expand(["torch:*"])
    assert ["torch:autocast_bf16", "torch:autocast_fp16"] == adapters.expand(["torch:auto*"])
    with pytest.raises(UnknownAdapterError, match=r"no adapter matches 'torch:\*:\*'"):
        adapters.expand(["torch:*:*"])


def test_an_unknown_way_is_told_the_known_ones() -> None:
    for name, problem in (("torch:compile", "unknown"), ("torch:x*", "no adapter matches")):
        with pytest.raises(UnknownAdapterError, match=problem) as caught:
            adapters.load(adapters.expand([name])[0])
        assert all(way in str(caught.value) for way in WAYS)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", EAGER)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_what_ends_in_the_same_kernels_gives_the_same_bits(name: str, reduction: str) -> None:
    weights = {"weight": [2.0, 0.5, 1.0], "pos_weight": 3.0}
    given: dict[str, Any] = {"targets": [1.0, 0.0, 0.25], "reduction": reduction}
    for inputs in (
        {"logits": [0.5, -9.0, 2.0], "direction": [1.0, 2.0, 3.0], **weights},
        {"probabilities": [0.5, 0.125, 0.0], "weight": [2.0, 0.5, 1.0]},
    ):
        assert same_answer(values("torch", **inputs, **given), values(name, **inputs, **given))


def test_a_module_takes_the_arguments_of_old() -> None:
    legacy = {"size_average": False}
    given: dict[str, Any] = {"logits": [0.5, -1.0], "targets": [1.0, 0.0], "reduction": "mean"}
    found = values("torch:module", legacy=legacy, **given)
    assert same_answer(values("torch", legacy=legacy, **given), found)
    assert found["loss"] == values("torch", **{**given, "reduction": "sum"})["loss"]


def test_an_operator_declines_what_it_has_no_words_for() -> None:
    given: dict[str, Any] = {"logits": [0.5], "targets": [1.0]}
    assert isinstance(ask("torch:aten", reduction="foo", **given), Declined)
    assert isinstance(ask("torch:aten", legacy={"reduce": True}, **given), Declined)


def test_an_operator_does_not_compare_the_shapes_of_probabilities_and_targets() -> None:
    given: dict[str, Any] = {"probabilities": [0.5, 0.25], "outputs": ("loss",)}
    assert isinstance(ask("torch", targets=[1.0], **given), Raised)
    found = values("torch:aten", targets=[1.0], **given)
    assert same_answer(values("torch", targets=[1.0, 1.0], **given), found)


@pytest.mark.parametrize("name", AUTOCAST)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_autocast_computes_the_loss_in_float32(name: str, dtype: str) -> None:
    for inputs in ({"logits": [-9.0, 0.5]}, {"probabilities": [0.125, 0.5]}):
        given: dict[str, Any] = {**inputs, "targets": [0.0, 1.0]}
        found, wide = values(name, dtype, **given), values("torch", "float32", **given)
        assert "float32" == found["loss"].dtype
        assert wide["loss"].tobytes() == found["loss"].tobytes()
        assert {dtype} == {found[output].dtype.name for output in found if output != "loss"}


@pytest.mark.parametrize("name", AUTOCAST)
@pytest.mark.parametrize("policy", ["dtype_of_input", "dtype_of_targets", "dtype_promoted"])
def test_a_loss_of_mixed_inputs_is_graded_as_autocast_computes_it(name: str, policy: str) -> None:
    given: dict[str, Any] = {"logits": [-3.0, 0.5], "targets": [1.0, 1.0]}
    mixed = {"input_dtypes": {"targets": "float16"}, "dtypes": ("bfloat16",)}
    case = make_case(**given, **mixed, policies=(policy,))
    right = values(name, "bfloat16", **given, **mixed)
    narrow = right["loss"].astype(np.float16).astype(np.float32)
    found = Grader("bfloat16", way(name).loss_dtypes).grade(
        [(case, Computed(**right)), (case, Computed(**{**right, "loss": narrow}))]
    )
    assert found[0].grade <= Grade.accurate
    assert found[1].grade is Grade.wrong


@pytest.mark.parametrize("name", AUTOCAST)
def test_autocast_leaves_float64_as_it_is(name: str) -> None:
    given: dict[str, Any] = {"logits": [-9.0, 0.5], "targets": [0.0, 1.0], "direction": [1.0, 2.0]}
    assert same_answer(values("torch", "float64", **given), values(name, "float64", **given))


def test_a_loss_that_comes_in_float32_is_graded_in_it() -> None:
    case = make_case(logits=[-3.0, 0.5], targets=[1.0, 1.0], dtypes=("float16",))
    right = values(AUTOCAST[0], "float16", logits=[-3.0, 0.5], targets=[1.0, 1.0])
    narrow = right["loss"].astype(np.float16)
    given = [right, {**right, "loss": narrow.astype(np.float32)}, {**right, "loss": narrow}]
    found = Grader("float16", way(AUTOCAST[0]).loss_dtypes).grade(
        [(case, Computed(**outputs)) for outputs in given]
    )
    assert found[0].grade <= Grade.accurate
    assert found[1].grade is Grade.wrong
    assert "loss: its dtype is float16, not float32" == found[2].reason
    # The gradients are those of a 16-bit input, and graded as such.
    assert all(verdict.outputs["logits_grad"].grade == "exact" for verdict in found)


def test_a_checkpoint_computes_the_loss_again(monkeypatch: pytest.MonkeyPatch) -> None:
    functional = pytest.importorskip("torch.nn.functional")
    loss, calls = functional.binary_cross_entropy_with_logits, []

    def counted(*given: Any, **options: Any) -> Any:
        calls.append(given)
        return loss(*given, **options)

    monkeypatch.setattr(functional, "binary_cross_entropy_with_logits", counted)
    for name, times in (("torch", 1), ("torch:checkpoint", 2)):
        calls.clear()
        values(name, logits=[0.5], targets=[1.0])
        assert times == len(calls)
