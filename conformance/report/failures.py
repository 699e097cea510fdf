"""Groups what failed, for a reader who cannot open the page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.report.evidence import Evidence, Subject
    from conformance.results import Result


@dataclass(frozen=True, slots=True)
class Failing:
    """A group of cases of which an adapter fails some.

    Attributes:
        subject: Who fails.
        group: The cases' file.
        failed: How many results failed.
        results: How many there are, those that were not run included.
        example: The first of those that failed.
    """

    subject: Subject
    group: str
    failed: int
    results: int
    example: Result

    @property
    def sentence(self) -> str:
        """What is wrong with the example; what an adapter or a file said is in it as it stands."""
        result = self.example
        where = f"{result.case} in {result.dtype} on {result.device}"
        return f"{where} is {result.grade}: {result.reason or 'see the report'}"


def failures(evidence: Evidence) -> Sequence[Failing]:
    """What fails, by subject and group, the most failures first."""
    failed: Counter[tuple[Subject, str]] = Counter()
    results: Counter[tuple[Subject, str]] = Counter()
    examples: dict[tuple[Subject, str], Result] = {}
    for subject, result in evidence.results:
        key = subject, evidence.cases[result.case].group
        results[key] += 1
        if result.status == "failed":
            failed[key] += 1
            examples.setdefault(key, result)
    ordered = sorted(failed.items(), key=lambda item: (-item[1], item[0]))
    return [
        Failing(subject, group, number, results[subject, group], examples[subject, group])
        for (subject, group), number in ordered
    ]
