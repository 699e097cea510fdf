"""Derivatives along tangents, of which a reduced loss needs one for each element."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import torch

from conformance.adapters._torch import Tensors
from conformance.adapters.ways._way import Way
from conformance.model import Declined
from conformance.operations import effective_reduction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conformance.model import Computed, Question

    Function = Callable[[torch.Tensor], torch.Tensor]


class Pushforward(Way):
    """A way that gives a loss with its derivative along one tangent; implement two methods.

    An element of an unreduced loss depends on one element of the input, so that one tangent of
    ones gives all derivatives. A reduced loss needs as many tangents as the input has elements,
    each with one 1 in it.

    Attributes:
        options: Not inputs of several dtypes: such a derivative has the dtype of the loss, and not
            that of what it is taken with respect to.
        eager: The formulas are not those of a backward pass.
        limit: The most elements of the input of a reduced loss.
    """

    options: ClassVar[frozenset[str]] = Way.options - {"input_dtypes"}
    eager: ClassVar[bool] = False
    limit: ClassVar[int] = 256

    def decline(self, question: Question) -> Declined | None:
        """Decline a loss that is reduced over too many elements."""
        size = next(iter(question.inputs.values())).size
        if size > self.limit and not _is_elementwise(question):
            return Declined(f"{self.name} takes a run for each element, of {self.limit} at most")
        return super().decline(question)

    def evaluate(self, question: Question) -> Computed:
        """Compute the loss, its derivatives, then the Hessian's product with the direction."""
        tensors = Tensors(question)
        input_, targets = tensors.input.detach(), tensors.targets.detach()

        def of_input(at: torch.Tensor) -> torch.Tensor:
            return tensors.loss(at, targets)

        def of_targets(at: torch.Tensor) -> torch.Tensor:
            return tensors.loss(input_, at)

        targets_grad = product = None
        loss, input_grad = self.derivative(tensors, of_input, input_)
        if "targets_grad" in question.outputs:
            _, targets_grad = self.derivative(tensors, of_targets, targets)
        if tensors.direction is not None:
            product = self.product(tensors, of_input, input_)
        return tensors.computed(loss, input_grad, targets_grad, product)

    def derivative(
        self, tensors: Tensors, function: Function, at: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The loss, and its derivative with respect to every element of ``at``."""
        if _is_elementwise(tensors.question):
            loss, slope = self.along(function, at, torch.ones_like(at))
        elif at.numel():
            basis = torch.eye(at.numel(), dtype=at.dtype, device=at.device)
            loss, slopes = self.along_each(function, at, basis.reshape(-1, *at.shape))
            slope = None if slopes is None else slopes.reshape(at.shape)
        else:
            return function(at), torch.empty_like(at)
        return loss, None if slope is None else tensors.scaled(slope)

    def along_each(
        self, function: Function, at: torch.Tensor, tangents: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The loss, and its derivatives along each of ``tangents``, in a run of its own each."""
        losses, slopes = zip(*(self.along(function, at, each) for each in tangents), strict=True)
        return losses[0], _stacked(slopes)

    @abstractmethod
    def along(
        self, function: Function, at: torch.Tensor, tangent: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The loss, and its derivative along ``tangent``, or None where PyTorch gives none."""

    @abstractmethod
    def product(
        self, tensors: Tensors, function: Function, at: torch.Tensor
    ) -> torch.Tensor | None:
        """The product of the Hessian of the objective with ``tensors.direction``."""


def _is_elementwise(question: Question) -> bool:
    return effective_reduction(question.reduction, question.legacy) == "none"


def _stacked(slopes: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    found = [slope for slope in slopes if slope is not None]
    return torch.stack(found) if len(found) == len(slopes) else None
