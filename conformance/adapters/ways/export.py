"""torch.export: the loss as a program of ATen operators, which autograd differentiates."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from conformance.adapters.ways._batches import Batched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.adapters._torch import Tensors
    from conformance.adapters.ways._batches import Losses


class Export(Batched):
    """Exports a module that computes the loss, and calls the module of the exported program."""

    name: ClassVar[str] = "torch:export"

    def prepare(self, examples: Sequence[Tensors]) -> Losses:
        """The module of the program that is exported for ``examples``."""
        exported = torch.export.export(
            _Losses(examples), ([_arguments(each) for each in examples],)
        )
        module = exported.module()

        def losses(batch: Sequence[Tensors]) -> Sequence[torch.Tensor]:
            found: list[torch.Tensor] = module([_arguments(each) for each in batch])
            return found

        return losses


class _Losses(nn.Module):
    """The losses of the questions of ``examples``, of other tensors than theirs."""

    def __init__(self, examples: Sequence[Tensors]) -> None:
        super().__init__()
        self._losses = [example.functional for example in examples]

    def forward(self, batch: Sequence[Mapping[str, torch.Tensor]]) -> list[torch.Tensor]:
        return [loss(**given) for loss, given in zip(self._losses, batch, strict=True)]


def _arguments(tensors: Tensors) -> dict[str, torch.Tensor]:
    """What the loss depends on, by the names that its functional form has for it."""
    given = {
        "input": tensors.input,
        "target": tensors.targets,
        "weight": tensors.weight,
        "pos_weight": tensors.pos_weight,
    }
    return {name: tensor for name, tensor in given.items() if tensor is not None}
