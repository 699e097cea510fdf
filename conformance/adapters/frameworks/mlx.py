"""MLX: mlx.nn.losses.binary_cross_entropy, on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import ml_dtypes
import numpy as np
from mlx import core as mx
from mlx.nn import losses

from conformance.adapters.base import LossAdapter
from conformance.model import Computed, Declined
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from conformance.model import Question


def to_mlx(array: np.ndarray[Any, Any]) -> mx.array:
    """A copy of the same dtype: without being told, MLX makes float32 of float64.

    It takes no array with negative strides.
    """
    array = np.ascontiguousarray(array).reshape(array.shape)
    if array.dtype == ml_dtypes.bfloat16:
        return mx.array(array.view(np.uint16)).view(mx.bfloat16)
    dtype = mx.bool_ if array.dtype == np.bool_ else getattr(mx, array.dtype.name)
    return mx.array(array, dtype=dtype)


def to_numpy(array: mx.array) -> np.ndarray[Any, Any]:
    """A copy; NumPy itself has no bfloat16 to receive."""
    if array.dtype == mx.bfloat16:
        return np.array(array.view(mx.uint16)).view(ml_dtypes.bfloat16)
    return np.array(array)


def is_broadcast(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether an array of ``shape`` can be repeated to have the shape ``target``."""
    sizes = zip(reversed(shape), reversed(target), strict=False)
    return len(shape) <= len(target) and all(own in (1, size) for own, size in sizes)


class Mlx(LossAdapter):
    """Calls the one function for logits and probabilities, differentiated by mx.grad.

    Source: https://ml-explore.github.io/mlx/build/html/python/nn/losses.html. It has weights of
    the shape of the loss, and no pos_weight. MLX has float64 on the CPU only.
    """

    name: ClassVar[str] = "mlx"
    options: ClassVar[frozenset[str]] = frozenset({"weight", "grad_output", "input_dtypes"})
    distributions: ClassVar[tuple[str, ...]] = ("mlx",)

    def decline(self, question: Question) -> Declined | None:
        """Decline a weight that is to be broadcast, of which its documentation says nothing."""
        shape = question.inputs.get("targets", np.empty(0)).shape
        weight = question.inputs.get("weight", np.empty(shape))
        if weight.shape != shape and is_broadcast(weight.shape, shape):
            return Declined("mlx has one weight for each target, and broadcasts none")
        return super().decline(question)

    def evaluate(self, question: Question) -> Computed:
        """Compute the loss, and the gradients of its sum; on the CPU even where there is a GPU."""
        with mx.stream(mx.cpu):
            return self._evaluate(question)

    def _evaluate(self, question: Question) -> Computed:
        operation = OPERATIONS[question.operation]
        inputs = {name: to_mlx(array) for name, array in question.inputs.items()}
        arguments = inputs[operation.inputs[0]], inputs["targets"]

        def loss_of(input_: mx.array, targets: mx.array) -> mx.array:
            return losses.binary_cross_entropy(
                input_,
                targets,
                weights=inputs.get("weight"),
                with_logits=question.operation == "bce_with_logits",
                reduction=question.reduction,
            )

        def objective(input_: mx.array, targets: mx.array) -> mx.array:
            loss = loss_of(input_, targets)
            return (loss * inputs["grad_output"] if "grad_output" in inputs else loss).sum()

        found = {"loss": to_numpy(loss_of(*arguments))}
        for place, (name, _) in enumerate(operation.gradients.items()):
            if name in question.outputs:
                found[name] = to_numpy(mx.grad(objective, place)(*arguments))
        return Computed(**found)
