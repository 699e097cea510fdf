"""A trainer in small steps, each of which a mutant may get wrong.

It is right, and apart from ``conformance.loops``: of that it uses what a job says, and no loop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from conformance import loops
from conformance.adapters._refusals import check_reduction, check_unit_interval
from conformance.floats import FORMATS
from conformance.jobs import DEFINITION, parameter_shapes
from conformance.model import Computed, Declined
from conformance.networks import Criterion, Network, sigmoid
from conformance.optimizers import clipped, optimizer_of

from .reference import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.jobs import Convention, Optimizer
    from conformance.loops import Indices
    from conformance.model import Question
    from conformance.optimizers import Adam, Sgd

Outputs = dict[str, Any]


@dataclass(frozen=True)
class Work(loops.Work):
    """A job with its data, whose model a trainer may change."""

    trainer: Trainer

    def network(self, parameters: Any, *, training: bool) -> Network:
        mode = self.trainer.mode(training=training)
        return self.trainer.network(super().network(parameters, training=mode))

    def targets_of(self, batch: Indices) -> Any:
        return self.trainer.labels(super().targets_of(batch))

    def gradient(self, parameters: Any, batch: Indices) -> Any:
        """The gradient of the loss of a batch, with respect to all parameters."""
        network = self.network(parameters, training=self.training_mode)
        outputs = network.forward(self.features[batch])
        slopes = self.criterion.gradient(self.fitted(outputs), self.targets_of(batch))
        if self.job.classes_first:
            slopes = slopes.T
        return network.backward(slopes.reshape(outputs.shape))


class Trainer(Reference):
    """Does jobs, batch by batch, by the definition.

    What a job is made of lies in attributes while it is done: ``work``, with its ``job``, and what
    each process works on, ``shares``, and ``groups`` of them that are computed as one; of a
    training the ``parameters``, the batches of the open ``window``, and the ``optimum``, which is
    the optimizer with what it remembers.
    """

    name: ClassVar[str] = "trainer"
    about: ClassVar[str] = "Nothing is wrong with the trainer."
    options: ClassVar[frozenset[str]] = Reference.options | {"precision"}

    def decline(self, question: Question) -> Declined | None:
        """Of the precisions only that which changes nothing is offered."""
        if question.job and question.job.precision not in (None, "32-true"):
            return Declined(f"{self.name} does not offer {question.job.precision}")
        return super().decline(question)

    def perform(self, question: Question) -> Computed:
        assert question.job is not None
        with np.errstate(all="ignore"):
            found = self.do(self.read(question))
            if "drift" in question.outputs:
                alone = replace(question, job=replace(question.job, validation=0))
                other = self.do(self.read(alone))
                change = found["parameters"][-1] - other["parameters"][-1]
                found["drift"] = np.abs(change).max()
        dtype = FORMATS[question.dtype].dtype
        kept = {"decisions": np.dtype(bool), "validated": np.dtype(np.int64)}
        outputs = {name: np.asarray(found[name]) for name in question.outputs}
        return Computed(
            **{name: array.astype(kept.get(name, dtype)) for name, array in outputs.items()}
        )

    def do(self, question: Question) -> Outputs:
        """All outputs of the job."""
        self.work = self.make_work(question)
        self.job, self.parameters = self.work.job, self.work.parameters
        self.shares, self.groups = self.work.shares, self.work.groups
        doing = {"train": self.train, "evaluate": self.assess, "predict": self.predict}
        return doing[question.operation]()

    def make_work(self, question: Question) -> Work:
        """The job with its data, in the widest dtype among them, at least float32."""
        assert question.job is not None
        self.check(question)
        wide = any(array.dtype == np.float64 for array in question.inputs.values())
        working = np.float64 if wide else np.float32
        arrays: Any = {name: array.astype(working) for name, array in question.inputs.items()}
        weights = arrays.get("weight"), arrays.get("pos_weight")
        criterion = self.criterion(Criterion(question.job.loss, question.reduction, *weights))
        data = arrays["features"], arrays.get("targets"), arrays["parameters"]
        return Work(question.job, self.convention(question), *data, criterion, self)

    def check(self, question: Question) -> None:
        """Refuse what cannot be done."""
        check_reduction(question.reduction)
        if question.reduction == "none":
            msg = "a loss that is not reduced has no single gradient"
            raise ValueError(msg)
        if question.job and question.job.loss == "bce" and "targets" in question.inputs:
            check_unit_interval(targets=question.inputs["targets"])

    def convention(self, question: Question) -> Convention:
        return DEFINITION

    def criterion(self, criterion: Criterion) -> Criterion:
        return criterion

    def network(self, network: Network) -> Network:
        return network

    def mode(self, *, training: bool) -> bool:
        """Whether the model is in training mode where it should be, or not."""
        return training

    def labels(self, targets: Any) -> Any:
        """The targets of a batch, which are in the shape of the outputs."""
        return targets

    def train(self) -> Outputs:
        self.begin()
        for _ in range(2 if self.job.refit and self.work.convention.refits else 1):
            self.fit()
        return {
            "losses": self.by_process(np.stack(self.losses).T),
            "parameters": np.stack(self.history)[1:],
            "logged": self.by_process(np.stack(self.logged).T),
            "validated": self.validated,
        }

    def begin(self) -> None:
        """Get ready for the first step."""
        assert self.job.optimizer is not None
        self.optimum = self.optimizer(self.job.optimizer)
        self.history = [self.parameters]
        self.losses: list[Any] = []
        self.logged: list[Any] = []
        self.validated = 0

    def fit(self) -> None:
        self.window: list[int] = []
        self.validate(min(self.work.convention.sanity, self.job.validation))
        for epoch in range(self.job.epochs):
            self.epoch(epoch)

    def epoch(self, epoch: int) -> None:
        self.seen: list[Any] = []
        batches = self.order(epoch)
        for count, batch in enumerate(batches, 1):
            self.train_batch(batch, last=count == len(batches))
        if self.work.convention.tail == "dropped":
            self.window = []
        values = zip(np.stack(self.seen).T, self.groups, strict=True)
        self.logged.append(self.reported([self.logged_value(own, group) for own, group in values]))
        self.validate(self.job.validation)

    def order(self, epoch: int) -> list[int]:
        """The numbers of the batches of an epoch, in the order in which they are trained on."""
        return list(range(len(self.shares[0])))

    def train_batch(self, batch: int, *, last: bool) -> None:
        self.losses.append(self.losses_of(self.shares, batch))
        together = len(self.groups) < len(self.shares)
        self.seen.append(self.losses_of(self.groups, batch) if together else self.losses[-1])
        self.window.append(batch)
        if self.is_due(last=last):
            self.update()

    def losses_of(self, shares: Sequence[Sequence[Indices]], batch: int) -> Any:
        """The losses that the shares have of a batch."""
        mode = self.work.training_mode
        return np.stack([self.loss(share[batch], training=mode) for share in shares])

    def loss(self, batch: Indices, *, training: bool) -> Any:
        return self.work.loss(self.parameters, batch, training=training)

    def is_due(self, *, last: bool) -> bool:
        """Whether the window is stepped, of whose batches the newest may be the epoch's last."""
        full = len(self.window) == self.job.accumulate
        return full or (last and self.work.convention.tail == "stepped")

    def update(self) -> None:
        self.parameters = self.step(self.clip(self.gradient(self.window)))
        self.history.append(self.parameters)
        self.window = []

    def gradient(self, window: Sequence[int]) -> Any:
        """The gradient of a window."""
        groups = [[group[batch] for batch in window] for group in self.groups]
        return self.together([self.group_gradient(batches) for batches in groups])

    def together(self, gradients: Sequence[Any]) -> Any:
        """The gradient of all groups."""
        return sum(gradients) / len(gradients)

    def group_gradient(self, batches: Sequence[Indices]) -> Any:
        parts = zip(self.coefficients(batches), batches, strict=True)
        return sum(share * self.batch_gradient(batch) for share, batch in parts)

    def coefficients(self, batches: Sequence[Indices]) -> Sequence[float]:
        return loops.coefficients(self.work, batches)

    def batch_gradient(self, batch: Indices) -> Any:
        return self.work.gradient(self.parameters, batch)

    def clip(self, gradient: Any) -> Any:
        return clipped(gradient, self.job, self.work.convention.clip_eps)

    def optimizer(self, settings: Optimizer) -> Sgd | Adam:
        return optimizer_of(settings)

    def step(self, gradient: Any) -> Any:
        """The parameters after a step."""
        return self.optimum.step(self.parameters, gradient)

    @property
    def are_biases(self) -> Any:
        """Of each parameter, flat, whether it is a bias."""
        shapes = parameter_shapes(self.job, self.work.features.shape)
        return np.concatenate([np.full(prod(shape), "bias" in name) for name, shape in shapes])

    def validate(self, batches: int) -> None:
        self.validated += loops.validate(self.work, self.parameters, batches)

    def logged_value(self, values: Any, batches: Sequence[Indices]) -> Any:
        """What the log of a training has for an epoch."""
        return self.epoch_value(values, batches)

    def epoch_value(self, values: Any, batches: Sequence[Indices]) -> Any:
        """What is reported for an epoch, of the losses of its batches."""
        return loops.epoch_value(self.work, values, batches)

    def reported(self, values: Sequence[Any]) -> Any:
        """What each process reports, of the values of the groups."""
        if self.work.convention.ranks == "own" or self.job.processes == 1:
            return np.stack(values)
        return np.stack([sum(values) / len(values)] * self.job.processes)

    def by_process(self, values: Any) -> Any:
        return values[0] if self.job.processes == 1 else values

    def assess(self) -> Outputs:
        values = [
            self.epoch_value([self.loss(batch, training=False) for batch in group], group)
            for group in self.groups
        ]
        return {"epoch_loss": self.by_process(self.reported(values))}

    def predict(self) -> Outputs:
        (batches,) = self.shares
        predicted = self.joined([self.predict_batch(self.work.features[each]) for each in batches])
        return {"predicted": predicted, "decisions": self.decide(predicted)}

    def predict_batch(self, features: Any) -> Any:
        """Probabilities of a batch, averaged over the views."""
        network = self.work.network(self.parameters, training=False)
        views = [network.logits(self.view(features, view)) for view in self.job.views]
        return self.work.fitted(self.averaged(views))

    def view(self, features: Any, view: str) -> Any:
        axis = {"flip_last": -1, "flip_rows": -2}.get(view)
        return features if axis is None else np.flip(features, axis)

    def averaged(self, logits: Sequence[Any]) -> Any:
        """The probabilities, of the logits of each view."""
        if self.work.convention.views == "logits":
            return self.probability(sum(logits) / len(logits))
        return sum(self.probability(each) for each in logits) / len(logits)

    def probability(self, logits: Any) -> Any:
        return sigmoid(logits)

    def joined(self, batches: Sequence[Any]) -> Any:
        return np.concatenate(batches)

    def decide(self, predicted: Any) -> Any:
        return predicted >= 0.5 if self.work.convention.half_is_positive else predicted > 0.5
