"""What each of several processes does with PyTorch: DistributedDataParallel around the usual loop.

DistributedDataParallel takes the mean of the ranks' gradients, each of which is of the mean over
that rank's own batch; where batches differ in size, that is not the gradient of the mean over all
samples. Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html,
"If you don't average the loss over the whole batch". DistributedSampler fills up with samples from
the start until every process has as many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler

from conformance.adapters.jobs._ranks import WORLD, dataset, decline, group, of_rank
from conformance.adapters.jobs._torch import (
    Batches,
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

    from conformance.model import Declined, Question

OPTIONS = frozenset({"classes_first", "left_in_eval", "squeeze", "sync"})
"""The keys of a job that several processes take."""


def perform(question: Question, meeting: str) -> Computed | Declined:
    """Train or evaluate as one rank of a group."""
    if declined := decline(question, OPTIONS):
        return declined
    with group(meeting):
        if question.operation == "train":
            return trained(question, _fit)
        return _evaluate(question)


def _evaluate(question: Question) -> Computed:
    """The mean of this rank's batches; brought together, the mean of the ranks' means."""
    work, batches = _Work(question), _loader(question)
    work.model.eval()
    with torch.no_grad():
        total = sum(work.loss(batch).item() for batch in batches)
    return Computed(epoch_loss=reported(question, work.brought_together(total / len(batches))))


class _Work:
    def __init__(self, question: Question) -> None:
        self.job = job_of(question)
        self.model = DistributedDataParallel(make_model(question))
        self.criterion = make_criterion(question)

    def loss(self, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        """The loss of a batch, 0-d."""
        features, targets = batch
        outputs = shaped(self.job, self.model(features))
        loss: torch.Tensor = self.criterion(outputs, laid_out(self.job, targets))
        return loss

    def brought_together(self, value: float) -> float:
        """The mean over the ranks, if the job asks for it."""
        if not self.job.sync:
            return value
        total = torch.tensor(value, dtype=torch.float64)
        distributed.all_reduce(total)
        return total.item() / WORLD


def _loader(question: Question) -> Batches | DataLoader[Any]:
    """This rank's batches: given as such, or by the sampler."""
    job = job_of(question)
    if job.sampler_batch is None:
        return loader(of_rank(question))
    samples = dataset(question)
    sampler = DistributedSampler[Any](samples, shuffle=False)
    return DataLoader(samples, batch_size=job.sampler_batch, sampler=sampler)


def _fit(question: Question) -> Record:
    work, record = _Work(question), Record()
    optimizer = make_optimizer(work.job.optimizer, work.model)
    record.watch(optimizer, work.model)
    batches = _loader(question)
    for _ in range(work.job.epochs):
        work.model.train()  # type: ignore[no-untyped-call]
        total = 0.0
        for batch in batches:
            loss = work.loss(batch)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad()
            total += loss.item()
            record.losses.append(loss.detach())
        record.logged.append(work.brought_together(total / len(batches)))
    record.check_epochs("the loop", epochs=work.job.epochs, batches=len(batches))
    return record
