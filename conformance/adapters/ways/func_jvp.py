"""Derivatives by torch.func.jvp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from torch import func

from conformance.adapters.ways._func import Func
from conformance.adapters.ways._pushforward import Pushforward

if TYPE_CHECKING:
    import torch

    from conformance.adapters._torch import Tensors
    from conformance.adapters.ways._pushforward import Function


class Jvp(Func, Pushforward):
    """Maps over the tangents where there are many, as torch.func.jacfwd does."""

    name: ClassVar[str] = "torch:func.jvp"
    limit: ClassVar[int] = 1024

    def along(
        self, function: Function, at: torch.Tensor, tangent: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One run."""
        loss: torch.Tensor
        slope: torch.Tensor
        loss, slope, *_ = func.jvp(function, (at,), (tangent,))
        return loss, slope

    def along_each(
        self, function: Function, at: torch.Tensor, tangents: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One run for all."""
        # The stub allows no None, which says that the loss is the same for all of them.
        out_dims: Any = (None, 0)
        mapped = func.vmap(lambda tangent: self.along(function, at, tangent), out_dims=out_dims)
        loss, slopes = mapped(tangents)
        return loss, slopes

    def product(self, tensors: Tensors, function: Function, at: torch.Tensor) -> torch.Tensor:
        """Forward over forward."""
        product: torch.Tensor = func.jvp(
            lambda place: self.derivative(tensors, function, place)[1], (at,), (tensors.direction,)
        )[1]
        return product
