"""Makes the easy questions that any framework answers: moderate numbers, exact in every dtype."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from conformance.adapters.base import attempt
from conformance.floats import FORMATS
from conformance.layouts import lay_out
from conformance.mixing import numpy_dtype
from conformance.model import Declined, Question
from conformance.operations import OPERATIONS, REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.adapters.base import LossAdapter

Array = np.ndarray[Any, np.dtype[Any]]

# All differ, so that no two slips give the same numbers. Those of the first row are logits and
# probabilities alike, which shows who takes one for the other.
_UNIT = (0.125, 0.375, 0.5625, 0.75, 0.9375, 0.25)
_LOGITS = (-2.5, -0.75, 0.5, 1.25, 3.0, -1.5)
_SOFT = (0.25, 0.875, 0.0625, 0.625, 0.5, 0.75)
_HARD = (0.0, 1.0, 0.0, 1.0, 1.0, 0.0)
_FACTORS = {
    "weight": (1.5, 0.5, 2.0, 0.75, 1.25, 3.0),
    "pos_weight": (3.0, 0.5, 2.0, 1.5, 0.25, 4.0),
    "grad_output": (2.0, -1.0, 0.5, 1.5, -0.25, 3.0),
    "direction": (1.0, -2.0, 0.5, 0.25, 1.5, -3.0),
}


class _Ask(NamedTuple):
    """What is asked under a label: in the first of the reductions that the adapter offers."""

    label: str
    inputs: Mapping[str, Array]
    reductions: Sequence[str] = REDUCTIONS
    legacy: Mapping[str, bool] = MappingProxyType({})


def easy_questions(adapter: LossAdapter, device: str, dtype: str) -> Iterator[tuple[str, Question]]:
    """A label and a question for each operation, reduction and option that an adapter declares.

    Each asks for every output that is declared. The arrays are new each time, so that an adapter
    that changes them spoils no other question.
    """
    for operation in (name for name in OPERATIONS if name in adapter.operations):
        for ask in _asks(operation, adapter.options, dtype):
            possible = OPERATIONS[operation].outputs_for(ask.inputs.keys())
            outputs = tuple(name for name in possible if name in adapter.outputs)
            if not outputs:
                continue
            question = Question(
                id=f"smoke/{operation}/{ask.label.replace(' ', '_')}",
                operation=operation,
                reduction=ask.reductions[0],
                dtype=dtype,
                device=device,
                inputs=dict(ask.inputs),
                outputs=outputs,
                legacy=ask.legacy,
                mixed=len({array.dtype for array in ask.inputs.values()}) > 1,
            )
            forms = [replace(question, reduction=reduction) for reduction in ask.reductions]
            offered = (form for form in forms if not _is_declined(adapter, form))
            yield f"{operation}, {ask.label}", next(offered, question)


def undeclared_questions(adapter: LossAdapter, device: str) -> Iterator[tuple[str, Question]]:
    """A label and a question for all that an adapter does not declare, and is to decline."""
    dtypes = sorted(adapter.dtypes & FORMATS.keys())
    for operation, kind in OPERATIONS.items():
        offered = operation in adapter.operations or (kind.is_job and adapter.jobs)
        names = [name for name in kind.inputs if name not in kind.optional]
        for dtype in sorted(FORMATS.keys() - adapter.dtypes) if offered else dtypes[:1]:
            inputs = {name: np.array(_UNIT[:5], numpy_dtype(dtype)) for name in names}
            label = dtype if offered else operation
            yield (
                label,
                Question(
                    "smoke/undeclared", operation, "mean", dtype, device, inputs, kind.outputs
                ),
            )


def _is_declined(adapter: LossAdapter, question: Question) -> bool:
    return isinstance(attempt(lambda: adapter.decline(question)), Declined)


def _asks(operation: str, options: frozenset[str], dtype: str) -> Iterator[_Ask]:
    first = OPERATIONS[operation].inputs[0]
    real = _LOGITS if first == "logits" else _UNIT

    def row(values: Sequence[float], name: str = dtype) -> Array:
        # Five of the six, since the mean over a row of a table must not be that over all.
        return np.array(values[:5], numpy_dtype(name))

    plain = {first: row(real), "targets": row(_SOFT)}
    yield _Ask("soft targets", plain | {first: row(_UNIT)})
    yield _Ask("hard targets", plain | {"targets": row(_HARD)})
    for reduction in REDUCTIONS[1:]:
        yield _Ask(reduction, plain, (reduction,))
    factors = {
        name: row(_FACTORS[name])
        for name in OPERATIONS[operation].inputs
        if name in _FACTORS and name in options
    }
    for name, factor in factors.items():
        yield _Ask(name, plain | {name: factor})
    if {"weight", "pos_weight"} <= factors.keys():
        both = {name: factors[name] for name in ("weight", "pos_weight")}
        yield _Ask("weight with pos_weight", plain | both)
    if "input_dtypes" in options:
        other = "float32" if dtype == "float64" else "float64"
        yield _Ask(f"targets in {other}", plain | {"targets": row(_SOFT, other)})
    if "legacy" in options:
        yield _Ask("size_average=False", plain, ("mean",), {"size_average": False})
    yield from _of_other_shapes(first, real, dtype)


def _of_other_shapes(first: str, real: Sequence[float], dtype: str) -> Iterator[_Ask]:
    table = {
        name: np.array(values, numpy_dtype(dtype)).reshape(3, 2)
        for name, values in ((first, real), ("targets", _SOFT))
    }
    # One of the two, so that who ignores strides pairs them wrongly.
    yield _Ask("a transposed input", table | {first: lay_out(table[first], "transposed")})
    yield _Ask("a reversed input", table | {first: lay_out(table[first], "reversed")})
    yield _Ask("0-d", {name: array[:1, 0].reshape(()) for name, array in table.items()})
    # The mean of nothing is anybody's choice.
    yield _Ask("empty", {name: array[:0, 0] for name, array in table.items()}, ("none", "sum"))
