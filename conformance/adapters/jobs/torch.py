"""Does whole jobs by the loops that PyTorch's tutorials teach.

The training loop divides each loss by the length of the window, and steps at the end of a window
or of the epoch; the losses it reports are means over batches.
Source: https://docs.pytorch.org/tutorials/beginner/basics/optimization_tutorial.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import utils

from conformance.adapters.jobs import _processes
from conformance.adapters.jobs._torch import (
    COMMON,
    Record,
    isolated,
    job_of,
    laid_out,
    loader,
    make_criterion,
    make_model,
    make_optimizer,
    mixed_dtype,
    predicted,
    probabilities,
    reported,
    shaped,
    trained,
    true_dtype,
    validation_loader,
)
from conformance.model import Computed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conformance.model import Answer, Question

OPTIONS = COMMON | {"clip_norm", "clip_value", "processes", "sync"}
"""A loop is no object: it has no arguments, no stages, and nothing left over to train again."""


def together(questions: Sequence[Question]) -> list[Answer]:
    """Do jobs of several processes, each in one of its own."""
    return _processes.together("conformance.adapters.jobs._ranks_torch:perform", questions)


@isolated()
def train(question: Question) -> Computed:
    """Train by the usual loop."""
    return trained(question, _fit)


@isolated()
def evaluate(question: Question) -> Computed:
    """Evaluate by the tutorial's loop: the mean of the batches' losses."""
    losses = _Work(question).validate(loader(question))
    return Computed(epoch_loss=reported(question, sum(losses) / len(losses)))


@isolated()
def predict(question: Question) -> Computed:
    """Predict batch by batch."""
    work = _Work(question)
    work.model.eval()
    with torch.no_grad(), work.autocast():
        return predicted(
            probabilities(work.job, work.model, work.moved(features))
            for (features,) in loader(question)
        )


class _Work:
    """A model and its loss in the precision that the job asks for.

    "true" casts the model, the loss and every batch; "mixed" puts the forward pass, with the loss,
    under autocast. Gradients are not scaled.
    """

    def __init__(self, question: Question) -> None:
        self.job = job_of(question)
        self.device = torch.device(question.device)
        self.dtype = true_dtype(self.job)
        self.model = make_model(question).to(dtype=self.dtype)
        self.criterion = make_criterion(question).to(dtype=self.dtype)

    def autocast(self) -> torch.autocast:
        """Autocast, if the job asks for it."""
        dtype = mixed_dtype(self.job)
        return torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None)

    def moved(self, tensor: torch.Tensor) -> torch.Tensor:
        """A tensor of a batch, in the job's dtype where it has one, on the device."""
        return tensor.to(self.device, self.dtype)

    def loss(self, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        """The loss of a batch, 0-d."""
        features, targets = map(self.moved, batch)
        with self.autocast():
            outputs = shaped(self.job, self.model(features))
            loss: torch.Tensor = self.criterion(outputs, laid_out(self.job, targets))
        return loss

    def validate(self, batches: Iterable[Sequence[torch.Tensor]]) -> list[float]:
        """The loss of each batch, in evaluation mode."""
        self.model.eval()
        with torch.no_grad():
            return [self.loss(batch).item() for batch in batches]


def _fit(question: Question) -> Record:
    work, record = _Work(question), Record()
    job, model = work.job, work.model
    optimizer = make_optimizer(job.optimizer, model)
    record.watch(optimizer, model)
    batches, validation = loader(question), validation_loader(question)
    for _ in range(job.epochs):
        model.train()
        total = 0.0
        for count, batch in enumerate(batches, 1):
            loss = work.loss(batch)
            (loss / job.accumulate).backward()  # type: ignore[no-untyped-call]
            if count % job.accumulate == 0 or count == len(batches):
                if job.clip_norm is not None:
                    utils.clip_grad_norm_(model.parameters(), job.clip_norm)
                if job.clip_value is not None:
                    utils.clip_grad_value_(model.parameters(), job.clip_value)
                optimizer.step()
                optimizer.zero_grad()
            total += loss.item()
            record.losses.append(loss.detach())
        record.logged.append(total / len(batches))
        if validation is not None:
            record.validated += len(work.validate(validation))
    record.check_epochs(
        "the loop", epochs=job.epochs, batches=len(batches), accumulate=job.accumulate
    )
    return record
