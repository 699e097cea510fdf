"""Writes a few lines of PyTorch that put a case's question again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from conformance.floats import FORMATS, hex_text, to_array
from conformance.layouts import expandable
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from conformance.model import Array, Case

_FUNCTIONS = {
    "bce_with_logits": "binary_cross_entropy_with_logits",
    "bce": "binary_cross_entropy",
}
_LONG = 16
"""Arrays and truths of more elements than this are not spelled out where that can be helped."""


def torch_snippet(case: Case, dtype: str) -> str:
    """Source that runs as it stands, and prints each output of ``case`` above its truth.

    The snippets of one case differ in nothing but the name of the dtype.
    """
    operation = OPERATIONS[case.operation]
    wanted = {operation.differentiated(name) for name in case.outputs} - {None}
    lines = [
        comment(case.id),
        "import torch",
        "import torch.nn.functional as F",
        "",
        f"dtype = torch.{dtype}",
    ]
    for name in operation.inputs:
        if name in case.inputs:
            tail = ".requires_grad_()" if name in wanted else ""
            lines.append(f"{name} = {_laid_out(case, name)}{tail}")
    lines.append(f"loss = {_call(case)}")
    lines += _derivatives(case, first=operation.inputs[0]) if wanted else []
    lines.append("")
    for name in case.outputs:
        lines += _show(case, name)
    return "\n".join(lines) + "\n"


def _call(case: Case) -> str:
    first, second, *options = (
        name
        for name in OPERATIONS[case.operation].inputs
        if name in case.inputs and name not in ("grad_output", "direction")
    )
    arguments = [
        first,
        second,
        *(f"{name}={name}" for name in options),
        *(f"{name}={value}" for name, value in case.legacy.items()),
        f'reduction="{case.reduction}"',
    ]
    return f"F.{_FUNCTIONS[case.operation]}({', '.join(arguments)})"


def _derivatives(case: Case, first: str) -> list[str]:
    objective = "(loss * grad_output).sum()" if "grad_output" in case.inputs else "loss.sum()"
    if "direction" not in case.inputs:
        return [f"{objective}.backward()"]
    return [
        f"objective = {objective}",
        "objective.backward(retain_graph=True)",
        f"(slope,) = torch.autograd.grad(objective, {first}, create_graph=True)",
        f"(product,) = torch.autograd.grad(slope, {first}, direction)",
    ]


def _laid_out(case: Case, name: str) -> str:
    """An expression of the tensor, at the places in memory that the case asks for."""
    array = case.inputs[name]
    dtype = f"torch.{case.input_dtypes[name]}" if name in case.input_dtypes else "dtype"
    text = tensor_text(array, dtype)
    match case.layout.get(name):
        case "transposed":
            backwards = ", ".join(str(axis) for axis in reversed(range(len(array.shape))))
            return f"{text}.permute({backwards}).contiguous().permute({backwards})"
        case "strided":
            return f"torch.stack([{text}] * 2, -1)[..., 0]"
        case "expanded":
            once = expandable(to_array(array.values, array.shape, FORMATS["float64"]))
            index = ", ".join(":1" if axis in once else ":" for axis in range(len(array.shape)))
            return f"{text}[{index}].clone().expand({array.shape})"
        case "channels_last":
            return f"{text}.contiguous(memory_format=torch.channels_last)"
        case _:  # PyTorch has no negative strides.
            return text


def _show(case: Case, name: str) -> list[str]:
    operation = OPERATIONS[case.operation]
    source = f"{operation.gradients[name]}.grad" if name in operation.gradients else "loss"
    source = "product" if name == operation.hessian_product else source
    known = case.expected.alternatives if case.expected is not None else ()
    truths = [(item.policy, item.outputs[name]) for item in known if name in item.outputs]
    positions = truths[0][1].positions if truths else None
    if positions is not None:
        source += f".detach().flatten()[{list(positions)}]"
    lines = [f'print("{name}", {source}.tolist())']
    for policy, truth in truths:
        digits = ", ".join(truth.values[:_LONG]) + (", ..." if truth.values[_LONG:] else "")
        lines.append(comment(f"truth{f' under {policy}' if policy else ''}: {digits}"))
    if case.expected is not None and case.expected.raises:
        lines.append(comment("expected: an error"))
    if any(alternative.raises for alternative in known):
        lines.append(comment("an error is right, too"))
    return lines


def comment(text: str) -> str:
    """A comment of one line, whatever line ends ``text`` has."""
    return "# " + " ".join(text.split())


def tensor_text(array: Array, dtype: str) -> str:
    """An expression of the tensor, in the fewest characters that stay exact.

    Args:
        array: Its values.
        dtype: An expression of its dtype.
    """
    size = math.prod(array.shape)
    values = array.values
    if array.described and len(values) == 1:
        return f"torch.full({array.shape}, {_literal(values[0])}, dtype={dtype})"
    if array.shape == ():
        return f"torch.tensor({_literal(values[0])}, dtype={dtype})"
    text = f"torch.tensor({_spaced(values) or _listed(values)}, dtype={dtype})"
    if len(values) < size:
        text += f".repeat({-(-size // len(values))})"
        text += f"[:{size}]" if size % len(values) else ""
    if len(array.shape) > 1:
        text += f".reshape{array.shape}"
    return text


def _listed(values: tuple[float, ...]) -> str:
    literals = [_literal(value) for value in values]
    if len(literals) <= 4:
        return f"[{', '.join(literals)}]"
    rows = (", ".join(literals[start : start + 4]) for start in range(0, len(literals), 4))
    return "[\n    " + ",\n    ".join(rows) + ",\n]"


def _spaced(values: tuple[float, ...]) -> str | None:
    """A comprehension of many evenly spaced values, if it gives exactly them."""
    if len(values) <= _LONG:
        return None
    first, step = values[0], (values[-1] - values[0]) / (len(values) - 1)
    if any(first + step * index != value for index, value in enumerate(values)):
        return None
    return f"[{_literal(first)} + {_literal(step)} * i for i in range({len(values)})]"


def _literal(value: float) -> str:
    """A Python expression that is exactly ``value``, decimal where that is short."""
    if not math.isfinite(value):
        return f'float("{value}")'
    text = repr(value)
    return text if len(text) <= 12 else f'float.fromhex("{hex_text(value)}")'
