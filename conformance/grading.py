"""Grades answers against the truth, many at a time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace

from conformance.bounds import bounds_of
from conformance.floats import decimal_text, hex_text, parse
from conformance.job_bounds import job_bounds
from conformance.mixing import dtypes_of_output, precision_of
from conformance.model import Computed, Grade
from conformance.results import OutputResult
from conformance.ulps import Reals
from conformance.verdicts import Verdict, chosen, verdict_on, verdict_without_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.bounds import Bounds
    from conformance.floats import Format
    from conformance.model import Answer, Case, Expected, Truth
    from conformance.verdicts import Graded

MAX_LISTED = 64
MAX_BITS = 256
MAX_JOB_BITS = 8192
"""Bytes of an output that are kept whole: of a job, the trajectory that a report draws."""


@dataclass(frozen=True, slots=True)
class _Reference:
    """The truth of one output under one policy, ready to grade against."""

    policy: str | None
    dtypes: tuple[str, ...]
    truth: Truth
    reals: Reals
    accurate: np.ndarray[Any, Any]
    coarse: np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class _Slot:
    """One output of one answer beside one reference; every slot is graded in one go."""

    pair: int
    output: str
    reference: _Reference
    array: np.ndarray[Any, Any]
    values: np.ndarray[Any, Any]
    max_bits: int


class Grader:
    """Grades the answers to questions of one dtype; keeps the truths that it has prepared.

    Where the dtypes of a question's inputs differ, the answer is graded in the least precise of
    them, to which it is rounded first.

    Args:
        dtype: Of the questions.
        loss_dtypes: Those of the adapter: in which dtype a loss, and not a job, is computed and
            returned, by the dtype of its inputs, where that is another.
    """

    def __init__(self, dtype: str, loss_dtypes: Mapping[str, str] = MappingProxyType({})) -> None:
        self.dtype = dtype
        self.loss_dtypes = loss_dtypes
        self._references: dict[tuple[str, ...], Mapping[str, Sequence[_Reference]]] = {}

    def grade(self, pairs: Sequence[tuple[Case, Answer]]) -> list[Verdict]:
        """The verdict on each answer, in order.

        Args:
            pairs: Cases that have been filled, each with an answer that is not Declined.
        """
        verdicts: dict[int, Verdict] = {}
        graded: dict[int, list[Graded]] = {}
        slots: list[_Slot] = []
        for index, (case, answer) in enumerate(pairs):
            expected = _expected(case)
            if not isinstance(answer, Computed) or expected.raises:
                allowed = any(alternative.raises for alternative in expected.alternatives)
                verdicts[index] = verdict_without_values(answer, due=expected.raises or allowed)
                continue
            graded[index] = []
            for output in case.outputs:
                for found in self._slots(index, case, output, answer.outputs.get(output)):
                    if isinstance(found, _Slot):
                        slots.append(found)
                    else:
                        graded[index].append(found)
        slots.sort(key=lambda slot: slot.reference.reals.format.precision)
        for slot, result in zip(slots, self._grade_slots(slots), strict=True):
            graded[slot.pair].append((slot.output, result))
        for index, results in graded.items():
            verdicts[index] = verdict_on(chosen(pairs[index][0], results))
        return [verdicts[index] for index in range(len(pairs))]

    def _slots(self, pair: int, case: Case, output: str, value: Any) -> Iterator[_Slot | Graded]:
        """One output beside each of its truths, or why it cannot be compared with that."""
        references = self._prepared(case)[output]
        if value is None:
            missing = OutputResult(grade="wrong", message="not returned")
            policies = [each.policy for each in references] if case.job else [None]
            yield from ((output, replace(missing, policy=policy)) for policy in policies)
            return
        array = np.asarray(value)
        limit = MAX_BITS if case.job is None else MAX_JOB_BITS
        problems = [_misfit(array, references, each) for each in references]
        for reference, problem in zip(references, problems, strict=True):
            if problem is None:
                with np.errstate(over="ignore"):
                    rounded = array.astype(reference.reals.format.dtype, copy=False)
                values = rounded.astype(np.float64).reshape(-1)
                compared = _compared(values, reference.truth)
                yield _Slot(pair, output, reference, array, compared, limit)
            elif case.job is not None or None not in problems:
                wrong = OutputResult(
                    grade="wrong",
                    policy=reference.policy if case.job else None,
                    message=problem,
                    **identity(array, limit),
                )
                yield output, wrong

    def _prepared(self, case: Case) -> Mapping[str, Sequence[_Reference]]:
        key = (case.id, *case.outputs)
        if key not in self._references:
            self._references[key] = self._prepare(case)
        return self._references[key]

    def _prepare(self, case: Case) -> Mapping[str, Sequence[_Reference]]:
        references: dict[str, list[_Reference]] = {output: [] for output in case.outputs}
        for alternative in _expected(case).alternatives:
            if alternative.raises:
                continue
            bounds: dict[Format, Mapping[str, Bounds]] = {}
            for output in case.outputs:
                if (truth := alternative.outputs.get(output)) is None:
                    continue
                returned = self.loss_dtypes if output == "loss" and case.job is None else {}
                format_ = precision_of(case, self.dtype, alternative.policy, returned)
                if format_ not in bounds:
                    bounds[format_] = _bounds(case, format_, alternative.policy)
                bound = bounds[format_][output]
                reals = Reals.prepare(map(parse, truth.values), format_)
                dtypes = tuple(
                    returned.get(dtype, dtype)
                    for dtype in dtypes_of_output(case, output, alternative.policy, self.dtype)
                )
                references[output].append(
                    _Reference(
                        alternative.policy, dtypes, truth, reals, bound.accurate, bound.coarse
                    )
                )
        return references

    def _grade_slots(self, slots: Sequence[_Slot]) -> Iterator[OutputResult]:
        for _, part in groupby(slots, key=lambda slot: slot.reference.reals.format):
            yield from self._grade_format(list(part))

    def _grade_format(self, slots: Sequence[_Slot]) -> Iterator[OutputResult]:
        reals = Reals.concatenate([slot.reference.reals for slot in slots])
        answers = np.concatenate([slot.values for slot in slots])
        accurate = np.concatenate([slot.reference.accurate for slot in slots])
        coarse = np.concatenate([slot.reference.coarse for slot in slots])
        errors = reals.errors(answers)
        grades = grade_elements(reals, answers, errors, accurate, coarse)
        with np.errstate(over="ignore"):
            allowed = np.ldexp(np.maximum(accurate, coarse), -reals.exponent)
        ratios = errors / np.maximum(np.where(np.isfinite(coarse), allowed, 0), 4)
        start = 0
        for slot in slots:
            part = slice(start, start + len(slot.values))
            start = part.stop
            yield self._summarise(slot, grades[part], errors[part], ratios[part])

    def _summarise(
        self,
        slot: _Slot,
        grades: np.ndarray[Any, Any],
        errors: np.ndarray[Any, Any],
        ratios: np.ndarray[Any, Any],
    ) -> OutputResult:
        listed = [_number(error) for error in errors] if len(errors) <= MAX_LISTED else []
        if not len(grades):
            return OutputResult(
                grade="exact",
                ulp=0.0,
                policy=slot.reference.policy,
                **identity(slot.array, slot.max_bits),
            )
        # The worst element: by grade, then by error; a NaN counts as the largest error.
        worst = int(np.lexsort((np.nan_to_num(errors, nan=np.inf), grades))[-1])
        grade = Grade(int(grades[worst]))
        return OutputResult(
            grade=grade.name,
            ulp=_number(np.max(errors)),
            ratio=_number(np.max(ratios)),
            policy=slot.reference.policy,
            ulps=listed,
            message=_difference(slot, worst, errors[worst]) if grade is Grade.wrong else None,
            **identity(slot.array, slot.max_bits),
        )


def _bounds(case: Case, format_: Format, policy: str | None) -> Mapping[str, Bounds]:
    if case.job is None:
        return bounds_of(case, format_, policy)
    return job_bounds(case, format_, policy)


def grade_elements(
    reals: Reals,
    answers: np.ndarray[Any, Any],
    errors: np.ndarray[Any, Any],
    accurate: np.ndarray[Any, Any],
    coarse: np.ndarray[Any, Any],
) -> np.ndarray[Any, np.dtype[np.int8]]:
    """The Grade of each element, as docs/grading.md defines it.

    Args:
        reals: The truths, n of them.
        answers: Shape (n,), float64.
        errors: Shape (n,), in ulp: ``reals.errors(answers)``.
        accurate: Shape (n,), the largest error of an accurate answer, in real units.
        coarse: Shape (n,), that of a coarse one.
    """
    grades = np.full(len(answers), Grade.wrong, np.int8)
    comparable = np.isfinite(errors)
    grades[comparable & reals.within(answers, coarse)] = Grade.coarse
    grades[comparable & (reals.within(answers, accurate) | (errors <= 4))] = Grade.accurate
    grades[comparable & (errors < 1)] = Grade.faithful
    same = (answers == reals.rounded) | (np.isnan(answers) & np.isnan(reals.rounded))
    grades[same] = Grade.exact
    return grades


def _misfit(
    array: np.ndarray[Any, Any], references: Sequence[_Reference], reference: _Reference
) -> str | None:
    """Why an array cannot be compared with one of the truths; None if it can."""
    if array.dtype.name not in reference.dtypes:
        known = " or ".join(dict.fromkeys(name for each in references for name in each.dtypes))
        return f"its dtype is {array.dtype}, not {known}"
    if array.shape != reference.truth.shape:
        return f"its shape is {array.shape}, not {reference.truth.shape}"
    return None


def _compared(values: np.ndarray[Any, Any], truth: Truth) -> np.ndarray[Any, Any]:
    return values if truth.positions is None else values[list(truth.positions)]


def _expected(case: Case) -> Expected:
    if case.expected is None:
        msg = f"{case.id} has no expected answer"
        raise ValueError(msg)
    return case.expected


def _number(value: Any) -> float | None:
    """A plain number of four significant digits; None for NaN and infinity."""
    if not np.isfinite(value):
        return None
    number = float(f"{value:.4g}")
    # Rounded up, the largest numbers overflow.
    return number if np.isfinite(number) else float(value)


def identity(array: np.ndarray[Any, Any], limit: int = MAX_BITS) -> dict[str, Any]:
    """What was returned, to the bit; of more than ``limit`` bytes a digest."""
    found: dict[str, Any] = {"dtype": str(array.dtype), "shape": array.shape}
    raw = np.ascontiguousarray(array).tobytes()
    if len(raw) <= limit:
        found["bits"] = raw.hex()
    else:
        found["digest"] = hashlib.sha256(raw).hexdigest()
    return found


def _difference(slot: _Slot, element: int, error: float) -> str:
    truth = slot.reference.truth
    flat = element if truth.positions is None else truth.positions[element]
    index = [int(step) for step in np.unravel_index(flat, truth.shape)] if truth.shape else []
    place = f"at {index} " if index else ""
    got = float(slot.values[element])
    distance = f", {error:.3g} ulp away" if np.isfinite(error) else ""
    return (
        f"{place}got {decimal_text(got)} ({hex_text(got)}), the truth is "
        f"{truth.values[element]}{distance}"
    )
