"""Finds parts of a rendered page, for the tests of the report."""

from __future__ import annotations

import re


def section_of(page: str, name: str) -> str:
    """The markup of one section."""
    found = re.search(rf'<section id="{name}".*?</section>', page, re.DOTALL)
    assert found is not None
    return found[0]


def heads(section: str) -> list[str]:
    """The heads of the section's last table."""
    last = re.findall(r"<thead>(.*?)</thead>", section, re.DOTALL)[-1]
    texts = re.findall(r"<th [^>]*>(.*?)</th>", last, re.DOTALL)
    return [re.sub(r"<[^>]*>", "", text) for text in texts]
