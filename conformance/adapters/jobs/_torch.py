"""What the jobs on PyTorch share: the parts that a trainer is given, and the record of a run."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from conformance.adapters import _devices
from conformance.adapters._torch import to_array, to_tensor
from conformance.jobs import KERNEL, Job, Optimizer
from conformance.model import Computed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from conformance.model import Question

_VIEWS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "identity": lambda features: features,
    "flip_last": lambda features: features.flip(-1),
    "flip_rows": lambda features: features.flip(-2),
}
COMMON = frozenset(
    {
        "accumulate",
        "classes_first",
        "left_in_eval",
        "precision",
        "shuffle",
        "squeeze",
        "validation",
        "views",
    }
)
"""The keys of a job that every trainer takes."""

_DTYPES = {
    "16": torch.float16,
    "bf16": torch.bfloat16,
    "32": torch.float32,
    "64": torch.float64,
}


def job_of(question: Question) -> Job:
    """The job of a scenario."""
    assert question.job is not None  # noqa: S101 - an operation that is a job has one
    return question.job


class _ImageMean(nn.Module):
    """The mean over height and width, (N, C, H, W) to (N, C)."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))


def true_dtype(job: Job) -> torch.dtype | None:
    """What a "true" precision casts the model, the loss and every batch to; None for no cast."""
    bits, _, how = (job.precision or "").partition("-")
    return _DTYPES[bits] if how == "true" else None


def mixed_dtype(job: Job) -> torch.dtype | None:
    """What a "mixed" precision has autocast compute in; None for no autocast."""
    bits, _, how = (job.precision or "").partition("-")
    return _DTYPES[bits] if how == "mixed" else None


def make_model(question: Question) -> nn.Sequential:
    """The model on the question's device, in its dtype; its parameters are in their flat order.

    It is in training mode, unless the job says that it was left in evaluation mode.
    """
    job, channels = job_of(question), question.inputs["features"].shape[1]
    layers: list[nn.Module]
    if job.model == "conv":
        layers = [nn.Conv2d(channels, job.hidden, KERNEL), nn.Tanh(), _ImageMean()]
    elif job.model.startswith("mlp"):
        layers = [nn.Linear(channels, job.hidden), nn.Tanh()]
    elif job.model == "dropout_linear":
        layers = [nn.Dropout(1.0)]
    else:
        layers = []
    layers.append(nn.Linear(job.hidden or channels, job.classes))
    if job.model.endswith("_sigmoid"):
        layers.append(nn.Sigmoid())
    parameters = to_tensor(question.inputs["parameters"], question.device)
    model = nn.Sequential(*layers).to(question.device, parameters.dtype)
    own = list(model.parameters())
    values = torch.split(parameters, [parameter.numel() for parameter in own])
    with torch.no_grad():
        for parameter, value in zip(own, values, strict=True):
            parameter.copy_(value.view_as(parameter))
    return model.train(not job.left_in_eval)


def make_criterion(question: Question) -> nn.Module:
    """The loss that fits the model, on the question's device."""
    given = {
        name: to_tensor(question.inputs[name], question.device)
        for name in ("weight", "pos_weight")
        if name in question.inputs
    }
    if job_of(question).loss == "bce":
        return nn.BCELoss(**given, reduction=question.reduction)
    return nn.BCEWithLogitsLoss(**given, reduction=question.reduction)


def make_optimizer(settings: Optimizer | None, model: nn.Module) -> torch.optim.Optimizer:
    """PyTorch's optimizer over all parameters of ``model``."""
    assert settings is not None  # noqa: S101 - a job that trains has one
    if settings.name == "sgd":
        return torch.optim.SGD(
            model.parameters(),
            lr=settings.lr,
            momentum=settings.momentum,
            nesterov=settings.nesterov,
            weight_decay=settings.weight_decay,
        )
    adaptive = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    return adaptive(
        model.parameters(),
        lr=settings.lr,
        betas=settings.betas,
        eps=settings.eps,
        weight_decay=settings.weight_decay,
    )


class Batches:
    """Consecutive samples, as a loader on the CPU; Lightning takes a bare list for many loaders.

    Attributes:
        tensors: Of N samples each, in the order of a batch: features, then targets where given.
        sizes: Samples of each batch.
    """

    def __init__(self, tensors: Sequence[torch.Tensor], sizes: Sequence[int]) -> None:
        self.tensors = tensors
        self.sizes = sizes

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        splits = [torch.split(tensor, list(self.sizes)) for tensor in self.tensors]
        for batch in zip(*splits, strict=True):
            # A slice lies in memory as its place has it, which changes the last bits of a product.
            yield tuple(part.clone() for part in batch)

    def __len__(self) -> int:
        return len(self.sizes)


def samples(question: Question) -> tuple[torch.Tensor, ...]:
    """Features, then targets where the question has them, all on the CPU."""
    return tuple(
        to_tensor(question.inputs[name], "cpu")
        for name in ("features", "targets")
        if name in question.inputs
    )


def loader(question: Question) -> Batches | DataLoader[Any]:
    """The batches of the job, shuffled by PyTorch's DataLoader where the job has a seed."""
    job = job_of(question)
    if job.shuffle is None:
        return Batches(samples(question), job.batches)
    return DataLoader(TensorDataset(*samples(question)), batch_size=job.batches[0], shuffle=True)


def validation_loader(question: Question) -> DataLoader[Any] | None:
    """The first samples in batches of one; None where the job does not validate."""
    count = job_of(question).validation
    first = (tensor[:count] for tensor in samples(question))
    return DataLoader(TensorDataset(*first)) if count else None


