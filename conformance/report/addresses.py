"""Writes the addresses that lead to places within the page."""

from __future__ import annotations

from urllib.parse import quote, urlencode


def rows_href(**filters: str) -> str:
    """The address of the results that pass ``filters``; an empty one filters nothing."""
    return "#" + urlencode({name: text for name, text in filters.items() if text}, safe="/")


def case_href(identity: str) -> str:
    """The address of a case."""
    return f"#case={quote(identity, safe='/')}"
