"""What the ways to run TensorFlow share: tf.nn's losses of logits, and their derivatives."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

# Before the import, else TensorFlow tells of instruction sets and compilers on the terminal.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from conformance.adapters.base import LossAdapter
from conformance.model import Computed, Declined
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conformance.model import Question

Tensors = dict[str, Any]


class TensorflowBased(LossAdapter):
    """Takes the losses elementwise, as tf.nn has them, and reduces them by tf's own functions.

    tf.nn has no loss of probabilities, and no weight but pos_weight. That of the old interface,
    tf.compat.v1.losses.log_loss, is documented to be another one: it adds 1e-7 to what it takes
    the logarithm of, and it computes in float32. Keras has adapters of its own.

    Sources: https://www.tensorflow.org/api_docs/python/tf/nn/sigmoid_cross_entropy_with_logits
    and https://www.tensorflow.org/api_docs/python/tf/nn/weighted_cross_entropy_with_logits, which
    name float32 and float64.
    """

    operations: ClassVar[frozenset[str]] = frozenset({"bce_with_logits"})
    outputs: ClassVar[frozenset[str]] = frozenset(
        {"loss", "logits_grad", "targets_grad", "logits_hvp"}
    )
    options: ClassVar[frozenset[str]] = frozenset(
        {"pos_weight", "grad_output", "direction", "input_dtypes"}
    )
    dtypes: ClassVar[frozenset[str]] = frozenset({"float32", "float64"})

    def decline(self, question: Question) -> Declined | None:
        """Decline a bad reduction as well: there is no argument that could refuse it."""
        if question.job is None and question.reduction not in _REDUCTIONS:
            return Declined(f"{self.name} does not offer an argument `reduction`")
        return super().decline(question)

    def evaluate(self, question: Question) -> Computed:
        """Compute the loss and its derivatives."""
        tensors = {
            # TensorFlow takes no memory with strides.
            name: tf.constant(np.array(array, order="C"))
            for name, array in question.inputs.items()
        }
        found = self.compute(tensors, question.reduction, question.outputs)
        return Computed(**{name: found[name].numpy() for name in question.outputs})

    @abstractmethod
    def compute(self, tensors: Tensors, reduction: str, outputs: tuple[str, ...]) -> Tensors:
        """The outputs by name: ``derivatives``, run in one way or another."""

    def versions(self) -> dict[str, str]:
        """TensorFlow's own version, whatever distribution it comes in."""
        return {"tensorflow": str(tf.__version__)}


_REDUCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "none": tf.identity,
    "mean": tf.reduce_mean,
    "sum": tf.reduce_sum,
}


def loss_of(tensors: Tensors, reduction: str) -> Any:
    """The loss, by the function that its arguments call for."""
    given = {"labels": tensors["targets"], "logits": tensors["logits"]}
    if "pos_weight" in tensors:
        given["pos_weight"] = tensors["pos_weight"]
        return _REDUCTIONS[reduction](tf.nn.weighted_cross_entropy_with_logits(**given))
    return _REDUCTIONS[reduction](tf.nn.sigmoid_cross_entropy_with_logits(**given))


def derivatives(tensors: Tensors, reduction: str, outputs: tuple[str, ...]) -> Tensors:
    """The loss, its gradients, and the product of its Hessian with the direction.

    A tape differentiates the sum of the elements, each first multiplied by its grad_output or
    direction where that is given.
    """
    logits, targets = tensors["logits"], tensors["targets"]
    gradients = OPERATIONS["bce_with_logits"].gradients
    with tf.GradientTape() as outer:
        outer.watch(logits)
        with tf.GradientTape() as inner:
            inner.watch((logits, targets))
            loss = loss_of(tensors, reduction)
        found = {"loss": loss}
        if set(outputs) & {*gradients, "logits_hvp"}:
            slopes = inner.gradient(loss, (logits, targets), tensors.get("grad_output"))
            found |= dict(zip(gradients, slopes, strict=True))
    if "logits_hvp" in outputs:
        found["logits_hvp"] = outer.gradient(found["logits_grad"], logits, tensors["direction"])
    return found
