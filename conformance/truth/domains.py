"""Refuses a case whose inputs lie outside the domain of its loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from conformance.floats import FORMATS
from conformance.operations import OPERATIONS, REDUCTIONS
from conformance.truth.errors import InvalidQuestion, UndefinedQuestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.model import Array, Case


class Domain(NamedTuple):
    """The closed interval in which every element of an input lies; a NaN lies in none."""

    lowest: float
    highest: float


DOMAINS: Mapping[tuple[str, str], Domain] = {
    ("bce", "probabilities"): Domain(0.0, 1.0),
    ("bce", "targets"): Domain(0.0, 1.0),
}


def check_domain(case: Case) -> None:
    """Return if the question of ``case`` has an answer.

    Raises:
        InvalidQuestion: If the reduction does not exist, a required input or the direction differs
            in shape from the first, a weight does not broadcast into that shape (NumPy's rules,
            nothing enlarged), grad_output has another shape than the loss, an element lies outside
            its domain, an input is complex, or the first one is not of a float dtype.
        UndefinedQuestion: If a factor is infinite.
    """
    where = f"{case.path}: {case.id}"
    operation = OPERATIONS[case.operation]
    first = operation.inputs[0]
    shape = case.inputs[first].shape
    loss = shape if case.reduced == "none" else ()
    if case.reduction not in REDUCTIONS:
        msg = f"{where}: there is no reduction {case.reduction!r}. Say that the case raises."
        raise InvalidQuestion(msg)
    for name, dtype in case.input_dtypes.items():
        if dtype not in FORMATS and (name == first or dtype == "complex64"):
            msg = f"{where}: {name} cannot be of {dtype}. Say that the case raises."
            raise InvalidQuestion(msg)
    for name, array in case.inputs.items():
        wanted = loss if name == "grad_output" else shape
        exact = name not in operation.optional or name in ("grad_output", "direction")
        if exact and array.shape != wanted:
            msg = (
                f"{where}: {name} has shape {array.shape}, {first} {shape}. "
                f"Give {name} the shape {wanted}, or say that the case raises."
            )
            raise InvalidQuestion(msg)
        if not exact and not _broadcasts_into(array.shape, shape):
            msg = (
                f"{where}: {name} of shape {array.shape} does not broadcast into the shape {shape} "
                f"of {first}. Give a shape that does, or say that the case raises."
            )
            raise InvalidQuestion(msg)
        domain = DOMAINS.get((case.operation, name))
        if domain is not None:
            _check_inside(where, name, array, domain)
        if name in operation.optional and any(math.isinf(value) for value in array.values):
            msg = (
                f"{where}: {name} holds an infinity, for which the definition gives no answer. "
                "Give a finite one."
            )
            raise UndefinedQuestion(msg)


def _broadcasts_into(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, target) == target
    except ValueError:
        return False


def _check_inside(where: str, name: str, array: Array, domain: Domain) -> None:
    for index, value in enumerate(array.values):
        if not domain.lowest <= value <= domain.highest:
            msg = (
                f"{where}: {name}[{index}] is {value!r}, outside "
                f"[{domain.lowest:g}, {domain.highest:g}]. "
                "Give a value inside, or say that the case raises."
            )
            raise InvalidQuestion(msg)
