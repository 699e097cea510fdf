"""The loss under activation checkpointing, computed a second time for its backward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from torch.utils.checkpoint import checkpoint

from conformance.adapters.ways._way import Way

if TYPE_CHECKING:
    import torch

    from conformance.adapters._torch import Tensors


class Checkpoint(Way):
    """Keeps nothing of the loss but its inputs, in the variant that PyTorch recommends.

    Source: https://docs.pytorch.org/docs/stable/checkpoint.html.
    """

    name: ClassVar[str] = "torch:checkpoint"

    def loss(self, tensors: Tensors) -> torch.Tensor:
        """The loss, not reentrant: the other variant has no second derivatives."""
        loss: torch.Tensor = checkpoint(
            tensors.loss, tensors.input, tensors.targets, use_reentrant=False
        )
        return loss
