"""JAX, with the loss of Optax, as it is called outside of any transformation but grad."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from conformance.adapters.frameworks._jax import JaxBased, outputs

if TYPE_CHECKING:
    import jax

    from conformance.model import Question


class Jax(JaxBased):
    """Runs operation after operation, each by a kernel of its own."""

    name: ClassVar[str] = "jax"

    def compute(self, question: Question, inputs: dict[str, jax.Array]) -> dict[str, jax.Array]:
        """The outputs, each operation run as Python comes to it."""
        return outputs(inputs, question.reduction, question.outputs)
