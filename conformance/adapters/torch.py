"""Raw PyTorch: the functional form and one backward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from conformance.adapters._torch import Tensors, TorchBased, to_array
from conformance.adapters.jobs import torch as torch_jobs
from conformance.model import Computed
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from types import ModuleType

    from conformance.model import Question


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
        loss = tensors.loss(tensors.input, tensors.targets)
        objective = tensors.objective(loss)
        objective.backward(retain_graph=tensors.direction is not None)  # type: ignore[no-untyped-call]
        answer = tensors.answer(loss, tensors.input)
        if tensors.direction is None:
            return answer
        (slope,) = torch.autograd.grad(objective, tensors.input, create_graph=True)
        (product,) = torch.autograd.grad(slope, tensors.input, tensors.direction)
        name = OPERATIONS[question.operation].hessian_product
        return Computed(**answer.outputs, **{name: to_array(product)})
