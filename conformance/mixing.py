"""Says which dtypes a question and a right answer to it have, where that is not one for all."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.floats import FORMATS, Format, to_array
from conformance.jobs import convention_of
from conformance.layouts import lay_out
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.model import Array, Case


def dtype_of_input(case: Case, name: str, dtype: str) -> str:
    """The dtype of an input in a question that is asked in ``dtype``."""
    return case.input_dtypes.get(name, dtype)


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The NumPy dtype of this name; that of bfloat16 is ml_dtypes'."""
    return FORMATS[name].dtype if name in FORMATS else np.dtype(name)


def input_array(case: Case, name: str, dtype: str) -> np.ndarray[Any, Any]:
    """An input in its own dtype and layout."""
    array: Array = case.inputs[name]
    own = dtype_of_input(case, name, dtype)
    wide = FORMATS.get(own, FORMATS["float64"])
    values = to_array(array.values, array.shape, wide).astype(numpy_dtype(own), copy=False)
    return lay_out(values, case.layout[name]) if name in case.layout else values


def precision_of(
    case: Case, dtype: str, policy: str | None, taken: Mapping[str, str] = MappingProxyType({})
) -> Format:
    """The least precise of the question's float formats: no more can be asked of an answer.

    Of a job it is the format in which its numbers are kept under ``policy``.

    Args:
        case: The case.
        dtype: In which the question is asked.
        policy: The one that is followed.
        taken: The dtype in which an input is computed with, by its own, where it is another.
    """
    if case.job is not None:
        return FORMATS[convention_of(policy).stored_in or dtype]
    names = (dtype_of_input(case, name, dtype) for name in case.inputs)
    formats = [FORMATS[taken.get(name, name)] for name in names if name in FORMATS]
    return min(formats or [FORMATS[dtype]], key=lambda format_: format_.precision)


def dtypes_of_output(case: Case, output: str, policy: str | None, dtype: str) -> tuple[str, ...]:
    """The dtypes that a right ``output`` may have under ``policy``, the expected one first.

    Parameters have the one in which they are kept. What a job reports or predicts may also come
    as it was computed, or turned back into the dtype of the question.
    """
    if case.job is None:
        return (_dtype_of_output(case, output, policy, dtype),)
    if output in _OWN_DTYPE:
        return (_OWN_DTYPE[output],)
    convention = convention_of(policy)
    kept = convention.stored_in or dtype
    if output == "parameters":
        return (kept,)
    return tuple(dict.fromkeys((kept, convention.computed_in or kept, dtype)))


_OWN_DTYPE = {"decisions": "bool", "validated": "int64"}


def _dtype_of_output(case: Case, output: str, policy: str | None, dtype: str) -> str:
    """The dtype of a right output of a loss; the first input's where no policy says."""
    operation = OPERATIONS[case.operation]
    first = operation.inputs[0]
    if (of := operation.differentiated(output)) is not None:
        return dtype_of_input(case, of, dtype)
    if policy == "dtype_of_targets":
        return dtype_of_input(case, "targets", dtype)
    if policy == "dtype_promoted":
        both = {dtype_of_input(case, name, dtype) for name in (first, "targets")}
        return _promoted(both & FORMATS.keys())
    return dtype_of_input(case, first, dtype)


def _promoted(names: set[str]) -> str:
    """The smallest of the formats that holds every number of those named."""
    for name, format_ in FORMATS.items():
        if all(
            FORMATS[other].precision <= format_.precision and FORMATS[other].emax <= format_.emax
            for other in names
        ):
            return name
    raise AssertionError(names)
