"""Words sentences that hold a number, or many names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def count_of(number: int, noun: str) -> str:
    """Such as "1 result" and "2,000 results"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def some_of(names: Sequence[str], most: int = 5) -> str:
    """The names, or the first of more than ``most`` with the number of the others."""
    if len(names) <= most:
        return ", ".join(names)
    shown = most - 2
    return f"{', '.join(names[:shown])} and {len(names) - shown:,} more"
