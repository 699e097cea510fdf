"""What each of several processes does with PyTorch Lightning: a Trainer with strategy="ddp".

The Trainer finds the environment of torchrun, and a group that is already there. Measured with
2.6.6, samples shared out 7 and 4:

* DistributedDataParallel takes the mean of the ranks' gradients, whatever their batches.
* self.log(sync_dist=True) takes the mean of sum(v n) and, in integers, of sum(n) over the ranks:
  11 samples count as 5, and the mean comes out 5.5 / 5 of what it should be.
  https://github.com/Lightning-AI/pytorch-lightning/issues/21859
* sync_dist=False leaves each rank its own mean.
* Of a map-style data set the Trainer gives each rank a DistributedSampler, which repeats the first
  samples where the number does not divide; and which, in training, shuffles them, even where the
  loader did not: https://lightning.ai/docs/pytorch/stable/common/trainer.html#use-distributed-sampler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.utils.data import DataLoader

from conformance.adapters._torch import to_array
from conformance.adapters.jobs._ranks import WORLD, dataset, decline, group, of_rank
from conformance.adapters.jobs._torch import Batches, Record, isolated, job_of, loader, trained
from conformance.adapters.jobs.lightning import Module, make_trainer
from conformance.model import Computed

if TYPE_CHECKING:
    from pytorch_lightning import Trainer

    from conformance.model import Declined, Question

OPTIONS = frozenset(
    {
        "accumulate",
        "classes_first",
        "clip_norm",
        "clip_value",
        "left_in_eval",
        "precision",
        "squeeze",
        "stage",
        "sync",
        "trainer_arguments",
    }
)
"""The keys of a job that several processes take."""


def perform(question: Question, meeting: str) -> Computed | Declined:
    """Train or evaluate as one rank of a group."""
    if declined := decline(question, OPTIONS):
        return declined
    with group(meeting), isolated():
        if question.operation == "train":
            return trained(question, _fit)
        return _evaluate(question)


def _evaluate(question: Question) -> Computed:
    module, trainer = Module(question), _trainer(question)
    run = trainer.validate if module.job.stage == "validate" else trainer.test
    run(module, _loader(question), verbose=False)
    (value,) = trainer.callback_metrics.values()
    return Computed(epoch_loss=to_array(value))


def _trainer(question: Question) -> Trainer:
    return make_trainer(question, strategy="ddp", devices=WORLD)


def _loader(question: Question) -> Batches | DataLoader[Any]:
    """This rank's batches; or all samples, for the Trainer to bring its sampler."""
    job = job_of(question)
    if job.sampler_batch is None:
        return loader(of_rank(question))
    return DataLoader(dataset(question), batch_size=job.sampler_batch)


def _fit(question: Question) -> Record:
    module, trainer = Module(question), _trainer(question)
    trainer.fit(module, _loader(question))
    module.record.check_epochs(
        "Lightning",
        epochs=module.job.epochs,
        batches=int(trainer.num_training_batches),
        accumulate=module.job.accumulate,
    )
    return module.record
