"""Finds the questions on which adapters or devices disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.report.evidence import Evidence


def find_disagreements(evidence: Evidence) -> Sequence[object]:
    """To be written."""
    return ()
