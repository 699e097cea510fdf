"""Every job to every adapter, one test each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.outcome import settle

if TYPE_CHECKING:
    from conformance.results import Result


def test_job(result: Result) -> None:
    """The whole trajectory is near enough to the truth of one of the policies."""
    settle(result)
