"""JAX, with the loss of Optax, compiled together with its derivatives by jax.jit."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import jax

from conformance.adapters.frameworks._jax import JaxBased, outputs

if TYPE_CHECKING:
    from conformance.model import Question

# Compiled once for all questions whose shapes, dtypes, reduction and outputs are the same.
_COMPILED = jax.jit(outputs, static_argnames=("reduction", "wanted"))


class JaxJit(JaxBased):
    """Compiles the loss and its derivatives into one program, which XLA may rearrange."""

    name: ClassVar[str] = "jax:jit"

    def compute(self, question: Question, inputs: dict[str, jax.Array]) -> dict[str, jax.Array]:
        """The outputs of one compiled program."""
        found: dict[str, jax.Array] = _COMPILED(
            inputs, reduction=question.reduction, wanted=question.outputs
        )
        return found
