"""What the trials of mutants have to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .harness import asked_of, is_large

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Case

    from .harness import Trial


def problem(trial: Trial) -> str | None:
    """Why a trial did not end as it has to, in a sentence; None if it did.

    What is sound must survive, the reference first of all. Another function than the one asked for
    must be graded wrong somewhere, and a loss of digits must cost the grade "accurate". What does
    jobs by another right policy must be told from the trainer by it somewhere, and never be wrong.
    """
    mutant = trial.mutant
    if mutant.equivalent:
        caught = f"{mutant.name} is sound, and yet is not accurate at {listed(trial.accurate)}."
        return caught if trial.accurate else None
    if mutant.kind == "policy" and trial.accurate:
        return f"{mutant.name} is no other policy: it is not accurate at {listed(trial.accurate)}."
    if trial.due:
        return None
    if trial.changed:
        return f"{mutant.name} is right by another policy at {listed(trial.changed)}, not wrong."
    if trial.accurate:
        return f"{mutant.name} is coarse at {listed(trial.accurate)}, but nowhere wrong."
    return f"{mutant.name} survives: no case catches it. {mutant.about}"


def listed(killers: Sequence[object], count: int = 3) -> str:
    """The first ones, and that there are more."""
    more = [f"{len(killers) - count} more"] if len(killers) > count else []
    return ", ".join([*map(str, killers[:count]), *more])


def idle(trials: Sequence[Trial], cases: Sequence[Case]) -> list[str]:
    """The ids of the small cases that catch no mutant, known only after an exhaustive trial."""
    busy = {killer.case for trial in trials for killer in (*trial.accurate, *trial.changed)}
    asked = asked_of([trial.mutant for trial in trials[1:]], cases)
    return [case.id for case in asked if case.id not in busy and not is_large(case)]
