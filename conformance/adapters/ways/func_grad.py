"""Gradients by torch.func.grad."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from conformance.adapters._torch import Tensors
from conformance.adapters.ways._reverse import Reverse, derivatives

if TYPE_CHECKING:
    from conformance.model import Computed, Question


class Grad(Reverse):
    """Differentiates the loss as a function of input and targets."""

    name: ClassVar[str] = "torch:func.grad"

    def evaluate(self, question: Question) -> Computed:
        """Compute the loss beside its gradients, in one call."""
        tensors = Tensors(question)
        return tensors.computed(**derivatives(tensors))
