"""The frozen records that a case becomes on its way from a file to the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Literal

from conformance.operations import OPERATIONS, effective_reduction

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

    from conformance.jobs import Job
    from conformance.operations import OperationName

DtypeName = Literal["float16", "bfloat16", "float32", "float64"]
InputDtype = Literal[DtypeName, "int64", "int32", "uint8", "bool", "complex64"]
Layout = Literal["transposed", "strided", "reversed", "expanded", "channels_last"]

REFUSE = "refuse"
"""The policy under which an error is right, and no value is."""
DTYPE_POLICIES = ("dtype_of_input", "dtype_of_targets", "dtype_promoted")
"""What the dtype of the loss follows where those of the inputs differ."""


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
    """What is right under one policy.

    Attributes:
        policy: Its name; None where the definition leaves no room.
        outputs: The truth of each output that the policy settles.
        raises: True where the policy is to refuse the question with an error.
    """

    policy: str | None
    outputs: Mapping[str, Truth]
    raises: bool = False


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
class Regression:
    """What is known of the fault that a case comes from.

    Attributes:
        affected: The versions that had it, as reported.
        rerun_on: Framework with the version on which the claim was run again; None where it was
            not.
        result: What came out: "reproduces", "fixed", or "not_reproduced" where it is not known
            to have been there.
        not_rerun: Why it was not run again.
    """

    affected: str
    rerun_on: str | None = None
    result: Literal["reproduces", "fixed", "not_reproduced"] | None = None
    not_rerun: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One question with its true answer, from a file under cases/.

    Attributes:
        id: Full id, such as ``logits/negative_tail/x_minus_40``.
        group: The id without its last part: the file.
        about: One sentence for a person.
        operation: A key of OPERATIONS.
        reduction: As it is passed: "none", "mean" or "sum", or a bad name where an error is due.
        dtypes: The dtypes in which the question is asked; every input is exact in each.
        inputs: Input name to its array; absent optional inputs are not in it.
        outputs: The outputs asked for.
        positions: Flat indices at which gradients of described arrays are compared.
        policies: The policies whose answers are right, in order of preference.
        expected: The answer; None before ``fill`` has written it.
        sha256: Digest of the question alone: rewording ``about`` leaves it as it is.
        path: The file it came from.
        input_dtypes: Input name to its own dtype, for those that are not in the question's.
        layout: Input name to how it lies in memory, for those that are not contiguous.
        legacy: PyTorch's ``size_average`` and ``reduce``, where they are passed.
        regression: The fault it comes from.
        job: Of a scenario, what is done; None for a loss.
    """

    id: str
    group: str
    about: str
    operation: OperationName
    reduction: str
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
    input_dtypes: Mapping[str, InputDtype] = field(default_factory=dict)
    layout: Mapping[str, Layout] = field(default_factory=dict)
    legacy: Mapping[str, bool] = field(default_factory=dict)
    regression: Regression | None = None
    job: Job | None = None

    @property
    def reduced(self) -> str:
        """The reduction that holds, whatever way it is asked for."""
        return effective_reduction(self.reduction, self.legacy)


@dataclass(frozen=True, slots=True)
class Question:
    """A case without its answer: all that an adapter ever sees.

    Attributes:
        id: The case's id, for messages; an adapter must not answer from it.
        operation: "bce_with_logits" or "bce".
        reduction: "none", "mean" or "sum", or a bad name that calls for an error.
        dtype: Name of the dtype of every input, and of every output; but see ``mixed``.
        device: "cpu", "cuda" or "cuda:N".
        inputs: Input name to a NumPy array of ``dtype`` (bfloat16 is ml_dtypes'). An optional
            input that the case leaves out is absent. Its memory may have any strides.
        outputs: Names of the outputs asked for. A gradient is that of the SUM of the returned
            loss, each element first multiplied by its ``grad_output`` where that is given.
        legacy: PyTorch's ``size_average`` and ``reduce``, where they are to be passed.
        mixed: True where an input has another dtype. A derivative then has the dtype of its own
            input, and the loss one that the framework chooses.
        job: Of a scenario, what is to be done, with ``reduction`` and ``inputs``: features (N, D)
            or (N, C, H, W), targets (N, classes), or (N,) where the job squeezes, initial
            parameters (P,), and a weight and pos_weight of shape (classes,) for the loss.
    """

    id: str
    operation: str
    reduction: str
    dtype: str
    device: str
    inputs: Mapping[str, np.ndarray[Any, Any]]
    outputs: tuple[str, ...]
    legacy: Mapping[str, bool] = field(default_factory=dict)
    mixed: bool = False
    job: Job | None = None

    @property
    def options(self) -> frozenset[str]:
        """What it makes use of beyond two arrays of one dtype, by the names of a case's keys."""
        asked = set(self.inputs) & OPERATIONS[self.operation].optional
        return frozenset(
            asked
            | ({"legacy"} if self.legacy else set())
            | ({"input_dtypes"} if self.mixed else set())
            | (self.job.options if self.job else set())
        )


@dataclass(frozen=True, slots=True, init=False)
class Computed:
    """The answer of an adapter that returned values: output name to array."""

    outputs: Mapping[str, Any]

    def __init__(self, /, **outputs: Any) -> None:
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

    def __str__(self) -> str:
        """Both, as Python shows an exception."""
        return f"{self.type}: {self.message}"


@dataclass(frozen=True, slots=True)
class Broken:
    """The answer of an adapter that is itself at fault: wrong, even where an error is due."""

    message: str

    def __str__(self) -> str:
        """What the fault is."""
        return self.message


@dataclass(frozen=True, slots=True)
class Crashed:
    """The answer of an adapter whose process ended before it gave one: always wrong."""

    message: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The answer of an adapter whose process gave none in time: always wrong."""

    message: str


Answer = Computed | Declined | Raised | Broken | Crashed | TimedOut


class Grade(IntEnum):
    """How near an answer is to the truth, best first; docs/grading.md derives the bounds."""

    exact = 0
    faithful = 1
    accurate = 2
    coarse = 3
    wrong = 4
