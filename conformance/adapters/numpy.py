"""The reference: binary cross-entropy in NumPy, written to be read.

No term cancels another: every formula is a sum of terms of one sign for targets in [0, 1], and
each logarithm and exponential is taken of an argument that keeps its digits.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from conformance.adapters.base import LossAdapter
from conformance.model import Computed, Question

Array = np.ndarray[Any, np.dtype[Any]]


def softplus(z: Array) -> Array:
    """log(1 + exp z), elementwise, without overflow."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def logistic(z: Array) -> Array:
    """1 / (1 + exp -z), elementwise, with all digits in both tails."""
    e = np.exp(-np.abs(z))
    result: Array = np.where(z >= 0, 1, e) / (1 + e)
    return result


def times(coefficient: Array, value: Array) -> Array:
    """The product, and its limit 0 where the coefficient is 0 and the value infinite."""
    return np.where((coefficient == 0) & np.isinf(value), 0, coefficient * value)


def bce_with_logits(x: Array, t: Array, w: Array, p: Array) -> dict[str, Array]:
    """Elementwise loss and gradients for logits ``x``, targets ``t``, weight and pos_weight."""
    loss = times(p * t, softplus(-x)) + times(1 - t, softplus(x))
    logits_grad = (1 - t) * logistic(x) - p * t * logistic(-x)
    return {
        "loss": times(w, loss),
        "logits_grad": times(w, logits_grad),
        "targets_grad": times(w, target_slope(x, p)),
    }


def target_slope(x: Array, p: Array) -> Array:
    """The slope p softplus(-x) - softplus(x), by whichever of two forms cancels less."""
    up, down = softplus(x), softplus(-x)
    plain = times(p, down) - up
    shifted = times(p - 1, down) - x
    cancels_less = times(np.abs(p - 1), down) + np.abs(x) <= times(p, down) + up
    return np.where(cancels_less, shifted, plain)


def bce(q: Array, t: Array, w: Array) -> dict[str, Array]:
    """Elementwise loss and gradients for probabilities ``q``, targets ``t`` and weight."""
    log_q, log_1q = np.log(q), np.log1p(-q)
    loss = -times(t, log_q) - times(1 - t, log_1q)
    # Two fractions of opposite sign; at q = 0 and q = 1 the limits from inside (0, 1).
    grad = times(1 - t, 1 / (1 - q)) - times(t, 1 / q)
    return {
        "loss": times(w, loss),
        "probabilities_grad": times(w, grad),
        "targets_grad": times(w, log_1q - log_q),
    }


class NumpyAdapter(LossAdapter):
    """Evaluates in the dtype of the question; in float32 for the 16-bit dtypes, as kernels do."""

    name: ClassVar[str] = "numpy"
    distributions: ClassVar[tuple[str, ...]] = ("numpy",)

    def evaluate(self, question: Question) -> Computed:
        """Compute loss and gradients; refuse what the definition refuses."""
        inputs = question.inputs
        dtype = inputs["targets"].dtype
        working = np.float64 if dtype == np.float64 else np.float32
        first, *_ = inputs.values()
        check_shapes(inputs, first.shape)
        one = np.ones((), working)
        x, t = first.astype(working), inputs["targets"].astype(working)
        w = inputs.get("weight", one).astype(working)
        with np.errstate(all="ignore"):
            if question.operation == "bce_with_logits":
                outputs = bce_with_logits(x, t, w, inputs.get("pos_weight", one).astype(working))
            else:
                check_unit_interval(probabilities=x, targets=t)
                outputs = bce(x, t, w)
            outputs = reduce(outputs, question.reduction)
            return Computed(**{name: outputs[name].astype(dtype) for name in question.outputs})


def reduce(outputs: dict[str, Array], reduction: str) -> dict[str, Array]:
    """Reduce the loss; the gradients become those of the reduced loss."""
    if reduction == "none":
        return outputs
    if reduction == "sum":
        return {**outputs, "loss": np.asarray(outputs["loss"].sum())}
    means = {name: values / values.size for name, values in outputs.items()}
    return {**means, "loss": np.asarray(mean(outputs["loss"]))}


def mean(values: Array) -> Array:
    """The mean of all elements, finite where each of them is."""
    total = values.sum()
    # Divided last, large elements overflow in the sum; divided first, small ones underflow.
    result: Array = (values / values.size).sum() if np.isinf(total) else total / values.size
    return result


def check_shapes(inputs: Any, shape: tuple[int, ...]) -> None:
    """Refuse targets of another shape, and weights that would enlarge the result."""
    if inputs["targets"].shape != shape:
        msg = f"targets have shape {inputs['targets'].shape}, not {shape}"
        raise ValueError(msg)
    for name in ("weight", "pos_weight"):
        if name in inputs and np.broadcast_shapes(shape, inputs[name].shape) != shape:
            msg = f"{name} of shape {inputs[name].shape} does not broadcast into {shape}"
            raise ValueError(msg)


def check_unit_interval(**arrays: Array) -> None:
    """Refuse what is no probability."""
    for name, array in arrays.items():
        if not np.all((array >= 0) & (array <= 1)):
            msg = f"{name} must be in [0, 1]"
            raise ValueError(msg)
