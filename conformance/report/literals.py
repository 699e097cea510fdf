"""Writes values as source text that gives exactly them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from conformance.floats import hex_text

if TYPE_CHECKING:
    from conformance.model import Array

LONG = 16
"""Arrays and truths of more elements than this are not spelled out where that can be helped."""


def comment(text: str) -> str:
    """A comment of one line, whatever line ends ``text`` has."""
    return "# " + " ".join(text.split())


def tensor_text(array: Array, dtype: str) -> str:
    """An expression of the tensor, in the fewest characters that stay exact.

    Args:
        array: Its values.
        dtype: An expression of its dtype.
    """
    if text := _filled(array):
        return f"torch.full({text}, dtype={dtype})"
    text = f"torch.tensor({_values(array)}, dtype={dtype})"
    repeats = _repeats(array)
    return _shaped(array, f"{text}.repeat({repeats})" if repeats > 1 else text)


def array_text(array: Array, dtype: str) -> str:
    """An expression of the NumPy array, likewise."""
    if text := _filled(array):
        return f"np.full({text}, dtype={dtype})"
    text = f"np.array({_values(array)}, dtype={dtype})"
    repeats = _repeats(array)
    return _shaped(array, f"np.tile({text}, {repeats})" if repeats > 1 else text)


def _filled(array: Array) -> str | None:
    """Shape and value of an array that is described by one value."""
    if array.described and len(array.values) == 1:
        return f"{array.shape}, {_literal(array.values[0])}"
    return None


def _values(array: Array) -> str:
    if array.shape == ():
        return _literal(array.values[0])
    given = array.values[: math.prod(array.shape)]
    return _spaced(given) or _listed(given)


def _repeats(array: Array) -> int:
    """How often the values are needed until the array is full."""
    return -(-math.prod(array.shape) // max(1, len(array.values)))


def _shaped(array: Array, text: str) -> str:
    """Of an expression that is flat and at least as long as the array, the array."""
    size = math.prod(array.shape)
    if _repeats(array) > 1 and size % len(array.values):
        text += f"[:{size}]"
    return f"{text}.reshape{array.shape}" if len(array.shape) > 1 else text


def _listed(values: tuple[float, ...]) -> str:
    literals = [_literal(value) for value in values]
    if len(literals) <= 4:
        return f"[{', '.join(literals)}]"
    rows = (", ".join(literals[start : start + 4]) for start in range(0, len(literals), 4))
    return "[\n    " + ",\n    ".join(rows) + ",\n]"


def _spaced(values: tuple[float, ...]) -> str | None:
    """A comprehension of many evenly spaced values, if it gives exactly them."""
    if len(values) <= LONG:
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
