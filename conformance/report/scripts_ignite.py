"""Writes the part of a script that uses PyTorch Ignite."""

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

IMPORTS = (
    "from ignite.engine import Engine, Events",
    "from ignite.engine import create_supervised_evaluator, create_supervised_trainer",
    "from ignite.metrics import Loss, RunningAverage",
)


def can_do(job: Job) -> bool:
    """Whether Ignite's own trainer has a place for all that a job asks for."""
    return not job.options & {"clip_norm", "clip_value", "trainer_arguments"}


def _arguments(job: Job) -> str:
    return ', amp_mode="amp"' if autocast_of(job) else ""


def _batch(job: Job) -> Iterator[Line]:
    """For "true" precision the batches are cast: Ignite has no word for it."""
    if cast := cast_of(job):
        yield from cast_lines(job)
        yield Line(f"batches = [(x.to({cast}), y.to({cast})) for x, y in batches]", "precision")


def train_lines(job: Job) -> Iterator[Line]:
    """Train, print the loss of each epoch and the last parameters."""
    yield from _batch(job)
    yield Line(f"optimizer = {optimizer_text(job.optimizer)}")
    yield Line("trainer = create_supervised_trainer(", "window mode precision main")
    arguments = _arguments(job)
    if job.accumulate > 1:
        arguments += f", gradient_accumulation_steps={job.accumulate}"
    yield Line(f"    model, optimizer, criterion{arguments}", "window mode precision main")
    yield Line(")", "window mode precision main")
    yield Line('RunningAverage(output_transform=lambda x: x).attach(trainer, "loss")', "epoch")
    yield Line("")
    yield Line("@trainer.on(Events.EPOCH_COMPLETED)", "epoch")
    yield Line("def report(engine):", "epoch")
    yield Line('    print("logged", engine.state.metrics["loss"])', "epoch")
    yield Line("")
    if job.validation:
        metrics = 'metrics={"loss": Loss(criterion)}'
        yield Line(f"evaluator = create_supervised_evaluator(model, {metrics})", "sanity")
        yield Line("@trainer.on(Events.EPOCH_COMPLETED)", "sanity")
        yield Line("def validate(engine):", "sanity")
        yield Line('    print(evaluator.run(validation).metrics["loss"])', "sanity")
        yield Line("")
    for _ in range(2 if job.refit else 1):
        yield Line(f"trainer.run(batches, max_epochs={job.epochs})", "mode refit")
    yield SHOW_PARAMETERS


def evaluate_lines(job: Job) -> Iterator[Line]:
    """Evaluate once, print the loss."""
    yield from _batch(job)
    yield Line("evaluator = create_supervised_evaluator(", "epoch precision main")
    metrics = f'metrics={{"loss": Loss(criterion)}}{_arguments(job)}'
    yield Line(f"    model, {metrics}", "epoch precision main")
    yield Line(")", "epoch precision main")
    yield Line("state = evaluator.run(batches)", "epoch main")
    yield Line('print("epoch_loss", state.metrics["loss"])', "epoch main")


def predict_lines(job: Job) -> Iterator[Line]:
    """Predict, print probabilities and decisions."""
    if cast := cast_of(job):
        yield from cast_lines(job, loss=False)
        yield Line(f"batches = [x.to({cast}) for x in batches]", "precision")
    yield Line("model.eval()")
    yield Line("outputs = []")
    yield Line("")
    yield Line("@torch.no_grad()")
    yield Line("def predict(engine, x):", "views main")
    yield Line(f"    outputs.append({probability_text(job)})", "views main")
    yield Line("")
    yield Line("Engine(predict).run(batches)", "main")
    yield from decision_lines("outputs")
