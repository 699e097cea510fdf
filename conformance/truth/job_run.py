"""Has an oracle do a job as its schedule says."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

from conformance.truth.job_schedule import batches_of, evaluated, reports_of, rounds_of, trainings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.jobs import Convention
    from conformance.model import Case
    from conformance.truth.job_problem import Floats, Problem
    from conformance.truth.job_schedule import Batch, Weights


class Oracle(Protocol):
    """What is asked of both oracles; each has numbers of its own type."""

    def number(self, value: Fraction) -> Any:
        """A fraction as one of its numbers."""

    def loss(self, parameters: Any, samples: Batch) -> Any:
        """The loss of a batch."""

    def loss_and_gradient(self, parameters: Any, samples: Batch) -> tuple[Any, Any]:
        """The loss of a batch, with its gradient by the parameters."""

    def probabilities(self, parameters: Any, views: Sequence[Floats], *, by_logits: bool) -> Any:
        """The mean over the views of the probability of each class of each sample."""

    def step(self, parameters: Any, gradient: Any) -> Any:
        """The parameters after a step of the optimizer, whose state moves on."""


@dataclass(frozen=True, slots=True)
class Result:
    """One output in the numbers of an oracle.

    Attributes:
        shape: Shape of the whole output.
        numbers: Its values in C order; of the decisions, how far each probability is above 1/2.
        positions: The flat indices of ``numbers``; None for all.
    """

    shape: tuple[int, ...]
    numbers: Sequence[Any]
    positions: tuple[int, ...] | None = None


def results_of(
    oracle: Oracle, case: Case, problem: Problem, convention: Convention
) -> Mapping[str, Result]:
    """What a job gives under a convention: output name to what an oracle computes.

    Args:
        oracle: It, fresh.
        case: Says what is done, and which outputs and parameters are asked for.
        problem: The numbers of the case.
        convention: What is decided where the job leaves room.
    """
    parameters = [oracle.number(Fraction(value)) for value in problem.parameters.tolist()]
    if case.operation == "train":
        return _train(oracle, case, problem, convention, parameters)
    if case.operation == "evaluate":
        return _evaluate(oracle, problem, convention, parameters)
    return _predict(oracle, problem, convention, parameters)


def _train(
    oracle: Oracle, case: Case, problem: Problem, convention: Convention, parameters: Sequence[Any]
) -> Mapping[str, Result]:
    job = problem.job
    rounds = rounds_of(job, convention, problem.reduction, len(problem.features))
    rounds *= trainings(job, convention)
    none = [oracle.number(Fraction(0))] * len(parameters)
    gradient = none
    losses: list[list[Any]] = [[] for _ in rounds[0].shares]
    steps = []
    for each in rounds:
        for own, share in zip(losses, each.shares, strict=True):
            loss, slopes = oracle.loss_and_gradient(parameters, share.samples)
            own.append(loss)
            factor = oracle.number(share.factor)
            gradient = [g + factor * slope for g, slope in zip(gradient, slopes, strict=True)]
        if each.steps:
            parameters = oracle.step(parameters, gradient)
            steps.append(parameters)
            gradient = none
    size = len(parameters)
    columns = case.positions or range(size)
    places = tuple(step * size + column for step in range(len(steps)) for column in columns)
    results = {
        "losses": Result(
            (len(losses), len(rounds))[len(losses) == 1 :], [loss for own in losses for loss in own]
        ),
        "parameters": Result(
            (len(steps), size),
            [after[column] for after in steps for column in columns],
            places if case.positions else None,
        ),
    }
    if "logged" in case.outputs:
        results["logged"] = _logged(oracle, problem, convention, losses)
    return results


def _logged(
    oracle: Oracle, problem: Problem, convention: Convention, losses: Sequence[Sequence[Any]]
) -> Result:
    """The value of each epoch, the same in every process.

    A running one goes on through the epochs of a training, and begins anew with the next.
    """
    batches = batches_of(problem.job, convention.ranks, len(problem.features))
    counts = _counts(batches)
    length = len(batches[0])
    values = []
    for end in range(length, len(losses[0]) + 1, length):
        training = length * problem.job.epochs
        begun = (end - 1) // training * training
        start = begun if convention.epoch == "running" else end - length
        covered = [list(own) * ((end - start) // length) for own in counts]
        weights, *_ = reports_of(covered, convention, len(batches))
        values.append(_weighted(oracle, weights, [own[start:end] for own in losses]))
    return Result((len(values),), values)


def _evaluate(
    oracle: Oracle, problem: Problem, convention: Convention, parameters: Sequence[Any]
) -> Mapping[str, Result]:
    processes = problem.job.processes
    batches = evaluated(problem.job, convention, len(problem.features))
    losses = [[oracle.loss(parameters, batch) for batch in own] for own in batches]
    values = [
        _weighted(oracle, weights, losses)
        for weights in reports_of(_counts(batches), convention, processes)
    ]
    return {"epoch_loss": Result((processes,)[processes == 1 :], values)}


def _predict(
    oracle: Oracle, problem: Problem, convention: Convention, parameters: Sequence[Any]
) -> Mapping[str, Result]:
    job = problem.job
    views = [problem.seen_as(view) for view in job.views]
    found = oracle.probabilities(parameters, views, by_logits=convention.views == "logits")
    shape = (len(problem.features), job.classes)[: 1 if job.squeeze else 2]
    half = oracle.number(Fraction(1, 2))
    return {
        "predicted": Result(shape, found),
        "decisions": Result(shape, [probability - half for probability in found]),
    }


def _counts(batches: Sequence[Sequence[Batch]]) -> list[list[int]]:
    return [[len(batch) for batch in own] for own in batches]


def _weighted(oracle: Oracle, weights: Weights, losses: Sequence[Sequence[Any]]) -> Any:
    """The sum of weight times loss over all batches of all processes."""
    total = oracle.number(Fraction(0))
    for own, values in zip(weights, losses, strict=True):
        for weight, value in zip(own, values, strict=True):
            total += oracle.number(weight) * value
    return total
