"""Relations between the answers to related questions, which hold without the truth being known.

A relation is a generator function of a Sample. It yields the cases to ask, is sent one answer a
case, and returns a sentence on what does not hold, or None:

    def a_weight_of_zero_gives_zero(s: Sample) -> Relation:
        (answer,) = yield [s.case(weight=0 * s.inputs["weight"])]
        return meet("loss", answer["loss"], Interval(np.zeros(s.shape)))

An answer maps each output to an Interval: the value returned, give or take what its grade allows
(docs/grading.md). Both sides of a relation are intervals about the same truth, so they meet; no
tolerance is chosen here. All arithmetic on them is in float64, whose own rounding errors take
from what is allowed, never add to it.

The relations of binary cross-entropy are in bce_relations.py, and another loss brings its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from factories import make_case

from conformance.adapters.numpy import NumpyAdapter
from conformance.asking import question_of
from conformance.bounds import bounds_of
from conformance.floats import FORMATS
from conformance.model import Computed, Grade
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from conformance.adapters.base import LossAdapter
    from conformance.floats import Format
    from conformance.model import Answer, Case

Values = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Interval:
    """Where a truth lies: no farther than ``error`` from ``value``; both of one shape."""

    value: Values
    error: Values | float = 0.0

    def __neg__(self) -> Interval:
        return Interval(-self.value, self.error)

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.value + other.value, self.error + other.error)

    def __sub__(self, other: Interval) -> Interval:
        return self + -other

    def __mul__(self, factor: Values | float) -> Interval:
        return Interval(self.value * factor, self.error * np.abs(factor))

    def __getitem__(self, index: Any) -> Interval:
        return Interval(self.value[index], np.broadcast_to(self.error, self.value.shape)[index])

    def flat(self) -> Interval:
        """The elements in C order."""
        return Interval(*map(np.ravel, self._whole()))

    def total(self) -> Interval:
        """The sum of all elements, rounded once."""
        return Interval(*(np.float64(math.fsum(np.ravel(part))) for part in self._whole()))

    def _whole(self) -> tuple[Values, Values]:
        return self.value, np.broadcast_to(self.error, self.value.shape)


Intervals = Mapping[str, Interval]
Relation = Generator[list["Case"], list[Intervals], str | None]


@dataclass(frozen=True)
class Sample:
    """The inputs that every relation of an operation asks about, in its own way.

    Attributes:
        operation: A key of OPERATIONS.
        dtype: In which every input is exact.
        inputs: The arguments of the loss and its weight; float64, all of one shape of two axes.
        order: A permutation of the elements.
        cut: Where the elements are cut in two; 0 to their number.
        power: The exponent of a weight that is a power of two.
    """

    operation: str
    dtype: str
    inputs: Mapping[str, Values]
    order: Sequence[int]
    cut: int
    power: int

    @property
    def first(self) -> str:
        """Name of the differentiated input."""
        return OPERATIONS[self.operation].inputs[0]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.inputs[self.first].shape

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def format(self) -> Format:
        return FORMATS[self.dtype]

    @property
    def outputs(self) -> tuple[str, ...]:
        return OPERATIONS[self.operation].outputs_for(self.inputs)

    @property
    def gradients(self) -> tuple[str, ...]:
        return tuple(OPERATIONS[self.operation].gradients)

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of the inputs that may be left out."""
        return tuple(k for k in self.inputs if k in OPERATIONS[self.operation].optional)

    def case(self, reduction: str = "none", **changes: Values | None) -> Case:
        """A case of the inputs with some changed, or left out where they are None."""
        inputs = {**self.inputs, **changes}
        given = {name: values for name, values in inputs.items() if values is not None}
        return make_case(filled=False, reduction=reduction, dtypes=(self.dtype,), **given)

    def plain(self, reduction: str = "none", **changes: Values | None) -> Case:
        """The same without weights."""
        return self.case(reduction, **{**dict.fromkeys(self.weights), **changes})

    def select(self, index: Any, reduction: str = "none") -> Case:
        """A case of the elements at ``index``, on one axis."""
        return self.case(reduction, **{k: np.ravel(v)[index] for k, v in self.inputs.items()})

    def complement(self, values: Values) -> Values:
        """The numbers nearest to 1 - ``values``, which are in [0, 1]; 1 less them is exact, too."""
        return (1 - values).astype(self.format.dtype).astype(np.float64)


