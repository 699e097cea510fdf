"""What each of several processes does with PyTorch Ignite: the parts of ignite.distributed.

auto_model wraps the model in DistributedDataParallel, which takes the mean of the ranks' gradients.
The metric Loss adds up the ranks' sums and their numbers of samples, and so is the mean over all
samples on every rank, without a way to have each rank's own; RunningAverage is the mean over the
ranks, whatever their batches. auto_dataloader divides the batch size by the number of processes.
Source: https://docs.pytorch.org/ignite/distributed.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ignite.distributed as idist
from ignite.engine import Engine, Events, create_supervised_evaluator, create_supervised_trainer
from ignite.metrics import Loss, RunningAverage

from conformance.adapters.jobs._ranks import WORLD, dataset, decline, group, of_rank
from conformance.adapters.jobs._torch import (
    Record,
    job_of,
    laid_out,
    loader,
    make_criterion,
    make_model,
    make_optimizer,
    reported,
    shaped,
    trained,
)
from conformance.model import Computed

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from conformance.model import Declined, Question

OPTIONS = frozenset({"classes_first", "left_in_eval", "squeeze"})
"""The keys of a job that several processes take."""


def perform(question: Question, meeting: str) -> Computed | Declined:
    """Train or evaluate as one rank of a group."""
    if declined := decline(question, OPTIONS):
        return declined
    # idist.initialize takes every address with "env" in it for env://, that of a file included.
    with group(meeting):
        idist.sync()
        if question.operation == "train":
            return trained(question, _run)
        return _evaluate(question)


def _evaluate(question: Question) -> Computed:
    work = _Work(question)
    evaluator = create_supervised_evaluator(
        work.model, metrics={"loss": Loss(work.criterion)}, **work.arguments
    )
    state = evaluator.run(_loader(question))
    return Computed(epoch_loss=reported(question, state.metrics["loss"]))


class _Work:
    def __init__(self, question: Question) -> None:
        self.job = job_of(question)
        self.model = idist.auto_model(make_model(question))
        self.criterion = make_criterion(question)
        self.arguments: dict[str, Any] = {
            "prepare_batch": self._prepare_batch,
            "model_transform": lambda outputs: shaped(self.job, outputs),
        }

    def _prepare_batch(
        self, batch: Sequence[torch.Tensor], **_: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        features, targets = batch
        return features, laid_out(self.job, targets)


def _loader(question: Question) -> Any:
    """This rank's batches: given as such, or by the sampler of auto_dataloader."""
    job = job_of(question)
    if job.sampler_batch is None:
        return loader(of_rank(question))
    return idist.auto_dataloader(
        dataset(question), batch_size=job.sampler_batch * WORLD, shuffle=False
    )


def _run(question: Question) -> Record:
    work, record = _Work(question), Record()
    optimizer = idist.auto_optim(make_optimizer(work.job.optimizer, work.model))
    record.watch(optimizer, work.model)
    trainer = create_supervised_trainer(work.model, optimizer, work.criterion, **work.arguments)
    RunningAverage(output_transform=lambda loss: loss).attach(trainer, "loss")

    @trainer.on(Events.ITERATION_COMPLETED)
    def keep_loss(engine: Engine) -> None:
        loss: Any = engine.state.output
        record.losses.append(loss)

    @trainer.on(Events.EPOCH_COMPLETED)
    def keep_logged(engine: Engine) -> None:
        record.logged.append(engine.state.metrics["loss"])

    batches = _loader(question)
    trainer.run(batches, max_epochs=work.job.epochs)
    record.check_epochs("Ignite", epochs=work.job.epochs, batches=len(batches))
    return record
