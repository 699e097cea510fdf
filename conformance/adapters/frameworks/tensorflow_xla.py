"""TensorFlow's losses with their derivatives, compiled by XLA."""

from __future__ import annotations

from typing import ClassVar

import tensorflow as tf

from conformance.adapters.frameworks._tensorflow import TensorflowBased, Tensors, derivatives

# Each new shape is a program of its own, which TensorFlow warns of as if it were a slip.
tf.get_logger().setLevel("ERROR")
_compiled = tf.function(derivatives, jit_compile=True, autograph=False)


class TensorflowXla(TensorflowBased):
    """Compiles the loss and its derivatives into one program, which XLA may rearrange.

    Source: https://openxla.org/xla/tf2xla.
    """

    name: ClassVar[str] = "tensorflow:xla"

    def compute(self, tensors: Tensors, reduction: str, outputs: tuple[str, ...]) -> Tensors:
        """The outputs of one compiled program."""
        found: Tensors = _compiled(tensors, reduction, outputs)
        return found
