"""Writes failures as annotations of GitHub Actions.

The format, and what is escaped in it, is that of
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.report.failures import Failing

MOST = 10
"""GitHub shows so many errors of a step."""

_LONGEST = 500


def annotate(failing: Sequence[Failing]) -> list[str]:
    """A command of a workflow for each, a line; the last says how many more there are."""
    shown = failing if len(failing) <= MOST else failing[: MOST - 1]
    lines = [
        _error(
            f"{' '.join(filter(None, one.subject))}, {one.group}",
            f"{one.failed:,} of {one.results:,} failed; {one.sentence}",
        )
        for one in shown
    ]
    if more := len(failing) - len(shown):
        total = sum(one.failed for one in failing[len(shown) :])
        lines.append(_error("bce-conformance", f"{more} more groups, {total:,} more failures"))
    return lines


def _error(title: str, message: str) -> str:
    name = _data(title).replace(":", "%3A").replace(",", "%2C")
    return f"::error title={name}::{_data(message)}"


def _data(text: str) -> str:
    """``text`` as a value, without a line break, so that no other command can begin in it."""
    shown = one_line(text[:_LONGEST])
    return shown.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
