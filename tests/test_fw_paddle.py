"""The adapter of PaddlePaddle; it is tested where PaddlePaddle is installed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from conformance import adapters
from conformance.adapters.numpy import NumpyAdapter
from conformance.model import Computed, Declined, Question

paddle = pytest.importorskip("paddle")

if TYPE_CHECKING:
    from conformance.adapters.base import LossAdapter


@pytest.fixture
def adapter() -> LossAdapter:
    return adapters.load("paddle")


def question(
    dtype: str = "float64",
    reduction: str = "none",
    **inputs: Any,
) -> Question:
    arrays = {name: np.asarray(values, dtype) for name, values in inputs.items()}
    operation = "bce" if "probabilities" in inputs else "bce_with_logits"
    outputs = ("loss", "probabilities_grad" if operation == "bce" else "logits_grad")
    return Question("group/case", operation, reduction, dtype, "cpu", arrays, outputs)


def assert_agree(expected: Computed, actual: Computed) -> None:
    assert expected.outputs.keys() == actual.outputs.keys()
    for name, values in expected.outputs.items():
        assert values.dtype == actual.outputs[name].dtype
        tolerance = 1e-5 if values.dtype == np.float32 else 1e-13
        np.testing.assert_allclose(actual.outputs[name], values, tolerance, err_msg=name)


@pytest.mark.parametrize("first", ["logits", "probabilities"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_moderate_numbers_come_out_as_in_the_reference(
    adapter: LossAdapter, first: str, dtype: str, reduction: str
) -> None:
    values = {first: [[0.5, 0.75], [0.125, 0.25]], "targets": [[1, 0], [0.25, 0]]}
    asked = question(dtype, reduction, **values, weight=[[2], [3]])

    assert_agree(NumpyAdapter().evaluate(asked), adapter.evaluate(asked))


def test_a_pos_weight_and_what_flows_in_are_multiplied_with(adapter: LossAdapter) -> None:
    given = {"logits": [0.5, -1], "targets": [1, 0.25], "pos_weight": [3, 0.5]}
    asked = question(**given, grad_output=[2, -1])

    assert_agree(NumpyAdapter().evaluate(asked), adapter.evaluate(asked))


def test_the_gradient_at_zero_is_wrong_without_a_pos_weight_alone(adapter: LossAdapter) -> None:
    zeros = {"logits": [0, 0, 0], "targets": [0, 1, 0.25]}
    plain = adapter.evaluate(question(**zeros))
    weighted = adapter.evaluate(question(**zeros, pos_weight=[1]))

    assert [-0.5, -1.5, -0.75] == plain.outputs["logits_grad"].tolist()
    assert [0.5, -0.5, 0.25] == weighted.outputs["logits_grad"].tolist()


def test_what_paddle_has_no_kernel_for_is_declined(adapter: LossAdapter) -> None:
    asked = question(logits=[0.5], targets=[1])

    assert adapter.decline(asked) is None
    assert isinstance(adapter.decline(question("float16", logits=[0.5], targets=[1])), Declined)
    assert "targets_grad" not in adapter.outputs
    assert "logits_hvp" not in adapter.outputs


def test_what_is_declined_paddle_really_lacks() -> None:
    loss = partial(paddle.nn.functional.binary_cross_entropy_with_logits, reduction="none")
    half = paddle.ones([2], "float16")
    with pytest.raises(RuntimeError, match="not registered"):
        loss(half, half)
    logits, targets = paddle.ones([2]), paddle.ones([2])
    logits.stop_gradient = targets.stop_gradient = False
    with pytest.raises(ValueError, match="does not appear in the backward graph"):
        paddle.grad([loss(logits, targets)], [targets])
    with pytest.raises(RuntimeError, match="doesn't have any grad op"):
        paddle.grad([loss(logits, targets)], [logits], create_graph=True)


def test_a_bad_reduction_goes_to_paddle_and_is_refused(adapter: LossAdapter) -> None:
    asked = question(reduction="average", logits=[0.5], targets=[1])

    assert adapter.decline(asked) is None
    with pytest.raises(ValueError, match="average"):
        adapter.evaluate(asked)


def test_memory_with_strides_is_read_right_and_left_as_it_is(adapter: LossAdapter) -> None:
    memory = np.arange(1, 9, dtype=np.float64).reshape(2, 4)
    inputs = {"logits": memory[:, ::-2].T, "targets": np.broadcast_to(np.array(0.5), (2, 2))}
    outputs = ("loss", "logits_grad")
    strided = Question("group/case", "bce_with_logits", "none", "float64", "cpu", inputs, outputs)

    assert_agree(NumpyAdapter().evaluate(strided), adapter.evaluate(strided))
    assert list(range(1, 9)) == memory.reshape(-1).tolist()


def test_a_number_without_axes_stays_one(adapter: LossAdapter) -> None:
    found = adapter.evaluate(question(logits=0.5, targets=1))

    assert [(), ()] == [values.shape for values in found.outputs.values()]


def test_the_version_goes_by_the_name_of_the_framework(adapter: LossAdapter) -> None:
    assert {"paddle": paddle.__version__} == adapter.versions()
