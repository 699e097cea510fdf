"""Broadcasts the inputs of a case into its distinct elements."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.floats import FORMATS, to_array
from conformance.operations import FACTORS, OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.model import Array, Case

Point = tuple[float, ...]
"""What one element of a loss depends on: the operation's arguments, in order."""


@dataclass(frozen=True, slots=True)
class Elements:
    """The elements of a case, equal ones taken together.

    Attributes:
        shape: The shape of the first input, hence of every gradient.
        points: The point of each distinct element.
        factors: What multiplies its loss and its derivatives, in the order of FACTORS.
        counts: How often it occurs.
        which: For each element in C order, its index in the three above.
    """

    shape: tuple[int, ...]
    points: tuple[Point, ...]
    factors: tuple[tuple[float, ...], ...]
    counts: tuple[int, ...]
    which: np.ndarray[Any, np.dtype[np.intp]]


def elements_of(case: Case) -> Elements:
    """The elements of a case that ``check_domain`` accepts; an absent input is 1.

    The sign of a zero is dropped, and every NaN is the same NaN.
    """
    arguments = OPERATIONS[case.operation].arguments
    shape = case.inputs[arguments[0]].shape
    columns = [_column(case.inputs.get(name), shape) for name in (*arguments, *FACTORS)]
    order = np.lexsort(columns)
    starts = np.zeros(order.size, dtype=bool)
    starts[:1] = True
    for column in columns:
        # As bits, a NaN equals itself.
        bits = column[order].view(np.uint64)
        starts[1:] |= bits[1:] != bits[:-1]
    which = np.empty(order.size, dtype=np.intp)
    which[order] = np.cumsum(starts) - 1
    first = order[starts]
    return Elements(
        shape=shape,
        points=tuple(_rows(columns[: len(arguments)], first)),
        factors=tuple(_rows(columns[len(arguments) :], first)),
        counts=tuple(np.bincount(which).tolist()),
        which=which,
    )


def _rows(
    columns: Sequence[np.ndarray[Any, np.dtype[np.float64]]], index: np.ndarray[Any, Any]
) -> Iterator[tuple[float, ...]]:
    return zip(*(column[index].tolist() for column in columns), strict=True)


def _column(array: Array | None, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    if array is None:
        return np.ones(math.prod(shape))
    full = to_array(array.values, array.shape, FORMATS["float64"])
    # Adding 0 turns -0.0 into 0.0.
    column = np.broadcast_to(full, shape).ravel() + 0.0
    column[np.isnan(column)] = np.nan
    return column
