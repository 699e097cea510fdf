"""Tests of the jobs of PyTorch Lightning."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_lightning")

from job_questions import SIZES, ask  # noqa: E402

from conformance.adapters.jobs import torch as loop  # noqa: E402
from conformance.adapters.jobs.lightning import evaluate, predict, train  # noqa: E402
from conformance.jobs import Optimizer  # noqa: E402


@pytest.mark.parametrize(
    "job",
    [
        {"epochs": 2},
        {"dtype": "float64"},
        {"accumulate": 4, "epochs": 2},
        {"accumulate": 3, "epochs": 2, "reduction": "sum"},
        {"clip_norm": 0.01, "accumulate": 4},
        {"clip_value": 0.01},
        {"model": "mlp_sigmoid", "hidden": 3, "classes": 10},
        {"model": "conv", "hidden": 3, "shape": (75, 2, 5, 4)},
        {"model": "dropout_linear"},
        {"optimizer": Optimizer(lr=0.1, momentum=0.9, nesterov=True)},
        {"optimizer": Optimizer(name="adamw", lr=0.1, weight_decay=0.1)},
        {"shuffle": 1, "epochs": 2, "validation": 3},
        {"precision": "16-true"},
        {"precision": "bf16-true"},
        {"precision": "32-true"},
        {"precision": "64-true"},
        {"precision": "bf16-mixed", "model": "linear_sigmoid"},
    ],
    ids=str,
)
def test_training_is_the_loop_bit_for_bit(job):
    ours, theirs = loop.train(ask(**job)).outputs, train(ask(**job)).outputs

    for name in ("losses", "parameters"):
        assert ours[name].dtype == theirs[name].dtype
        assert np.array_equal(ours[name], theirs[name])


@pytest.mark.parametrize(
    ("accumulate", "epochs", "steps"), [(4, 1, 3), (4, 2, 6), (3, 2, 8), (5, 2, 4)]
)
def test_a_window_ends_with_the_epoch(accumulate, epochs, steps):
    answer = train(ask(accumulate=accumulate, epochs=epochs)).outputs

    assert steps == len(answer["parameters"])


def test_16_mixed_is_bf16_mixed_on_the_cpu():
    asked, done = (train(ask(precision=p)).outputs for p in ("16-mixed", "bf16-mixed"))

    assert np.array_equal(asked["parameters"], done["parameters"])


@pytest.mark.parametrize("accumulate", [1, 4])
def test_the_loss_logged_weighs_each_batch_by_its_samples_undivided(accumulate):
    question = ask(dtype="float64", accumulate=accumulate, epochs=2, outputs=("losses", "logged"))

    answer = train(question).outputs

    mean = np.average(answer["losses"].reshape(2, -1), axis=1, weights=SIZES)
    np.testing.assert_allclose(answer["logged"], mean, rtol=1e-13)


@pytest.mark.parametrize("stage", ["validate", "test"])
@pytest.mark.parametrize("classes_first", [False, True])
def test_the_loss_evaluated_weighs_each_batch_by_its_samples(stage, classes_first):
    job = {"dtype": "float64", "classes": 2, "classes_first": classes_first}
    losses = loop.train(ask(optimizer=Optimizer(lr=1e-30), **job)).outputs["losses"]

    loss = evaluate(ask("evaluate", stage=stage, **job)).outputs["epoch_loss"]

    np.testing.assert_allclose(loss, np.average(losses, weights=SIZES), rtol=1e-13)
    assert abs(loss - losses.mean()) > 1e-3


def test_a_model_left_in_evaluation_mode_is_trained_in_it():
    left, plain = (
        train(ask(**job)).outputs["parameters"]
        for job in ({"model": "dropout_linear", "left_in_eval": True}, {"model": "linear"})
    )

    # Nothing is dropped.
    assert np.array_equal(plain, left)


def test_a_trainer_that_has_finished_only_repeats_its_sanity_check():
    asked = ("losses", "parameters", "logged", "validated")

    once = train(ask(epochs=2, validation=5, outputs=asked)).outputs
    twice = train(ask(epochs=2, validation=5, refit=True, outputs=asked)).outputs

    for name in ("losses", "parameters", "logged"):
        assert np.array_equal(once[name], twice[name])
    assert (12, 14) == (once["validated"], twice["validated"])


@pytest.mark.parametrize(
    ("validation", "arguments", "validated"),
    [(5, {}, 12), (1, {}, 3), (5, {"num_sanity_val_steps": 0}, 10)],
)
def test_two_batches_are_validated_before_training(validation, arguments, validated):
    question = ask(
        validation=validation, epochs=2, trainer_arguments=arguments, outputs=("validated",)
    )

    assert validated == train(question).outputs["validated"]


def test_validation_changes_only_what_is_shuffled():
    kept = train(ask(validation=5, epochs=2, outputs=("drift",))).outputs
    shuffled = train(ask(validation=5, epochs=2, shuffle=1, outputs=("drift",))).outputs

    assert 0 == kept["drift"]
    # PyTorch's DataLoader draws from the global generator whenever it is gone through.
    assert shuffled["drift"] > 1e-3


@pytest.mark.parametrize("name", ["gpus", "auto_scale_batch_size", "progress_bar_refresh_rate"])
def test_an_argument_that_was_removed_is_an_error(name):
    with pytest.raises(TypeError, match=name):
        train(ask(trainer_arguments={name: 1}))


@pytest.mark.parametrize(
    "job",
    [
        {},
        {"squeeze": "last"},
        {"views": ("identity", "flip_last")},
        {"precision": "bf16-mixed"},
        {"precision": "64-true"},
        {"model": "mlp_sigmoid", "hidden": 3, "classes": 2},
    ],
    ids=str,
)
def test_predictions_are_those_of_the_loop_bit_for_bit(job):
    ours, theirs = (run(ask("predict", **job)).outputs for run in (loop.predict, predict))

    assert ours["predicted"].dtype == theirs["predicted"].dtype
    assert np.array_equal(ours["predicted"], theirs["predicted"])
    assert np.array_equal(ours["decisions"], theirs["decisions"])


def test_a_last_batch_of_one_fails_where_every_dimension_is_squeezed():
    with pytest.raises(ValueError, match="Target size"):
        train(ask(squeeze="all", shape=(65, 4), batches=(8,) * 8 + (1,)))


def test_integer_labels_fail_and_float_ones_train():
    ten = {"model": "mlp_sigmoid", "hidden": 3, "classes": 10}
    labels = np.eye(10)[np.arange(75) % 10]

    with pytest.raises(RuntimeError, match="Long"):
        train(ask(inputs={"targets": labels.astype(np.int64)}, **ten))
    answer = train(ask(inputs={"targets": labels.astype(np.float32)}, **ten)).outputs
    assert answer["losses"][-1] < answer["losses"][0]


def test_nothing_is_printed_or_written(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    train(ask(validation=3, shuffle=1, left_in_eval=True, precision="16-mixed"))
    evaluate(ask("evaluate", stage="test"))
    predict(ask("predict"))

    assert ("", "") == capfd.readouterr()
    assert [] == list(tmp_path.iterdir())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no CUDA device")
def test_a_job_runs_on_cuda():
    np.testing.assert_allclose(
        train(ask(device="cuda")).outputs["parameters"],
        train(ask()).outputs["parameters"],
        rtol=1e-4,
    )