def squeezed(job: Job, outputs: torch.Tensor) -> torch.Tensor:
    """Outputs of the model, (B, classes), without the dimensions that the job takes off."""
    if job.squeeze is None:
        return outputs
    return outputs.squeeze(-1) if job.squeeze == "last" else outputs.squeeze()


def laid_out(job: Job, array: torch.Tensor) -> torch.Tensor:
    """Outputs or targets with the classes first, where the job has them so."""
    return array.T if job.classes_first else array


def shaped(job: Job, outputs: torch.Tensor) -> torch.Tensor:
    """Outputs of the model, (B, classes), as the job has them before the loss."""
    return laid_out(job, squeezed(job, outputs))


def probabilities(job: Job, model: nn.Module, features: torch.Tensor) -> torch.Tensor:
    """The mean over the job's views of the probability of each output."""
    views = [shaped(job, model(_VIEWS[view](features))) for view in job.views]
    if job.loss == "bce_with_logits":
        views = [logits.sigmoid() for logits in views]
    return torch.stack(views).mean(0)


def flat(model: nn.Module) -> np.ndarray[Any, Any]:
    """A copy of all parameters, (P,)."""
    return to_array(torch.cat([parameter.reshape(-1) for parameter in model.parameters()]))


def reported(question: Question, values: Any) -> np.ndarray[Any, Any]:
    """Python floats that a trainer reports, in the dtype of what it computes with."""
    cast = true_dtype(job_of(question))
    if cast is not None:
        return to_array(torch.tensor(values, dtype=cast))
    return np.array(values, question.inputs["features"].dtype)


def gathered(question: Question, values: Sequence[torch.Tensor | float]) -> np.ndarray[Any, Any]:
    """Scalars as one array: tensors in their own dtype, Python floats as ``reported``."""
    if all(isinstance(value, torch.Tensor) for value in values):
        return to_array(torch.stack([torch.as_tensor(value) for value in values]))
    return reported(question, [float(value) for value in values])


def predicted(outputs: Iterable[torch.Tensor]) -> Computed:
    """The answer of batches of probabilities; a half is not yet positive."""
    whole = torch.cat(list(outputs))
    return Computed(predicted=to_array(whole), decisions=to_array(whole > 0.5))


class Record:
    """What one run of a trainer did.

    Attributes:
        losses: Of each batch, as the criterion returns it.
        model: What is trained.
        parameters: All parameters after each step of the optimizer, (P,) each.
        logged: The loss that is reported for each epoch.
        validated: Batches validated.
    """

    def __init__(self) -> None:
        self.losses: list[torch.Tensor | float] = []
        self.model: nn.Module
        self.parameters: list[np.ndarray[Any, Any]] = []
        self.logged: list[torch.Tensor | float] = []
        self.validated = 0

    def watch(self, optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
        """Keep the parameters of ``model`` after every step of ``optimizer``."""
        self.model = model
        optimizer.register_step_post_hook(lambda *_: self.parameters.append(flat(model)))

    def check_epochs(self, trainer: str, *, epochs: int, batches: int, accumulate: int = 1) -> None:
        """``check`` a run that steps after every window, and at the end of every epoch."""
        windows = -(-batches // accumulate)
        self.check(trainer, batches=epochs * batches, steps=epochs * windows)

    def check(self, trainer: str, *, batches: int, steps: int) -> None:
        """Refuse a run that did not do what ``trainer`` does with such a job.

        Where no window is ever full, no step may be due; a batch always is.

        Raises:
            RuntimeError: A run that did nothing must not look like one that trained.
        """
        done = len(self.losses), len(self.parameters)
        if done != (batches, steps) or not batches:
            msg = (
                f"{trainer} took {done[1]} steps over {done[0]} batches, "
                f"where {steps} over {batches} are due"
            )
            raise RuntimeError(msg)

    def outputs(self, question: Question) -> dict[str, np.ndarray[Any, Any]]:
        """The outputs of a training, but for its drift."""
        none = flat(self.model)[np.newaxis][:0]
        return {
            "losses": gathered(question, self.losses),
            "parameters": np.stack(self.parameters) if self.parameters else none,
            "logged": gathered(question, self.logged),
            "validated": np.array(self.validated, np.int64),
        }


@contextmanager
def isolated() -> Iterator[None]:
    """Without a trainer's warnings, such as of a loader without workers; for a whole job.

    PyTorch's generator on the CPU is left as it was found: new layers, and loaders that are gone
    through, draw from it. So is the current CUDA device.
    """
    with (
        warnings.catch_warnings(),
        torch.random.fork_rng(devices=[]),
        _devices.current_kept(),
    ):
        warnings.simplefilter("ignore")
        yield


def trained(question: Question, run: Callable[[Question], Record]) -> Computed:
    """The answer to a training that ``run`` does, drift included where it is asked for."""
    job = job_of(question)
    record = _run_seeded(question, run)
    outputs = record.outputs(question)
    if "drift" in question.outputs:
        other = _run_seeded(replace(question, job=replace(job, validation=0)), run)
        difference = np.abs(flat(record.model) - flat(other.model))
        outputs["drift"] = np.array(difference.max())
    return Computed(**{name: outputs[name] for name in question.outputs})


def _run_seeded(question: Question, run: Callable[[Question], Record]) -> Record:
    if (seed := job_of(question).shuffle) is not None:
        # torch.manual_seed would also seed the GPUs, whose generators are not restored.
        torch.default_generator.manual_seed(seed)
    return run(question)
