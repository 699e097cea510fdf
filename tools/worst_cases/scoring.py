"""Measures the errors of an adapter at many inputs at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from conformance.adapters.numpy import ELEMENTWISE, times
from conformance.asking import ask_alone, question_of
from conformance.bounds import Bounds, bounds_of
from conformance.casefile import CaseEntry, Defaults
from conformance.casefile import Values as Entry
from conformance.entries import CaseBuilder
from conformance.errors import ConformanceError
from conformance.floats import FORMATS
from conformance.model import Array, Computed
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.adapters.base import LossAdapter
    from conformance.model import Answer, Case, DtypeName
    from conformance.operations import OperationName
    from tools.worst_cases.domains import Values

LongDoubles = npt.NDArray[np.longdouble]
_GUARD_BITS = 8


class Goal(NamedTuple):
    """What is to be as large as possible.

    Attributes:
        output: The output whose error is measured.
        unit: "ulp", of a truth that is a normal number, up to 2**precision, where no digit is
            right: next to zero any error has as many as one likes; or "bound", the largest error
            that the grade allows.
    """

    output: str
    unit: str


def outputs_of(operation: str) -> tuple[str, ...]:
    """The outputs that are searched: the loss and its gradients."""
    return ("loss", *OPERATIONS[operation].gradients)


def goals_of(operation: str) -> tuple[Goal, ...]:
    """Every output searched, in both units."""
    return tuple(
        Goal(output, unit) for output in outputs_of(operation) for unit in ("ulp", "bound")
    )


class Scorer:
    """Puts inputs to an adapter in one unreduced question, and measures its errors.

    The truth is that of the reference's formulas in long double. What is left of it where terms
    cancel is noise, which is taken off the error: it comes out too small and never too large.

    Raises:
        ConformanceError: If long double is too narrow on this machine.
    """

    def __init__(self, adapter: LossAdapter, operation: OperationName, dtype: DtypeName) -> None:
        self.adapter = adapter
        self.operation = operation
        self.format = FORMATS[dtype]
        self.goals = goals_of(operation)
        self._spare = np.finfo(np.longdouble).nmant - self.format.precision
        if self._spare < _GUARD_BITS:
            msg = (
                f"long double has too few bits here to judge {dtype}. "
                "Search where it has 64 or more, such as on Linux."
            )
            raise ConformanceError(msg)
        self._template = _template(operation, dtype)

    @property
    def grade(self) -> str:
        """The grade that the adapter is expected to reach: the reference is accurate."""
        return "accurate" if self.adapter.name == "numpy" else "coarse"

    def case(self, inputs: Mapping[str, Values], outputs: Sequence[str]) -> Case:
        """The unreduced question about ``inputs``, one-dimensional and of one length."""
        arrays = {name: Array(v.shape, tuple(v.tolist())) for name, v in inputs.items()}
        return replace(self._template, inputs=arrays, outputs=tuple(outputs))

    def ask(self, case: Case) -> Answer:
        """The adapter's answer."""
        return ask_alone(self.adapter, question_of(case, "cpu", self.format.name))

    def allowed(self, bounds: Bounds) -> Values:
        """The largest errors of the grade expected, in real units, but for its rule of 4 ulp."""
        return (
            bounds.accurate if self.grade == "accurate" else np.fmax(bounds.accurate, bounds.coarse)
        )

    def scores(self, inputs: Mapping[str, Values]) -> dict[Goal, Values]:
        """The error of each element toward each goal; infinite where the answer is not finite.

        Raises:
            ConformanceError: If the adapter does not answer.
        """
        case = self.case(inputs, outputs_of(self.operation))
        answer = self.ask(case)
        if not isinstance(answer, Computed):
            msg = f"{self.adapter.name} gives no values: {answer}. Leave it out."
            raise ConformanceError(msg)
        truths = truth(self.operation, inputs)
        bounds = bounds_of(case, self.format, None)
        return {
            goal: score
            for output in case.outputs
            for goal, score in self._measure(
                output, np.asarray(answer.outputs[output]), truths[output], bounds[output]
            ).items()
        }

    def _measure(
        self, output: str, answer: np.ndarray[Any, Any], exact: LongDoubles, bounds: Bounds
    ) -> dict[Goal, Values]:
        values = answer.astype(np.float64).astype(np.longdouble)
        noise = np.ldexp(bounds.accurate, -self._spare)
        with np.errstate(invalid="ignore"):
            errors = np.fmax(np.abs(values - exact) - noise, 0)
        errors[~np.isfinite(values)] = np.inf
        ulp = self._ulp(exact)
        ulps = np.fmin(errors / ulp, 2.0**self.format.precision)
        # Where the truth is nothing but noise, so is its ulp.
        known = np.abs(exact) > np.fmax(2 * noise, self.format.smallest_normal)
        allowed = np.fmax(self.allowed(bounds), np.where(known, 4 * ulp, 0))
        return {
            Goal(output, "ulp"): np.where(known, ulps, 0).astype(np.float64),
            Goal(output, "bound"): (errors / allowed).astype(np.float64),
        }

    def _ulp(self, magnitudes: LongDoubles) -> LongDoubles:
        _, exponents = np.frexp(magnitudes)
        lowest = self.format.emin + 1
        ulps: LongDoubles = np.ldexp(
            np.longdouble(1), np.maximum(exponents, lowest) - self.format.precision
        )
        return ulps


def truth(operation: str, inputs: Mapping[str, Values]) -> Mapping[str, LongDoubles]:
    """Every output by the formulas of the reference, in long double."""
    wide = {name: values.astype(np.longdouble) for name, values in inputs.items()}
    one = np.ones((), np.longdouble)
    arguments = (wide.get(name, one) for name in OPERATIONS[operation].arguments)
    with np.errstate(under="ignore"):
        exact = ELEMENTWISE[operation](*arguments)
        return {name: times(wide.get("weight", one), values) for name, values in exact.items()}


def _template(operation: OperationName, dtype: DtypeName) -> Case:
    """A case whose inputs are to be replaced."""
    one = Entry(["0x1p0"])
    entry = CaseEntry(id="worst_case", about="The worst.", targets=one)
    entry.operation, entry.dtypes, entry.reduction = operation, [dtype], "none"
    setattr(entry, OPERATIONS[operation].inputs[0], one)
    return CaseBuilder(entry, Defaults()).build(Path("worst_cases.json"), "worst_cases", ())
