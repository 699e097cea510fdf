"""Puts the corpus to mutants and notes which cases catch which.

All mutants answer one batch of questions after the other. An answer that equals the reference's to
the bit has its verdict; only the others are graded. Small questions come first, in an order that
mixes the themes, and a mutant that enough of them have caught is asked no more, unless the trial is
exhaustive. Large questions, each as dear as hundreds of small ones, are put only to those that have
to be caught and are not. Losses are asked of mutants of the reference, jobs of wrong trainers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from conformance.asking import ask_alone, question_of
from conformance.errors import ConformanceError
from conformance.floats import FORMATS
from conformance.grading import Grader
from conformance.model import Broken, Computed, Declined, Grade

from .reference import Reference
from .trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from conformance.model import Answer, Case, Question
    from conformance.verdicts import Verdict

    from .base import Mutant

ENOUGH = 5
FIRST_BATCH = 8
LARGE = 5_000


class Killer(NamedTuple):
    """A case that catches a mutant, in one dtype."""

    case: str
    dtype: str

    def __str__(self) -> str:
        return f"{self.case} ({self.dtype})"


@dataclass(slots=True)
class Trial:
    """What the corpus makes of one mutant.

    Attributes:
        mutant: A mutant, or the reference.
        coarse: What answers it gets wrong: caught whatever grade is required.
        accurate: Those, and what answers are not accurate.
        changed: Which jobs it does rightly, but by another policy than the trainer.
    """

    mutant: Reference
    coarse: list[Killer] = field(default_factory=list)
    accurate: list[Killer] = field(default_factory=list)
    changed: list[Killer] = field(default_factory=list)

    def note(self, killer: Killer, grade: Grade) -> None:
        if grade > Grade.accurate:
            self.accurate.append(killer)
        if grade > Grade.coarse:
            self.coarse.append(killer)

    @property
    def due(self) -> list[Killer]:
        """Those of the killers that its kind of mistake calls for."""
        found = {"semantic": self.coarse, "accuracy": self.accurate, "policy": self.changed}
        return found[self.mutant.kind]


class Asked(NamedTuple):
    """A question, with the answer of the reference and what that is worth."""

    case: Case
    question: Question
    answer: Answer
    verdict: Verdict


class Batch(NamedTuple):
    """Questions of one dtype, all small or all large, all of losses or all of jobs."""

    dtype: str
    asked: Sequence[Asked]
    large: bool
    of_jobs: bool


def evaluate(
    mutants: Sequence[Mutant],
    cases: Sequence[Case],
    *,
    exhaustive: bool = False,
    enough: int = ENOUGH,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Trial]:
    """The trials of the reference, which comes first, and of each mutant.

    Args:
        mutants: Those to be caught.
        cases: The corpus, filled; of it only what some mutant is asked.
        exhaustive: True to find every small case that catches a mutant.
        enough: How many have to do otherwise.
        progress: Is told in a few words what is done next.

    Raises:
        ConformanceError: If there are no cases or mutants, if a case has not been filled, or if a
            mutant is at fault as a program.
    """
    _require(mutants, cases)
    reference = Trial(Reference())
    trials = [Trial(mutant) for mutant in mutants]
    graders = {dtype: Grader(dtype) for dtype in FORMATS}
    wanted = math.inf if exhaustive else enough
    for batch in _batches(asked_of(mutants, cases), graders):
        alive = [trial for trial in trials if _is_open(trial, batch, wanted)]
        size = f"{len(batch.asked)} {'large' if batch.large else 'small'} cases"
        progress(f"{size} in {batch.dtype}, {len(alive)} mutants")
        for asked in batch.asked:
            reference.note(Killer(asked.case.id, batch.dtype), asked.verdict.grade)
        for trial in alive:
            _try(trial, batch, graders[batch.dtype])
    return [reference, *trials]


def _require(mutants: Sequence[Mutant], cases: Sequence[Case]) -> None:
    if not mutants or not cases:
        msg = f"There are {len(mutants)} mutants and {len(cases)} cases. Give some of both."
        raise ConformanceError(msg)
    for case in cases:
        if case.expected is None:
            msg = f"{case.path}: {case.id} has no expected answer. Run `bce-conformance fill`."
            raise ConformanceError(msg)


def asked_of(mutants: Sequence[Reference], cases: Sequence[Case]) -> list[Case]:
    """Those of the cases that are put to one of the mutants: losses, jobs, or both."""
    subjects = {isinstance(mutant, Trainer) for mutant in mutants}
    return [case for case in cases if (case.job is not None) in subjects]


def _is_open(trial: Trial, batch: Batch, wanted: float) -> bool:
    """Whether a mutant is still asked."""
    if batch.of_jobs != isinstance(trial.mutant, Trainer):
        return False
    if batch.large:
        return not trial.due and not trial.mutant.equivalent
    return len(trial.due) < wanted


def is_large(case: Case) -> bool:
    """Whether a case is put only to mutants that nothing else has caught."""
    return _size(case) > LARGE


def _batches(cases: Sequence[Case], graders: dict[str, Grader]) -> Iterator[Batch]:
    # A digest has nothing to do with the theme, so each batch has something of all.
    mixed = sorted(cases, key=lambda case: case.sha256)
    small = [case for case in mixed if not is_large(case) and case.job is None]
    jobs = [case for case in mixed if not is_large(case) and case.job is not None]
    large = sorted(filter(is_large, mixed), key=_size)
    for group in (*_growing(small), *_growing(jobs), *([case] for case in large)):
        for dtype, grader in graders.items():
            chosen = [case for case in group if dtype in case.dtypes]
            if asked := _asked(dtype, chosen, grader):
                first = group[0]
                yield Batch(dtype, asked, large=is_large(first), of_jobs=first.job is not None)


def _growing(cases: Sequence[Case]) -> Iterator[Sequence[Case]]:
    """Few cases while most mutants are to be caught, each time half as many again."""
    start, size = 0, FIRST_BATCH
    while start < len(cases):
        yield cases[start : start + size]
        start, size = start + size, size * 3 // 2


def _asked(dtype: str, cases: Sequence[Case], grader: Grader) -> list[Asked]:
    references = {False: Reference(), True: Trainer()}
    questions = [question_of(case, "cpu", dtype) for case in cases]
    for question in questions:
        for array in question.inputs.values():
            # What one mutant overwrites, the next would read; and to overwrite it is wrong.
            array.flags.writeable = False
    answers = [ask_alone(references[question.job is not None], question) for question in questions]
    offered = [
        (case, question, answer)
        for case, question, answer in zip(cases, questions, answers, strict=True)
        if not isinstance(answer, Declined)
    ]
    verdicts = grader.grade([(case, answer) for case, _, answer in offered])
    return [Asked(*beside, verdict) for beside, verdict in zip(offered, verdicts, strict=True)]


def _try(trial: Trial, batch: Batch, grader: Grader) -> None:
    different = []
    for asked in batch.asked:
        answer = ask_alone(trial.mutant, asked.question)
        if isinstance(answer, Broken):
            msg = f"The mutant {trial.mutant.name} fails at {asked.case.id}: {answer.message}."
            raise ConformanceError(msg)
        if not _same(answer, asked.answer):
            different.append((asked, answer))
    verdicts = grader.grade([(asked.case, answer) for asked, answer in different])
    for (asked, _), verdict in zip(different, verdicts, strict=True):
        killer = Killer(asked.case.id, batch.dtype)
        # A case that the reference fails as badly is no evidence.
        if verdict.grade > asked.verdict.grade:
            trial.note(killer, verdict.grade)
        if verdict.grade <= Grade.coarse and _policies(verdict) != _policies(asked.verdict):
            trial.changed.append(killer)


def _policies(verdict: Verdict) -> set[str | None]:
    """The policy that an answer follows: one for a job."""
    return {output.policy for output in verdict.outputs.values()}


def _same(one: Answer, other: Answer) -> bool:
    """Whether two answers are the same to the bit; of errors, whether both are."""
    if not isinstance(one, Computed) or not isinstance(other, Computed):
        return type(one) is type(other)
    return one.outputs.keys() == other.outputs.keys() and all(
        array.dtype == other.outputs[name].dtype
        and array.shape == other.outputs[name].shape
        and array.tobytes() == other.outputs[name].tobytes()
        for name, array in one.outputs.items()
    )


def _size(case: Case) -> int:
    return math.prod(next(iter(case.inputs.values())).shape)
