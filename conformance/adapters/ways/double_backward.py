"""Derivatives along tangents by two backward passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from torch.autograd import functional

from conformance.adapters.ways._pushforward import Pushforward

if TYPE_CHECKING:
    import torch

    from conformance.adapters._torch import Tensors
    from conformance.adapters.ways._pushforward import Function

# Neither of the two is annotated.
_jvp: Any = functional.jvp
_hvp: Any = functional.hvp


class DoubleBackward(Pushforward):
    """Differentiates what a backward pass is linear in, by torch.autograd.functional.

    A gradient is a linear function of what flows in; its derivative with respect to that, along a
    tangent, is that of the loss. So first derivatives come of the formulas of the second backward
    pass, which are not those of the first.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.functional.jvp.html.
    """

    name: ClassVar[str] = "torch:double_backward"

    def along(
        self, function: Function, at: torch.Tensor, tangent: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Two backward passes; where PyTorch would make a zero of no dependence, it raises."""
        loss, slope = _jvp(function, at, tangent, strict=True)
        return loss, slope

    def product(self, tensors: Tensors, function: Function, at: torch.Tensor) -> torch.Tensor:
        """Three of them."""
        product: torch.Tensor
        _, product = _hvp(
            lambda place: tensors.objective(function(place)), at, tensors.direction, strict=True
        )
        return product
