"""Derivatives by the dual numbers of torch.autograd.forward_ad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch.autograd import forward_ad

from conformance.adapters.ways._pushforward import Pushforward

if TYPE_CHECKING:
    from conformance.adapters._torch import Tensors
    from conformance.adapters.ways._pushforward import Function

# Neither of the two is annotated.
_make_dual: Any = forward_ad.make_dual
_unpack_dual: Any = forward_ad.unpack_dual


class ForwardAd(Pushforward):
    """Makes a dual number of the input, and reads the tangent off the loss."""

    name: ClassVar[str] = "torch:forward_ad"

    def along(
        self, function: Function, at: torch.Tensor, tangent: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """One run; a tangent that PyTorch does not carry through is None, and is not returned."""
        with forward_ad.dual_level():
            loss, slope = _unpack_dual(function(_make_dual(at, tangent)))
        return loss, slope

    def product(
        self, tensors: Tensors, function: Function, at: torch.Tensor
    ) -> torch.Tensor | None:
        """Forward over reverse: dual numbers have one level, so that there is none over forward."""
        with forward_ad.dual_level():
            dual = _make_dual(at.detach().requires_grad_(), tensors.direction)
            (slope,) = torch.autograd.grad(tensors.objective(function(dual)), dual)
            product: torch.Tensor | None = _unpack_dual(slope).tangent
        return product
