"""Second derivatives by torch.func.hessian."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from conformance.adapters._torch import Tensors
from conformance.adapters.ways._func import Func
from conformance.model import Declined

if TYPE_CHECKING:
    from conformance.model import Computed, Question

LIMIT = 1024


class Hessian(Func):
    """Makes the whole Hessian of the objective, and multiplies it by the direction."""

    name: ClassVar[str] = "torch:func.hessian"
    outputs: ClassVar[frozenset[str]] = frozenset({"logits_hvp", "probabilities_hvp"})

    def decline(self, question: Question) -> Declined | None:
        """Decline a Hessian of too many entries: of N elements it has N times N."""
        size = next(iter(question.inputs.values())).size
        if size > LIMIT:
            return Declined(
                f"{self.name} takes at most {LIMIT} elements, with a Hessian of their square"
            )
        return super().decline(question)

    def evaluate(self, question: Question) -> Computed:
        """Compute the second derivatives alone."""
        tensors = Tensors(question)
        targets = tensors.targets.detach()

        def objective(input_: torch.Tensor) -> torch.Tensor:
            return tensors.objective(tensors.loss(input_, targets))

        hessian = torch.func.hessian(objective)(tensors.input.detach())
        product = None
        if tensors.direction is not None:
            axes = tuple(range(tensors.direction.ndim, hessian.ndim))
            product = (
                (hessian * tensors.direction).sum(axes) if axes else hessian * tensors.direction
            )
        return tensors.computed(None, product=product)
