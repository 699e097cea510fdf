"""Gradients by torch.func.jacrev, summed over the rows of whole Jacobians."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from conformance.adapters._torch import Tensors
from conformance.adapters.ways._reverse import Reverse
from conformance.model import Declined
from conformance.operations import effective_reduction

if TYPE_CHECKING:
    from conformance.model import Computed, Question

LIMIT = 2**20


class Jacrev(Reverse):
    """Makes the whole Jacobian of the loss; the gradient of the sum is the sum of its rows."""

    name: ClassVar[str] = "torch:func.jacrev"
    outputs: ClassVar[frozenset[str]] = Reverse.outputs - {"logits_hvp", "probabilities_hvp"}

    def decline(self, question: Question) -> Declined | None:
        """Decline a Jacobian of too many entries: of N losses it has N times N."""
        size = next(iter(question.inputs.values())).size
        rows = 1
        if effective_reduction(question.reduction, question.legacy) == "none":
            rows = size
        if rows * size > LIMIT:
            return Declined(f"{self.name} makes a Jacobian of at most {LIMIT} entries")
        return super().decline(question)

    def evaluate(self, question: Question) -> Computed:
        """Compute the loss beside its Jacobians."""
        tensors = Tensors(question)

        def scaled(
            input_: torch.Tensor, targets: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            loss = tensors.loss(input_, targets)
            return tensors.scaled(loss), loss

        arguments = tensors.input.detach(), tensors.targets.detach()
        argnums = (0, 1) if "targets_grad" in question.outputs else (0,)
        jacobians, loss = torch.func.jacrev(scaled, argnums, has_aux=True)(*arguments)
        gradients = [
            jacobian.reshape(loss.numel(), *argument.shape).sum(0)
            for argument, jacobian in zip(arguments, jacobians, strict=False)
        ]
        return tensors.computed(loss, *gradients)
