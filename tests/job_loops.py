"""Jobs on random data, with what float64 and PyTorch's usual loop make of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from job_factories import case_of

from conformance import loops
from conformance.floats import FORMATS, to_array
from conformance.jobs import (
    DEFINITION,
    Convention,
    Job,
    Optimizer,
    parameter_count,
    parameter_shapes,
)
from conformance.networks import Criterion
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from conformance.model import Case

OPTIMIZERS = {
    "sgd": Optimizer(lr=0.5),
    "momentum": Optimizer(lr=0.25, momentum=0.875),
    "nesterov": Optimizer(lr=0.25, momentum=0.875, nesterov=True),
    "decay": Optimizer(lr=0.5, weight_decay=0.125),
    "adam": Optimizer(name="adam", lr=0.0625),
    "adam_decay": Optimizer(name="adam", lr=0.0625, weight_decay=0.125),
    "adamw": Optimizer(name="adamw", lr=0.0625, weight_decay=0.125),
}
MODELS = {
    "linear": Job(batches=(4, 4, 3), epochs=3),
    "linear_sigmoid": Job(model="linear_sigmoid", classes=2, batches=(4, 4, 3), epochs=3),
    "mlp": Job(model="mlp", hidden=3, batches=(4, 4, 3), epochs=3),
    "mlp_sigmoid": Job(model="mlp_sigmoid", hidden=3, batches=(4, 4, 3), epochs=3),
    "conv": Job(model="conv", hidden=2, batches=(4, 4, 3), epochs=3),
}


def scenario(
    job: Job, seed: int = 0, operation: str = "train", reduction: str = "mean", **given: Any
) -> Case:
    """A case of random data, each number exact in bfloat16."""
    rng = np.random.default_rng(seed)
    count = sum(job.batches) or 11
    shape = (count, 2, 5, 5) if job.model == "conv" else (count, 4)
    made = {
        "features": rng.standard_normal(shape),
        "targets": rng.integers(0, 2, (count,) if job.squeeze else (count, job.classes)),
        "parameters": rng.standard_normal(parameter_count(job, shape)) / 2,
        **given,
    }
    exact = {
        name: np.asarray(made[name]).astype(FORMATS["bfloat16"].dtype).astype(np.float64)
        for name in OPERATIONS[operation].inputs
        if name in made
    }
    outputs = {"predict": ("predicted", "decisions")}.get(operation, OPERATIONS[operation].usual)
    return case_of(operation, job, reduction=reduction, outputs=outputs, **exact)


def values_of(case: Case, name: str) -> Any:
    """An input in its shape."""
    given = case.inputs[name]
    return np.asarray(given.values).reshape(given.shape)


def in_float64(case: Case, convention: Convention = DEFINITION) -> dict[str, Any]:
    """What the loops make of it in float64."""
    assert case.job is not None
    arrays = {
        name: to_array(given.values, given.shape, FORMATS["float64"])
        for name, given in case.inputs.items()
    }
    criterion = Criterion(
        case.job.loss, case.reduction, arrays.get("weight"), arrays.get("pos_weight")
    )
    work = loops.Work(
        case.job,
        convention,
        arrays["features"],
        arrays.get("targets"),
        arrays["parameters"],
        criterion,
    )
    found: dict[str, Any] = getattr(loops, case.operation)(work)
    return found


def torch_loop(case: Case, dtype: torch.dtype) -> dict[str, Any]:
    """The usual loop, in one dtype from beginning to end."""
    job = case.job
    assert job is not None
    inputs = {
        name: torch.tensor(given.values, dtype=dtype).reshape(given.shape)
        for name, given in case.inputs.items()
    }
    shapes = parameter_shapes(job, case.inputs["features"].shape)
    sizes = [int(np.prod(shape)) for _, shape in shapes]
    parts = inputs["parameters"].split(sizes)
    parameters = [
        torch.nn.Parameter(part.reshape(shape).clone())
        for part, (_, shape) in zip(parts, shapes, strict=True)
    ]

    def model(x: torch.Tensor) -> torch.Tensor:
        if job.model == "conv":
            x = torch.tanh(torch.nn.functional.conv2d(x, *parameters[:2])).mean((2, 3))
        elif job.model.startswith("mlp"):
            x = torch.tanh(torch.nn.functional.linear(x, *parameters[:2]))
        x = torch.nn.functional.linear(x, *parameters[-2:])
        return torch.sigmoid(x) if job.loss == "bce" else x

    assert job.optimizer is not None
    given = job.optimizer
    both = {"lr": given.lr, "weight_decay": given.weight_decay}
    optimizer: torch.optim.Optimizer
    if given.name == "sgd":
        optimizer = torch.optim.SGD(
            parameters, momentum=given.momentum, nesterov=given.nesterov, **both
        )
    else:
        kind = torch.optim.Adam if given.name == "adam" else torch.optim.AdamW
        optimizer = kind(parameters, betas=given.betas, eps=given.eps, **both)
    weights = {name: inputs[name] for name in ("weight", "pos_weight") if name in inputs}
    kind_of_loss = torch.nn.BCELoss if job.loss == "bce" else torch.nn.BCEWithLogitsLoss
    criterion = kind_of_loss(reduction=case.reduction, **weights)
    losses, history = [], []
    for _ in range(job.epochs):
        batches = zip(
            inputs["features"].split(job.batches), inputs["targets"].split(job.batches), strict=True
        )
        for x, t in batches:
            optimizer.zero_grad()
            loss = criterion(model(x.clone()), t.clone())
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            flat = torch.cat([parameter.detach().reshape(-1) for parameter in parameters])
            history.append(flat.to(torch.float64).numpy())
    return {"losses": np.array(losses), "parameters": np.stack(history)}
