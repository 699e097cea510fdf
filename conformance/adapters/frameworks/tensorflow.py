"""TensorFlow's eager mode."""

from __future__ import annotations

from typing import ClassVar

from conformance.adapters.frameworks._tensorflow import TensorflowBased, Tensors, derivatives


class Tensorflow(TensorflowBased):
    """Runs operation after operation, each by a kernel of its own."""

    name: ClassVar[str] = "tensorflow"

    def compute(self, tensors: Tensors, reduction: str, outputs: tuple[str, ...]) -> Tensors:
        """The outputs, each operation run as Python comes to it."""
        return derivatives(tensors, reduction, outputs)
