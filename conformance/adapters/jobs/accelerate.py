"""Does whole jobs with Hugging Face Accelerate: accumulate, backward and prepare.

Accelerator.backward divides each loss by the length of the window; a window that the end of the
loader leaves short is stepped. The loss of an evaluation is that of all gathered outputs at once.
Measured with 1.15.0: mixed precision is that of the forward pass, whose outputs the loss gets as
float32; "fp16" on the CPU is silently float32 throughout.
Source: https://huggingface.co/docs/accelerate/usage_guides/gradient_accumulation and
https://huggingface.co/docs/accelerate/quicktour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState

from conformance.adapters._torch import to_array
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
    shaped,
    squeezed,
    trained,
    validation_loader,
)
from conformance.model import Computed

if TYPE_CHECKING:
    from conformance.model import Question

OPTIONS = COMMON | {"clip_norm", "clip_value"}
"""The keys of a job that it takes. Stages, and a second fit, are a Trainer's."""

MIXED_PRECISION = {None: "no", "32-true": "no", "16-mixed": "fp16", "bf16-mixed": "bf16"}
"""A job's precision to Accelerate's name for it; it has no other."""


@isolated()
def train(question: Question) -> Computed:
    """Train by the loop of Accelerate's guide."""
    return trained(question, _fit)


@isolated()
def evaluate(question: Question) -> Computed:
    """Gather the outputs and targets of all batches for the loss."""
    work = _Work(question)
    model, batches = work.accelerator.prepare(work.model, data_loader(loader(question)))
    model.eval()
    with torch.no_grad():
        gathered = [
            work.accelerator.gather_for_metrics((squeezed(work.job, model(features)), targets))
            for features, targets in batches
        ]
        outputs, targets = map(torch.cat, zip(*gathered, strict=True))
        loss = work.criterion(laid_out(work.job, outputs), laid_out(work.job, targets))
        return Computed(epoch_loss=to_array(loss))


@isolated()
def predict(question: Question) -> Computed:
    """Predict batch by batch."""
    work = _Work(question)
    model, batches = work.accelerator.prepare(work.model, data_loader(loader(question)))
    model.eval()
    with torch.no_grad():
        return predicted(
            work.accelerator.gather_for_metrics(probabilities(work.job, model, features))
            for (features,) in batches
        )


class _Work:
    def __init__(self, question: Question) -> None:
        self.job = job_of(question)
        # All Accelerators of a process share one state, whose precision cannot be changed.
        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()
        self.accelerator = Accelerator(
            cpu=question.device == "cpu",
            gradient_accumulation_steps=self.job.accumulate,
            mixed_precision=MIXED_PRECISION[self.job.precision],
        )
        self.model = make_model(question)
        self.criterion = make_criterion(question)

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of what the model gives, 0-d."""
        loss: torch.Tensor = self.criterion(shaped(self.job, outputs), laid_out(self.job, targets))
        return loss

    def validate(self, model: Any, batches: Any) -> list[float]:
        """The loss of each batch, in evaluation mode."""
        model.eval()
        with torch.no_grad():
            return [self.loss(model(features), targets).item() for features, targets in batches]


def _fit(question: Question) -> Record:
    work, record = _Work(question), Record()
    job, accelerator = work.job, work.accelerator
    own = make_optimizer(job.optimizer, work.model)
    record.watch(own, work.model)
    model, optimizer, batches = accelerator.prepare(work.model, own, data_loader(loader(question)))
    validation = validation_loader(question)
    if validation is not None:
        validation = accelerator.prepare(validation)
    for _ in range(job.epochs):
        model.train()
        total = 0.0
        for features, targets in batches:
            with accelerator.accumulate(model):
                loss = work.loss(model(features), targets)
                accelerator.backward(loss)
                if accelerator.sync_gradients and job.clip_norm is not None:
                    accelerator.clip_grad_norm_(model.parameters(), job.clip_norm)
                if accelerator.sync_gradients and job.clip_value is not None:
                    accelerator.clip_grad_value_(model.parameters(), job.clip_value)
                optimizer.step()
                optimizer.zero_grad()
            total += loss.item()
            record.losses.append(loss.detach())
        record.logged.append(total / len(batches))
        if validation is not None:
            record.validated += len(work.validate(model, validation))
    record.check_epochs(
        "Accelerate", epochs=job.epochs, batches=len(batches), accumulate=job.accumulate
    )
    return record
