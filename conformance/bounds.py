"""The magnitudes that the grades "accurate" and "coarse" allow errors in proportion to.

docs/grading.md derives every formula here. All are in float64: a bound needs no more than its
leading digits, and where one overflows it allows nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.floats import FORMATS, to_array
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conformance.floats import Format
    from conformance.model import Case

Values = np.ndarray[Any, np.dtype[np.float64]]
Magnitudes = tuple[Values, Values]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The largest errors allowed, in real units, one an element compared, in C order."""

    accurate: Values
    coarse: Values


def bounds_of(case: Case, format_: Format, policy: str | None) -> Mapping[str, Bounds]:
    """The bounds of each output of ``case`` in one format.

    Args:
        case: Its operation selects the formulas.
        format_: Its unit roundoff and smallest normal number scale them.
        policy: "clamp_log_100" and "denominator_eps_1e_12" bound the magnitudes as they bound the
            values.

    Returns:
        For each output asked for, bounds of the shape of its truth's values.
    """
    shape = next(iter(case.inputs.values())).shape
    arrays = {
        name: np.broadcast_to(to_array(array.values, array.shape, FORMATS["float64"]), shape)
        for name, array in case.inputs.items()
    }
    operation = OPERATIONS[case.operation]
    one = np.ones(())
    scale = np.maximum(1, np.abs(arrays.get("pos_weight", one)))
    found = {}
    with np.errstate(all="ignore"):
        magnitudes = MAGNITUDES[case.operation](arrays, policy)
        for output in case.outputs:
            weight, *upstream = (
                np.abs(arrays.get(name, one)) for name in operation.factors_of(output)
            )
            factor = math.prod(upstream, start=weight)
            careful, textbook = (_times(factor, values) for values in magnitudes[output])
            # What underflows may do so before the factors from upstream enlarge it.
            enlarged = math.prod((np.maximum(1, value) for value in upstream), start=weight)
            underflow = np.broadcast_to(enlarged * scale * format_.smallest_normal, shape)
            found[output] = _bounds(case, output, (careful, textbook), underflow, format_)
    return found


def _bounds(
    case: Case, output: str, magnitudes: Magnitudes, underflow: Values, format_: Format
) -> Bounds:
    careful, textbook = magnitudes
    count = 1
    if output == "loss" and case.reduced != "none":
        count = max(1, careful.size)
        careful, textbook, underflow = careful.sum(), textbook.sum(), underflow.sum()
    if case.reduced == "mean":
        elements = max(1, underflow.size, count)
        careful, textbook = careful / elements, textbook / elements
        # A gradient may be divided before it is weighted, and then underflow undivided.
        underflow = underflow / count
    factor = (8 + 2 * np.log2(count)) * format_.unit_roundoff
    accurate = factor * (careful + underflow)
    coarse = factor * textbook + underflow
    positions = case.positions if accurate.ndim else ()
    return Bounds(_select(accurate, positions), _select(coarse, positions))


def _select(values: Values, positions: tuple[int, ...]) -> Values:
    flat = np.reshape(values, -1)
    return flat[list(positions)] if positions else flat


def _times(coefficient: Values, value: Values) -> Values:
    """The product, whose limit is 0 where the coefficient is 0 and the value infinite."""
    return np.where(coefficient == 0, 0, coefficient * value)


def softplus(z: Values) -> Values:
    """log(1 + exp z)."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def logistic(z: Values) -> Values:
    """1 / (1 + exp -z)."""
    e = np.exp(-np.abs(z))
    result: Values = np.where(z >= 0, 1, e) / (1 + e)
    return result


def _with_logits(arrays: Mapping[str, Values], _policy: str | None) -> dict[str, Magnitudes]:
    x, t = arrays["logits"], arrays["targets"]
    p = arrays.get("pos_weight", np.float64(1))
    extra, p = np.abs(p - 1), np.abs(p)
    positive, negative = np.abs(t), np.abs(1 - t)
    up, down = softplus(x), softplus(-x)
    loss = _times(p * positive, down) + _times(negative, up)
    loss_c = _times(negative, np.abs(x)) + (extra * positive + 1) * down
    grad = negative * logistic(x) + p * positive * logistic(-x)
    grad_c = (p * positive + 1 + positive) * logistic(x) + p * positive
    # Two careful forms, p s(-x) - s(x) and (p-1) s(-x) - x: near x = 0 or p = 1 one of them
    # cancels where the other does not.
    target = np.minimum(_times(p, down) + up, _times(extra, down) + np.abs(x))
    target_c = np.abs(x) + (p + 1) * (down + up)
    second = (negative + p * positive) * logistic(x) * logistic(-x)
    # The textbook writes S(x) (1 - S(x)), and 1 + (p - 1) t.
    second_c = (extra * positive + 1) * 2 * logistic(x)
    return {
        "loss": (loss, loss_c),
        "logits_grad": (grad, grad_c),
        "targets_grad": (target, target_c),
        "logits_hvp": (second, second_c),
    }


def _of_probabilities(arrays: Mapping[str, Values], policy: str | None) -> dict[str, Magnitudes]:
    q, t = arrays["probabilities"], arrays["targets"]
    log_q, log_1q = -np.log(q), -np.log1p(-q)
    clamp = 100.0 if policy == "clamp_log_100" else np.inf
    up, down = np.minimum(log_1q, clamp), np.minimum(log_q, clamp)
    loss = _times(t, down) + _times(1 - t, up)
    loss_c = _times(t, down) + _times(1 - t, up + 1)
    denominator = q * (1 - q)
    if policy == "denominator_eps_1e_12":
        denominator = np.maximum(denominator, np.float64(np.float32(1e-12)))
    grad = np.abs(q - t) / denominator
    grad_c = (t * (1 - q) + (1 - t) * q) / denominator
    # The careful form is log((1-q)/q) itself: around 1/2, of 1 + (1-2q)/q.
    target = np.where(np.abs(q - 0.5) <= 0.25, np.abs(np.log1p((1 - 2 * q) / q)), log_q + log_1q)
    target_c = log_q + log_1q + 1
    second = t / q**2 + (1 - t) / (1 - q) ** 2
    return {
        "loss": (loss, loss_c),
        "probabilities_grad": (grad, grad_c),
        "targets_grad": (target, target_c),
        "probabilities_hvp": (second, second),
    }


MAGNITUDES: Mapping[str, Callable[[Mapping[str, Values], str | None], dict[str, Magnitudes]]] = {
    "bce_with_logits": _with_logits,
    "bce": _of_probabilities,
}
"""Of each output, for the weight 1: that of the careful form, that of the textbook form."""
