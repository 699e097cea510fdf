"""The loops of a job, as plainly as they can be written: this is what the words of a job mean.

Each returns the outputs of its operation. They are written, like ``networks``, for any array that
has NumPy's operators.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.jobs import RUNNING
from conformance.networks import Network, sigmoid
from conformance.optimizers import clipped, optimizer_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.jobs import Convention, Job
    from conformance.networks import Criterion
    from conformance.optimizers import Adam, Sgd

Indices = np.ndarray[Any, np.dtype[np.int64]]
Share = list[Indices]
"""Of one process, the samples of each batch of an epoch."""
Gradients = tuple[int, list[Any]]
"""The number of a batch, and the gradient that each group has of it."""


@dataclass(frozen=True)
class Work:
    """A job with its data.

    Attributes:
        features: Of shape (N, D), or (N, C, H, W).
        targets: Of shape (N, classes), or (N,) where the job squeezes; None for a prediction.
        parameters: The initial ones, of shape (P,).
    """

    job: Job
    convention: Convention
    features: Any
    targets: Any
    parameters: Any
    criterion: Criterion

    @property
    def shares(self) -> list[Share]:
        """What each process works on."""
        return shares(self.job, len(self.features), padded=self.convention.ranks == "padded")

    @property
    def groups(self) -> list[Share]:
        """The shares whose results are averaged: one of all samples, or those of the processes."""
        own = self.shares
        if len(own) == 1 or self.convention.ranks in ("equal", "own"):
            return own
        return [[np.concatenate(batches) for batches in zip(*own, strict=True)]]

    @property
    def training_mode(self) -> bool:
        """The mode in which the model is trained."""
        return self.convention.train_mode or not self.job.left_in_eval

    def optimizer(self) -> Sgd | Adam:
        """The job's optimizer, before its first step.

        Raises:
            ValueError: If the job has none.
        """
        if self.job.optimizer is None:
            msg = "a job without an optimizer cannot be trained; give it one"
            raise ValueError(msg)
        return optimizer_of(self.job.optimizer)

    def network(self, parameters: Any, *, training: bool) -> Network:
        """The model with these parameters."""
        return Network(self.job, parameters, self.features.shape, training=training)

    def loss(self, parameters: Any, batch: Indices, *, training: bool) -> Any:
        """The loss of a batch, as the criterion returns it."""
        outputs = self.network(parameters, training=training).forward(self.features[batch])
        return self.criterion.loss(self.fitted(outputs), self.targets_of(batch))

    def loss_with_gradient(self, parameters: Any, batch: Indices) -> tuple[Any, Any]:
        """The loss of a batch in training, and its gradient with respect to all parameters."""
        network = self.network(parameters, training=self.training_mode)
        outputs, targets = network.forward(self.features[batch]), self.targets_of(batch)
        fitted = self.fitted(outputs)
        loss = self.criterion.loss(fitted, targets)
        slopes = self.criterion.gradient(fitted, targets)
        if self.job.classes_first:
            slopes = slopes.T
        return loss, network.backward(slopes.reshape(outputs.shape))

    def fitted(self, outputs: Any) -> Any:
        """The outputs in the shape in which they meet the targets."""
        shape = outputs.shape
        if self.job.squeeze == "all":
            outputs = outputs.reshape(tuple(size for size in shape if size != 1))
        elif self.job.squeeze == "last" and shape[-1] == 1:
            outputs = outputs.reshape(shape[:-1])
        return outputs.T if self.job.classes_first else outputs

    def targets_of(self, batch: Indices) -> Any:
        """The targets of a batch, in the shape in which they meet the outputs."""
        return self.targets[batch].T if self.job.classes_first else self.targets[batch]


def shares(job: Job, samples: int, *, padded: bool) -> list[Share]:
    """For each process, the indices of the samples of each of its batches.

    Args:
        job: Gives the batches, the shards, or the batch size of a sampler.
        samples: How many there are.
        padded: Whether the sampler fills up from the start, until each process has as many.
    """
    order = np.arange(samples)
    if job.sampler_batch is not None:
        if padded:
            order = np.arange(samples + -samples % job.processes) % samples
        parts = [order[rank :: job.processes] for rank in range(job.processes)]
        size = job.sampler_batch
        return [[part[at : at + size] for at in range(0, len(part), size)] for part in parts]
    sizes = job.shards or (job.batches,)
    cuts = np.cumsum([size for share in sizes for size in share])
    batches = iter(np.split(order, cuts))
    return [[next(batches) for _ in share] for share in sizes]


def train(work: Work) -> dict[str, Any]:
    """Train.

    Returns:
        losses of shape (batches,), or (processes, batches); parameters (steps, P), without the
        initial ones; logged (epochs,), that of the first process; validated ().

    Raises:
        ValueError: If there is no optimizer, or targets do not have the shape of the outputs.
    """
    job, convention = work.job, work.convention
    optimizer = work.optimizer()
    shares, groups = work.shares, work.groups
    parameters = work.parameters
    losses, logged, history = [], [], [parameters]
    validated = 0
    for _ in range(2 if job.refit and convention.refits else 1):
        validated += validate(work, parameters, min(convention.sanity, job.validation))
        window: list[Gradients] = []
        seen: list[Any] = []
        for _ in range(job.epochs):
            # A running average goes on from epoch to epoch.
            seen = seen if convention.epoch == "running" else []
            for batch in range(len(shares[0])):
                found = [work.loss_with_gradient(parameters, group[batch]) for group in groups]
                seen.append(np.stack([loss for loss, _ in found]))
                alike = len(groups) == len(shares)
                losses.append(seen[-1] if alike else _losses(work, parameters, batch))
                window.append((batch, [gradient for _, gradient in found]))
                ends = convention.tail == "stepped" and batch == len(shares[0]) - 1
                if len(window) == job.accumulate or ends:
                    gradient = clipped(window_gradient(work, window), job, convention.clip_eps)
                    parameters = optimizer.step(parameters, gradient)
                    history.append(parameters)
                    window = []
            if convention.tail == "dropped":
                window = []
            logged.append(_reported(work, np.stack(seen).T))
            validated += validate(work, parameters, job.validation)
    return {
        "losses": _by_process(work, np.stack(losses).T),
        "parameters": np.stack(history)[1:],
        "logged": np.stack(logged)[:, 0],
        "validated": np.array(validated),
    }


def evaluate(work: Work) -> dict[str, Any]:
    """Evaluate: one pass over the batches, which changes nothing.

    Returns:
        epoch_loss of shape (), or (processes,).

    Raises:
        ValueError: If targets do not have the shape of the outputs.
    """
    values = []
    for group in work.groups:
        losses = [work.loss(work.parameters, batch, training=False) for batch in group]
        values.append(epoch_value(work, losses, group))
    return {"epoch_loss": _by_process(work, _brought_together(work, values))}


def predict(work: Work) -> dict[str, Any]:
    """Predict: the probability of each sample, and what is decided of it.

    Returns:
        predicted and decisions of shape (N, classes), or (N,) where the job squeezes.

    Raises:
        ValueError: If squeezing leaves a batch without a dimension to concatenate along.
    """
    batches = [batch for share in work.shares for batch in share]
    predicted = np.concatenate([work.fitted(_probabilities(work, batch)) for batch in batches])
    half_is_positive = work.convention.half_is_positive
    return {
        "predicted": predicted,
        "decisions": predicted >= 0.5 if half_is_positive else predicted > 0.5,
    }


def _probabilities(work: Work, batch: Indices) -> Any:
    """The probabilities of a batch, averaged over the views."""
    features, views = work.features[batch], work.job.views
    network = work.network(work.parameters, training=False)
    logits = [network.logits(_viewed(features, view)) for view in views]
    if work.convention.views == "logits":
        return sigmoid(sum(logits) / len(views))
    return sum(sigmoid(each) for each in logits) / len(views)


def validate(work: Work, parameters: Any, batches: int) -> int:
    """Validate this many batches of one sample each; return how many that were."""
    for sample in range(batches):
        work.loss(parameters, np.array([sample]), training=False)
    return batches


def window_gradient(work: Work, window: Sequence[Gradients]) -> Any:
    """The gradient that the batches of a window add up to: the mean over the groups."""
    gradients = []
    for number, group in enumerate(work.groups):
        factors = coefficients(work, [group[batch] for batch, _ in window])
        parts = zip(factors, window, strict=True)
        gradients.append(sum(factor * found[number] for factor, (_, found) in parts))
    return gradients[0] if len(gradients) == 1 else sum(gradients) / len(gradients)


def coefficients(work: Work, batches: Sequence[Indices]) -> list[float]:
    """What the gradient of each batch of a window is multiplied by."""
    match work.convention.divisor:
        case "samples" if work.criterion.reduction == "mean":
            samples = sum(len(batch) for batch in batches)
            return [len(batch) / samples for batch in batches]
        case "batches":
            return [1 / len(batches)] * len(batches)
        case "length":
            return [1 / work.job.accumulate] * len(batches)
        case _:
            return [1.0] * len(batches)


def epoch_value(work: Work, values: Sequence[Any], batches: Sequence[Indices]) -> Any:
    """What is reported for an epoch, of the losses of its batches; running, of all until then.

    At once, the losses of all samples are one: the sum of sums, the mean of all elements.
    """
    epoch = work.convention.epoch
    if epoch == "running":
        running = values[0]
        for value in values[1:]:
            running = RUNNING * running + (1 - RUNNING) * value
        return running
    if epoch == "batches":
        return sum(values) / len(values)
    if epoch == "at_once" and work.criterion.reduction == "sum":
        return sum(values)
    weighted = sum(value * len(batch) for value, batch in zip(values, batches, strict=True))
    return weighted / sum(len(batch) for batch in batches)


def _losses(work: Work, parameters: Any, batch: int) -> Any:
    """The loss that each process has of its own batch."""
    training = work.training_mode
    shares = work.shares
    return np.stack([work.loss(parameters, share[batch], training=training) for share in shares])


def _reported(work: Work, values: Any) -> Any:
    """What each process reports for an epoch; ``values`` has shape (groups, batches)."""
    groups = zip(values, work.groups, strict=True)
    return _brought_together(work, [epoch_value(work, own, group) for own, group in groups])


def _brought_together(work: Work, values: Sequence[Any]) -> Any:
    """What each process reports, of the values of the groups: shape (processes,)."""
    if work.convention.ranks == "own" or work.job.processes == 1:
        return np.stack(values)
    mean = values[0] if len(values) == 1 else sum(values) / len(values)
    return np.stack([mean] * work.job.processes)


def _by_process(work: Work, values: Any) -> Any:
    """The same, without the first dimension where there is one process only."""
    return values[0] if work.job.processes == 1 else values


def _viewed(features: Any, view: str) -> Any:
    match view:
        case "flip_last":
            return features[..., ::-1]
        case "flip_rows":
            return features[..., ::-1, :]
        case _:
            return features
