"""Gives the batches of a job as a real DataLoader, where a trainer takes nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.utils.data import DataLoader, TensorDataset

if TYPE_CHECKING:
    from conformance.adapters.jobs._torch import Batches


def data_loader(batches: Batches | DataLoader[Any]) -> DataLoader[Any]:
    """Batches of the given sizes, in order; a DataLoader as it is."""
    if isinstance(batches, DataLoader):
        return batches
    indices = iter(range(sum(batches.sizes)))
    sampler = [[next(indices) for _ in range(size)] for size in batches.sizes]
    return DataLoader(TensorDataset(*batches.tensors), batch_sampler=sampler)
