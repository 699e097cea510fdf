"""Puts questions to adapters and returns graded results."""

from __future__ import annotations

import sys
import time
import warnings
from contextlib import contextmanager, redirect_stdout
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from conformance.adapters.base import attempt
from conformance.errors import ConformanceError
from conformance.floats import FORMATS, to_array
from conformance.grading import Grader
from conformance.model import (
    Answer,
    Case,
    Computed,
    Declined,
    Grade,
    Question,
    Raised,
    Result,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.adapters.base import LossAdapter
    from conformance.deviations import Ledger


class Runner:
    """Evaluates groups: one adapter, device and dtype, many cases.

    Attributes:
        require: The worst grade that passes.
    """

    def __init__(self, require: Grade = Grade.coarse) -> None:
        self.require = require
        self._graders: dict[str, Grader] = {}

    def run(
        self, adapter: LossAdapter, device: str, dtype: str, cases: Sequence[Case], ledger: Ledger
    ) -> list[Result]:
        """The result of each case, in order.

        Raises:
            ConformanceError: If a case has no expected answer yet.
        """
        for case in cases:
            if case.expected is None:
                msg = f"{case.path}: {case.id} has no expected answer. Run `bce-conformance fill`."
                raise ConformanceError(msg)
        questions = [question_of(case, device, dtype) for case in cases]
        answers, ms = _ask_all(adapter, questions)
        graded = [i for i, answer in enumerate(answers) if not isinstance(answer, Declined)]
        grader = self._graders.setdefault(dtype, Grader(dtype))
        verdicts = dict(
            zip(graded, grader.grade([(cases[i], answers[i]) for i in graded]), strict=True)
        )
        results = []
        for index, (case, answer) in enumerate(zip(cases, answers, strict=True)):
            result = partial(
                Result,
                case=case.id,
                sha256=case.sha256,
                adapter=adapter.name,
                device=device,
                dtype=dtype,
            )
            if isinstance(answer, Declined):
                results.append(result(status="not_run", reason=answer.reason))
                continue
            verdict = verdicts[index]
            graded_result = result(
                status="passed" if verdict.grade <= self.require else "failed",
                grade=verdict.grade.name,
                outputs=verdict.outputs,
                raised=f"{answer.type}: {answer.message}" if isinstance(answer, Raised) else None,
                reason=verdict.reason,
                ms=float(f"{ms:.4g}"),
            )
            results.append(ledger.explain(graded_result, self.require))
        return results


def question_of(case: Case, device: str, dtype: str) -> Question:
    """The case without its answer, its inputs in ``dtype``."""
    inputs = {
        name: to_array(array.values, array.shape, FORMATS[dtype])
        for name, array in case.inputs.items()
    }
    return Question(
        id=case.id,
        operation=case.operation,
        reduction=case.reduction,
        dtype=dtype,
        device=device,
        inputs=inputs,
        outputs=case.outputs,
    )


def ask_alone(adapter: LossAdapter, question: Question) -> Answer:
    """The answer to one question in an evaluation of its own."""
    if declined := adapter.decline(question):
        return declined
    with _quiet():
        return _checked(attempt(partial(adapter.evaluate, question)))


@contextmanager
def _quiet() -> Iterator[None]:
    """What a framework prints or warns of is no part of its answer."""
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _ask_all(adapter: LossAdapter, questions: Sequence[Question]) -> tuple[list[Answer], float]:
    """The answers in order, and the milliseconds each took on average."""
    answers: list[Answer | None] = [adapter.decline(question) for question in questions]
    asked = [question for question, answer in zip(questions, answers, strict=True) if not answer]
    copies = [{name: a.copy() for name, a in question.inputs.items()} for question in asked]
    start = time.perf_counter()
    with _quiet():
        given = _evaluate(adapter, asked)
    ms = (time.perf_counter() - start) * 1000 / max(1, len(asked))
    for index, (question, copy) in enumerate(zip(asked, copies, strict=True)):
        for name, array in question.inputs.items():
            if array.tobytes() != copy[name].tobytes():
                given[index] = Raised("InputChanged", f"the adapter changed its input {name!r}")
    rest = iter(given)
    return [answer or next(rest) for answer in answers], ms


def _evaluate(adapter: LossAdapter, questions: Sequence[Question]) -> list[Answer]:
    """In bulk; one by one where the bulk breaks off, so that one question costs only itself."""
    if not questions:
        return []
    bulk = attempt(lambda: list(adapter.evaluate_all(questions)))
    if isinstance(bulk, list) and len(bulk) == len(questions):
        return [_checked(answer) for answer in bulk]
    return [_checked(attempt(partial(adapter.evaluate, question))) for question in questions]


def _checked(answer: object) -> Answer:
    if not isinstance(answer, (Computed, Declined, Raised)):
        found = type(answer).__name__
        return Raised("NoAnswer", f"the adapter returned {found}, not Computed(...)")
    if isinstance(answer, Computed):
        for name, value in answer.outputs.items():
            if value is not None and not isinstance(value, (np.ndarray, np.generic)):
                found = type(value).__name__
                return Raised("NoAnswer", f"{name} is a {found}, not a NumPy array")
    return answer
