"""Does whole jobs with PyTorch Ignite: create_supervised_trainer, and evaluators with handlers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ignite.engine import Engine, Events, create_supervised_evaluator, create_supervised_trainer
from ignite.metrics import Loss, RunningAverage

from conformance.adapters.jobs import _processes
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
    mixed_dtype,
    predicted,
    probabilities,
    reported,
    shaped,
    trained,
    true_dtype,
    validation_loader,
)
from conformance.model import Computed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from conformance.model import Answer, Question

OPTIONS = COMMON | {"processes", "refit"}
"""create_supervised_trainer has no place where gradients could be clipped. It has one evaluator
for all stages. Arguments of a job's trainer are those of Lightning's."""

# An engine logs what it raises as well; here it becomes an answer.
logging.getLogger("ignite.engine").setLevel(logging.CRITICAL)


def together(questions: Sequence[Question]) -> list[Answer]:
    """Do jobs of several processes, each in one of its own."""
    return _processes.together("conformance.adapters.jobs._ranks_ignite:perform", questions)


@isolated()
def train(question: Question) -> Computed:
    """Train with one engine; where the job says so, run it again."""
    return trained(question, _run)


@isolated()
def evaluate(question: Question) -> Computed:
    """Evaluate with the metric Loss."""
    work = _Work(question)
    evaluator = create_supervised_evaluator(
        work.model, metrics={"loss": Loss(work.criterion)}, **work.arguments
    )
    state = evaluator.run(loader(question))
    return Computed(epoch_loss=reported(question, state.metrics["loss"]))


@isolated()
def predict(question: Question) -> Computed:
    """Predict with an evaluator whose handler collects what it gives."""
    work, outputs = _Work(question), []
    work.arguments |= {
        "model_fn": lambda model, features: probabilities(work.job, model, features),
        "model_transform": lambda prediction: prediction,
    }
    evaluator = create_supervised_evaluator(work.model, **work.arguments)

    @evaluator.on(Events.ITERATION_COMPLETED)
    def collect(engine: Engine) -> None:
        output: Any = engine.state.output
        outputs.append(output[0])

    evaluator.run(loader(question))
    return predicted(outputs)


class _Work:
    """A model with its loss, and what both a trainer and an evaluator are told of them.

    For "true" precision the model, the loss and, in prepare_batch, every batch are cast. All that
    Ignite can be asked for of "mixed" is amp_mode, which leaves the dtype to CUDA's autocast.
    """

    def __init__(self, question: Question) -> None:
        self.job = job_of(question)
        self.dtype = true_dtype(self.job)
        self.model = make_model(question).to(dtype=self.dtype)
        self.criterion = make_criterion(question).to(dtype=self.dtype)
        self.arguments: dict[str, Any] = {
            "device": question.device,
            "prepare_batch": self._prepare_batch,
            "model_transform": lambda outputs: shaped(self.job, outputs),
            "amp_mode": "amp" if mixed_dtype(self.job) else None,
        }

    def _prepare_batch(
        self, batch: Sequence[torch.Tensor], *, device: str, non_blocking: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        features, *targets = (
            tensor.to(device, self.dtype, non_blocking=non_blocking) for tensor in batch
        )
        # A prediction has no targets.
        return features, laid_out(self.job, targets[0]) if targets else None


def _run(question: Question) -> Record:
    work, record = _Work(question), Record()
    job, model = work.job, work.model
    optimizer = make_optimizer(job.optimizer, model)
    record.watch(optimizer, model)
    trainer = create_supervised_trainer(
        model,
        optimizer,
        work.criterion,
        gradient_accumulation_steps=job.accumulate,
        **work.arguments,
    )
    RunningAverage(output_transform=lambda loss: loss).attach(trainer, "loss")

    @trainer.on(Events.ITERATION_COMPLETED)
    def keep_loss(engine: Engine) -> None:
        loss: Any = engine.state.output
        record.losses.append(loss)

    @trainer.on(Events.EPOCH_COMPLETED)
    def keep_logged(engine: Engine) -> None:
        record.logged.append(engine.state.metrics["loss"])

    validation = validation_loader(question)
    if validation is not None:
        evaluator = create_supervised_evaluator(
            model, metrics={"loss": Loss(work.criterion)}, **work.arguments
        )

        @trainer.on(Events.EPOCH_COMPLETED)
        def validate() -> None:
            record.validated += evaluator.run(validation).iteration

    batches = loader(question)
    total = job.epochs * len(batches)
    for run in range(1, 3 if job.refit else 2):
        trainer.run(batches, max_epochs=job.epochs)
        record.check("Ignite", batches=run * total, steps=run * (total // job.accumulate))
    return record
