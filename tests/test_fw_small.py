"""The adapters of MLX, tinygrad, scikit-learn and ONNX Runtime, each where it is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

from conformance.adapters import load, missing
from conformance.model import Computed, Declined, Question

if TYPE_CHECKING:
    from conformance.adapters.base import LossAdapter


def adapter(name: str) -> LossAdapter:
    if problem := missing(name):
        pytest.skip(problem)
    return load(name)


def question(
    dtype: str = "float32",
    operation: str = "bce_with_logits",
    reduction: str = "none",
    outputs: tuple[str, ...] = ("loss",),
    **inputs: Any,
) -> Question:
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    arrays = {name: np.asarray(values, kind) for name, values in inputs.items()}
    return Question("a/case", operation, reduction, dtype, "cpu", arrays, outputs)


def computed(name: str, asked: Question) -> dict[str, Any]:
    answer = adapter(name).evaluate(asked)
    assert isinstance(answer, Computed)
    return dict(answer.outputs)


@pytest.mark.parametrize("name", ["mlx", "onnxruntime", "sklearn", "tinygrad"])
def test_an_adapter_tells_the_version_under_its_own_name(name: str) -> None:
    assert name in adapter(name).versions()


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *(("mlx", dtype) for dtype in ("float16", "bfloat16", "float32", "float64")),
        ("tinygrad", "float32"),
    ],
)
def test_loss_and_gradients_have_the_dtype_of_the_question(name: str, dtype: str) -> None:
    outputs = ("loss", "logits_grad", "targets_grad")
    found = computed(name, question(dtype, outputs=outputs, logits=[0.0, 1.0], targets=[1.0, 0.0]))
    assert {each: np.dtype(getattr(ml_dtypes, dtype, dtype)) for each in outputs} == {
        each: found[each].dtype for each in outputs
    }
    assert [-0.5, 0.73] == pytest.approx(found["logits_grad"].astype(float), abs=0.01)


@pytest.mark.parametrize("name", ["mlx", "tinygrad"])
def test_a_gradient_is_that_of_the_loss_times_what_flows_in(name: str) -> None:
    asked = question(
        outputs=("loss", "logits_grad"), logits=[0.0], targets=[1.0], grad_output=[8.0]
    )
    assert [-4.0] == computed(name, asked)["logits_grad"].tolist()


@pytest.mark.parametrize("name", ["mlx", "tinygrad"])
def test_memory_may_run_backwards(name: str) -> None:
    asked = question(logits=np.array([8.0, 0.0])[::-1], targets=[0.0, 0.0])
    forwards = question(logits=[0.0, 8.0], targets=[0.0, 0.0])
    assert computed(name, forwards)["loss"].tolist() == computed(name, asked)["loss"].tolist()


def test_mlx_is_asked_in_float64() -> None:
    asked = question("float64", logits=[1 + 2.0**-40], targets=[1.0], outputs=("targets_grad",))
    assert [-1 - 2.0**-40] == computed("mlx", asked)["targets_grad"].tolist()


@pytest.mark.parametrize(("weight", "declined"), [([2.0], True), ([1.0, 2.0, 3.0], False)])
def test_mlx_broadcasts_no_weight_and_sees_one_that_does_not_fit(
    weight: list[float], declined: bool
) -> None:
    asked = question(logits=[0.0, 1.0], targets=[1.0, 0.0], weight=weight)
    assert declined == isinstance(adapter("mlx").decline(asked), Declined)


@pytest.mark.parametrize(
    "changed",
    [{"reduction": "none"}, {"targets": [0.5, 1.0]}, {"probabilities": [[0.5, 0.5]]}],
)
def test_sklearn_declines_what_a_metric_of_labels_has_not(changed: dict[str, Any]) -> None:
    plain: dict[str, Any] = {
        "operation": "bce",
        "reduction": "mean",
        "probabilities": [0.5, 0.25],
        "targets": [1.0, 0.0],
    }
    assert adapter("sklearn").decline(question(**plain)) is None
    assert isinstance(adapter("sklearn").decline(question(**{**plain, **changed})), Declined)


def test_sklearn_takes_a_batch_of_one_label() -> None:
    asked = question("float64", "bce", "sum", probabilities=[0.5, 0.5], targets=[1.0, 1.0])
    assert 2 * np.log(2) == pytest.approx(float(computed("sklearn", asked)["loss"]))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_graph_has_the_weights_and_the_reduction_of_the_question(
    reduction: str, dtype: str
) -> None:
    asked = question(
        dtype,
        reduction=reduction,
        logits=[[0.0, 0.0]],
        targets=[[1.0, 0.0]],
        weight=[[2.0, 4.0]],
        pos_weight=[3.0, 1.0],
    )
    elements = np.log(2) * np.array([[6.0, 4.0]])
    expected = {"none": elements, "mean": elements.mean(), "sum": elements.sum()}[reduction]
    found = computed("onnxruntime", asked)["loss"]
    assert (dtype, np.shape(expected)) == (found.dtype.name, found.shape)
    assert expected == pytest.approx(found.astype(float), rel=2e-3)


def test_the_graph_of_probabilities_clamps_each_logarithm_at_minus_100() -> None:
    asked = question(operation="bce", probabilities=[0.0, 1.0], targets=[1.0, 0.0])
    assert [100.0, 100.0] == computed("onnxruntime", asked)["loss"].tolist()
