"""Puts together what the ways to run one framework did not run for one reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.report.evidence import Evidence, Subject, Unanswered


@dataclass(frozen=True, slots=True)
class Together:
    """Items that one subject, or several ways to run one framework, did not run for one reason.

    Attributes:
        reason: Without the name of the subject, where there are several.
        dtypes: Those of the items, in order; none where no item was made for each.
    """

    subjects: Sequence[Subject]
    reason: str
    dtypes: Sequence[str]
    items: int


def together(evidence: Evidence) -> list[Together]:
    """What was not run, the reasons of a subject in the order of their items, the most first."""
    found: dict[tuple[Subject, str], list[Unanswered]] = {}
    for item in evidence.unanswered():
        subject = item.subject
        everywhere = subject._replace(adapter=subject.framework)
        found.setdefault((everywhere, _bare(item)), []).append(item)
    return [
        Together(
            [item.subject for item in items],
            items[0].reason if len(items) == 1 else reason,
            sorted({dtype for item in items for dtype in item.dtypes}),
            sum(item.items for item in items),
        )
        for (_, reason), items in found.items()
    ]


def _bare(item: Unanswered) -> str:
    """The reason without the name that it may begin with."""
    return item.reason.removeprefix(item.subject.adapter).removeprefix(":").lstrip()
