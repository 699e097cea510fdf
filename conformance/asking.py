"""Puts questions to an adapter: all at once, or one by one where that breaks off."""

from __future__ import annotations

import sys
import time
import warnings
from contextlib import contextmanager, redirect_stdout
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from conformance.adapters.base import attempt
from conformance.mixing import input_array
from conformance.model import Answer, Broken, Case, Computed, Declined, Question, Raised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from conformance.adapters.base import LossAdapter
    from conformance.apart import Apart

LOST = "it left the device unusable for this process"
LOST_BEFORE = "an earlier question left the device unusable for this process"


class Told(NamedTuple):
    """An answer, and the milliseconds that it took; in bulk, an equal share of them."""

    answer: Answer
    ms: float


class Asker:
    """Asks the questions of groups: one adapter, device and dtype, many cases.

    A question that may ruin the device is asked in a process of its own. If the device is ruined
    all the same, the group is asked again, each question apart, and so is every later one there.

    Attributes:
        apart: Who asks in other processes.
        broke_off: (adapter, device, dtype) of each group whose bulk evaluation broke off, to why;
            its questions were then asked one by one, or apart.
    """

    def __init__(self, apart: Apart) -> None:
        self.apart = apart
        self.broke_off: dict[tuple[str, str, str], str] = {}
        self._lost: set[str] = set()

    def ask(
        self, adapter: LossAdapter, device: str, dtype: str, cases: Sequence[Case]
    ) -> list[Told]:
        """The answers in order."""
        questions = [question_of(case, device, dtype) for case in cases]
        told: dict[int, Told] = {}
        for index, question in enumerate(questions):
            if (answer := _declined(adapter, question)) is not None:
                told[index] = Told(answer, 0.0)
        for of_jobs in (False, True):
            chosen = [
                index
                for index, question in enumerate(questions)
                if index not in told and (question.job is not None) == of_jobs
            ]
            here = [index for index in chosen if not self._apart(adapter, questions[index])]
            if here:
                asked = [questions[index] for index in here]
                given = self._here(adapter, asked, [cases[index] for index in here])
                told |= zip(here, given, strict=False)  # None of them, if the device is lost.
            if chosen and device in self._lost:
                self.broke_off.setdefault((adapter.name, device, dtype), LOST_BEFORE)
            if left := [index for index in chosen if index not in told]:
                given = self.apart.ask(adapter, device, dtype, [cases[index] for index in left])
                told |= zip(left, given, strict=True)
        return [told[index] for index in range(len(cases))]

    def ask_alone(self, adapter: LossAdapter, device: str, dtype: str, case: Case) -> Answer:
        """The answer to one question in an evaluation of its own; apart, if need be."""
        question = question_of(case, device, dtype)
        if _declined(adapter, question) is None and self._apart(adapter, question):
            (told,) = self.apart.ask(adapter, device, dtype, [case])
            return told.answer
        return ask_alone(adapter, question)

    def _apart(self, adapter: LossAdapter, question: Question) -> bool:
        # An adapter that raises when it is asked this does not say that it is safe.
        return question.device in self._lost or bool(attempt(partial(adapter.may_ruin, question)))

    def _here(
        self, adapter: LossAdapter, questions: Sequence[Question], cases: Sequence[Case]
    ) -> list[Told]:
        """The answers of this process; none if the device is lost on the way."""
        device, dtype = questions[0].device, questions[0].dtype
        key = adapter.name, device, dtype
        start = time.perf_counter()
        seen = len(adapter.incidents)
        again = [partial(question_of, case, device, dtype) for case in cases]
        given, broke_off = _evaluated(adapter, questions, again)
        if problems := [*filter(None, [broke_off]), *adapter.incidents[seen:]]:
            self.broke_off[key] = "; ".join(dict.fromkeys(problems))
        if is_ruined(adapter, device):
            self._lost.add(device)
            self.broke_off[key] = "; ".join(filter(None, [self.broke_off.get(key), LOST]))
            return []
        ms = (time.perf_counter() - start) * 1000 / len(questions)
        return [Told(answer, ms) for answer in given]


def answers_to(
    adapter: LossAdapter, again: Sequence[Callable[[], Question]]
) -> tuple[list[Answer], str | None]:
    """Answer questions of one device and dtype in this process.

    Args:
        adapter: Who is asked.
        again: Makes each question, afresh if need be: an adapter may have changed its inputs.

    Returns:
        The answers in order, fewer than there are questions if the device is lost on the way; and
        why they were not answered in one evaluation, or None.
    """
    questions = [make() for make in again]
    found: dict[int, Answer] = {}
    for index, question in enumerate(questions):
        if (answer := _declined(adapter, question)) is not None:
            found[index] = answer
    problems = []
    for of_jobs in (False, True):
        chosen = [
            index
            for index, question in enumerate(questions)
            if index not in found and (question.job is not None) == of_jobs
        ]
        if not chosen:
            continue
        given, broke_off = _evaluated(
            adapter, [questions[index] for index in chosen], [again[index] for index in chosen]
        )
        problems += [broke_off] if broke_off else []
        found |= zip(chosen, given, strict=False)
    answers = [found[index] for index in range(len(questions)) if index in found]
    return answers, "; ".join(dict.fromkeys(problems)) or None


def is_ruined(adapter: LossAdapter, device: str) -> bool:
    """Whether ``device`` has become unusable for this process, as ``adapter`` finds it."""
    # A check that trips over the device has found out.
    return bool(attempt(partial(adapter.is_ruined, device)))


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


def _evaluated(
    adapter: LossAdapter, questions: Sequence[Question], again: Sequence[Callable[[], Question]]
) -> tuple[list[Answer], str | None]:
    """The answers, one by one where one evaluation of all broke off; and why it did."""
    with _quiet():
        given = _in_bulk(adapter, questions)
        if not isinstance(given, str):
            return given, None
        # Where nothing runs any more, there is no point in asking one by one.
        if questions and is_ruined(adapter, questions[0].device):
            return [], given
        return [_alone(adapter, make()) for make in again], given


def _in_bulk(adapter: LossAdapter, questions: Sequence[Question]) -> list[Answer] | str:
    """The answers of one evaluation of all questions, or why it broke off."""
    check = [_watch(question) for question in questions]
    ask = adapter.evaluate_all if questions[0].job is None else adapter.perform_all
    given = attempt(lambda: list(ask(questions)))
    if isinstance(given, Raised | Broken):
        return str(given)
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
        if not isinstance(answer, Answer):
            return Broken(f"it returned {type(answer).__name__}, not Computed(...)")
        if isinstance(answer, Computed):
            for name, value in answer.outputs.items():
                if value is not None and not isinstance(value, (np.ndarray, np.generic)):
                    return Broken(f"{name} is a {type(value).__name__}, not a NumPy array")
        return answer

    return check
