"""Writes the part of a script that uses PyTorch Lightning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.report.job_parts import (
    SHOW_PARAMETERS,
    Line,
    decision_lines,
    optimizer_text,
    probability_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.jobs import Job

IMPORTS = ("import pytorch_lightning as pl",)


def can_do(_job: Job) -> bool:
    """A Trainer has words for everything."""
    return True


def _module(steps: list[Line]) -> Iterator[Line]:
    yield Line("")
    yield Line("class Module(pl.LightningModule):")
    yield Line("    def __init__(self):")
    yield Line("        super().__init__()")
    yield Line("        self.model = model")
    if any("self.criterion" in line.text for line in steps):
        yield Line("        self.criterion = criterion")
    yield Line("")
    yield from steps
    yield Line("")


def _trainer(job: Job) -> Iterator[Line]:
    arguments = []
    if job.optimizer is not None:
        arguments.append(f"max_epochs={job.epochs}")
    if job.accumulate > 1:
        arguments.append(f"accumulate_grad_batches={job.accumulate}")
    if job.clip_norm is not None:
        arguments.append(f"gradient_clip_val={job.clip_norm}")
    if job.clip_value is not None:
        arguments.append(f'gradient_clip_val={job.clip_value}, gradient_clip_algorithm="value"')
    if job.precision is not None:
        arguments.append(f'precision="{job.precision}"')
    arguments += [f"{name}={value!r}" for name, value in job.trainer_arguments.items()]
    families = "window clip precision sanity main"
    yield Line("trainer = pl.Trainer(", families)
    if arguments:
        yield Line(f"    {', '.join(arguments)},", families)
    yield Line('    accelerator="cpu", logger=False, enable_checkpointing=False,')
    yield Line("    enable_progress_bar=False, enable_model_summary=False,")
    yield Line(")", families)


def train_lines(job: Job) -> Iterator[Line]:
    """Train, print the loss of each epoch and the last parameters."""
    loss = "self.criterion(self.model(batch[0]), batch[1])"
    steps = [
        Line("    def training_step(self, batch):"),
        Line(f"        loss = {loss}"),
        Line('        self.log("loss", loss, on_step=False, on_epoch=True)', "epoch"),
        Line("        return loss"),
        Line(""),
        Line("    def on_train_epoch_end(self):"),
        Line('        print("logged", self.trainer.callback_metrics["loss"].item())', "epoch"),
        Line(""),
        Line("    def configure_optimizers(self):"),
        Line(f"        return {optimizer_text(job.optimizer)}"),
    ]
    if job.validation:
        steps += [Line(""), Line("    def validation_step(self, batch):", "sanity")]
        steps += [Line(f'        self.log("validation", {loss})', "sanity")]
    yield from _module(steps)
    yield from _trainer(job)
    yield Line("module = Module()")
    if job.left_in_eval:
        yield Line("module.eval()", "mode")
    for _ in range(2 if job.refit else 1):
        loaders = "batches, validation" if job.validation else "batches"
        yield Line(f"trainer.fit(module, {loaders})", "mode refit sanity")
    yield SHOW_PARAMETERS


def evaluate_lines(job: Job) -> Iterator[Line]:
    """Evaluate once, print the loss."""
    loss = "self.criterion(self.model(batch[0]), batch[1])"
    steps = [
        Line(f"    def {'validation' if job.stage == 'validate' else 'test'}_step(self, batch):"),
        Line(f'        self.log("loss", {loss})', "epoch"),
    ]
    yield from _module(steps)
    yield from _trainer(job)
    yield Line(f"trainer.{job.stage}(Module(), batches, verbose=False)", "epoch")
    yield Line('print("epoch_loss", trainer.callback_metrics["loss"].item())', "epoch")


def predict_lines(job: Job) -> Iterator[Line]:
    """Predict, print probabilities and decisions."""
    steps = [
        Line("    def predict_step(self, x):", "views half"),
        Line(f"        return {probability_text(job, 'self.model')}", "views half"),
    ]
    yield from _module(steps)
    yield from _trainer(job)
    yield from decision_lines("trainer.predict(Module(), batches)")
