"""Writes the part of a script that is a plain loop of PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.report.job_parts import (
    SHOW_PARAMETERS,
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


def _loss(job: Job, indent: str) -> Iterator[Line]:
    """``loss`` of a batch (x, y)."""
    if cast := cast_of(job):
        yield Line(f"{indent}x, y = x.to({cast}), y.to({cast})", "precision")
    if autocast := autocast_of(job):
        yield Line(f"{indent}with {autocast}:", "precision")
        indent += "    "
    yield Line(f"{indent}loss = criterion(model(x), y)", "precision")


def train_lines(job: Job) -> Iterator[Line]:
    """Train, print the loss of each epoch and the last parameters."""
    yield from cast_lines(job)
    yield Line(f"optimizer = {optimizer_text(job.optimizer)}")
    yield Line(f"for epoch in range({job.epochs}):")
    yield Line("    model.train()", "mode")
    yield Line("    total = 0.0")
    yield Line("    for count, (x, y) in enumerate(batches, 1):")
    yield from _loss(job, "        ")
    if job.accumulate > 1:
        k = job.accumulate
        yield Line(f"        (loss / {k}).backward()", "window main")
        yield Line(f"        if count % {k} == 0 or count == len(batches):", "window")
    else:
        yield Line("        loss.backward()", "main")
    indent = "            " if job.accumulate > 1 else "        "
    if job.clip_norm is not None:
        yield Line(f"{indent}nn.utils.clip_grad_norm_(model.parameters(), {job.clip_norm})", "clip")
    if job.clip_value is not None:
        yield Line(
            f"{indent}nn.utils.clip_grad_value_(model.parameters(), {job.clip_value})", "clip"
        )
    yield Line(f"{indent}optimizer.step()", "window main")
    yield Line(f"{indent}optimizer.zero_grad()")
    yield Line("        total += loss.item()", "epoch")
    yield Line('    print("logged", total / len(batches))', "epoch")
    if job.validation:
        yield Line("    model.eval()", "sanity")
        yield Line("    with torch.no_grad():", "sanity")
        yield Line("        print(sum(criterion(model(x), y) for x, y in validation))", "sanity")
    yield SHOW_PARAMETERS


def evaluate_lines(job: Job) -> Iterator[Line]:
    """Evaluate once, print the loss."""
    yield from cast_lines(job)
    yield Line("model.eval()")
    yield Line("total = 0.0")
    yield Line("with torch.no_grad():")
    yield Line("    for x, y in batches:")
    yield from _loss(job, "        ")
    yield Line("        total += loss.item()", "epoch main")
    yield Line('print("epoch_loss", total / len(batches))', "epoch main")


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
