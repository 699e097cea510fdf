"""What the ranks of a distributed job share: their samples, the group in which they meet."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import distributed
from torch.utils.data import TensorDataset

from conformance.adapters.jobs._torch import job_of, samples
from conformance.model import Declined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model import Question

RANK = int(os.environ.get("RANK", "0"))
WORLD = int(os.environ.get("WORLD_SIZE", "1"))

_DESTROYED: list[distributed.ProcessGroup | None] = []
"""Groups that are left as they are until the process ends."""


def decline(question: Question, options: frozenset[str]) -> Declined | None:
    """Decline what only one process takes: a job that asks for more than ``options``."""
    if missing := sorted(job_of(question).options - options - {"processes"}):
        return Declined(f"several processes do not take {', '.join(missing)}")
    if question.operation == "predict":
        return Declined("a prediction is not shared out between processes")
    return None


@contextmanager
def group(meeting: str) -> Iterator[None]:
    """A gloo group of all ranks, of one job only: what one leaves undone cannot meet another.

    Args:
        meeting: The URL of a file that is not there yet.
    """
    # More threads than cores would cost time, and another order of a sum other last bits.
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=meeting, rank=RANK, world_size=WORLD)
    # To free one, PyTorch joined its threads without releasing the lock that they may wait for
    # until https://github.com/pytorch/pytorch/pull/154976.
    _DESTROYED.append(distributed.group.WORLD)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def of_rank(question: Question) -> Question:
    """The question to one process: this rank's samples in this rank's batches."""
    job = job_of(question)
    start = sum(sum(sizes) for sizes in job.shards[:RANK])
    share = slice(start, start + sum(job.shards[RANK]))
    inputs = {
        name: array[share] if name in ("features", "targets") else array
        for name, array in question.inputs.items()
    }
    return replace(question, inputs=inputs, job=replace(job, batches=job.shards[RANK], shards=()))


def dataset(question: Question) -> TensorDataset:
    """All samples, for a sampler to share out."""
    return TensorDataset(*samples(question))
