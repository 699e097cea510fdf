"""The modules torch.nn.BCEWithLogitsLoss and torch.nn.BCELoss, with the arguments of old, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from torch import nn

from conformance.adapters.ways._way import Way

if TYPE_CHECKING:
    import torch

    from conformance.adapters._torch import Tensors


class Module(Way):
    """Makes the module as a user would, and calls it."""

    name: ClassVar[str] = "torch:module"

    def loss(self, tensors: Tensors) -> torch.Tensor:
        """The loss of a fresh module."""
        question = tensors.question
        arguments: dict[str, Any] = {
            "weight": tensors.weight,
            "reduction": question.reduction,
            **question.legacy,
        }
        criterion: nn.Module
        if question.operation == "bce_with_logits":
            criterion = nn.BCEWithLogitsLoss(pos_weight=tensors.pos_weight, **arguments)
        else:
            criterion = nn.BCELoss(**arguments)
        loss: torch.Tensor = criterion(tensors.input, tensors.targets)
        return loss
