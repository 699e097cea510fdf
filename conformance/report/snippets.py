"""Writes a few lines of PyTorch that put a case's question again."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from conformance.floats import hex_text
from conformance.model import OPERATIONS

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
    wanted = {operation.gradients[name] for name in case.outputs if name in operation.gradients}
    lines = [
        _comment(case.id),
        "import torch",
        "import torch.nn.functional as F",
        "",
        f"dtype = torch.{dtype}",
    ]
    for name in operation.inputs:
        if name in case.inputs:
            tail = ".requires_grad_()" if name in wanted else ""
            lines.append(f"{name} = {_tensor(case.inputs[name])}{tail}")
    first, second, *options = (name for name in operation.inputs if name in case.inputs)
    arguments = [first, second, *(f"{name}={name}" for name in options)]
    call = f"F.{_FUNCTIONS[case.operation]}"
    lines.append(f'loss = {call}({", ".join(arguments)}, reduction="{case.reduction}")')
    if wanted:
        lines.append("loss.sum().backward()")
    lines.append("")
    for name in case.outputs:
        lines += _show(case, name)
    return "\n".join(lines) + "\n"


def _show(case: Case, name: str) -> list[str]:
    of = OPERATIONS[case.operation].gradients.get(name)
    source = "loss" if of is None else f"{of}.grad"
    known = case.expected.alternatives if case.expected is not None else ()
    truths = [(item.policy, item.outputs[name]) for item in known if name in item.outputs]
    positions = truths[0][1].positions if truths else None
    if positions is not None:
        source += f".detach().flatten()[{list(positions)}]"
    lines = [f'print("{name}", {source}.tolist())']
    for policy, truth in truths:
        digits = ", ".join(truth.values[:_LONG]) + (", ..." if truth.values[_LONG:] else "")
        lines.append(_comment(f"truth{f' under {policy}' if policy else ''}: {digits}"))
    if case.expected is not None and case.expected.raises:
        lines.append(_comment("expected: an error"))
    return lines


def _comment(text: str) -> str:
    """A comment of one line, whatever line ends ``text`` has."""
    return "# " + " ".join(text.split())


def _tensor(array: Array) -> str:
    """An expression of the tensor, in the fewest characters that stay exact."""
    size = math.prod(array.shape)
    values = array.values
    if array.described and len(values) == 1:
        return f"torch.full({array.shape}, {_literal(values[0])}, dtype=dtype)"
    if array.shape == ():
        return f"torch.tensor({_literal(values[0])}, dtype=dtype)"
    text = f"torch.tensor({_spaced(values) or _listed(values)}, dtype=dtype)"
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
