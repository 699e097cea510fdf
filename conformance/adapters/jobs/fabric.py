"""Does whole jobs with Lightning Fabric: the usual loop, in which Fabric does the backward pass.

Fabric leaves the loop to its user, so windows and the mean over an epoch are those of PyTorch's
loop. (The loop of its page on accumulation divides by nothing, and its first step comes after one
batch: https://lightning.ai/docs/fabric/stable/advanced/gradient_accumulation.html.)
Measured with 2.6.6: "true" precision casts the model and its inputs, but what the model gives is
float32 again, and targets stay as they are; "16-mixed" on the CPU is bfloat16.
Source: https://lightning.ai/docs/fabric/stable/fundamentals/convert.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from lightning_fabric import Fabric

from conformance.adapters import _devices
from conformance.adapters.jobs._loaders import data_loader
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
    predicted,
    probabilities,
    reported,
    shaped,
    trained,
    validation_loader,
)
from conformance.model import Computed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Question

OPTIONS = COMMON | {"clip_norm", "clip_value"}
"""The keys of a job that it takes. Stages, and a second fit, are a Trainer's."""


@isolated()
def train(question: Question) -> Computed:
    """Train by the usual loop."""
    return trained(question, _fit)


@isolated()
def evaluate(question: Question) -> Computed:
    """Evaluate by the usual loop: the mean of the batches' losses."""
    work = _Work(question)
    losses = work.validate(work.fabric.setup(work.model), work.loader(question))
    return Computed(epoch_loss=reported(question, sum(losses) / len(losses)))


@isolated()
def predict(question: Question) -> Computed:
    """Predict batch by batch."""
    work = _Work(question)
    model, batches = work.fabric.setup(work.model).eval(), work.loader(question)
    with torch.no_grad():
        return predicted(probabilities(work.job, model, features) for (features,) in batches)


class _Work:
    def __init__(self, question: Question) -> None:
        self.job = job_of(question)
        self.fabric = Fabric(
            **_devices.for_lightning(question.device), precision=self.job.precision
        )
        self.fabric.launch()
        self.model = make_model(question)
        self.criterion = make_criterion(question)

    def loader(self, question: Question) -> Any:
        """The batches of the job, as Fabric sets them up."""
        return self.fabric.setup_dataloaders(data_loader(loader(question)))

    def loss(self, model: Any, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        """The loss of a batch, 0-d; ``model`` as Fabric has set it up."""
        features, targets = batch
        outputs = shaped(self.job, model(features))
        loss: torch.Tensor = self.criterion(outputs, laid_out(self.job, targets))
        return loss

    def validate(self, model: Any, batches: Any) -> list[float]:
        """The loss of each batch, in evaluation mode."""
        model.eval()
        with torch.no_grad():
            return [self.loss(model, batch).item() for batch in batches]


def _fit(question: Question) -> Record:
    work, record = _Work(question), Record()
    job, fabric = work.job, work.fabric
    own = make_optimizer(job.optimizer, work.model)
    record.watch(own, work.model)
    model, optimizer = fabric.setup(work.model, own)
    batches = work.loader(question)
    validation: Any = validation_loader(question)
    if validation is not None:
        validation = fabric.setup_dataloaders(validation)
    for _ in range(job.epochs):
        model.train()
        total = 0.0
        for count, batch in enumerate(batches, 1):
            is_accumulating = count % job.accumulate != 0 and count != len(batches)
            with fabric.no_backward_sync(model, enabled=is_accumulating):
                loss = work.loss(model, batch)
                fabric.backward(loss / job.accumulate)
            if not is_accumulating:
                if job.clip_norm is not None:
                    fabric.clip_gradients(model, optimizer, max_norm=job.clip_norm)
                if job.clip_value is not None:
                    fabric.clip_gradients(model, optimizer, clip_val=job.clip_value)
                optimizer.step()
                optimizer.zero_grad()
            total += loss.item()
            record.losses.append(loss.detach())
        record.logged.append(total / len(batches))
        if validation is not None:
            record.validated += len(work.validate(model, validation))
    record.check_epochs(
        "Fabric", epochs=job.epochs, batches=len(batches), accumulate=job.accumulate
    )
    return record
