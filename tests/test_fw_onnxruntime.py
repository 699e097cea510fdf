"""ONNX Runtime: the graphs that it is given; they are tested where it and onnx are installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from fw_questions import computed, installed, question

from conformance.model import Declined

if TYPE_CHECKING:
    from conformance.adapters.base import LossAdapter

EXPORTED = installed("onnxruntime")
SOFTPLUS = installed("onnxruntime:softplus")
BOTH = pytest.mark.parametrize("adapter", [EXPORTED, SOFTPLUS], ids=["exported", "softplus"])


@BOTH
def test_it_tells_its_version_beside_that_of_what_makes_graphs(
    adapter: LossAdapter,
) -> None:
    assert {"onnx", "onnxruntime"} == adapter.versions().keys()


@BOTH
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_graph_has_the_weights_and_the_reduction_of_the_question(
    adapter: LossAdapter, reduction: str, dtype: str
) -> None:
    asked = question(
        dtype,
        reduction,
        logits=[[0.0, 0.0]],
        targets=[[1.0, 0.0]],
        weight=[[2.0, 4.0]],
        pos_weight=[3.0, 1.0],
    )
    elements = np.log(2) * np.array([[6.0, 4.0]])
    expected = {"none": elements, "mean": elements.mean(), "sum": elements.sum()}[reduction]
    found = computed(adapter, asked)["loss"]
    assert (dtype, np.shape(expected)) == (found.dtype.name, found.shape)
    assert expected == pytest.approx(found.astype(float), rel=2e-3)


@BOTH
def test_a_reduction_that_is_none_is_declined(adapter: LossAdapter) -> None:
    asked = question(reduction="average", logits=[0.0], targets=[1.0])
    assert isinstance(adapter.decline(asked), Declined)


def test_the_graph_of_probabilities_clamps_each_logarithm_at_minus_100() -> None:
    asked = question(probabilities=[0.0, 1.0], targets=[1.0, 0.0])
    assert [100.0, 100.0] == computed(EXPORTED, asked)["loss"].tolist()


def test_softplus_makes_no_loss_of_probabilities() -> None:
    assert isinstance(
        SOFTPLUS.decline(question(probabilities=[0.5], targets=[1.0])),
        Declined,
    )


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float16", [88.0, np.inf, np.inf]),
        ("float32", [88.0, 89.0, 1000.0]),
        ("float64", [88.0, 89.0, np.inf]),
    ],
)
def test_softplus_is_expanded_where_it_has_no_kernel(dtype: str, expected: list[float]) -> None:
    asked = question(dtype, logits=[-88.0, -89.0, -1000.0], targets=[1.0, 1.0, 1.0])
    assert expected == computed(SOFTPLUS, asked)["loss"].tolist()
