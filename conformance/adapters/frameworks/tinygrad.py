"""tinygrad: Tensor.binary_crossentropy_logits and Tensor.binary_crossentropy, on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import ml_dtypes
import numpy as np
from tinygrad import Tensor

from conformance.adapters.base import LossAdapter
from conformance.model import Computed, Declined
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from conformance.model import Question

DEVICE = "CPU"
"""Compiles each kernel with clang; tinygrad's default may be another one where it finds a GPU."""


def to_tensor(array: np.ndarray[Any, Any]) -> Tensor:
    """A copy."""
    return Tensor(np.ascontiguousarray(array).reshape(array.shape), device=DEVICE)


class Tinygrad(LossAdapter):
    """Calls the methods of Tensor that have these names, and differentiates by ``gradient``.

    Source: https://docs.tinygrad.org/tensor/ops/. They take a reduction, and that of logits a
    pos_weight; neither takes a weight. Only float32 is asked for, its default: as clang compiles
    each new kernel, one dtype takes minutes. clang 14 does not compile its bfloat16 for x86-64.
    """

    name: ClassVar[str] = "tinygrad"
    options: ClassVar[frozenset[str]] = frozenset({"pos_weight", "grad_output", "input_dtypes"})
    dtypes: ClassVar[frozenset[str]] = frozenset({"float32"})
    distributions: ClassVar[tuple[str, ...]] = ("tinygrad",)

    def decline(self, question: Question) -> Declined | None:
        """Decline inputs of bfloat16 beside others, too."""
        if any(array.dtype == ml_dtypes.bfloat16 for array in question.inputs.values()):
            return Declined("tinygrad is not asked in bfloat16")
        return super().decline(question)

    def evaluate(self, question: Question) -> Computed:
        """Compute the loss, and the gradients of its sum."""
        operation = OPERATIONS[question.operation]
        inputs = {name: to_tensor(array) for name, array in question.inputs.items()}
        input_, targets = inputs[operation.inputs[0]], inputs["targets"]
        if question.operation == "bce":
            loss = input_.binary_crossentropy(targets, reduction=question.reduction)
        else:
            loss = input_.binary_crossentropy_logits(
                targets, reduction=question.reduction, pos_weight=inputs.get("pos_weight")
            )
        names = [name for name in operation.gradients if name in question.outputs]
        of = [inputs[operation.gradients[name]] for name in names]
        incoming = inputs.get("grad_output", loss.ones_like())
        gradients = loss.gradient(*of, gradient=incoming) if of else []
        found = dict(zip(names, gradients, strict=True))
        Tensor.realize(loss, *gradients)
        return Computed(
            loss=np.array(loss.numpy()),
            **{name: np.array(value.numpy()) for name, value in found.items()},
        )
