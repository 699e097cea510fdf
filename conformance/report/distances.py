"""Measures how many ulps lie between the answers of two subjects, all items at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.floats import FORMATS
from conformance.report.marks import GRADE_RANKS, worst_ulp
from conformance.results import OutputResult
from conformance.ulps import NO_DISTANCE, ulp_distance
from conformance.varying import output_bits

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from conformance.report.evidence import Evidence, Subject
    from conformance.results import Result

Numbers = np.ndarray[Any, np.dtype[np.int64]]
Steps = np.ndarray[Any, np.dtype[np.uint64]]

ABSENT = -1
"""In a vector of answers: not run."""
SAME = 0
"""In a vector of comparisons: the same bits in every output, or an error on both sides."""
APART = 1
"""A number of steps lies between them; none between zeros of unlike sign, or two NaN."""
UNMEASURED = 2
"""Not the same, of which only digests tell."""
OTHER = 3
"""No number of steps: a NaN against a number, integers or decisions that differ, another shape or
dtype, an error, nothing."""


_UNSEEN = OutputResult(grade="wrong")
"""Whatever was given in place of an error that is due."""


class AnswerTable:
    """Every answer of every subject, numbered so that equal numbers are equal bits.

    Attributes:
        items: Case id and dtype of each item that anybody ran, in the order of the evidence.
        grades: Of each subject, the rank of its grade on each item; ABSENT where it did not run.
        errors: Likewise its error in ulp: infinite where none can be told, 0 for an error that
            is due.
    """

    def __init__(self, evidence: Evidence) -> None:
        items: dict[tuple[str, str], int] = {}
        columns: dict[tuple[int, str], int] = {}
        numbers: dict[Hashable, int] = {}
        distinct: list[OutputResult] = []
        found = {subject: _Row() for subject in evidence.subjects}
        for subject, result in evidence.results:
            if result.status == "not_run":
                continue
            item = items.setdefault((result.case, result.dtype), len(items))
            row = found[subject]
            row.items.append(item)
            row.grades.append(GRADE_RANKS.get(result.grade or "", GRADE_RANKS["wrong"]))
            row.errors.append(_error(result))
            # Where an error is due no output is graded, and yet an answer is unlike an error.
            unseen = {} if result.outputs or result.raised else {"": _UNSEEN}
            for name, output in (result.outputs or unseen).items():
                number = numbers.setdefault(output_bits(output), len(distinct))
                if number == len(distinct):
                    distinct.append(output)
                row.columns.append(columns.setdefault((item, name), len(columns)))
                row.answers.append(number)
        self.items = list(items)
        self.grades: dict[Subject, Numbers] = {}
        self.errors: dict[Subject, np.ndarray[Any, np.dtype[np.float64]]] = {}
        self._answers: dict[Subject, Numbers] = {}
        for subject, row in found.items():
            self.grades[subject] = np.full(len(items), ABSENT)
            self.grades[subject][row.items] = row.grades
            self.errors[subject] = np.full(len(items), np.nan)
            self.errors[subject][row.items] = row.errors
            self._answers[subject] = np.full(len(columns), ABSENT)
            self._answers[subject][row.columns] = row.answers
        self._owners = np.array([item for item, _ in columns], np.int64)
        self._values = _Values(distinct)

    def compare(self, one: Subject, other: Subject) -> tuple[Numbers, Steps]:
        """Compare two subjects on every item.

        Returns:
            For each item ABSENT (where either did not run it), SAME, APART, OTHER or UNMEASURED,
            and the largest distance of its elements in ulp, 0 unless APART.
        """
        mine, theirs = self._answers[one], self._answers[other]
        both = (self.grades[one] != ABSENT) & (self.grades[other] != ABSENT)
        verdicts = np.where(both, SAME, ABSENT)
        steps = np.zeros(len(self.items), np.uint64)
        [columns] = np.nonzero((mine != theirs) & both[self._owners])
        kinds, distances = self._values.distances(mine[columns], theirs[columns])
        owners = self._owners[columns]
        np.maximum.at(verdicts, owners, kinds)
        np.maximum.at(steps, owners, distances)
        steps[verdicts != APART] = 0
        return verdicts, steps


@dataclass(frozen=True, slots=True)
class _Row:
    """What one subject gave: by item, and by column, an output of an item."""

    items: list[int] = field(default_factory=list)
    grades: list[int] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


def _error(result: Result) -> float:
    ulp = worst_ulp(result)
    if ulp is None:
        return math.inf if result.outputs or result.status != "passed" else 0.0
    return ulp


class _Values:
    """The elements of distinct outputs, all those of one dtype in one array."""

    def __init__(self, outputs: Sequence[OutputResult]) -> None:
        forms: dict[Hashable, int] = {}
        raw: dict[str, list[bytes]] = {name: [] for name in FORMATS}
        sizes = dict.fromkeys(raw, 0)
        widths = {name: fmt.dtype.itemsize for name, fmt in FORMATS.items()}
        places = {name: number for number, name in enumerate(FORMATS)}
        facts = []
        for output in outputs:
            form = forms.setdefault((output.dtype, tuple(output.shape or ())), len(forms))
            dtype, start, length = ABSENT, ABSENT, ABSENT
            content = _content(output)
            if content is not None and output.dtype is not None:
                raw[output.dtype].append(content)
                dtype, start = places[output.dtype], sizes[output.dtype]
                length = len(content) // widths[output.dtype]
                sizes[output.dtype] += length
            facts.append((form, output.bits is not None, dtype, start, length))
        # Of each output: the number of its form; whether its bits are kept; then, where these
        # are numbers of a known dtype, that dtype, the first element and how many there are.
        table = np.array(facts, np.int64).reshape(-1, 5).T
        self._forms, self._kept, self._dtypes, self._starts, self._lengths = table
        self._elements = [
            np.frombuffer(b"".join(parts), FORMATS[name].dtype.newbyteorder("<"))
            for name, parts in raw.items()
        ]

    def distances(self, mine: Numbers, theirs: Numbers) -> tuple[Numbers, Steps]:
        """Of pairs of outputs that differ: APART, UNMEASURED or OTHER; the largest distance."""
        kinds = np.full(len(mine), OTHER, np.int64)
        steps = np.zeros(len(mine), np.uint64)
        alike = (mine != ABSENT) & (theirs != ABSENT) & (self._forms[mine] == self._forms[theirs])
        kinds[alike & ((self._kept[mine] & self._kept[theirs]) == 0)] = UNMEASURED
        alike &= (self._lengths[mine] > 0) & (self._lengths[mine] == self._lengths[theirs])
        for number, elements in enumerate(self._elements):
            [pairs] = np.nonzero(alike & (self._dtypes[mine] == number))
            if pairs.size:
                one, other = mine[pairs], theirs[pairs]
                lengths = self._lengths[one]
                ends = np.cumsum(lengths)
                within = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
                apart = ulp_distance(
                    elements[np.repeat(self._starts[one], lengths) + within],
                    elements[np.repeat(self._starts[other], lengths) + within],
                )
                largest = np.maximum.reduceat(apart, ends - lengths)
                steps[pairs] = largest
                kinds[pairs] = np.where(largest == NO_DISTANCE, OTHER, APART)
        return kinds, steps


def _content(output: OutputResult) -> bytes | None:
    """The raw bytes; None where the run holds none, or none that are of the dtype it names."""
    if output.bits is None or output.dtype is None or output.dtype not in FORMATS:
        return None
    try:
        content = bytes.fromhex(output.bits)
    except ValueError:
        return None
    return content if len(content) % FORMATS[output.dtype].dtype.itemsize == 0 else None
