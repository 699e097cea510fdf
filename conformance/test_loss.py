"""Every loss to every adapter, one test each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.outcome import settle

if TYPE_CHECKING:
    from conformance.results import Result


def test_loss(result: Result) -> None:
    """The answer is near enough to the truth."""
    settle(result)
