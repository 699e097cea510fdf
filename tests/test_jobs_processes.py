"""Tests of what two processes do with PyTorch, with Ignite and with Lightning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("ignite")
pytest.importorskip("pytorch_lightning")

from job_questions import ask

from conformance.adapters.jobs._processes import together
from conformance.adapters.jobs.torch import train
from conformance.model import Computed, Declined, Raised

TRAINERS = ("torch", "ignite", "lightning")
EVERY_TRAINER = pytest.mark.parametrize("trainer", TRAINERS)
UNEVEN: Any = {"batches": (), "shape": (11, 3), "shards": ((7,), (4,))}
SAMPLED: Any = {"batches": (), "shape": (11, 3), "sampler_batch": 3}
FOUR: Any = {"batches": (), "shape": (11, 3), "shards": ((4, 3), (2, 2))}
TRAINED = ("losses", "parameters", "logged")
QUESTIONS = {
    "evaluate": ask("evaluate", dtype="float64", **UNEVEN),
    "evaluate apart": ask("evaluate", dtype="float64", sync=False, **UNEVEN),
    "evaluate sampled": ask("evaluate", dtype="float64", **SAMPLED),
    "train": ask(dtype="float64", outputs=TRAINED, **UNEVEN),
    "train on": ask(dtype="float64", outputs=TRAINED, epochs=2, **FOUR),
    "train sampled": ask(dtype="float64", outputs=TRAINED, **SAMPLED),
    "train in float32": ask(outputs=TRAINED, epochs=2, **FOUR),
    "refused": ask(inputs={"targets": np.zeros((11, 1), np.int64)}, **UNEVEN),
    "refit": ask(refit=True, **UNEVEN),
    "predict": ask("predict", **UNEVEN),
    "afterwards": ask("evaluate", dtype="float64", **UNEVEN),
}


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, str], Any]:
    """Trainer and question to its answer; one launch for each trainer."""
    found = {}
    for trainer in TRAINERS:
        worker = f"conformance.adapters.jobs._ranks_{trainer}:perform"
        given = together(worker, list(QUESTIONS.values()))
        found |= {(trainer, name): a for name, a in zip(QUESTIONS, given, strict=True)}
    return found


@pytest.fixture
def outputs_of(answers: dict[tuple[str, str], Any]) -> Any:
    def outputs(trainer: str, name: str) -> dict[str, Any]:
        answer = answers[trainer, name]
        assert isinstance(answer, Computed), answer
        return dict(answer.outputs)

    return outputs


def losses() -> np.ndarray[Any, Any]:
    """Of each sample of "evaluate", from the formula."""
    inputs = QUESTIONS["evaluate"].inputs
    logits = inputs["features"] @ inputs["parameters"][:3] + inputs["parameters"][3]
    return np.asarray(np.logaddexp(0, logits) - inputs["targets"][:, 0] * logits)


TRUE = losses().mean()
MEANS = np.array([losses()[:7].mean(), losses()[7:].mean()])
PADDED = np.append(losses(), losses()[0])


@pytest.mark.parametrize(
    ("trainer", "expected"),
    [("torch", MEANS.mean()), ("ignite", TRUE), ("lightning", TRUE * 5.5 / 5)],
)
@pytest.mark.parametrize("name", ["evaluate", "afterwards"])
def test_both_ranks_report_one_value_brought_together_in_the_trainers_way(
    outputs_of: Any, trainer: str, expected: float, name: str
) -> None:
    # The metric of Ignite sums in float32 whatever it is given.
    rtol = 1e-7 if trainer == "ignite" else 1e-14
    value = outputs_of(trainer, name)["epoch_loss"]
    np.testing.assert_allclose([expected, expected], value, rtol=rtol)


@pytest.mark.parametrize("trainer", ["torch", "lightning"])
def test_ranks_that_are_not_brought_together_report_their_own(
    outputs_of: Any, trainer: str
) -> None:
    value = outputs_of(trainer, "evaluate apart")["epoch_loss"]
    np.testing.assert_allclose(MEANS, value, rtol=1e-14)


def test_the_metric_of_ignite_cannot_be_kept_apart(answers: Any) -> None:
    assert Declined("several processes do not take sync") == answers["ignite", "evaluate apart"]


@EVERY_TRAINER
def test_a_sampler_repeats_the_first_sample(outputs_of: Any, trainer: str) -> None:
    value = outputs_of(trainer, "evaluate sampled")["epoch_loss"]
    np.testing.assert_allclose([PADDED.mean()] * 2, value, rtol=1e-7)
    assert abs(PADDED.mean() - TRUE) > 0.01


@EVERY_TRAINER
def test_the_gradient_is_the_mean_of_the_ranks_gradients(outputs_of: Any, trainer: str) -> None:
    question = QUESTIONS["train"]
    start = question.inputs["parameters"]
    steps = []
    for samples in (slice(0, 7), slice(7, 11)):
        own = {
            name: array[samples] if name in ("features", "targets") else array
            for name, array in question.inputs.items()
        }
        size = len(own["targets"])
        job = replace(question.job, shards=(), batches=(size,))
        answer = train(replace(question, inputs=own, job=job)).outputs
        steps.append(answer["parameters"][0] - start)
    outputs = outputs_of(trainer, "train")
    np.testing.assert_allclose([start + np.mean(steps, 0)], outputs["parameters"], rtol=1e-13)
    np.testing.assert_allclose(MEANS[:, np.newaxis], outputs["losses"], rtol=1e-14)


@pytest.mark.parametrize(
    ("trainer", "expected"),
    [("torch", MEANS.mean()), ("ignite", MEANS.mean()), ("lightning", TRUE * 5.5 / 5)],
)
def test_the_loss_of_an_epoch_is_logged_in_the_trainers_way(
    outputs_of: Any, trainer: str, expected: float
) -> None:
    np.testing.assert_allclose([expected], outputs_of(trainer, "train")["logged"], rtol=1e-7)


@pytest.mark.parametrize("trainer", ["ignite", "lightning"])
@pytest.mark.parametrize("name", ["train", "train on", "train in float32"])
def test_trainers_take_the_steps_of_the_raw_loop(outputs_of: Any, trainer: str, name: str) -> None:
    raw, outputs = outputs_of("torch", name), outputs_of(trainer, name)
    assert (2, 1 if name == "train" else 4) == outputs["losses"].shape
    for output in ("losses", "parameters"):
        assert raw[output].dtype == outputs[output].dtype
        np.testing.assert_array_equal(raw[output], outputs[output])


def test_ignite_trains_on_the_samples_in_turn_as_the_raw_loop_does(outputs_of: Any) -> None:
    raw, outputs = outputs_of("torch", "train sampled"), outputs_of("ignite", "train sampled")
    np.testing.assert_array_equal(raw["losses"], outputs["losses"])
    turns = PADDED[::2], PADDED[1::2]
    np.testing.assert_allclose([turn[:3].mean() for turn in turns], raw["losses"][:, 0], rtol=1e-14)


def test_lightning_shuffles_the_training_data_that_it_samples(outputs_of: Any) -> None:
    raw, outputs = outputs_of("torch", "train sampled"), outputs_of("lightning", "train sampled")
    assert raw["losses"].shape == outputs["losses"].shape
    assert not np.isclose(raw["losses"], outputs["losses"]).any()


@EVERY_TRAINER
def test_what_the_loss_refuses_is_raised_and_the_next_job_is_done(
    answers: Any, trainer: str
) -> None:
    answer = answers[trainer, "refused"]
    assert isinstance(answer, Raised), answer
    assert "RuntimeError" == answer.type


@EVERY_TRAINER
def test_what_several_processes_do_not_take_is_declined(answers: Any, trainer: str) -> None:
    assert Declined("several processes do not take refit") == answers[trainer, "refit"]
    message = "a prediction is not shared out between processes"
    assert Declined(message) == answers[trainer, "predict"]
