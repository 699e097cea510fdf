"""Raw PyTorch: the functional form and one backward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from conformance.adapters._torch import Tensors, TorchBased
from conformance.adapters.jobs import torch as torch_jobs

if TYPE_CHECKING:
    from types import ModuleType

    from conformance.model import Computed, Question


class TorchAdapter(TorchBased):
    """Differentiates the sum of the loss, which is the loss itself once it is reduced."""

    name: ClassVar[str] = "torch"
    outputs: ClassVar[frozenset[str]] = TorchBased.outputs | {"logits_hvp", "probabilities_hvp"}
    options: ClassVar[frozenset[str]] = TorchBased.options | {"direction"}
    distributions: ClassVar[tuple[str, ...]] = ("torch",)
    jobs: ClassVar[ModuleType | None] = torch_jobs

    def evaluate(self, question: Question) -> Computed:
        """Compute the loss, then its gradients, then the Hessian's product with the direction."""
        tensors = Tensors(question)
        return tensors.backward(tensors.loss(tensors.input, tensors.targets))
