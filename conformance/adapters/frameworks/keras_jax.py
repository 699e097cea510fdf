"""Keras on JAX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jax

from conformance.adapters.frameworks._keras import Keras, differentiated, keras_on
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from conformance.model import Question

# Without it JAX makes float32 of every float64 array, whatever dtype Keras asks it for:
# https://docs.jax.dev/en/latest/default_dtypes.html
jax.config.update("jax_enable_x64", True)
_KERAS = keras_on("jax")


class KerasJax(Keras):
    """Differentiates by jax.vjp, operation after operation, with 64 bits enabled."""

    name: ClassVar[str] = "keras:jax"
    distributions: ClassVar[tuple[str, ...]] = ("keras", "jax", "jaxlib")
    keras: ClassVar[Any] = _KERAS

    def differentiate(self, question: Question, tensors: dict[str, Any]) -> Sequence[Any]:
        """The loss, then its gradients by pulling back what flows in."""
        wanted = differentiated(question)
        first = OPERATIONS[question.operation].inputs[0]

        def loss_of(*arguments: jax.Array) -> Any:
            given = {**tensors, **dict(zip(wanted, arguments, strict=True))}
            return self.loss(question, given[first], given["targets"])

        loss, pull_back = jax.vjp(loss_of, *(tensors[name] for name in wanted))
        if not wanted:
            return [loss]
        flowing = tensors.get("grad_output", jax.numpy.ones_like(loss))
        return [loss, *pull_back(flowing)]

    def to_array(self, tensor: Any) -> np.ndarray[Any, Any] | None:
        """None for what JAX gives as the derivative by an integer, which no array can hold."""
        return None if tensor.dtype == jax.dtypes.float0 else super().to_array(tensor)
