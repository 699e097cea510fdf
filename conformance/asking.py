"""Puts questions to an adapter: all at once, and one by one where that breaks off."""

from __future__ import annotations

import sys
import time
import warnings
from contextlib import contextmanager, redirect_stdout
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from conformance.adapters.base import attempt
from conformance.mixing import input_array
from conformance.model import Answer, Broken, Case, Computed, Declined, Question, Raised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from conformance.adapters.base import LossAdapter


class Asker:
    """Asks the questions of groups: one adapter, device and dtype, many cases.

    Attributes:
        broke_off: (adapter, device, dtype) of each group whose bulk evaluation broke off, to why;
            its questions were then asked one by one.
    """

    def __init__(self) -> None:
        self.broke_off: dict[tuple[str, str, str], str] = {}

    def ask(
        self, adapter: LossAdapter, device: str, dtype: str, cases: Sequence[Case]
    ) -> tuple[list[Answer], dict[bool, float]]:
        """The answers in order; the milliseconds that a job (True), a loss (False) took."""
        questions = [question_of(case, device, dtype) for case in cases]
        answers: list[Answer | None] = [_declined(adapter, question) for question in questions]
        times = {}
        for of_jobs in (False, True):
            chosen = [
                index
                for index, question in enumerate(questions)
                if answers[index] is None and (question.job is not None) == of_jobs
            ]
            start = time.perf_counter()
            with _quiet():
                given = _in_bulk(adapter, [questions[index] for index in chosen], of_jobs=of_jobs)
                if isinstance(given, str):
                    self.broke_off[adapter.name, device, dtype] = given
                    fresh = (question_of(cases[index], device, dtype) for index in chosen)
                    given = [_alone(adapter, question) for question in fresh]
            times[of_jobs] = (time.perf_counter() - start) * 1000 / max(1, len(chosen))
            for index, answer in zip(chosen, given, strict=True):
                answers[index] = answer
        return [answer for answer in answers if answer is not None], times


def question_of(case: Case, device: str, dtype: str) -> Question:
    """The case without its answer, its inputs in ``dtype``."""
    inputs = {name: input_array(case, name, dtype) for name in case.inputs}
    return Question(
        id=case.id,
        operation=case.operation,
        reduction=case.reduction,
        dtype=dtype,
        device=device,
        inputs=inputs,
        outputs=case.outputs,
        legacy=case.legacy,
        mixed=bool(case.input_dtypes),
        job=case.job,
    )


def ask_alone(adapter: LossAdapter, question: Question) -> Answer:
    """The answer to one question in an evaluation of its own."""
    declined = _declined(adapter, question)
    if declined is not None:
        return declined
    with _quiet():
        return _alone(adapter, question)


def _declined(adapter: LossAdapter, question: Question) -> Declined | Broken | None:
    if not question.outputs:
        return Declined(f"{adapter.name} offers none of the outputs asked for")
    answer = attempt(partial(adapter.decline, question))
    if answer is None or isinstance(answer, (Declined, Broken)):
        return answer
    return Broken(f"decline() gave {answer!r}, not Declined(reason) or None")


@contextmanager
def _quiet() -> Iterator[None]:
    """What a framework prints or warns of is no part of its answer."""
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _in_bulk(
    adapter: LossAdapter, questions: Sequence[Question], *, of_jobs: bool
) -> list[Answer] | str:
    """The answers of one evaluation of all questions, or why it broke off."""
    if not questions:
        return []
    check = [_watch(question) for question in questions]
    ask = adapter.perform_all if of_jobs else adapter.evaluate_all
    given = attempt(lambda: list(ask(questions)))
    match given:
        case Raised(kind, message):
            return f"{kind}: {message}"
        case Broken(message):
            return message
    if len(given) != len(questions):
        return f"it gave {len(given)} answers to {len(questions)} questions"
    return [finish(answer) for finish, answer in zip(check, given, strict=True)]


def _alone(adapter: LossAdapter, question: Question) -> Answer:
    check = _watch(question)
    if question.job is None:
        return check(attempt(partial(adapter.evaluate, question)))
    return check(attempt(lambda: next(iter(adapter.perform_all([question])))))


def _watch(question: Question) -> Callable[[object], Answer]:
    """Remember the inputs; the function returned tells what an answer is worth in their light."""
    before = {name: array.tobytes() for name, array in question.inputs.items()}

    def check(answer: object) -> Answer:
        for name, array in question.inputs.items():
            if array.tobytes() != before[name]:
                return Broken(f"it changed its input {name!r}")
        if not isinstance(answer, (Computed, Declined, Raised, Broken)):
            return Broken(f"it returned {type(answer).__name__}, not Computed(...)")
        if isinstance(answer, Computed):
            for name, value in answer.outputs.items():
                if value is not None and not isinstance(value, (np.ndarray, np.generic)):
                    return Broken(f"{name} is a {type(value).__name__}, not a NumPy array")
        return answer

    return check
