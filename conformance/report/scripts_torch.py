"""Writes the part of a script that is a plain loop of PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.report.job_loop import Calls, evaluating_lines, training_lines
from conformance.report.job_parts import (
    Line,
    autocast_of,
    cast_lines,
    cast_of,
    decision_lines,
    optimizer_text,
    probability_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.jobs import Job

IMPORTS: tuple[str, ...] = ()


def can_do(job: Job) -> bool:
    """Whether the loop has words for all that a job asks for."""
    return not job.options & {"refit", "trainer_arguments"}


def _loss(job: Job, indent: str) -> Iterator[Line]:
    """``loss`` of a batch (x, y)."""
    if cast := cast_of(job):
        yield Line(f"{indent}x, y = x.to({cast}), y.to({cast})", "precision")
    if autocast := autocast_of(job):
        yield Line(f"{indent}with {autocast}:", "precision")
        indent += "    "
    yield Line(f"{indent}loss = criterion(model(x), y)", "precision")


_CALLS = Calls(
    loss=_loss,
    backward="{}.backward()",
    clip_norm="nn.utils.clip_grad_norm_(model.parameters(), {})",
    clip_value="nn.utils.clip_grad_value_(model.parameters(), {})",
)


def train_lines(job: Job) -> Iterator[Line]:
    """Train, print the loss of each epoch and the last parameters."""
    yield from cast_lines(job)
    yield Line(f"optimizer = {optimizer_text(job.optimizer)}")
    yield from training_lines(job, _CALLS)


def evaluate_lines(job: Job) -> Iterator[Line]:
    """Evaluate once, print the loss."""
    yield from cast_lines(job)
    yield from evaluating_lines(job, _CALLS)


def predict_lines(job: Job) -> Iterator[Line]:
    """Predict, print probabilities and decisions."""
    yield from cast_lines(job, loss=False)
    yield Line("model.eval()")
    yield Line("with torch.no_grad():")
    indent = "    "
    if autocast := autocast_of(job):
        yield Line(f"    with {autocast}:", "precision")
        indent += "    "
    if cast := cast_of(job):
        text = probability_text(job)
        yield Line(f"{indent}batches = (x.to({cast}) for x in batches)", "precision")
        yield Line(f"{indent}outputs = [{text} for x in batches]", "views main")
    else:
        yield Line(f"{indent}outputs = [{probability_text(job)} for x in batches]", "views main")
    yield from decision_lines("outputs")
