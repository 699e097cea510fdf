"""The ways in which a trainer may be wrong.

A mutant is a class whose docstring says in a sentence what is wrong. It overrides one method of
``Trainer``, most of them one of these:

    read          the question, as it is understood: inputs and job
    convention    the conventions that are followed
    criterion     the loss
    network       the model
    optimizer     the optimizer, before its first step
    coefficients  what the gradient of each batch of a window counts for
    gradient      the gradient of a window
    clip, step    what is made of that
    is_due        whether a batch ends a window
    epoch_value   what is reported of the losses of an epoch
    reported      what processes report

There are two kinds. A "semantic" mutant has to be graded wrong somewhere. One that follows another
"policy" than the trainer is right everywhere, and has to be told from it by its policy somewhere.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from .base import Mutant
from .trainer import Trainer

if TYPE_CHECKING:
    from conformance.jobs import Job, Optimizer
    from conformance.model import Question


class WrongTrainer(Trainer, Mutant):
    """The trainer with one thing wrong: named after its class, explained by its docstring."""

    equivalent = None


class OtherJob(WrongTrainer):
    """Does another job than it is asked for."""

    operation: ClassVar[str | None] = None

    def other(self, job: Job) -> dict[str, Any]:
        """The attributes of the job that are taken for others."""
        raise NotImplementedError

    def read(self, question: Question) -> Question:
        question = super().read(question)
        if question.job is None or self.operation not in (None, question.operation):
            return question
        return replace(question, job=replace(question.job, **self.other(question.job)))


class OtherOptimizer(OtherJob):
    """Trains with other settings of the optimizer."""

    operation = "train"

    def other(self, job: Job) -> dict[str, Any]:
        assert job.optimizer is not None
        return {"optimizer": replace(job.optimizer, **self.settings(job.optimizer))}

    def settings(self, given: Optimizer) -> dict[str, Any]:
        """The settings that are taken for others."""
        raise NotImplementedError


class OtherData(WrongTrainer):
    """Works on other data than it is given."""

    def data(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The inputs that are taken for others, by name; None for one that is left out."""
        raise NotImplementedError

    def read(self, question: Question) -> Question:
        question = super().read(question)
        inputs = {**question.inputs, **self.data(dict(question.inputs))}
        given = {name: array for name, array in inputs.items() if array is not None}
        return replace(question, inputs=given)
