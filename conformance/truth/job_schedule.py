"""Says which batches make which step of a job, as whole numbers and fractions.

Both oracles follow this one schedule: it holds all that the conventions of trainers decide about
accumulation, epochs and processes, and no loss, gradient or optimizer.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from conformance.jobs import RUNNING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.jobs import Convention, Job

Batch = tuple[int, ...]
"""Indices of the samples that one process takes at once."""

Weights = tuple[tuple[Fraction, ...], ...]
"""By process, what each of its batches counts in a value that is reported."""

SAMPLER_PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Share:
    """What one process adds to the gradient of a step.

    Attributes:
        samples: The batch.
        factor: What the gradient of the batch's loss is multiplied by; 0 where no step is made
            of it.
    """

    samples: Batch
    factor: Fraction


@dataclass(frozen=True, slots=True)
class Round:
    """The batches that all processes take at the same time, by rank.

    Attributes:
        shares: One for each process.
        steps: Whether the optimizer steps after them.
    """

    shares: tuple[Share, ...]
    steps: bool


def batches_of(job: Job, ranks: str, samples: int) -> tuple[tuple[Batch, ...], ...]:
    """The batches of one epoch of each process, by rank.

    A sampler gives every process as many samples, the first ones a second time if need be; under
    "samples" it leaves these out.

    Args:
        job: Its batches, shards or sampler_batch.
        ranks: How processes come together.
        samples: How many samples there are.
    """
    if job.sampler_batch is not None:
        size = job.sampler_batch
        # The sampler needs a whole number of samples for each process.
        padded = samples + (-samples % SAMPLER_PROCESSES if ranks != "samples" else 0)
        order = [index % samples for index in range(padded)]
        return tuple(
            tuple(tuple(own[start : start + size]) for start in range(0, len(own), size))
            for own in (order[rank::SAMPLER_PROCESSES] for rank in range(SAMPLER_PROCESSES))
        )
    partition = job.shards or (job.batches,)
    ends = accumulate((size for own in partition for size in own), initial=0)
    every = iter([tuple(range(*ends)) for ends in pairwise(ends)])
    return tuple(tuple(next(every) for _ in own) for own in partition)


def rounds_of(job: Job, convention: Convention, reduction: str, samples: int) -> tuple[Round, ...]:
    """Every round of one training, in order.

    Args:
        job: Its batches, epochs and accumulation; every process has as many batches.
        convention: What is decided where they leave room.
        reduction: "mean" or "sum".
        samples: How many samples there are.
    """
    processes = batches_of(job, convention.ranks, samples)
    epoch = list(zip(*processes, strict=True))
    rounds = []
    for window, complete in _windows(epoch, job, convention.tail):
        counts = [[len(batch) for batch in batches] for batches in window]
        for index, batches in enumerate(window):
            factors = _factors(counts, index, reduction, convention, job.accumulate)
            rounds.append(
                Round(
                    tuple(
                        Share(batch, factor if complete else Fraction(0))
                        for batch, factor in zip(batches, factors, strict=True)
                    ),
                    steps=complete and index == len(window) - 1,
                )
            )
    return tuple(rounds)


def _windows(
    epoch: Sequence[tuple[Batch, ...]], job: Job, tail: str
) -> Iterator[tuple[Sequence[tuple[Batch, ...]], bool]]:
    """The rounds whose gradients add up, and whether a step is made of them."""
    length = job.accumulate
    # Windows that are carried know no epochs.
    stretches = [list(epoch) * job.epochs] if tail == "carried" else [list(epoch)] * job.epochs
    for stretch in stretches:
        for start in range(0, len(stretch), length):
            window = stretch[start : start + length]
            yield window, tail == "stepped" or len(window) == length


def _factors(
    counts: Sequence[Sequence[int]],
    index: int,
    reduction: str,
    convention: Convention,
    length: int,
) -> list[Fraction]:
    """The factor of each process in one round of a window.

    Args:
        counts: For each round of the window, the samples of each process.
        index: The round.
        reduction: "mean" or "sum".
        convention: Its divisor, and how processes come together.
        length: Batches of a full window.
    """
    by_process = list(zip(*counts, strict=True))
    if convention.ranks in ("equal", "own"):
        return [
            _divided(own, index, reduction, convention.divisor, length) / len(by_process)
            for own in by_process
        ]
    together = [sum(batches) for batches in counts]
    factor = _divided(together, index, reduction, convention.divisor, length)
    if reduction == "sum":
        return [factor for _ in by_process]
    return [factor * Fraction(count, together[index]) for count in counts[index]]


def _divided(
    counts: Sequence[int], index: int, reduction: str, divisor: str, length: int
) -> Fraction:
    """What the loss of one batch of a window is multiplied by, in one process."""
    if divisor == "samples":
        return Fraction(counts[index], sum(counts)) if reduction == "mean" else Fraction(1)
    return Fraction(1, {"batches": len(counts), "length": length, "one": 1}[divisor])


def evaluated(job: Job, convention: Convention, samples: int) -> tuple[tuple[Batch, ...], ...]:
    """The batches of an evaluation of each process, by rank; one of all samples if "at_once"."""
    if convention.epoch == "at_once":
        return ((tuple(range(samples)),),)
    return batches_of(job, convention.ranks, samples)


def reports_of(
    counts: Sequence[Sequence[int]], convention: Convention, processes: int
) -> tuple[Weights, ...]:
    """What each process reports for an epoch, as weights of the batches' losses.

    Args:
        counts: By process, the samples of each of its batches.
        convention: How an epoch's value is made, and how processes come together.
        processes: How many values are reported; one batch of all samples has one process.
    """
    if convention.ranks in ("samples", "padded"):
        flat = iter(_epoch([count for own in counts for count in own], convention.epoch))
        pooled = tuple(tuple(next(flat) for _ in own) for own in counts)
        return (pooled,) * processes
    own = [_epoch(counts_, convention.epoch) for counts_ in counts]
    if convention.ranks == "equal":
        mean = tuple(tuple(weight / len(own) for weight in weights) for weights in own)
        return (mean,) * processes
    return tuple(
        tuple(
            weights if rank == reporting else (Fraction(0),) * len(weights)
            for rank, weights in enumerate(own)
        )
        for reporting in range(len(own))
    )


def _epoch(counts: Sequence[int], epoch: str) -> tuple[Fraction, ...]:
    """The weight of each batch's loss in the value of one epoch."""
    if epoch == "running":
        kept = Fraction(RUNNING)
        weights = [Fraction(1)]
        for _ in counts[1:]:
            weights = [weight * kept for weight in weights] + [1 - kept]
        return tuple(weights)
    if epoch == "batches":
        return (Fraction(1, len(counts)),) * len(counts)
    return tuple(Fraction(count, sum(counts)) for count in counts)


def validated(job: Job, convention: Convention) -> int:
    """How many batches are validated, with those before training, in all trainings."""
    return trainings(job, convention) * (
        min(convention.sanity, job.validation) + job.epochs * job.validation
    )


def trainings(job: Job, convention: Convention) -> int:
    """How often the whole training is gone through."""
    return 2 if job.refit and convention.refits else 1
