"""Words sentences that hold a number."""

from __future__ import annotations


def count_of(number: int, noun: str) -> str:
    """Such as "1 result" and "2,000 results"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
