"""Writes a few lines of NumPy that answer a case as the reference does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from conformance.operations import FACTORS, OPERATIONS
from conformance.report.literals import array_text, comment
from conformance.report.snippets import once_text, print_text, truth_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.model import Case

_HELPERS = {
    "softplus": """
def softplus(z):  # log(1 + exp z), without overflow
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
""",
    "sigmoid": """
def sigmoid(z):  # with all digits in both tails
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, e) / (1 + e)
""",
    "times": """
def times(a, b):  # the limit 0 where a is 0 and b infinite
    return np.where((a == 0) & np.isinf(b), 0, a * b)
""",
    "ratio": """
def ratio(a, b):  # the limit 0 where both are 0
    return np.where((a == 0) & (b == 0), 0, a / b)
""",
}


def numpy_snippet(case: Case, dtype: str) -> str | None:
    """Source that runs as it stands, and prints each output of ``case`` above its truth.

    Args:
        case: A loss.
        dtype: Name of the dtype in which it is asked.

    Returns:
        None where a formula cannot answer: where an error is right, or may be, and where the
        inputs differ in dtype.
    """
    known = case.expected
    refused = known is not None and (known.raises or any(a.raises for a in known.alternatives))
    if refused or case.input_dtypes or case.legacy:
        return None
    formula = _logits_lines if case.operation == "bce_with_logits" else _probabilities_lines
    body = [*formula(case), *_reduced(case)]
    text = "\n".join(body)
    bfloat16 = dtype == "bfloat16"
    lines = [
        comment(case.id),
        *(["import ml_dtypes"] if bfloat16 else []),
        "import numpy as np",
        "",
        'np.seterr(all="ignore")',
        f"dtype = {'ml_dtypes' if bfloat16 else 'np'}.{dtype}",
        *_input_lines(case, dtype),
        *(helper.rstrip() for name, helper in _HELPERS.items() if f"{name}(" in text),
        "",
        *body,
        "",
    ]
    rounded = ".astype(dtype).astype(float)" if _is_short(dtype) else ""
    for name in case.outputs:
        lines += [print_text(case, name, name, ".ravel()", rounded), *truth_lines(case, name)]
    return "\n".join(lines) + "\n"


def _is_short(dtype: str) -> bool:
    return dtype in ("float16", "bfloat16")


def _input_lines(case: Case, dtype: str) -> list[str]:
    lines = []
    if _is_short(dtype):
        lines.append(
            "# As kernels do, 16 bits are computed with in float32, and rounded at the end."
        )
    for name in OPERATIONS[case.operation].inputs:
        if name in case.inputs:
            text = _laid_out(case, name)
            lines.append(f"{name} = {text}{'.astype(np.float32)' if _is_short(dtype) else ''}")
    return lines


def _laid_out(case: Case, name: str) -> str:
    """An expression of the array; of its layout as much as the order of a sum depends on."""
    array = case.inputs[name]
    text = array_text(array, "dtype")
    match case.layout.get(name):
        case "transposed":
            return f"np.asfortranarray({text})"
        case "expanded":
            once = once_text(case, name)
            return f'np.broadcast_to({text}[{once}], {array.shape}).copy("K")'
        case "channels_last":
            return f"np.moveaxis(np.ascontiguousarray(np.moveaxis({text}, 1, -1)), -1, 1)"
        case _:
            return text


def _product(case: Case) -> Callable[[str, str], str]:
    """A writer of products: by ``times`` where 0 may meet an infinite value, by * elsewhere."""
    arrays = case.inputs
    finite = all(math.isfinite(value) for array in arrays.values() for value in array.values)
    factors = [arrays[name] for name in ("pos_weight", *FACTORS) if name in arrays]
    masked = any(0 in array.values for array in factors)
    certain = case.operation == "bce" and not _is_open(case)
    if finite and not masked and not certain:
        return "{} * {}".format
    return lambda a, b: f"times({a[1:-1] if a.startswith('(') else a}, {b})"


def _is_open(case: Case) -> bool:
    """Whether each probability lies inside (0, 1), where the formulas need no limit."""
    return all(0 < value < 1 for value in case.inputs["probabilities"].values)


def _logits_lines(case: Case) -> list[str]:
    """Each output for the weight 1, before the reduction."""
    product = _product(case)
    weighted = "pos_weight" in case.inputs
    positive = "pos_weight * targets" if weighted else "targets"
    up, down = "softplus(logits)", "softplus(-logits)"
    lines = {
        "loss": [f"loss = {product(positive, down)} + {product('(1 - targets)', up)}"],
        "logits_grad": [
            f"logits_grad = (1 - targets) * sigmoid(logits) - {positive} * sigmoid(-logits)"
        ],
        "targets_grad": ["targets_grad = 0 - logits  # softplus(-logits) - softplus(logits)"],
        "logits_hvp": [
            f"logits_hvp = ({positive} + (1 - targets)) * sigmoid(logits) * sigmoid(-logits)"
        ],
    }
    if weighted:
        slope, shifted = product("pos_weight", "down"), product("(pos_weight - 1)", "down")
        size = product("np.abs(pos_weight - 1)", "down")
        lines["targets_grad"] = [
            f"up, down = {up}, {down}",
            "targets_grad = np.where(  # Of two forms of the slope, the one that cancels less.",
            f"    {size} + np.abs(logits) <= {slope} + up,",
            f"    {shifted} - logits,",
            f"    {slope} - up,",
            ")",
        ]
    return [line for name in case.outputs for line in lines[name]]


def _probabilities_lines(case: Case) -> list[str]:
    """Likewise, of probabilities."""
    product, inside = _product(case), _is_open(case)
    lines = [
        "q, t = probabilities, targets",
        # 1 / -0.0 has the wrong sign.
        *([] if inside else ["q = q + 0.0  # -0.0 is the probability 0"]),
        "log_q, log_1q = np.log(q), np.log1p(-q)",
    ]
    slope = "(q - t) / (q * (1 - q))"
    for name in case.outputs:
        match name:
            case "loss":
                lines.append(f"loss = -{product('t', 'log_q')} - {product('(1 - t)', 'log_1q')}")
            case "probabilities_grad" if inside:
                lines.append(f"{name} = {slope}")
            case "probabilities_grad":
                lines.append("fractions = ratio(1 - t, 1 - q) - ratio(t, q)")
                lines.append(f"{name} = np.where((q > 0) & (q < 1), {slope}, fractions)")
            case "targets_grad":
                lines.append("near_half = np.log1p((1 - 2 * q) / q)")
                lines.append(
                    f"{name} = np.where(np.abs(q - 0.5) <= 0.25, near_half, log_1q - log_q)"
                )
            case _:
                lines.append(f"{name} = ratio(ratio(t, q), q) + ratio(ratio(1 - t, 1 - q), 1 - q)")
    return lines


def _reduced(case: Case) -> list[str]:
    """The weights, then the reduction."""
    product = _product(case)
    operation = OPERATIONS[case.operation]
    lines = []
    for name in case.outputs:
        factors = [factor for factor in operation.factors_of(name) if factor in case.inputs]
        lines += [f"{name} = {product(factor, name)}" for factor in factors]
        if name != "loss" and case.reduced == "mean":
            lines.append(f"{name} = {name} / {name}.size")
    if "loss" in case.outputs and case.reduced == "sum":
        lines.append("loss = loss.sum()")
    if "loss" in case.outputs and case.reduced == "mean":
        lines.append("total = loss.sum()  # It may overflow where the mean does not.")
        lines.append("loss = (loss / loss.size).sum() if np.isinf(total) else total / loss.size")
    return lines
