"""Tests of the jobs of Lightning Fabric and of Accelerate, beside those of raw PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")
pytest.importorskip("accelerate")

from job_questions import SIZES, ask  # noqa: E402

from conformance.adapters.accelerate import AccelerateAdapter  # noqa: E402
from conformance.adapters.fabric import FabricAdapter  # noqa: E402
from conformance.adapters.jobs import _torch as parts  # noqa: E402
from conformance.adapters.jobs import accelerate, fabric  # noqa: E402
from conformance.adapters.jobs import torch as raw  # noqa: E402
from conformance.jobs import Optimizer  # noqa: E402
from conformance.model import Computed, Declined, Raised  # noqa: E402

MODULES = pytest.mark.parametrize("jobs", [fabric, accelerate], ids=["fabric", "accelerate"])
ADAPTERS = pytest.mark.parametrize("adapter", [FabricAdapter(), AccelerateAdapter()])
ALL = ("losses", "parameters", "logged", "validated")
TRAININGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "in windows": {"accumulate": 4, "epochs": 2},
    "of sums": {"accumulate": 4, "reduction": "sum"},
    "clipped by norm": {"clip_norm": 0.01, "accumulate": 3},
    "clipped by value": {"clip_value": 0.01},
    "in float64": {"dtype": "float64", "accumulate": 4},
    "by AdamW": {"optimizer": Optimizer(name="adamw", lr=0.01, weight_decay=0.1), "epochs": 2},
    "of probabilities": {"model": "mlp_sigmoid", "hidden": 3},
    "of one dimension": {"squeeze": "last"},
    "of columns": {"classes_first": True, "classes": 2},
    "of images": {"model": "conv", "hidden": 2, "shape": (75, 2, 5, 4)},
    "left in evaluation mode": {"left_in_eval": True, "model": "dropout_linear"},
    "shuffled": {"shuffle": 3, "epochs": 2},
    "shuffled and validated": {
        "shuffle": 3,
        "epochs": 2,
        "validation": 5,
        "outputs": (*ALL, "drift"),
    },
    "32-true": {"precision": "32-true"},
    "bf16-mixed": {"precision": "bf16-mixed"},
}


def assert_same_bits(expected: Computed, actual: Computed) -> None:
    assert expected.outputs.keys() == actual.outputs.keys()
    for name, array in expected.outputs.items():
        found = actual.outputs[name]
        assert (array.dtype, array.shape) == (found.dtype, found.shape)
        assert array.tobytes() == found.tobytes(), name


def loss_of(question: Any) -> float:
    """The loss of all samples at once."""
    features, targets = parts.samples(question)
    with torch.no_grad():
        outputs = parts.make_model(question)(features)
        return float(parts.make_criterion(question)(outputs, targets))


@MODULES
@pytest.mark.parametrize("how", TRAININGS)
def test_a_training_has_the_bits_of_the_raw_loop(jobs: Any, how: str) -> None:
    question = ask(**{"outputs": ALL, **TRAININGS[how]})
    assert_same_bits(raw.train(question), jobs.train(question))


@MODULES
@pytest.mark.parametrize(
    "how",
    [{}, {"dtype": "float64"}, {"views": ("identity", "flip_last")}, {"squeeze": "last"}],
    ids=["plain", "in float64", "of two views", "of one dimension"],
)
def test_a_prediction_has_the_bits_of_the_raw_loop(jobs: Any, how: dict[str, Any]) -> None:
    question = ask("predict", outputs=("predicted", "decisions"), **how)
    assert_same_bits(raw.predict(question), jobs.predict(question))


def test_fabric_leaves_the_mean_over_an_epoch_to_the_loop() -> None:
    question = ask("evaluate")
    assert_same_bits(raw.evaluate(question), fabric.evaluate(question))


@pytest.mark.parametrize("sizes", [SIZES, (32, 11, 32)])
def test_accelerate_gathers_every_sample_for_one_loss(sizes: tuple[int, ...]) -> None:
    question = ask("evaluate", dtype="float64", batches=sizes)
    (value,) = accelerate.evaluate(question).outputs.values()
    np.testing.assert_allclose(loss_of(question), value, rtol=1e-15)


@pytest.mark.parametrize(
    ("precision", "losses", "parameters"),
    [
        ("16-true", "float32", "float16"),
        ("bf16-true", "float32", "bfloat16"),
        ("64-true", "float32", "float64"),
    ],
)
def test_fabric_computes_in_true_precision_and_hands_out_float32(
    precision: Any, losses: str, parameters: str
) -> None:
    outputs = fabric.train(ask(precision=precision)).outputs
    assert losses == outputs["losses"].dtype.name
    assert parameters == outputs["parameters"].dtype.name
    truth = raw.train(ask()).outputs["losses"]
    np.testing.assert_allclose(truth, outputs["losses"], rtol=0.02)
    assert not np.array_equal(truth, outputs["losses"])


def test_fabric_has_bfloat16_for_float16_on_the_cpu() -> None:
    asked, had = (fabric.train(ask(precision=name)) for name in ("16-mixed", "bf16-mixed"))
    assert_same_bits(had, asked)


def test_accelerate_has_float32_for_float16_on_the_cpu() -> None:
    asked, had = (accelerate.train(ask(precision=name)) for name in ("16-mixed", "32-true"))
    assert_same_bits(had, asked)


def test_an_accelerator_does_not_remember_the_one_before() -> None:
    before = accelerate.train(ask(accumulate=4))
    accelerate.train(ask(precision="bf16-mixed", accumulate=3))
    assert_same_bits(before, accelerate.train(ask(accumulate=4)))


@MODULES
def test_a_run_without_batches_raises(jobs: Any) -> None:
    with pytest.raises(RuntimeError, match="0 steps over 0 batches"):
        jobs.train(ask(epochs=0))


@ADAPTERS
def test_an_adapter_does_jobs_and_declines_losses(adapter: Any) -> None:
    question = ask(accumulate=4)
    assert adapter.decline(question) is None
    (answer,) = adapter.perform_all([question])
    assert_same_bits(raw.train(question), answer)
    loss = ask("bce_with_logits", batches=())
    assert Declined(f"{adapter.name} does not offer bce_with_logits") == adapter.decline(loss)


@ADAPTERS
@pytest.mark.parametrize(
    "job", [{"refit": True}, {"stage": "test"}, {"batches": (), "shards": ((40,), (35,))}]
)
def test_an_adapter_declines_what_is_a_trainers(adapter: Any, job: dict[str, Any]) -> None:
    assert isinstance(adapter.decline(ask(**job)), Declined)


def test_accelerate_declines_a_precision_that_it_does_not_have() -> None:
    reason = AccelerateAdapter().decline(ask(precision="64-true"))
    assert Declined("accelerate does not offer the precision 64-true") == reason


def test_accelerate_takes_the_first_gpu_only() -> None:
    adapter = AccelerateAdapter()
    assert adapter.device_problem("cpu") is None
    assert "accelerate takes the first GPU, not cuda:1" == adapter.device_problem("cuda:1")


@ADAPTERS
def test_what_the_loss_refuses_is_raised(adapter: Any) -> None:
    question = ask(inputs={"targets": np.zeros((75, 1), np.int64)})
    (answer,) = adapter.perform_all([question])
    assert isinstance(answer, Raised)
    assert "RuntimeError" == answer.type
