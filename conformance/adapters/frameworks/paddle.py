"""paddle.nn.functional in eager mode, as PaddlePaddle's documentation shows it.

Its kernels for the CPU exist in float32 and float64 only. They have a gradient with respect to the
logits or probabilities, none with respect to the labels, and none of that gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import paddle
from paddle.nn import functional

from conformance.adapters.base import LossAdapter
from conformance.model import Computed
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from conformance.model import Question


class Paddle(LossAdapter):
    """Calls the functional forms; Paddle multiplies by the weight and reduces.

    Sources: https://www.paddlepaddle.org.cn/documentation/docs/en/api/paddle/nn/functional/binary_cross_entropy_with_logits_en.html
    and .../binary_cross_entropy_en.html.
    """

    name: ClassVar[str] = "paddle"
    outputs: ClassVar[frozenset[str]] = frozenset({"loss", "logits_grad", "probabilities_grad"})
    options: ClassVar[frozenset[str]] = LossAdapter.options | {"grad_output", "input_dtypes"}
    dtypes: ClassVar[frozenset[str]] = frozenset({"float32", "float64"})

    def evaluate(self, question: Question) -> Computed:
        """Compute the loss, and by paddle.grad its gradient."""
        tensors = {name: _tensor(array) for name, array in question.inputs.items()}
        grad_output = tensors.pop("grad_output", None)
        operation = OPERATIONS[question.operation]
        first = tensors.pop(operation.inputs[0])
        first.stop_gradient = False
        loss_of: Any = getattr(functional, _FUNCTIONS[question.operation])
        loss = loss_of(first, tensors.pop("targets"), reduction=question.reduction, **tensors)
        found = {"loss": loss}
        if set(question.outputs) & set(operation.gradients):
            # Without a grad_output each element counts as 1.
            (gradient,) = paddle.grad([loss], [first], [grad_output])
            found |= dict.fromkeys(operation.gradients, gradient)
        return Computed(**{name: found[name].numpy() for name in question.outputs})

    def versions(self) -> dict[str, str]:
        """Paddle's own version, whatever distribution it comes in."""
        return {"paddle": str(paddle.__version__)}


_FUNCTIONS = {
    "bce_with_logits": "binary_cross_entropy_with_logits",
    "bce": "binary_cross_entropy",
}


def _tensor(array: np.ndarray[Any, Any]) -> Any:
    """A copy on the CPU, contiguous, through which nothing flows back."""
    return paddle.to_tensor(np.array(array, order="C"), place=paddle.CPUPlace())
