"""Writes the usual training loop, of which some trainers replace a call or two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.report.job_parts import SHOW_PARAMETERS, Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.jobs import Job


@dataclass(frozen=True, slots=True)
class Calls:
    """What a loop calls.

    Attributes:
        loss: Lines that compute ``loss`` of a batch (x, y), at an indentation.
        backward: The backward pass of an expression, "{}".
        clip_norm: Clips to a norm, "{}".
        clip_value: Clips to a value, "{}".
    """

    loss: Callable[[Job, str], Iterator[Line]]
    backward: str
    clip_norm: str
    clip_value: str


def training_lines(job: Job, calls: Calls) -> Iterator[Line]:
    """Train, print the loss of each epoch and the last parameters."""
    yield Line(f"for epoch in range({job.epochs}):")
    yield Line("    model.train()", "mode")
    yield Line("    total = 0.0")
    yield Line("    for count, (x, y) in enumerate(batches, 1):", "epoch")
    yield from calls.loss(job, "        ")
    indent = "        "
    if job.accumulate > 1:
        k = job.accumulate
        scaled = f"loss / {k}" if calls.backward.endswith("({})") else f"(loss / {k})"
        yield Line(indent + calls.backward.format(scaled), "window main")
        yield Line(f"{indent}if count % {k} == 0 or count == len(batches):", "window")
        indent += "    "
    else:
        yield Line(indent + calls.backward.format("loss"), "main")
    if job.clip_norm is not None:
        yield Line(indent + calls.clip_norm.format(job.clip_norm), "clip")
    if job.clip_value is not None:
        yield Line(indent + calls.clip_value.format(job.clip_value), "clip")
    yield Line(f"{indent}optimizer.step()", "window main")
    yield Line(f"{indent}optimizer.zero_grad()")
    yield Line("        total += loss.item()", "epoch")
    yield Line('    print("logged", total / len(batches))', "epoch")
    yield from validating_lines(job)
    yield SHOW_PARAMETERS


def validating_lines(job: Job) -> Iterator[Line]:
    """Validate after an epoch, where the job does."""
    if job.validation:
        yield Line("    model.eval()", "sanity")
        yield Line("    with torch.no_grad():", "sanity")
        yield Line("        print(sum(criterion(model(x), y) for x, y in validation))", "sanity")


def evaluating_lines(job: Job, calls: Calls) -> Iterator[Line]:
    """Evaluate once, print the mean of the batches' losses."""
    yield Line("model.eval()")
    yield Line("total = 0.0")
    yield Line("with torch.no_grad():", "epoch main")
    yield Line("    for x, y in batches:", "epoch main")
    for line in calls.loss(job, "        "):
        yield Line(line.text, f"{line.families} epoch main")
    yield Line("        total += loss.item()", "epoch main")
    yield Line('print("epoch_loss", total / len(batches))', "epoch main")
