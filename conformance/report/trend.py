"""Draws what runs came to over months."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.history import Entry


def draw_history(history: Sequence[Entry]) -> Sequence[object]:
    """To be written."""
    return ()
