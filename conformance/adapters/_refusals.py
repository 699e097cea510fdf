"""What the reference refuses to compute, because no definition covers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = np.ndarray[Any, np.dtype[Any]]


def is_float(dtype: np.dtype[Any]) -> bool:
    """Whether it is one of the four float dtypes; NumPy's kind of bfloat16 is its own."""
    return dtype.name in ("float16", "bfloat16", "float32", "float64")


def check_dtypes(inputs: Mapping[str, Array], first: np.dtype[Any]) -> None:
    """Refuse complex numbers, which have no order, and input that no loss can be rounded to."""
    if not is_float(first) or any(array.dtype.kind == "c" for array in inputs.values()):
        names = ", ".join(f"{name} {array.dtype}" for name, array in inputs.items())
        msg = f"no loss of {names}"
        raise TypeError(msg)


def check_reduction(reduction: str) -> None:
    """Refuse a reduction that does not exist."""
    if reduction not in ("none", "sum", "mean"):
        msg = f"no reduction {reduction!r}"
        raise ValueError(msg)


def check_shapes(inputs: Mapping[str, Array], shape: tuple[int, ...]) -> None:
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
