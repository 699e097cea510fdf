"""Keras on PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch

from conformance.adapters.frameworks._keras import Keras, differentiated, keras_on
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Question

_KERAS = keras_on("torch")


class KerasTorch(Keras):
    """Differentiates by PyTorch's autograd, as Keras trains on PyTorch."""

    name: ClassVar[str] = "keras:torch"
    distributions: ClassVar[tuple[str, ...]] = ("keras", "torch")
    keras: ClassVar[Any] = _KERAS

    def differentiate(self, question: Question, tensors: dict[str, Any]) -> Sequence[Any]:
        """The loss, then its gradients by a backward pass."""
        wanted = [tensors[name].requires_grad_() for name in differentiated(question)]
        first = OPERATIONS[question.operation].inputs[0]
        loss = self.loss(question, tensors[first], tensors["targets"])
        if not wanted:
            return [loss]
        flowing = tensors.get("grad_output", torch.ones_like(loss))
        return [loss, *torch.autograd.grad(loss, wanted, flowing)]
