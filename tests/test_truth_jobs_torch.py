"""Tests of the truth of jobs against PyTorch's own loss, gradients and optimizers in float64."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from job_factories import FEATURES, IMAGES, case_of, floats
from torch import nn

from conformance.jobs import Job, Optimizer
from conformance.truth.jobs import expected_for_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.model import Case


class Conv(nn.Module):
    def __init__(self, job: Job) -> None:
        super().__init__()
        self.kernels = nn.Conv2d(IMAGES.shape[1], job.hidden, 3)
        self.last = nn.Linear(job.hidden, job.classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.tanh(self.kernels(x)).mean((2, 3)))


def torch_model(job: Job, parameters: np.ndarray[Any, Any]) -> nn.Module:
    width = FEATURES.shape[1]
    layers: list[nn.Module]
    if job.model == "conv":
        layers = [Conv(job)]
    elif job.model.startswith("mlp"):
        layers = [nn.Linear(width, job.hidden), nn.Tanh(), nn.Linear(job.hidden, job.classes)]
    else:
        layers = [nn.Linear(width, job.classes)]
    model = nn.Sequential(*layers, *[nn.Sigmoid()] * (job.loss == "bce")).double()
    nn.utils.vector_to_parameters(torch.tensor(parameters), model.parameters())
    return model


def torch_training(case: Case, window_loss: Callable[..., torch.Tensor]) -> Iterator[Any]:
    """The loss and the parameters after it, of each step of the usual loop, none carried."""
    job = case.job
    arrays = {
        k: torch.tensor(v.values, dtype=torch.float64).reshape(v.shape)
        for k, v in case.inputs.items()
    }
    model = torch_model(job, arrays.pop("parameters").numpy())
    extra = {name: arrays[name] for name in ("weight", "pos_weight") if name in arrays}
    kind = nn.BCELoss if job.loss == "bce" else nn.BCEWithLogitsLoss
    criterion = kind(reduction=case.reduction, **extra)
    given = job.optimizer
    options: dict[str, Any] = {"lr": given.lr, "weight_decay": given.weight_decay}
    if given.name == "sgd":
        options |= {"momentum": given.momentum, "nesterov": given.nesterov}
    else:
        options |= {"betas": given.betas, "eps": given.eps}
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    optimizer = kinds[given.name](model.parameters(), **options)
    batches = list(
        zip(
            arrays["features"].split(job.batches), arrays["targets"].split(job.batches), strict=True
        )
    )
    for _ in range(job.epochs):
        for start in range(0, len(batches), job.accumulate):
            optimizer.zero_grad()
            loss = window_loss(model, criterion, batches[start : start + job.accumulate])
            loss.backward()
            if job.clip_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), job.clip_norm)
            if job.clip_value is not None:
                nn.utils.clip_grad_value_(model.parameters(), job.clip_value)
            optimizer.step()
            yield loss.item(), nn.utils.parameters_to_vector(model.parameters()).tolist()


def at_once(model: Any, criterion: Any, window: Any) -> torch.Tensor:
    x, y = (torch.cat(parts) for parts in zip(*window, strict=True))
    return criterion(model(x), y)


def mean_of_batches(model: Any, criterion: Any, window: Any) -> torch.Tensor:
    return sum(criterion(model(x), y) for x, y in window) / len(window)


MODELS = {
    "linear": Job(classes=2),
    "linear_sigmoid": Job(model="linear_sigmoid", classes=2),
    "mlp": Job(model="mlp", hidden=3, classes=2),
    "mlp_sigmoid": Job(model="mlp_sigmoid", hidden=2),
    "conv": Job(model="conv", hidden=2, classes=2),
}
OPTIMIZERS = {
    "sgd": Optimizer(lr=0.3),
    "weight_decay": Optimizer(lr=0.3, weight_decay=0.1),
    "momentum": Optimizer(lr=0.3, momentum=0.9),
    "nesterov": Optimizer(lr=0.3, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": Optimizer(name="adam", lr=0.1, weight_decay=0.2, betas=(0.8, 0.9)),
    "adamw": Optimizer(name="adamw", lr=0.1, weight_decay=0.2, eps=1e-3),
}


def assert_as_torch(job: Job, window_loss: Any = at_once, **given: Any) -> None:
    case = case_of("train", job, **given)
    (alternative,) = expected_for_job(case).alternatives
    losses, parameters = zip(*torch_training(case, window_loss), strict=True)
    np.testing.assert_allclose(parameters, floats(alternative.outputs["parameters"]), rtol=1e-11)
    if job.accumulate == 1:
        np.testing.assert_allclose(losses, floats(alternative.outputs["losses"]), rtol=1e-11)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("job", MODELS.values(), ids=MODELS)
def test_training_goes_as_in_pytorch(job: Job, optimizer: Optimizer) -> None:
    assert_as_torch(replace(job, batches=(3, 4), optimizer=optimizer))


@pytest.mark.parametrize("job", MODELS.values(), ids=MODELS)
def test_training_by_a_weighted_sum_goes_as_in_pytorch(job: Job) -> None:
    job = replace(job, batches=(3, 4), optimizer=OPTIMIZERS["sgd"])
    assert_as_torch(job, reduction="sum", weight=np.arange(1, job.classes + 1) / 3)


LINEAR = Job(classes=2, batches=(3, 3, 1), epochs=2, optimizer=OPTIMIZERS["momentum"])


@pytest.mark.parametrize(
    "changes", [{"clip_norm": 0.125}, {"clip_norm": 64.0}, {"clip_value": 0.0625}]
)
def test_gradients_are_clipped_as_in_pytorch(changes: dict[str, float]) -> None:
    policies = ("clip_eps_1e_6",) if "clip_norm" in changes else ()
    assert_as_torch(replace(LINEAR, **changes), policies=policies)


@pytest.mark.parametrize(
    ("policy", "window_loss"),
    [("window_by_samples", at_once), ("window_by_batches", mean_of_batches)],
)
def test_windows_add_up_as_in_pytorch(policy: str, window_loss: Any) -> None:
    job = replace(LINEAR, accumulate=2)
    assert_as_torch(job, window_loss, policies=(policy,), pos_weight=[2.0, 0.25])
