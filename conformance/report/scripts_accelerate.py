"""Writes the part of a script that uses Hugging Face Accelerate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.report.job_loop import validating_lines
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

IMPORTS = ("from accelerate import Accelerator",)

_PRECISIONS = {None: "", "32-true": "no", "16-mixed": "fp16", "bf16-mixed": "bf16"}
"""Accelerate's names; it has none of others."""


def can_do(job: Job) -> bool:
    """Whether the loop has words for all that a job asks for.

    Outputs are gathered along their first dimension, so that [classes, batch] is out.
    """
    lacks = {"refit", "stage", "sync", "trainer_arguments", "classes_first"}
    return job.precision in _PRECISIONS and not job.options & lacks


def _accelerator(job: Job) -> Iterator[Line]:
    arguments = ["cpu=True"]
    if job.accumulate > 1:
        arguments.append(f"gradient_accumulation_steps={job.accumulate}")
    if precision := _PRECISIONS[job.precision]:
        arguments.append(f'mixed_precision="{precision}"')
    yield Line(f"accelerator = Accelerator({', '.join(arguments)})", "window precision")


def train_lines(job: Job) -> Iterator[Line]:
    """Train, print the loss of each epoch and the last parameters."""
    yield from _accelerator(job)
    yield Line(f"optimizer = {optimizer_text(job.optimizer)}")
    yield Line("model, optimizer, batches = accelerator.prepare(model, optimizer, batches)")
    if job.validation:
        yield Line("validation = accelerator.prepare(validation)", "sanity")
    yield Line(f"for epoch in range({job.epochs}):")
    yield Line("    model.train()", "mode")
    yield Line("    total = 0.0")
    yield Line("    for x, y in batches:", "epoch")
    yield Line("        with accelerator.accumulate(model):", "window")
    yield Line("            loss = criterion(model(x), y)", "window")
    yield Line("            accelerator.backward(loss)", "window main")
    clips = [("norm", job.clip_norm), ("value", job.clip_value)]
    for name, limit in clips:
        if limit is not None:
            yield Line("            if accelerator.sync_gradients:", "clip")
            call = f"accelerator.clip_grad_{name}_(model.parameters(), {limit})"
            yield Line(f"                {call}", "clip")
    yield Line("            optimizer.step()", "window main")
    yield Line("            optimizer.zero_grad()")
    yield Line("        total += loss.item()", "epoch")
    yield Line('    print("logged", total / len(batches))', "epoch")
    yield from validating_lines(job)
    yield SHOW_PARAMETERS


def evaluate_lines(job: Job) -> Iterator[Line]:
    """Evaluate once, print the loss of everything gathered."""
    yield from _accelerator(job)
    yield Line("model, batches = accelerator.prepare(model, batches)")
    yield Line("model.eval()")
    yield Line("with torch.no_grad():", "epoch main")
    gather = "accelerator.gather_for_metrics((model(x), y))"
    yield Line(f"    gathered = [{gather} for x, y in batches]", "epoch main")
    yield Line("outputs, targets = map(torch.cat, zip(*gathered))", "epoch main")
    yield Line('print("epoch_loss", criterion(outputs, targets).item())', "epoch main")


def predict_lines(job: Job) -> Iterator[Line]:
    """Predict, print probabilities and decisions."""
    yield from _accelerator(job)
    yield Line("model, batches = accelerator.prepare(model, batches)")
    yield Line("model.eval()")
    yield Line("with torch.no_grad():")
    gather = f"accelerator.gather_for_metrics({probability_text(job)})"
    yield Line(f"    outputs = [{gather} for x in batches]", "views main")
    yield from decision_lines("outputs")
