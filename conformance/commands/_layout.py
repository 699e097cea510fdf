"""Lays lines out for a person to read."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

from conformance.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

_LABEL = 16


def paragraph(text: str, label: str = "", indent: int = 2) -> list[str]:
    """``text`` in lines of the terminal's width, or of 100 columns; the first after a label.

    What cannot be printed is escaped: a case or a run may hold anything.
    """
    width = max(40, shutil.get_terminal_size((100, 24)).columns)
    start = " " * indent + (f"{one_line(label):{_LABEL - 1}} " if label else "")
    lines = textwrap.wrap(
        one_line(" ".join(text.split())),
        width,
        initial_indent=start,
        subsequent_indent=" " * (indent + (_LABEL if label else 0)),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [start.rstrip()]


def listed(texts: Sequence[str], total: int, most: int) -> str:
    """The first few texts, and how many there are where those are not all."""
    shown = ", ".join(texts[:most])
    return shown if total <= most else f"{shown}, ... ({total} in all)"
