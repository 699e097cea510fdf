"""Writes the part of a script that uses Lightning Fabric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.report.job_loop import Calls, evaluating_lines, training_lines
from conformance.report.job_parts import Line, decision_lines, optimizer_text, probability_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.jobs import Job

IMPORTS = ("from lightning_fabric import Fabric",)


def can_do(job: Job) -> bool:
    """Whether the loop has words for all that a job asks for."""
    return not job.options & {"refit", "stage", "sync", "trainer_arguments"}


def _loss(_job: Job, indent: str) -> Iterator[Line]:
    yield Line(f"{indent}loss = criterion(model(x), y)")


_CALLS = Calls(
    loss=_loss,
    backward="fabric.backward({})",
    clip_norm="fabric.clip_gradients(model, optimizer, max_norm={})",
    clip_value="fabric.clip_gradients(model, optimizer, clip_val={})",
)


def _fabric(job: Job) -> Iterator[Line]:
    precision = f', precision="{job.precision}"' if job.precision else ""
    yield Line(f'fabric = Fabric(accelerator="cpu", devices=1{precision})', "precision")


def train_lines(job: Job) -> Iterator[Line]:
    """Train, print the loss of each epoch and the last parameters."""
    yield from _fabric(job)
    yield Line(f"optimizer = {optimizer_text(job.optimizer)}")
    yield Line("model, optimizer = fabric.setup(model, optimizer)", "precision main")
    yield Line("batches = fabric.setup_dataloaders(batches)")
    if job.validation:
        yield Line("validation = fabric.setup_dataloaders(validation)", "sanity")
    yield from training_lines(job, _CALLS)


def evaluate_lines(job: Job) -> Iterator[Line]:
    """Evaluate once, print the loss."""
    yield from _fabric(job)
    yield Line("model = fabric.setup(model)", "precision")
    yield Line("batches = fabric.setup_dataloaders(batches)")
    yield from evaluating_lines(job, _CALLS)


def predict_lines(job: Job) -> Iterator[Line]:
    """Predict, print probabilities and decisions."""
    yield from _fabric(job)
    yield Line("model = fabric.setup(model).eval()", "precision")
    yield Line("batches = fabric.setup_dataloaders(batches)")
    yield Line("with torch.no_grad():")
    yield Line(f"    outputs = [{probability_text(job)} for x in batches]", "views main")
    yield from decision_lines("outputs")
