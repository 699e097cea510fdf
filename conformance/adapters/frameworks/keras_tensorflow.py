"""Keras on TensorFlow."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from conformance.adapters.frameworks._keras import Keras, differentiated, keras_on
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Question

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # Else it tells how it was compiled.
_KERAS = keras_on("tensorflow")

import tensorflow as tf  # noqa: E402 - after the level of its log is set


class KerasTensorflow(Keras):
    """Differentiates by a GradientTape, run eagerly."""

    name: ClassVar[str] = "keras:tensorflow"
    keras: ClassVar[Any] = _KERAS

    def differentiate(self, question: Question, tensors: dict[str, Any]) -> Sequence[Any]:
        """The loss, then its gradients by a tape."""
        wanted = [tensors[name] for name in differentiated(question)]
        first = OPERATIONS[question.operation].inputs[0]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(wanted)
            loss = self.loss(question, tensors[first], tensors["targets"])
        return [loss, *tape.gradient(loss, wanted, tensors.get("grad_output"))]

    def to_array(self, tensor: Any) -> np.ndarray[Any, Any]:
        """A tensor as a NumPy array; Keras's own way fails for bfloat16 of no axes."""
        return np.asarray(tensor.numpy())

    def versions(self) -> dict[str, str]:
        """Those of Keras and of TensorFlow, whichever distribution that came in."""
        return {**super().versions(), "tensorflow": tf.__version__}
