"""Lays an array out in memory in another way than the usual one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conformance.model import Layout

Values = np.ndarray[Any, np.dtype[Any]]


class LayoutError(ValueError):
    """An array that cannot be laid out so, with what it lacks."""


def lay_out(array: Values, layout: Layout) -> Values:
    """The same values in the same shape, at other places in memory.

    Args:
        array: Any array.
        layout: "transposed": the first axis varies fastest. "strided": every other element of an
            array whose gaps hold what spoils a result (NaN, or the largest integer). "reversed":
            every stride is negative. "expanded": along each axis on which the values are all the
            same, there is only one. "channels_last": of four axes (N, C, H, W), C varies fastest.

    Raises:
        LayoutError: If the array cannot have this layout, or already has it.
    """
    return _LAYOUTS[layout](array)


def _transposed(array: Values) -> Values:
    _require(sum(size > 1 for size in array.shape) > 1, "two axes of more than one element")
    return np.asfortranarray(array)


def _strided(array: Values) -> Values:
    _require(array.ndim > 0, "an axis")
    buffer = np.full((*array.shape, 2), spoiler(array.dtype), array.dtype)
    buffer[..., 0] = array
    return buffer[..., 0]


def spoiler(dtype: np.dtype[Any]) -> Any:
    """What spoils every result: NaN, or the largest integer; True."""
    return np.iinfo(dtype).max if dtype.kind in "iu" else dtype.type(math.nan)


def _reversed(array: Values) -> Values:
    _require(any(size > 1 for size in array.shape), "an axis of more than one element")
    backwards = (slice(None, None, -1),) * array.ndim
    return array[backwards].copy()[backwards]


def _expanded(array: Values) -> Values:
    axes = expandable(array)
    _require(bool(axes), "an axis along which its values are all the same")
    once = tuple(slice(1 if axis in axes else None) for axis in range(array.ndim))
    return np.broadcast_to(array[once].copy(), array.shape)


def expandable(array: Values) -> set[int]:
    """The axes of more than one element along which the values are all the same."""
    return {
        axis
        for axis, size in enumerate(array.shape)
        if size > 1 and np.array_equal(array, np.roll(array, 1, axis), equal_nan=True)
    }


def _channels_last(array: Values) -> Values:
    _require(array.ndim == 4 and array.shape[1] > 1, "four axes, and more than one channel")
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)


def _require(possible: bool, what: str) -> None:
    if not possible:
        msg = f"this layout needs {what}"
        raise LayoutError(msg)


_LAYOUTS: Mapping[Layout, Callable[[Values], Values]] = {
    "transposed": _transposed,
    "strided": _strided,
    "reversed": _reversed,
    "expanded": _expanded,
    "channels_last": _channels_last,
}
