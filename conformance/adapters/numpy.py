"""The reference: binary cross-entropy in NumPy, written to be read.

No loss is a difference of large terms for targets in [0, 1], and a gradient is a difference only
where the true one is. Each logarithm and exponential is taken of an argument that keeps its digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from conformance.adapters._refusals import (
    check_dtypes,
    check_reduction,
    check_shapes,
    check_unit_interval,
    is_float,
)
from conformance.adapters.base import LossAdapter
from conformance.adapters.jobs import numpy as numpy_jobs
from conformance.model import Computed, Question
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

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


def ratio(a: Array, b: Array) -> Array:
    """The quotient, and its limit 0 where both are 0."""
    return np.where((a == 0) & (b == 0), 0, a / b)


def bce_with_logits(x: Array, t: Array, p: Array) -> dict[str, Array]:
    """Elementwise loss and derivatives for logits ``x``, targets ``t`` and pos_weight ``p``."""
    return {
        "loss": times(p * t, softplus(-x)) + times(1 - t, softplus(x)),
        "logits_grad": (1 - t) * logistic(x) - p * t * logistic(-x),
        "targets_grad": target_slope(x, p),
        "logits_hvp": (p * t + (1 - t)) * logistic(x) * logistic(-x),
    }


def target_slope(x: Array, p: Array) -> Array:
    """The slope p softplus(-x) - softplus(x), by whichever of two forms cancels less."""
    up, down = softplus(x), softplus(-x)
    plain = times(p, down) - up
    shifted = times(p - 1, down) - x
    cancels_less = times(np.abs(p - 1), down) + np.abs(x) <= times(p, down) + up
    return np.where(cancels_less, shifted, plain)


def bce(q: Array, t: Array) -> dict[str, Array]:
    """Elementwise loss and derivatives for probabilities ``q`` and targets ``t``."""
    q = q + 0.0  # -0.0 is the probability 0, and 1 / -0.0 has the wrong sign.
    log_q, log_1q = np.log(q), np.log1p(-q)
    # q - t has one rounding where t/q and (1-t)/(1-q) nearly cancel; at q = 0 and q = 1 the two
    # fractions give the limits from inside (0, 1).
    inside = (q > 0) & (q < 1)
    fractions = ratio(1 - t, 1 - q) - ratio(t, q)
    return {
        "loss": -times(t, log_q) - times(1 - t, log_1q),
        "probabilities_grad": np.where(inside, (q - t) / (q * (1 - q)), fractions),
        # 1 - 2q is exact around 1/2, where the two logarithms cancel.
        "targets_grad": np.where(
            np.abs(q - 0.5) <= 0.25, np.log1p((1 - 2 * q) / q), log_1q - log_q
        ),
        # Divided twice, since q * q underflows.
        "probabilities_hvp": ratio(ratio(t, q), q) + ratio(ratio(1 - t, 1 - q), 1 - q),
    }


ELEMENTWISE: Mapping[str, Callable[..., dict[str, Array]]] = {
    "bce_with_logits": bce_with_logits,
    "bce": bce,
}


class NumpyAdapter(LossAdapter):
    """Evaluates in the widest dtype of the question; in float32 for 16 bits, as kernels do."""

    name: ClassVar[str] = "numpy"
    outputs: ClassVar[frozenset[str]] = LossAdapter.outputs | {"logits_hvp", "probabilities_hvp"}
    options: ClassVar[frozenset[str]] = LossAdapter.options | {
        "grad_output",
        "direction",
        "input_dtypes",
    }
    distributions: ClassVar[tuple[str, ...]] = ("numpy",)
    jobs: ClassVar[ModuleType | None] = numpy_jobs

    def evaluate(self, question: Question) -> Computed:
        """Compute loss and derivatives; refuse what the definition refuses."""
        arrays = self.prepare(question)
        with np.errstate(all="ignore"):
            outputs = self.elementwise(question.operation, arrays)
            outputs = self.weigh(outputs, arrays)
            outputs = self.reduce(outputs, question.reduction)
            return self.answer(outputs, question)

    def prepare(self, question: Question) -> dict[str, Array]:
        """The inputs in the dtype in which they are computed with; absent ones are 1."""
        inputs = question.inputs
        first, *_ = inputs.values()
        check_dtypes(inputs, first.dtype)
        check_reduction(question.reduction)
        check_shapes(inputs, first.shape)
        if question.operation == "bce":
            check_unit_interval(probabilities=first, targets=inputs["targets"])
        wide = any(array.dtype == np.float64 for array in inputs.values())
        working = np.float64 if wide else np.float32
        one = np.ones((), working)
        names = OPERATIONS[question.operation].inputs
        return {name: inputs.get(name, one).astype(working) for name in names}

    def elementwise(self, operation: str, arrays: dict[str, Array]) -> dict[str, Array]:
        """Each output for the weight 1, before the reduction."""
        arguments = (arrays[name] for name in OPERATIONS[operation].arguments)
        return ELEMENTWISE[operation](*arguments)

    def weigh(self, outputs: dict[str, Array], arrays: dict[str, Array]) -> dict[str, Array]:
        """Multiply the loss by the weight, the derivatives by what flows back as well."""
        weight, grad_output = arrays["weight"], arrays["grad_output"]
        found = {"loss": times(weight, outputs["loss"])}
        for name, values in outputs.items():
            if name != "loss":
                found[name] = times(grad_output, times(weight, values))
            if name.endswith("_hvp"):
                found[name] = times(arrays["direction"], found[name])
        return found

    def reduce(self, outputs: dict[str, Array], reduction: str) -> dict[str, Array]:
        """Reduce the loss; the derivatives become those of the reduced loss."""
        if reduction == "none":
            return outputs
        if reduction == "sum":
            return {**outputs, "loss": np.asarray(outputs["loss"].sum())}
        means = {name: values / values.size for name, values in outputs.items()}
        return {**means, "loss": np.asarray(mean(outputs["loss"]))}

    def answer(self, outputs: dict[str, Array], question: Question) -> Computed:
        """Return what was asked for, each output in its dtype.

        The loss has the wider dtype of input and targets, a derivative that of what it is taken
        with respect to.
        """
        operation = OPERATIONS[question.operation]
        found = {}
        for name in question.outputs:
            of = operation.differentiated(name)
            dtype = question.inputs[of].dtype if of else loss_dtype(question)
            found[name] = outputs[name].astype(dtype)
        return Computed(**found)


def loss_dtype(question: Question) -> np.dtype[Any]:
    """The smallest float dtype that holds every input and every target; of integers, none does."""
    dtypes: list[np.dtype[Any]] = [array.dtype for array in question.inputs.values()]
    first, targets, *_ = dtypes
    if not is_float(targets) or first == targets:
        return first
    if first.itemsize == targets.itemsize:  # float16 and bfloat16
        return np.dtype(np.float32)
    return first if first.itemsize > targets.itemsize else targets


def mean(values: Array) -> Array:
    """The mean of all elements, finite where each of them is."""
    total = values.sum()
    # Divided last, large elements overflow in the sum; divided first, small ones underflow.
    result: Array = (values / values.size).sum() if np.isinf(total) else total / values.size
    return result
