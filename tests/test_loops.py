"""The loops against PyTorch's own optimizers and gradients, and against what a convention says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from factories import array
from job_loops import MODELS, OPTIMIZERS, in_float64, scenario, torch_loop, values_of

from conformance import loops
from conformance.jobs import (
    DEFINITION,
    Convention,
    Job,
    Optimizer,
)

if TYPE_CHECKING:
    from conformance.model import Case

SGD = OPTIMIZERS["sgd"]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", MODELS)
def test_a_trajectory_is_that_of_pytorch(model: str, optimizer: str) -> None:
    case = scenario(replace(MODELS[model], optimizer=OPTIMIZERS[optimizer]))
    expected, actual = torch_loop(case, torch.float64), in_float64(case)
    np.testing.assert_allclose(actual["losses"], expected["losses"], rtol=1e-11)
    np.testing.assert_allclose(actual["parameters"], expected["parameters"], atol=1e-11)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_weights_go_into_the_loss_as_pytorch_s_arguments(reduction: str) -> None:
    job = Job(classes=3, batches=(4, 4, 3), optimizer=Optimizer(lr=0.125))
    weights = {"weight": [0.5, 2, 1], "pos_weight": [3, 0.25, 1]}
    case = scenario(job, reduction=reduction, **weights)
    expected, actual = torch_loop(case, torch.float64), in_float64(case)
    np.testing.assert_allclose(actual["losses"], expected["losses"], rtol=1e-12)
    np.testing.assert_allclose(actual["parameters"], expected["parameters"], atol=1e-12)


def moves(case: Case, convention: Convention) -> Any:
    """By how much each step changes the parameters."""
    start = np.asarray(case.inputs["parameters"].values)
    return np.diff(np.vstack([start, in_float64(case, convention)["parameters"]]), axis=0)


WINDOWED = Job(batches=(3, 3, 3, 2), epochs=2, accumulate=3, optimizer=SGD)


@pytest.mark.parametrize(("tail", "steps"), [("stepped", 4), ("carried", 2), ("dropped", 2)])
def test_a_tail_takes_the_steps_that_its_convention_says(tail: Any, steps: int) -> None:
    assert steps == len(moves(scenario(WINDOWED), replace(DEFINITION, tail=tail)))


def test_a_window_that_is_never_full_takes_no_step_where_it_is_not_stepped() -> None:
    case = scenario(replace(WINDOWED, epochs=1, accumulate=5))
    found = {
        tail: in_float64(case, replace(DEFINITION, tail=tail))
        for tail in ("stepped", "carried", "dropped")
    }
    shapes = {tail: outputs["parameters"].shape for tail, outputs in found.items()}
    assert {"stepped": (1, 5), "carried": (0, 5), "dropped": (0, 5)} == shapes
    assert all((4,) == outputs["losses"].shape for outputs in found.values())


def test_a_carried_tail_begins_the_window_of_the_next_epoch() -> None:
    job = replace(WINDOWED, batches=(3, 3), accumulate=3, epochs=3)
    carried = moves(scenario(job), replace(DEFINITION, tail="carried", divisor="one"))
    one = replace(job, accumulate=1, epochs=1)
    case = scenario(one)
    parameters = np.asarray(case.inputs["parameters"].values)
    both = parts_of(case, parameters)
    np.testing.assert_allclose(carried[0], 2 * both[0] + both[1], atol=1e-14)
    both = parts_of(case, parameters + carried[0])
    np.testing.assert_allclose(carried[1], both[0] + 2 * both[1], atol=1e-14)


def parts_of(case: Case, parameters: Any) -> list[Any]:
    """The step that each batch would make by itself, from the same parameters."""
    start = replace(case, inputs={**case.inputs, "parameters": array(parameters)})
    assert case.job is not None
    alone = replace(case.job, accumulate=1, epochs=1, optimizer=SGD)
    found = []
    for index, count in enumerate(case.job.batches):
        rows = slice(sum(case.job.batches[:index]), sum(case.job.batches[: index + 1]))
        inputs = {
            **start.inputs,
            **{name: array(values_of(case, name)[rows]) for name in ("features", "targets")},
        }
        job = replace(alone, batches=(count,))
        found.append(moves(replace(start, inputs=inputs, job=job), DEFINITION)[0])
    return found


@pytest.mark.parametrize(
    ("divisor", "reduction", "weights"),
    [
        ("samples", "mean", [3 / 5, 2 / 5]),
        ("samples", "sum", [1, 1]),
        ("batches", "mean", [1 / 2, 1 / 2]),
        ("length", "mean", [1 / 3, 1 / 3]),
        ("one", "mean", [1, 1]),
    ],
)
def test_a_short_window_is_divided_as_its_convention_says(
    divisor: Any, reduction: str, weights: list[float]
) -> None:
    case = scenario(replace(WINDOWED, batches=(3, 2), epochs=1), reduction=reduction)
    parts = parts_of(case, case.inputs["parameters"].values)
    expected = sum(weight * part for weight, part in zip(weights, parts, strict=True))
    (actual,) = moves(case, replace(DEFINITION, divisor=divisor))
    np.testing.assert_allclose(actual, expected, atol=1e-14)


def test_clipping_limits_the_norm_and_the_elements() -> None:
    job = Job(batches=(11,), optimizer=SGD)
    (free,) = moves(scenario(job), DEFINITION)
    (short,) = moves(scenario(replace(job, clip_norm=0.125)), DEFINITION)
    np.testing.assert_allclose(short, free / np.linalg.norm(free) * 0.125 * SGD.lr, atol=1e-15)
    (eased,) = moves(scenario(replace(job, clip_norm=0.125)), replace(DEFINITION, clip_eps=0.5))
    norm = np.linalg.norm(free / SGD.lr)
    np.testing.assert_allclose(eased, free * 0.125 / (norm + 0.5), atol=1e-15)
    (unclipped,) = moves(scenario(replace(job, clip_norm=100.0)), DEFINITION)
    np.testing.assert_array_equal(unclipped, free)
    (flat,) = moves(scenario(replace(job, clip_value=0.0625)), DEFINITION)
    np.testing.assert_allclose(flat, np.clip(free, -0.03125, 0.03125), atol=1e-15)


SHARDED = Job(shards=((4, 3), (2, 2)), optimizer=SGD)


def test_processes_by_samples_are_one_process_with_all_samples() -> None:
    case = scenario(SHARDED)
    order = [0, 1, 2, 3, 7, 8, 4, 5, 6, 9, 10]
    one = {name: array(values_of(case, name)[order]) for name in ("features", "targets")}
    whole = replace(case, inputs={**case.inputs, **one}, job=Job(batches=(6, 5), optimizer=SGD))
    expected, actual = in_float64(whole), in_float64(case)
    np.testing.assert_allclose(actual["parameters"], expected["parameters"], atol=1e-14)
    assert (2, 2) == actual["losses"].shape
    joined = actual["losses"].T @ [4 / 6, 2 / 6]
    np.testing.assert_allclose(joined[0], expected["losses"][0], atol=1e-14)


def test_equal_processes_average_their_gradients() -> None:
    case = scenario(SHARDED)
    first, second = (
        in_float64(replace(case, inputs={**case.inputs, **rows(case, part)}, job=job), DEFINITION)
        for part, job in (
            (slice(0, 7), Job(batches=(4, 3), optimizer=SGD)),
            (slice(7, 11), Job(batches=(2, 2), optimizer=SGD)),
        )
    )
    actual = in_float64(case, replace(DEFINITION, ranks="equal"))
    expected = (first["parameters"][0] + second["parameters"][0]) / 2
    np.testing.assert_allclose(actual["parameters"][0], expected, atol=1e-14)


def rows(case: Case, part: slice) -> dict[str, Any]:
    return {name: array(values_of(case, name)[part]) for name in ("features", "targets")}


def test_a_sampler_deals_samples_out_in_turn_and_fills_up_from_the_start() -> None:
    job = Job(sampler_batch=2)
    plain = loops.shares(job, 7, padded=False)
    assert [[[0, 2], [4, 6]], [[1, 3], [5]]] == [[b.tolist() for b in share] for share in plain]
    filled = loops.shares(job, 7, padded=True)
    assert [[[0, 2], [4, 6]], [[1, 3], [5, 0]]] == [[b.tolist() for b in s] for s in filled]


@pytest.mark.parametrize(
    ("convention", "combine"),
    [
        (Convention(epoch="samples"), lambda v: v @ [4, 4, 3] / 11),
        (Convention(epoch="at_once"), lambda v: v @ [4, 4, 3] / 11),
        (Convention(epoch="batches"), lambda v: v.mean()),
        (Convention(epoch="running"), lambda v: 0.98 * (0.98 * v[0] + 0.02 * v[1]) + 0.02 * v[2]),
    ],
    ids=["samples", "at_once", "batches", "running"],
)
def test_an_epoch_combines_the_losses_of_its_batches(convention: Any, combine: Any) -> None:
    frozen = scenario(Job(batches=(4, 4, 3), optimizer=Optimizer(lr=1e-300)))
    trained = in_float64(frozen, convention)
    expected = combine(trained["losses"])
    evaluated = in_float64(scenario(Job(batches=(4, 4, 3)), operation="evaluate"), convention)
    assert expected == pytest.approx(evaluated["epoch_loss"], rel=1e-14)
    np.testing.assert_allclose(trained["logged"], [expected], rtol=1e-14)


def test_at_once_a_sum_is_the_sum_of_all() -> None:
    case = scenario(Job(batches=(4, 4, 3)), operation="evaluate", reduction="sum")
    mean = scenario(Job(batches=(4, 4, 3)), operation="evaluate")
    at_once = replace(DEFINITION, epoch="at_once")
    assert 11 * in_float64(mean)["epoch_loss"] == pytest.approx(
        in_float64(case, at_once)["epoch_loss"]
    )


@pytest.mark.parametrize("ranks", ["samples", "equal", "own"])
def test_processes_report_what_their_convention_says(ranks: Any) -> None:
    job = Job(shards=((4, 3), (2, 2)))
    full = scenario(job, operation="evaluate")
    parts = [
        in_float64(replace(full, inputs={**full.inputs, **rows(full, part)}, job=Job(batches=own)))
        for part, own in ((slice(0, 7), (4, 3)), (slice(7, 11), (2, 2)))
    ]
    first, second = (float(part["epoch_loss"]) for part in parts)
    expected = {
        "samples": [(7 * first + 4 * second) / 11] * 2,
        "equal": [(first + second) / 2] * 2,
        "own": [first, second],
    }[ranks]
    actual = in_float64(full, replace(DEFINITION, ranks=ranks))["epoch_loss"]
    np.testing.assert_allclose(actual, expected, rtol=1e-14)


def test_dropout_of_everything_leaves_the_bias() -> None:
    case = scenario(Job(model="dropout_linear", batches=(11,), optimizer=SGD))
    (move,) = moves(case, DEFINITION)
    assert [True] * 4 + [False] == (move == 0).tolist()
    left = replace(case, job=replace(case.job, left_in_eval=True))
    as_left = moves(left, replace(DEFINITION, train_mode=False))
    linear = moves(replace(case, job=replace(case.job, model="linear")), DEFINITION)
    np.testing.assert_array_equal(as_left, linear)
    np.testing.assert_array_equal(moves(left, DEFINITION), [move])


def test_a_refit_goes_on_where_training_ended() -> None:
    job = Job(batches=(4, 4, 3), optimizer=SGD)
    twice = in_float64(scenario(replace(job, epochs=2)))
    again = in_float64(scenario(replace(job, refit=True)))
    np.testing.assert_array_equal(again["parameters"], twice["parameters"])
    nothing = in_float64(scenario(replace(job, refit=True)), replace(DEFINITION, refits=False))
    np.testing.assert_array_equal(nothing["parameters"], twice["parameters"][:3])


def test_validation_counts_batches_of_every_epoch_and_those_before() -> None:
    case = scenario(Job(batches=(11,), epochs=3, validation=4, optimizer=SGD))
    assert 12 == in_float64(case)["validated"]
    assert 14 == in_float64(case, replace(DEFINITION, sanity=2))["validated"]


@pytest.mark.parametrize("squeeze", ["last", "all"])
def test_squeezing_changes_shapes_only(squeeze: Any) -> None:
    job = Job(batches=(4, 4, 3), optimizer=SGD)
    expected, actual = (in_float64(scenario(replace(job, squeeze=s))) for s in (None, squeeze))
    np.testing.assert_array_equal(actual["parameters"], expected["parameters"])


def test_a_batch_of_one_does_not_survive_squeezing_everything() -> None:
    case = scenario(Job(batches=(10, 1), squeeze="all", optimizer=SGD))
    with pytest.raises(ValueError, match=r"targets have shape \(1,\), not \(\)"):
        in_float64(case)


def test_classes_first_changes_nothing_that_is_counted_by_samples() -> None:
    case = scenario(Job(classes=3, batches=(4, 4, 3), optimizer=SGD))
    first = replace(case, job=replace(case.job, classes_first=True))
    expected, actual = in_float64(case), in_float64(first)
    np.testing.assert_allclose(actual["parameters"], expected["parameters"], atol=1e-14)
    np.testing.assert_allclose(actual["logged"], expected["logged"], atol=1e-14)


def test_a_prediction_averages_probabilities_or_logits_of_its_views() -> None:
    conv = replace(MODELS["conv"], views=("identity", "flip_last", "flip_rows"))
    case = scenario(conv, operation="predict")
    images = values_of(case, "features")
    logits = []
    for seen in (images, images[..., ::-1], images[:, :, ::-1]):
        inputs = {**case.inputs, "features": array(seen)}
        alone = replace(case, inputs=inputs, job=replace(conv, views=("identity",)))
        predicted = in_float64(alone)["predicted"]
        logits.append(np.log(predicted) - np.log1p(-predicted))
    probabilities = np.mean([1 / (1 + np.exp(-each)) for each in logits], axis=0)
    np.testing.assert_allclose(in_float64(case)["predicted"], probabilities, rtol=1e-13)
    by_logits = in_float64(case, replace(DEFINITION, views="logits"))["predicted"]
    np.testing.assert_allclose(by_logits, 1 / (1 + np.exp(-np.mean(logits, axis=0))), rtol=1e-13)
    assert np.abs(by_logits - probabilities).max() > 1e-6


@pytest.mark.parametrize("positive", [False, True])
def test_a_half_is_decided_as_the_convention_says(positive: bool) -> None:
    case = scenario(Job(batches=(11,)), operation="predict", parameters=np.zeros(5))
    found = in_float64(case, replace(DEFINITION, half_is_positive=positive))
    assert {0.5} == set(found["predicted"].reshape(-1).tolist())
    assert {positive} == set(found["decisions"].reshape(-1).tolist())


def test_training_needs_an_optimizer() -> None:
    with pytest.raises(ValueError, match="without an optimizer"):
        in_float64(scenario(Job(batches=(11,))))
