"""What a run keeps in pytest's stash, for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from conformance.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from conformance.bench import Bench
    from conformance.results import Result, Run

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a run was not begun: a sentence, and whether its fault is that ``of_cases``."""

    sentence: str
    of_cases: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """What a run left behind.

    Attributes:
        run: The run as read back, without a footer if it was cut short; None if there is none.
        report: The report's path, if one was written.
        results: Those that arrived, also where they could not be written.
        repeated: How often every question was asked.
        table: Answers by adapter and grade, a line each.
        deviations: The known deviations that were met, a line each.
        stale: The known deviations that were not, a sentence each.
        problems: What went wrong with the recording, a sentence each.
        notes: What a person should know of the run and is no fault, a sentence each.
        nothing: True if nothing was executed.
    """

    run: Run | None
    report: Path | None
    results: Sequence[Result]
    repeated: int
    table: Sequence[str]
    deviations: Sequence[str]
    stale: Sequence[str]
    problems: Sequence[str]
    notes: Sequence[str]
    nothing: bool

    @property
    def varied(self) -> list[Result]:
        """Those whose bits were not the same each time."""
        return [result for result in self.results if result.varied]

    def lines(self) -> list[str]:
        """All of it, for a person."""
        lines = [*self.table, *self.deviations] if self.results else []
        if self.results and self.repeated > 1:
            lines += self._repetition()
        if self.run is not None:
            cut = "" if self.run.footer else " (cut short)"
            lines.append(f"run:    {self.run.path}{cut}")
        lines += self.notes
        if self.report is not None:
            lines.append(f"report: {self.report}")
        lines += [*self.problems, *self.stale]
        if self.nothing:
            lines.append("nothing was executed, which is a failure.")
        return lines

    def _repetition(self) -> list[str]:
        """How many answers were not the same bits each time, and the first of them by name."""
        varied = self.varied
        count = count_of(len(varied), "answer") if varied else "no answer"
        lines = [f"repeated {self.repeated:,} times: the bits of {count} changed"]
        lines += [
            f"  {one.case} by {one.adapter} on {one.device} in {one.dtype}: "
            + ", ".join(one.varied)
            for one in varied[:_NAMED]
        ]
        if varied[_NAMED:]:
            lines.append(f"  and {len(varied) - _NAMED:,} more; --format json names all")
        return lines


BENCH: pytest.StashKey[Bench] = pytest.StashKey()
ENDING: pytest.StashKey[Ending] = pytest.StashKey()
REFUSAL: pytest.StashKey[Refusal] = pytest.StashKey()
RESULT: pytest.StashKey[Result] = pytest.StashKey()
