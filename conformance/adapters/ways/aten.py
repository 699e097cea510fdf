"""The operators that the functional form ends in, called without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch

from conformance.adapters.ways._way import Way
from conformance.model import Declined

if TYPE_CHECKING:
    from conformance.adapters._torch import Tensors
    from conformance.model import Question

# The order of at::Reduction, which an operator's schema has as an integer.
_NUMBERS = {"none": 0, "mean": 1, "sum": 2}


class Aten(Way):
    """Calls torch.ops.aten, which has none of the checks that torch.nn.functional makes first."""

    name: ClassVar[str] = "torch:aten"
    options: ClassVar[frozenset[str]] = Way.options - {"legacy"}

    def decline(self, question: Question) -> Declined | None:
        """Decline a reduction by a bad name: an operator takes a number."""
        if question.reduction not in _NUMBERS:
            return Declined("an operator takes its reduction by number, not by name")
        return super().decline(question)

    def loss(self, tensors: Tensors) -> torch.Tensor:
        """The loss of the operator."""
        question = tensors.question
        arguments: dict[str, Any] = {
            "weight": tensors.weight,
            "reduction": _NUMBERS[question.reduction],
        }
        operator = torch.ops.aten.binary_cross_entropy
        if question.operation == "bce_with_logits":
            operator = torch.ops.aten.binary_cross_entropy_with_logits
            arguments["pos_weight"] = tensors.pos_weight
        loss: torch.Tensor = operator(tensors.input, tensors.targets, **arguments)
        return loss
