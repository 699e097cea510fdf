"""Raw PyTorch: the functional form and one backward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from conformance.adapters._torch import Tensors, TorchBased

if TYPE_CHECKING:
    from conformance.model import Computed, Question


class TorchAdapter(TorchBased):
    """Differentiates the sum of the loss, which is the loss itself once it is reduced."""

    name: ClassVar[str] = "torch"
    distributions: ClassVar[tuple[str, ...]] = ("torch",)

    def evaluate(self, question: Question) -> Computed:
        """Compute the loss, then its gradients."""
        tensors = Tensors(question)
        loss = tensors.loss(tensors.input, tensors.targets)
        loss.sum().backward()  # type: ignore[no-untyped-call]
        return tensors.answer(loss, tensors.input)
