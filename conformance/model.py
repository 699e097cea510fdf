"""The frozen records that a case becomes on its way from a file to the report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

Reduction = Literal["none", "mean", "sum"]
OperationName = Literal["bce_with_logits", "bce"]
DtypeName = Literal["float16", "bfloat16", "float32", "float64"]


@dataclass(frozen=True, slots=True)
class Operation:
    """What a loss takes and gives: the names that cases, adapters and oracles share.

    Attributes:
        inputs: Names of the arrays, the differentiated argument first.
        optional: Those of ``inputs`` that a case may leave out.
        gradients: Output name to the input that it is the gradient with respect to.
    """

    inputs: tuple[str, ...]
    optional: frozenset[str]
    gradients: Mapping[str, str]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Every output, the loss first."""
        return ("loss", *self.gradients)


OPERATIONS: Mapping[str, Operation] = {
    "bce_with_logits": Operation(
        inputs=("logits", "targets", "weight", "pos_weight"),
        optional=frozenset({"weight", "pos_weight"}),
        gradients={"logits_grad": "logits", "targets_grad": "targets"},
    ),
    "bce": Operation(
        inputs=("probabilities", "targets", "weight"),
        optional=frozenset({"weight"}),
        gradients={"probabilities_grad": "probabilities", "targets_grad": "targets"},
    ),
}


@dataclass(frozen=True, slots=True)
class Array:
    """An input as the case gives it.

    Attributes:
        shape: Its shape; ``()`` is 0-d.
        values: Exact values, repeated cyclically in C order until ``shape`` is full. A listed
            array has one value an element. Each is exact in float64, hence a float.
        described: True where the file gives a rule ("repeat", "linspace") and not a list.
    """

    shape: tuple[int, ...]
    values: tuple[float, ...]
    described: bool = False


@dataclass(frozen=True, slots=True)
class Truth:
    """The exact value of one output.

    Attributes:
        shape: Shape of the whole output.
        values: Decimal texts of 40 significant digits, or "nan", "inf", "-inf", in C order.
        positions: For a large gradient, the flat C-order index of each of ``values``; None when
            ``values`` holds every element.
    """

    shape: tuple[int, ...]
    values: tuple[str, ...]
    positions: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """The truth under one policy; ``policy`` is None where the definition leaves no room."""

    policy: str | None
    outputs: Mapping[str, Truth]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a right answer is: an error (``raises``), or any one of ``alternatives``."""

    raises: bool = False
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """A value that somebody's documentation prints; shown beside the truth, never graded against.

    Attributes:
        outputs: Output name to the printed numbers, nested as printed, as text.
        where: Where it is printed.
    """

    outputs: Mapping[str, Any]
    where: str


@dataclass(frozen=True, slots=True)
class Case:
    """One question with its true answer, from a file under cases/.

    Attributes:
        id: Full id, such as ``logits/negative_tail/x_minus_40``.
        group: The id without its last part: the file.
        about: One sentence for a person.
        operation: A key of OPERATIONS.
        reduction: "none", "mean" or "sum".
        dtypes: The dtypes in which the question is asked; every input is exact in each.
        inputs: Input name to its array; absent optional inputs are not in it.
        outputs: The outputs asked for.
        positions: Flat indices at which gradients of described arrays are compared.
        policies: The policies whose answers are right, in order of preference.
        expected: The answer; None before ``fill`` has written it.
        sha256: Digest of the question alone: rewording ``about`` leaves it as it is.
        path: The file it came from.
    """

    id: str
    group: str
    about: str
    operation: OperationName
    reduction: Reduction
    dtypes: tuple[DtypeName, ...]
    inputs: Mapping[str, Array]
    outputs: tuple[str, ...]
    positions: tuple[int, ...]
    policies: tuple[str, ...]
    expected: Expected | None
    flags: tuple[str, ...]
    source: tuple[str, ...]
    published: Published | None
    inputs_rounded_to: DtypeName | None
    sha256: str
    path: Path


@dataclass(frozen=True, slots=True)
class Question:
    """A case without its answer: all that an adapter ever sees.

    Attributes:
        id: The case's id, for messages; an adapter must not answer from it.
        operation: "bce_with_logits" or "bce".
        reduction: "none", "mean" or "sum".
        dtype: Name of the dtype of every input, and of every output.
        device: "cpu", "cuda" or "cuda:N".
        inputs: Input name to a NumPy array of ``dtype`` (bfloat16 is ml_dtypes'). An optional
            input that the case leaves out is absent.
        outputs: Names of the outputs asked for. A gradient is that of the SUM of the returned
            loss.
    """

    id: str
    operation: str
    reduction: str
    dtype: str
    device: str
    inputs: Mapping[str, np.ndarray[Any, Any]]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, init=False)
class Computed:
    """The answer of an adapter that returned values: output name to array."""

    outputs: Mapping[str, Any]

    def __init__(self, **outputs: Any) -> None:
        object.__setattr__(self, "outputs", outputs)


@dataclass(frozen=True, slots=True)
class Declined:
    """The answer of an adapter that does not offer what the question asks; never a pass."""

    reason: str


@dataclass(frozen=True, slots=True)
class Raised:
    """The answer of an adapter that raised: the type's name, the first line of its message."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The answer of an adapter that is itself at fault: wrong, even where an error is due."""

    message: str


Answer = Computed | Declined | Raised | Broken


class Grade(IntEnum):
    """How near an answer is to the truth, best first; docs/grading.md derives the bounds."""

    exact = 0
    faithful = 1
    accurate = 2
    coarse = 3
    wrong = 4
