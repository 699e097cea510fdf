"""What the adapters on Keras share: its losses, on whichever backend differentiates them."""

from __future__ import annotations

import importlib
import os
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.adapters.base import LossAdapter
from conformance.errors import ConformanceError
from conformance.model import Computed, Declined
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from conformance.model import Question

OWN_MEANING = ("mean_with_sample_weight", "sum", "sum_over_batch_size")
"""Reductions of Keras's losses that are not what the definition calls so, or calls an error."""


def keras_on(backend: str) -> Any:
    """Keras, imported with this backend, which is chosen once for a process.

    Raises:
        ConformanceError: If Keras already runs on another.
    """
    os.environ["KERAS_BACKEND"] = backend
    keras = importlib.import_module("keras")
    running = keras.backend.backend()
    if running != backend:
        msg = (
            f"keras:{backend}: Keras already runs on {running} in this process. "
            f"Run keras:{backend} by itself."
        )
        raise ConformanceError(msg)
    return keras


class Keras(LossAdapter):
    """Keras 3 on the CPU; a subclass has Keras on its backend, and differentiates as that does.

    There are two losses. ``keras.ops.binary_crossentropy`` gives one loss an element, and is asked
    for the reduction "none". ``keras.losses.BinaryCrossentropy`` averages over the last axis before
    it reduces: https://keras.io/api/losses/probabilistic_losses/#binarycrossentropy-class. What is
    left to its argument ``reduction`` agrees with the definition for "mean" alone, and is asked for
    that, and for what is no reduction. Its "sum" is one of means, "sum_over_batch_size" its name of
    a mean, and its ``sample_weight`` weighs means too. There is no pos_weight.

    The class computes in ``keras.config.floatx()``, float32, unless it is told a dtype. It is told
    that of the question.

    Attributes:
        keras: The module, on the backend.
    """

    options: ClassVar[frozenset[str]] = frozenset({"grad_output", "input_dtypes"})
    distributions: ClassVar[tuple[str, ...]] = ("keras",)
    keras: ClassVar[Any]

    @abstractmethod
    def differentiate(self, question: Question, tensors: dict[str, Any]) -> Sequence[Any]:
        """The loss, then its gradients with respect to each of ``differentiated``.

        Args:
            question: Tells which.
            tensors: The backend's, by the names of the question's inputs.
        """

    def decline(self, question: Question) -> Declined | None:
        """Decline what has a meaning of Keras's own."""
        if question.reduction in OWN_MEANING:
            return Declined(f"{question.reduction} has another meaning in Keras")
        return super().decline(question)

    def evaluate(self, question: Question) -> Computed:
        """Compute the loss and its gradients, on the CPU even where there is a GPU."""
        to_tensor = self.keras.ops.convert_to_tensor
        with self.keras.device("cpu:0"):
            tensors = {
                name: to_tensor(array, dtype=str(array.dtype))
                for name, array in question.inputs.items()
            }
            loss, *gradients = map(self.to_array, self.differentiate(question, tensors))
            found = dict(zip(differentiated(question), gradients, strict=True))
            of = OPERATIONS[question.operation].gradients
            return Computed(
                **{name: found[of[name]] if name in of else loss for name in question.outputs}
            )

    def to_array(self, tensor: Any) -> np.ndarray[Any, Any] | None:
        """A tensor of the backend as a NumPy array; None where it stands for no derivative."""
        array: np.ndarray[Any, Any] = self.keras.ops.convert_to_numpy(tensor)
        return array

    def loss(self, question: Question, input_: Any, targets: Any) -> Any:
        """The loss of the backend's tensors."""
        from_logits = question.operation == "bce_with_logits"
        if question.reduction == "none":
            return self.keras.ops.binary_crossentropy(targets, input_, from_logits=from_logits)
        loss = self.keras.losses.BinaryCrossentropy(
            from_logits=from_logits, reduction=question.reduction, dtype=question.dtype
        )
        return loss(targets, input_)


def differentiated(question: Question) -> list[str]:
    """The inputs that gradients are asked for, in the order of ``question.outputs``."""
    gradients = OPERATIONS[question.operation].gradients
    return [gradients[name] for name in question.outputs if name in gradients]
