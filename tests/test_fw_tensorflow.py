"""The adapters of TensorFlow; they are tested where TensorFlow is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from conformance import adapters
from conformance.adapters.numpy import NumpyAdapter
from conformance.model import Computed, Declined, Question

pytest.importorskip("tensorflow")

if TYPE_CHECKING:
    from conformance.adapters.base import LossAdapter

OUTPUTS = ("loss", "logits_grad", "targets_grad")
both = pytest.mark.parametrize("adapter", ["tensorflow", "tensorflow:xla"], indirect=True)


@pytest.fixture
def adapter(request: pytest.FixtureRequest) -> LossAdapter:
    return adapters.load(request.param)


def question(
    dtype: str = "float64",
    reduction: str = "none",
    outputs: tuple[str, ...] = OUTPUTS,
    **inputs: Any,
) -> Question:
    arrays = {name: np.asarray(values, dtype) for name, values in inputs.items()}
    return Question("group/case", "bce_with_logits", reduction, dtype, "cpu", arrays, outputs)


def assert_agree(expected: Computed, actual: Computed) -> None:
    assert expected.outputs.keys() == actual.outputs.keys()
    for name, values in expected.outputs.items():
        assert values.dtype == actual.outputs[name].dtype
        tolerance = 1e-5 if values.dtype == np.float32 else 1e-13
        np.testing.assert_allclose(actual.outputs[name], values, tolerance, err_msg=name)


@both
@pytest.mark.parametrize(
    ("dtype", "reduction"), [("float64", "none"), ("float32", "mean"), ("float64", "sum")]
)
def test_moderate_numbers_come_out_as_in_the_reference(
    adapter: LossAdapter, dtype: str, reduction: str
) -> None:
    asked = question(dtype, reduction, logits=[[0.5, -1], [2, 3]], targets=[[1, 0], [0.25, 0]])

    assert_agree(NumpyAdapter().evaluate(asked), adapter.evaluate(asked))


@both
def test_what_flows_in_and_the_direction_are_multiplied_with(adapter: LossAdapter) -> None:
    asked = question(
        outputs=(*OUTPUTS, "logits_hvp"),
        logits=[0.5, -1],
        targets=[1, 0.25],
        pos_weight=[3, 0.5],
        grad_output=[2, -1],
        direction=[4, 8],
    )

    assert_agree(NumpyAdapter().evaluate(asked), adapter.evaluate(asked))


@both
def test_the_gradient_at_zero_is_wrong_with_a_pos_weight_alone(adapter: LossAdapter) -> None:
    zeros = {"logits": [0, 0, 0], "targets": [0, 1, 0.25]}
    plain = adapter.evaluate(question(outputs=("logits_grad",), **zeros))
    weighted = adapter.evaluate(question(outputs=("logits_grad",), pos_weight=[1], **zeros))

    assert [0.5, -0.5, 0.25] == plain.outputs["logits_grad"].tolist()
    assert [1, 0, 0.75] == weighted.outputs["logits_grad"].tolist()


@both
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_what_the_documentation_does_not_offer_is_declined(
    adapter: LossAdapter, dtype: str
) -> None:
    asked = question(logits=[0.5], targets=[1])
    weighted = question(logits=[0.5], targets=[1], weight=[2])
    probabilities = Question("group/case", "bce", "none", "float64", "cpu", {}, ("loss",))

    assert adapter.decline(asked) is None
    for other in (
        weighted,
        probabilities,
        question("float32", "average", logits=[0.5], targets=[1]),
        Question("group/case", asked.operation, "none", dtype, "cpu", asked.inputs, OUTPUTS),
    ):
        assert isinstance(adapter.decline(other), Declined)


@both
def test_targets_of_another_shape_or_dtype_go_to_tensorflow_and_are_refused(
    adapter: LossAdapter,
) -> None:
    with pytest.raises(ValueError, match="same shape"):
        adapter.evaluate(question(logits=[0.5, 1], targets=[[1], [0]]))
    mixed = {"logits": np.ones(2), "targets": np.ones(2, np.float32)}
    with pytest.raises(Exception, match="float"):
        adapter.evaluate(
            Question(
                "group/case",
                "bce_with_logits",
                "none",
                "float64",
                "cpu",
                mixed,
                OUTPUTS,
                mixed=True,
            )
        )


@both
def test_memory_with_strides_is_read_right_and_left_as_it_is(adapter: LossAdapter) -> None:
    memory = np.arange(8, dtype=np.float64).reshape(2, 4)
    inputs = {"logits": memory[:, ::-2].T, "targets": np.broadcast_to(np.array(0.5), (2, 2))}
    strided = Question("group/case", "bce_with_logits", "none", "float64", "cpu", inputs, OUTPUTS)

    assert_agree(NumpyAdapter().evaluate(strided), adapter.evaluate(strided))
    assert np.arange(8).tolist() == memory.reshape(-1).tolist()


@both
def test_a_number_without_axes_stays_one(adapter: LossAdapter) -> None:
    found = adapter.evaluate(question(logits=0.5, targets=1))

    assert [()] * 3 == [found.outputs[name].shape for name in OUTPUTS]


@both
def test_the_version_goes_by_the_name_of_the_framework(adapter: LossAdapter) -> None:
    import tensorflow as tf  # noqa: PLC0415 - it is installed, as checked above

    assert {"tensorflow": tf.__version__} == adapter.versions()
