"""Gradients by the reverse mode of torch.func."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import func

from conformance.adapters.ways._func import Func

if TYPE_CHECKING:
    import torch

    from conformance.adapters._torch import Tensors


class Reverse(Func):
    """Differentiates the composition that stands for the loss of logits."""


def derivatives(tensors: Tensors) -> dict[str, torch.Tensor]:
    """The loss with its derivatives, by the names of what ``Tensors.computed`` takes.

    The first are taken in reverse; the product of the direction with the Hessian is the derivative
    of the gradient along the direction, forward over reverse, as the documentation advises.

    Source: https://docs.pytorch.org/docs/stable/func.api.html.
    """

    def objective(input_: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        loss = tensors.loss(input_, targets)
        return tensors.objective(loss), loss

    input_, targets = tensors.input.detach(), tensors.targets.detach()
    names = ["input_grad"]
    if "targets_grad" in tensors.question.outputs:
        names.append("targets_grad")
    gradient = func.grad(objective, argnums=tuple(range(len(names))), has_aux=True)
    gradients, loss = gradient(input_, targets)
    found = {"loss": loss, **dict(zip(names, gradients, strict=True))}
    if tensors.direction is not None:
        slope = func.grad(lambda at: objective(at, targets)[0])
        found["product"] = func.jvp(slope, (input_,), (tensors.direction,))[1]
    return found
