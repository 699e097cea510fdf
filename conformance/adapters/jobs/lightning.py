"""Does whole jobs with PyTorch Lightning: a LightningModule of all four steps, and a Trainer."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from pytorch_lightning import LightningModule, Trainer

from conformance.adapters import _devices
from conformance.adapters._torch import to_array
from conformance.adapters.jobs import _processes
from conformance.adapters.jobs._torch import (
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
    trained,
    validation_loader,
)
from conformance.jobs import OPTIONS as ALL
from conformance.model import Computed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from conformance.model import Answer, Question

OPTIONS = ALL | {"processes"}
"""A Trainer takes everything that a job may ask for."""

# The package sets these to INFO when it is imported; hints on every fit help nobody, here or in
# the fits of single losses.
for _logger in ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero"):
    logging.getLogger(_logger).setLevel(logging.WARNING)


def together(questions: Sequence[Question]) -> list[Answer]:
    """Do jobs of several processes, each in one of its own."""
    return _processes.together("conformance.adapters.jobs._ranks_lightning:perform", questions)


@isolated()
def train(question: Question) -> Computed:
    """Train with one Trainer; where the job says so, let it fit again."""
    return trained(question, _fit)


@isolated()
def evaluate(question: Question) -> Computed:
    """Validate or test, as the job's stage says; what self.log has made of the epoch."""
    module = Module(question)
    trainer = make_trainer(question)
    run = trainer.validate if module.job.stage == "validate" else trainer.test
    run(module, loader(question), verbose=False)
    (loss,) = trainer.callback_metrics.values()
    return Computed(epoch_loss=to_array(loss))


@isolated()
def predict(question: Question) -> Computed:
    """Predict with predict_step."""
    outputs: Any = make_trainer(question).predict(Module(question), loader(question))
    return predicted(outputs)


class Module(LightningModule):
    """A model with its loss; it notes in ``record`` what happens to it."""

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.job = job_of(question)
        self.model = make_model(question)
        self.criterion = make_criterion(question)
        self.record = Record()
        self.train(not self.job.left_in_eval)

    def loss(self, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        """The loss of a batch, 0-d."""
        features, targets = batch
        outputs = shaped(self.job, self.model(features))
        loss: torch.Tensor = self.criterion(outputs, laid_out(self.job, targets))
        return loss

    def training_step(self, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        """Log the loss of a batch, as it is, for the epoch."""
        loss = self.loss(batch)
        # Lightning divides what it hands to on_train_batch_end by the length of the window.
        self.record.losses.append(loss.detach().clone())
        self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=self.job.sync)
        return loss

    def on_train_epoch_end(self) -> None:
        """Note what is reported for the epoch."""
        self.record.logged.append(self.trainer.callback_metrics["train_loss"].clone())

    def validation_step(self, batch: Sequence[torch.Tensor]) -> None:
        """Log the loss of a batch for the epoch."""
        self.record.validated += 1
        self.log("val_loss", self.loss(batch), sync_dist=self.job.sync)

    def test_step(self, batch: Sequence[torch.Tensor]) -> None:
        """Log the loss of a batch for the epoch."""
        self.log("test_loss", self.loss(batch), sync_dist=self.job.sync)

    def predict_step(self, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        """The probabilities of a batch."""
        (features,) = batch
        return probabilities(self.job, self.model, features)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The job's optimizer, whose steps are recorded."""
        optimizer = make_optimizer(self.job.optimizer, self.model)
        self.record.watch(optimizer, self.model)
        return optimizer


def make_trainer(question: Question, **arguments: Any) -> Trainer:
    """A Trainer as the job asks for it, with ``arguments`` besides."""
    job = job_of(question)
    if job.precision is not None:
        arguments["precision"] = job.precision
    if job.clip_norm is not None:
        arguments["gradient_clip_val"] = job.clip_norm
    if job.clip_value is not None:
        arguments["gradient_clip_val"] = job.clip_value
        arguments["gradient_clip_algorithm"] = "value"
    return Trainer(
        **{
            **_devices.for_lightning(question.device),
            "max_epochs": job.epochs,
            "accumulate_grad_batches": job.accumulate,
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            **arguments,
            **job.trainer_arguments,
        }
    )


def _fit(question: Question) -> Record:
    module, trainer = Module(question), make_trainer(question)
    job, record = module.job, module.record
    batches, validation = loader(question), validation_loader(question)
    check = partial(
        record.check_epochs, "Lightning", batches=len(batches), accumulate=job.accumulate
    )
    trainer.fit(module, batches, validation)
    check(epochs=job.epochs)
    if job.refit:
        trainer.fit(module, batches, validation)
        # It says itself whether it has trained again.
        check(epochs=trainer.current_epoch)
    return record
