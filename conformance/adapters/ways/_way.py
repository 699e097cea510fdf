"""What the ways to run PyTorch share."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from conformance.adapters._torch import Tensors, TorchBased

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from conformance.model import Computed, Question


class Way(TorchBased):
    """A way to compute a loss, by default differentiated as raw PyTorch is; override ``loss``.

    Attributes:
        eager: False where other kernels compute than the eager ones, so that what deviates in
            those says nothing; its own ledger then has all that does.
    """

    outputs: ClassVar[frozenset[str]] = TorchBased.outputs | {"logits_hvp", "probabilities_hvp"}
    options: ClassVar[frozenset[str]] = TorchBased.options | {"direction"}
    distributions: ClassVar[tuple[str, ...]] = ("torch",)
    eager: ClassVar[bool] = True

    def evaluate(self, question: Question) -> Computed:
        """Compute the loss, then its gradients, then the Hessian's product with the direction."""
        tensors = Tensors(question)
        return tensors.backward(self.loss(tensors))

    def loss(self, tensors: Tensors) -> torch.Tensor:
        """The loss of ``tensors.input`` and ``tensors.targets``."""
        return tensors.loss(tensors.input, tensors.targets)

    @classmethod
    def ledgers(cls) -> list[Path]:
        """Those of the eager kernels, where these compute, and its own."""
        return [path for path in super().ledgers() if cls.eager or path.parent.name == "ways"]
