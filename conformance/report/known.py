"""Sums up the known deviations that the results have met."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.report.marks import ulp_text, worst_ulp
from conformance.report.matrix import dtype_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.report.evidence import Evidence, Subject
    from conformance.results import Result


@dataclass(frozen=True, slots=True)
class Deviation:
    """A known deviation of one subject: which results match its entry."""

    subject: Subject
    link: str
    reason: str
    dtypes: Sequence[str]
    worst: str
    cases: Sequence[str]
    items: int


def deviations(evidence: Evidence) -> list[Deviation]:
    """Known deviations, by subject, issue and reason."""
    found: defaultdict[tuple[Subject, str, str], list[Result]] = defaultdict(list)
    for subject, result in evidence.results:
        if result.status == "deviates":
            found[subject, result.deviation or "", result.reason or ""].append(result)
    return [
        Deviation(
            subject=subject,
            link=link,
            reason=reason,
            dtypes=sorted({result.dtype for result in results}, key=dtype_order),
            worst=ulp_text(max((worst_ulp(result) or 0.0 for result in results), default=None)),
            cases=sorted({result.case for result in results}),
            items=len(results),
        )
        for (subject, link, reason), results in sorted(found.items())
    ]
