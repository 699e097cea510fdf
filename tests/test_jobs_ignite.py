"""Tests of the jobs of PyTorch Ignite."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ignite")

from job_questions import SIZES, ask, by_formula  # noqa: E402

from conformance.adapters.jobs import torch as loop  # noqa: E402
from conformance.adapters.jobs.ignite import OPTIONS, evaluate, predict, train  # noqa: E402
from conformance.jobs import OPTIONS as ALL  # noqa: E402
from conformance.jobs import RUNNING, Optimizer  # noqa: E402


@pytest.mark.parametrize(
    "job",
    [
        {"epochs": 2},
        {"dtype": "float64"},
        {"reduction": "sum", "optimizer": Optimizer(lr=0.01)},
        {"model": "mlp_sigmoid", "hidden": 3, "classes": 10},
        {"model": "conv", "hidden": 3, "shape": (75, 2, 5, 4)},
        {"model": "dropout_linear", "left_in_eval": True},
        {"optimizer": Optimizer(lr=0.1, momentum=0.9, nesterov=True)},
        {"optimizer": Optimizer(name="adamw", lr=0.1, weight_decay=0.1)},
        {"shuffle": 1, "epochs": 2, "validation": 3},
        {"precision": "bf16-true"},
    ],
    ids=str,
)
def test_training_is_the_loop_bit_for_bit(job):
    ours, theirs = loop.train(ask(**job)).outputs, train(ask(**job)).outputs

    assert np.array_equal(ours["parameters"], theirs["parameters"])
    # Ignite reports each loss as a Python float, which has them exactly.
    assert np.array_equal(ours["losses"].astype(theirs["losses"].dtype), theirs["losses"])


def test_full_windows_step_as_the_loop_does_bit_for_bit():
    ours, theirs = (run(ask(accumulate=5, epochs=2)).outputs for run in (loop.train, train))

    assert 4 == len(theirs["parameters"])
    assert np.array_equal(ours["parameters"], theirs["parameters"])


def test_a_loss_that_was_divided_and_multiplied_again_is_off_by_an_ulp_at_most():
    ours, theirs = (run(ask(accumulate=5, epochs=2)).outputs for run in (loop.train, train))

    np.testing.assert_array_max_ulp(ours["losses"], theirs["losses"], maxulp=1)


@pytest.mark.parametrize(
    ("accumulate", "epochs", "reduction", "steps"),
    [(4, 1, "mean", 2), (4, 2, "mean", 5), (3, 2, "mean", 6), (4, 1, "sum", 2), (4, 2, "sum", 5)],
)
def test_a_short_window_is_carried_into_the_next_epoch_and_dropped_at_the_end(
    accumulate, epochs, reduction, steps
):
    question = ask(dtype="float64", accumulate=accumulate, epochs=epochs, reduction=reduction)
    losses, parameters = by_formula(question, carried=True)

    answer = train(question).outputs

    assert steps == len(answer["parameters"])
    np.testing.assert_allclose(answer["losses"], losses, rtol=1e-12)
    np.testing.assert_allclose(answer["parameters"], parameters, rtol=1e-11)


def test_a_window_that_is_never_full_takes_no_step():
    answer = train(ask(accumulate=11, outputs=("losses", "parameters"))).outputs

    # That no step is due is Ignite's own policy; another trainer would have taken one.
    assert ((10,), (0, 5)) == (answer["losses"].shape, answer["parameters"].shape)
    assert 1 == len(loop.train(ask(accumulate=11)).outputs["parameters"])


def test_the_loss_logged_is_a_running_average_over_all_epochs():
    question = ask(dtype="float64", epochs=2, outputs=("losses", "logged"))
    answer = train(question).outputs
    average, seen = answer["losses"][0], []
    for loss in answer["losses"]:
        average = RUNNING * average + (1 - RUNNING) * loss
        seen.append(average)

    np.testing.assert_allclose(answer["logged"], seen[9::10], rtol=1e-13)


def test_the_loss_evaluated_weighs_each_batch_by_its_samples():
    question = ask("evaluate", dtype="float64")
    losses = loop.train(ask(dtype="float64", optimizer=Optimizer(lr=1e-30))).outputs["losses"]

    loss = evaluate(question).outputs["epoch_loss"]

    # The metric adds up in float32, whatever it is given.
    np.testing.assert_allclose(loss, np.average(losses, weights=SIZES), rtol=1e-6)
    assert abs(loss - losses.mean()) > 1e-3


def test_targets_with_their_classes_first_weigh_every_batch_alike():
    question = ask("evaluate", classes=2, classes_first=True)

    loss = evaluate(question).outputs["epoch_loss"]

    np.testing.assert_allclose(loss, loop.evaluate(question).outputs["epoch_loss"], rtol=1e-6)


def test_an_engine_that_has_finished_trains_again_from_an_empty_window():
    question = ask(accumulate=4, epochs=2, refit=True)
    once = train(ask(accumulate=4, epochs=2)).outputs["parameters"]
    again = train(ask(accumulate=4, epochs=2, inputs={"parameters": once[-1]})).outputs

    answer = train(question).outputs

    assert (40, 10) == (len(answer["losses"]), len(answer["parameters"]))
    assert np.array_equal(np.concatenate([once, again["parameters"]]), answer["parameters"])


def test_validation_is_counted_and_changes_only_what_is_shuffled():
    asked = ("validated", "drift")

    kept = train(ask(validation=5, epochs=2, outputs=asked)).outputs
    shuffled = train(ask(validation=5, epochs=2, shuffle=1, outputs=asked)).outputs

    assert (10, 0) == (kept["validated"], kept["drift"])
    # PyTorch's DataLoader draws from the global generator whenever it is gone through.
    assert 10 == shuffled["validated"]
    assert shuffled["drift"] > 1e-3


@pytest.mark.parametrize("precision", ["16-mixed", "bf16-mixed"])
def test_mixed_precision_does_nothing_on_the_cpu(precision):
    assert np.array_equal(
        train(ask()).outputs["parameters"], train(ask(precision=precision)).outputs["parameters"]
    )


@pytest.mark.parametrize(
    "job",
    [
        {},
        {"squeeze": "last"},
        {"views": ("identity", "flip_last")},
        {"precision": "16-true"},
        {"model": "mlp_sigmoid", "hidden": 3, "classes": 2},
    ],
    ids=str,
)
def test_predictions_are_those_of_the_loop_bit_for_bit(job):
    ours, theirs = (run(ask("predict", **job)).outputs for run in (loop.predict, predict))

    assert np.array_equal(ours["predicted"], theirs["predicted"])
    assert np.array_equal(ours["decisions"], theirs["decisions"])


def test_a_last_batch_of_one_fails_where_every_dimension_is_squeezed(capfd):
    with pytest.raises(ValueError, match="Target size"):
        train(ask(squeeze="all", shape=(65, 4), batches=(8,) * 8 + (1,)))

    # An engine would log it besides.
    assert ("", "") == capfd.readouterr()


def test_integer_labels_fail_and_float_ones_train():
    ten = {"model": "mlp_sigmoid", "hidden": 3, "classes": 10}
    labels = np.eye(10)[np.arange(75) % 10]

    with pytest.raises(RuntimeError, match="Long"):
        train(ask(inputs={"targets": labels.astype(np.int64)}, **ten))
    answer = train(ask(inputs={"targets": labels.astype(np.float32)}, **ten)).outputs
    assert answer["losses"][-1] < answer["losses"][0]


def test_nothing_can_be_clipped():
    assert {"clip_norm", "clip_value"} <= ALL - OPTIONS


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no CUDA device")
def test_a_job_runs_on_cuda():
    np.testing.assert_allclose(
        train(ask(device="cuda")).outputs["parameters"],
        train(ask()).outputs["parameters"],
        rtol=1e-4,
    )
