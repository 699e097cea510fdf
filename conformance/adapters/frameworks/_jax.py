"""What the adapters on JAX share: Optax's loss, and its derivatives by JAX's transformations."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import numpy as np
import optax
from jax import numpy as jnp

from conformance.adapters.base import LossAdapter
from conformance.model import Computed, Declined
from conformance.operations import OPERATIONS, REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.model import Question

# Without it JAX makes float32 of every float64 array, and says so in a warning at most:
# https://docs.jax.dev/en/latest/default_dtypes.html
jax.config.update("jax_enable_x64", True)

_LOGITS = OPERATIONS["bce_with_logits"]
_REDUCE = {"none": lambda loss: loss, "mean": jnp.mean, "sum": jnp.sum}


def outputs(
    inputs: Mapping[str, jax.Array], reduction: str, wanted: Sequence[str]
) -> dict[str, jax.Array]:
    """The outputs ``wanted``, and the loss, of arrays by the names of a question's inputs.

    The Hessian's product with the direction is the forward derivative of the reverse one:
    https://docs.jax.dev/en/latest/notebooks/autodiff_cookbook.html
    """
    arguments = inputs["logits"], inputs["targets"]

    def objective(logits: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
        loss = _REDUCE[reduction](optax.sigmoid_binary_cross_entropy(logits, targets))
        scaled = loss * inputs["grad_output"] if "grad_output" in inputs else loss
        return jnp.sum(scaled), loss

    def slope(logits: jax.Array) -> Any:
        return jax.grad(objective, has_aux=True)(logits, arguments[1])[0]

    names = [name for name in _LOGITS.gradients if name in wanted]
    places = tuple(_LOGITS.inputs.index(_LOGITS.gradients[name]) for name in names)
    if places:
        gradients, loss = jax.grad(objective, places, has_aux=True)(*arguments)
        found = {"loss": loss, **dict(zip(names, gradients, strict=True))}
    else:
        found = {"loss": objective(*arguments)[1]}
    if _LOGITS.hessian_product in wanted:
        _, product = jax.jvp(slope, arguments[:1], (inputs["direction"],))
        found[_LOGITS.hessian_product] = product
    return found


class JaxBased(LossAdapter):
    """Optax's ``sigmoid_binary_cross_entropy`` on the CPU, with 64 bits enabled.

    It gives one loss an element, without weights. The mean is JAX's own, as Optax's guide takes
    it: https://optax.readthedocs.io/en/latest/getting_started.html. So is the sum. A name of no
    reduction cannot be passed to either, and is declined. Optax has no loss of probabilities.
    """

    operations: ClassVar[frozenset[str]] = frozenset({"bce_with_logits"})
    outputs: ClassVar[frozenset[str]] = frozenset(_LOGITS.outputs)
    options: ClassVar[frozenset[str]] = frozenset({"grad_output", "direction", "input_dtypes"})
    distributions: ClassVar[tuple[str, ...]] = ("jax", "jaxlib", "optax")

    @abstractmethod
    def compute(self, question: Question, inputs: dict[str, jax.Array]) -> dict[str, jax.Array]:
        """What ``outputs`` gives for the question, in this adapter's way."""

    def decline(self, question: Question) -> Declined | None:
        """Decline a reduction that is none, for there is nothing that would be told its name."""
        if question.reduction not in REDUCTIONS:
            return Declined("optax has no argument for a reduction")
        return super().decline(question)

    def evaluate(self, question: Question) -> Computed:
        """Compute the loss and its derivatives, on the CPU even where there is a GPU."""
        with jax.default_device(jax.devices("cpu")[0]):
            inputs = {name: jnp.asarray(array) for name, array in question.inputs.items()}
            found = self.compute(question, inputs)
            return Computed(**{name: np.array(found[name]) for name in question.outputs})
