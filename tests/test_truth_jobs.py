"""Tests of conformance.truth.jobs: what a case of a job expects, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import pytest
from job_factories import FEATURES, IMAGES, NUMBERS, TARGETS, case_of, floats, truths

from conformance.errors import ConformanceError
from conformance.jobs import Job, Optimizer, parameter_count
from conformance.truth import (
    Disagreement,
    InvalidQuestion,
    UndefinedQuestion,
    Unproven,
    job_arb,
    job_closed_form,
    jobs,
)
from conformance.truth.jobs import expected_for_job

SGD = Optimizer(lr=0.5)
ONE = {"features": [[1.0]], "targets": [[1.0]], "parameters": [0.0, 0.0]}


def test_a_step_from_zero_is_worked_out_exactly() -> None:
    found = truths("train", Job(batches=(1,), optimizer=SGD), **ONE)
    with mpmath.workdps(40):
        assert str(mpmath.log(2)) == found["losses"].values[0]
    assert ("0.25", "0.25") == found["parameters"].values


def test_what_never_changes_stays_exact_and_what_cancels_is_zero() -> None:
    data = {"features": [[1, 0], [-1, 0]], "targets": [[1], [0]], "parameters": [0.25, -0.125, 0]}
    for name in ("sgd", "adam"):
        optimizer = Optimizer(name=name, lr=0.5)
        found = truths("train", Job(batches=(2,), epochs=2, optimizer=optimizer), **data)
        rows = np.reshape(found["parameters"].values, (2, 3))
        assert ["-0.125"] * 2 == rows[:, 1].tolist()
        # The two samples pull the bias in opposite directions.
        assert ["0"] * 2 == rows[:, 2].tolist()


@pytest.mark.parametrize("model", ["linear", "linear_sigmoid", "mlp"])
def test_a_step_is_the_difference_quotient_of_the_loss(model: str) -> None:
    job = Job(model=model, hidden=2 * (model == "mlp"), batches=(7,), optimizer=Optimizer(lr=1))
    start = NUMBERS[: parameter_count(job, FEATURES.shape)]
    found = truths("train", job)["parameters"].values

    def loss(*p: mpmath.mpf) -> mpmath.mpf:
        total = mpmath.mpf(0)
        for x, (t, _) in zip(FEATURES.tolist(), TARGETS.tolist(), strict=True):
            if model == "mlp":
                hidden = [
                    mpmath.tanh(mpmath.fdot(p[3 * k : 3 * k + 3], x) + p[6 + k]) for k in (0, 1)
                ]
                z = mpmath.fdot(p[8:10], hidden) + p[10]
            else:
                z = mpmath.fdot(p[:3], x) + p[3]
            total += t * mpmath.log(1 + mpmath.exp(-z)) + (1 - t) * mpmath.log(1 + mpmath.exp(z))
        return total / len(FEATURES)

    with mpmath.workdps(120):
        at = [mpmath.mpf(value) for value in start.tolist()]
        for index, text in enumerate(found):
            order = tuple(int(index == other) for other in range(len(at)))
            slope = mpmath.diff(loss, at, order, h=mpmath.mpf(10) ** -40)
            assert abs(at[index] - slope - mpmath.mpf(text)) < mpmath.mpf(10) ** -36


def test_processes_train_as_one_with_all_their_samples() -> None:
    # Samples 0 to 3 are the first process's: its batches join those of the second one.
    order = [0, 1, 4, 2, 3, 5, 6]
    together = truths(
        "train",
        Job(batches=(3, 4), optimizer=SGD),
        features=FEATURES[order],
        targets=TARGETS[order, :1],
    )
    apart = truths("train", Job(shards=((2, 2), (1, 2)), optimizer=SGD))
    assert together["parameters"] == apart["parameters"]
    assert (2, 2) == apart["losses"].shape


def test_a_process_reports_its_own_loss_or_the_mean() -> None:
    job = Job(shards=((4,), (3,)))
    own, equal, together = (
        floats(truths("evaluate", job, policies=(policy,))["epoch_loss"])
        for policy in ("ranks_own", "ranks_equal", "ranks_by_samples")
    )
    assert own.mean() == pytest.approx(equal[0])
    assert (4 * own[0] + 3 * own[1]) / 7 == pytest.approx(together[1])


def test_an_epoch_is_reported_by_each_convention() -> None:
    job = Job(batches=(3, 3, 1))
    first, second, third = floats(
        truths(
            "evaluate", replace(job, batches=(), shards=((3,), (3,), (1,))), policies=("ranks_own",)
        )["epoch_loss"]
    )
    for policy, expected in {
        "epoch_by_samples": (3 * first + 3 * second + third) / 7,
        "epoch_by_batches": (first + second + third) / 3,
        "epoch_running_098": 0.98 * (0.98 * first + 0.02 * second) + 0.02 * third,
        "epoch_at_once": (3 * first + 3 * second + third) / 7,
    }.items():
        found = truths("evaluate", job, policies=(policy,))["epoch_loss"]
        assert expected == pytest.approx(floats(found))


def test_logged_is_the_epoch_of_the_losses() -> None:
    job = Job(batches=(3, 4), epochs=2, optimizer=SGD)
    found = truths("train", job, outputs=("losses", "logged"))
    losses = floats(found["losses"]).reshape(2, 2)
    np.testing.assert_allclose(losses @ [3 / 7, 4 / 7], floats(found["logged"]))


def test_a_running_average_goes_on_through_epochs_and_begins_anew_with_a_training() -> None:
    job = Job(batches=(3, 4), epochs=2, refit=True, optimizer=SGD)
    asked = {"outputs": ("losses", "logged"), "policies": ("epoch_running_098",)}
    found = truths("train", job, **asked)
    expected = []
    for losses in floats(found["losses"]).reshape(2, 4):
        running = losses[0]
        for count, loss in enumerate(losses[1:], 2):
            running = 0.98 * running + 0.02 * loss
            expected += [running] if count % 2 == 0 else []
    np.testing.assert_allclose(expected, floats(found["logged"]))


def test_a_second_training_goes_on_where_the_first_ended() -> None:
    once = Job(batches=(3, 4), epochs=2, optimizer=Optimizer(lr=0.25, momentum=0.5))
    twice = replace(once, epochs=1, refit=True)
    assert truths("train", once) == truths("train", twice)
    unmoved = truths("train", twice, policies=("refit_does_nothing",))
    assert truths("train", replace(once, epochs=1)) == unmoved


def test_dropout_of_everything_trains_the_bias_only() -> None:
    job = Job(model="dropout_linear", batches=(7,), optimizer=SGD, left_in_eval=True)
    dropped = truths("train", job)["parameters"]
    assert tuple(str(value) for value in NUMBERS[:3]) == dropped.values[:3]
    left = truths("train", job, policies=("mode_as_left",))
    assert truths("train", replace(job, model="linear")) == left


def test_a_probability_of_a_half_is_decided_by_the_policy() -> None:
    given = {
        "features": [[0.0], [1.0], [-1.0]],
        "parameters": [1.0, 0.0],
        "outputs": ("decisions",),
    }
    for policy, expected in (("half_is_negative", "0"), ("half_is_positive", "1")):
        job = Job(batches=(3,), squeeze="last")
        found = truths("predict", job, policies=(policy,), **given)["decisions"]
        assert ((3,), (expected, "1", "0")) == (found.shape, found.values)


def test_views_are_averaged_as_probabilities_or_logits() -> None:
    job = Job(batches=(7,), views=("identity", "flip_last"))
    z = np.array([FEATURES @ NUMBERS[:3], FEATURES[:, ::-1] @ NUMBERS[:3]]) + NUMBERS[3]
    by_logits = truths("predict", job, policies=("views_by_logits",))["predicted"]
    by_probabilities = truths("predict", job)["predicted"]
    np.testing.assert_allclose((1 / (1 + np.exp(-z))).mean(0), floats(by_probabilities)[:, 0])
    np.testing.assert_allclose(1 / (1 + np.exp(-z.mean(0))), floats(by_logits)[:, 0])


def test_rows_of_an_image_are_flipped() -> None:
    job = Job(model="conv", hidden=2, batches=(7,), views=("flip_rows",))
    flipped = truths("predict", replace(job, views=("identity",)), features=IMAGES[:, :, ::-1])
    assert flipped == truths("predict", job)


def test_stored_numbers_are_rounded_once_to_the_dtype() -> None:
    job = Job(batches=(1,), optimizer=SGD)
    data = {"features": [[0.0]], "targets": [[0.5]], "outputs": ("parameters",)}
    found = truths("train", job, parameters=[0.3, 0], policies=("stored_in_bfloat16",), **data)
    assert ("0.30078125", "0") == found["parameters"].values


def test_positions_choose_parameters_of_each_step() -> None:
    case = case_of("train", Job(batches=(3, 4), optimizer=SGD))
    (whole,) = expected_for_job(case).alternatives
    (some,) = expected_for_job(replace(case, positions=(3, 1))).alternatives
    chosen = some.outputs["parameters"]
    assert ((2, 4), (3, 1, 7, 5)) == (chosen.shape, chosen.positions)
    every = whole.outputs["parameters"].values
    assert tuple(every[position] for position in (3, 1, 7, 5)) == chosen.values


def test_validation_changes_nothing_but_its_count() -> None:
    job = Job(batches=(3, 4), optimizer=SGD, validation=3, shuffle=1)
    found = truths("train", job, outputs=("validated", "drift"), policies=("sanity_two_batches",))
    assert ("5",) == found["validated"].values
    assert ("0",) == found["drift"].values


def test_policies_of_another_roundoff_have_the_same_truth() -> None:
    policies = ("computed_in_float32", "computed_in_bfloat16", "refuse")
    case = case_of("train", Job(batches=(7,), optimizer=SGD), policies=policies)
    first, second, refused = expected_for_job(case).alternatives
    assert first.outputs == second.outputs
    assert (True, {}) == (refused.raises, refused.outputs)


def off(value: Any) -> Any:
    """A number, or a list of them, wrong in the 40th digit."""
    return [*map(off, value)] if isinstance(value, list) else value + value * 2.0**-130


@pytest.mark.parametrize(
    ("module", "name", "optimizer"),
    [
        (job_closed_form, "_loss_at", "sgd"),
        (job_closed_form, "_slope_at", "sgd"),
        (job_closed_form, "_sech_squared", "sgd"),
        (job_closed_form, "_dense", "sgd"),
        (job_closed_form.Oracle, "step", "adamw"),
        (job_arb, "gradient", "sgd"),
        (job_arb.Oracle, "_adam_directions", "adam"),
    ],
)
def test_a_formula_that_is_off_in_the_40th_digit_is_reported(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, optimizer: Any
) -> None:
    job = Job(model="mlp", hidden=2, batches=(3, 4), optimizer=Optimizer(name=optimizer, lr=0.5))
    right = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *given: off(right(*given)))
    with pytest.raises(Disagreement, match=r"group.yaml: group/job: \w+: the oracles differ"):
        truths("train", job)


def test_digits_that_no_precision_proves_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "JOB_PRECISIONS", [64])
    with pytest.raises(Unproven, match="group/job: 64 bits do not prove 40 digits"):
        truths("train", Job(batches=(7,), optimizer=SGD))


TRAINED = Job(batches=(3, 4), optimizer=SGD)


@pytest.mark.parametrize(
    ("kind", "message", "job", "given"),
    [
        (InvalidQuestion, "no trainer takes gpus", {"trainer_arguments": {"gpus": 1}}, {}),
        (InvalidQuestion, "'none' reduces no loss", {}, {"reduction": "none"}),
        (InvalidQuestion, "a batch of one", {"batches": (6, 1), "squeeze": "all"}, {}),
        (
            InvalidQuestion,
            r"targets\[0\] is 7.0, outside",
            {"model": "linear_sigmoid"},
            {"targets": [[7.0]] * 7},
        ),
        (
            InvalidQuestion,
            "weight of shape .* does not broadcast",
            {"classes": 2, "classes_first": True},
            {"weight": [1.0, 2.0]},
        ),
        (UndefinedQuestion, "not finite", {}, {"parameters": [0, 0, 0, np.inf]}),
        (UndefinedQuestion, "Ask for one", {"clip_norm": 1.0, "clip_value": 1.0}, {}),
        (UndefinedQuestion, "random order", {"shuffle": 3}, {}),
        (UndefinedQuestion, "as many batches", {"batches": (), "shards": ((2, 2), (3,))}, {}),
        (UndefinedQuestion, "logged", {}, {"policies": ("epoch_at_once",), "outputs": ("logged",)}),
        (ConformanceError, "hold 6 samples, and there are 7", {"batches": (3, 3)}, {}),
        (ConformanceError, "give one of batches", {"sampler_batch": 2}, {}),
        (ConformanceError, "needs an optimizer", {"optimizer": None}, {}),
        (ConformanceError, "position 9 lies outside 4", {}, {"positions": (9,)}),
        (ConformanceError, "parameters has shape", {}, {"parameters": [1.0]}),
        (ConformanceError, "there is no policy 'limit'", {}, {"policies": ("limit",)}),
        (
            ConformanceError,
            "policies 'window_by_samples' and 'clip_exact' give the same answer",
            {},
            {"policies": ("window_by_samples", "clip_exact")},
        ),
    ],
)
def test_a_question_without_an_answer_is_refused(
    kind: type[ConformanceError], message: str, job: dict[str, Any], given: dict[str, Any]
) -> None:
    with pytest.raises(kind, match=f"group.yaml: group/job: .*{message}") as refusal:
        truths("train", replace(TRAINED, **job), **given)
    assert kind is refusal.type


def test_rows_of_a_table_are_not_flipped() -> None:
    with pytest.raises(UndefinedQuestion, match="rows of such features are the samples"):
        truths("predict", Job(batches=(7,), views=("flip_rows",)))