def problems(
    adapter: LossAdapter, sample: Sample, relations: Sequence[Callable[[Sample], Relation]]
) -> list[str]:
    """What does not hold, a sentence each; every question goes through one ``evaluate_all``.

    The intervals are those of "accurate" for the NumPy reference, whose formulas do not cancel,
    and of "coarse" for the frameworks, which evaluate the textbook formula.
    """
    started = [(relation.__name__, relation(sample)) for relation in relations]
    asked = [next(steps) for _, steps in started]
    questions = [question_of(case, "cpu", sample.dtype) for cases in asked for case in cases]
    answers = iter(list(adapter.evaluate_all(questions)))
    grade = Grade.accurate if isinstance(adapter, NumpyAdapter) else Grade.coarse
    found = []
    for (name, steps), cases in zip(started, asked, strict=True):
        given = [intervals(case, next(answers), sample.format, grade) for case in cases]
        refused = next((answer for answer in given if isinstance(answer, str)), None)
        problem = refused or conclude(steps, given)
        if problem:
            found.append(f"{name}: {problem}")
    return found


def conclude(steps: Relation, answers: list[Any]) -> str | None:
    try:
        steps.send(answers)
    except StopIteration as stop:
        return stop.value
    msg = "a relation asks once; let it yield once."
    raise TypeError(msg)


def intervals(case: Case, answer: Answer, fmt: Format, grade: Grade) -> dict[str, Interval] | str:
    """The interval of each output; a sentence where there is no such output."""
    if not isinstance(answer, Computed):
        return f"it was answered by {answer}"
    bounds = bounds_of(case, fmt, None)
    whole = next(iter(case.inputs.values())).shape
    found = {}
    for output in case.outputs:
        shape = () if output == "loss" and case.reduction != "none" else whole
        array = answer.outputs.get(output)
        if array is None or array.dtype != fmt.dtype or array.shape != shape:
            return f"{output} is not of dtype {fmt.name} and shape {shape}"
        # A grade allows 4 ulp, whatever its bound is; only at subnormal truths are they more.
        least = 4 * fmt.smallest_normal * 2 * fmt.unit_roundoff
        bound = np.maximum(getattr(bounds[output], grade.name), least)
        bound[~np.isfinite(bound)] = 0  # As in grading: a bound that overflows allows nothing.
        found[output] = Interval(array.astype(np.float64), bound.reshape(shape))
    return found


def meet(what: str, left: Interval, right: Interval) -> str | None:
    """None if intervals about the same truth meet."""
    return _first(what, "is not", left, right, np.abs)


def at_most(what: str, left: Interval, right: Interval) -> str | None:
    """None unless all of ``left`` is above all of ``right``."""
    return _first(what, "is above", left, right, np.positive)


def identical(what: str, left: Interval, right: Interval) -> str | None:
    """None if the values are the same to the bit."""
    same = np.signbit(left.value) == np.signbit(right.value)
    left, right = Interval(left.value), Interval(right.value)
    return meet(what, left, right) or (None if np.all(same) else f"{what} differs in a sign of 0")


def _first(
    what: str, verb: str, left: Interval, right: Interval, excess: Callable[[Values], Values]
) -> str | None:
    if left.value.shape != right.value.shape:
        return f"{what} has the shapes {left.value.shape} and {right.value.shape}"
    allowed = np.broadcast_to(left.error + right.error, left.value.shape)
    # Negated, for a NaN is within nothing.
    wrong = np.argwhere(~(excess(left.value - right.value) <= allowed))
    if not len(wrong):
        return None
    at = tuple(map(int, wrong[0]))
    place = f" at {list(at)}" if at else ""
    return (
        f"{what}{place} {verb} the other: {left.value[at]!r} and {right.value[at]!r}, "
        f"{allowed[at]:.3g} allowed"
    )
