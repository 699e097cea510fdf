"""Keeps what runs came to, a line for each run and subject, over months."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What one subject (an adapter, at a version, on a device) came to in one run.

    Attributes:
        started: Of the run: UTC, ISO 8601.
        suite: Version of bce-conformance.
        corpus: Digest of all case digests.
        asked: Questions put: passed, deviates, failed and not_run add up to it.
        exact: Of those that were run, by grade; these five add up to the other three.
    """

    started: str
    suite: str
    corpus: str
    adapter: str
    version: str
    device: str
    asked: int
    passed: int
    deviates: int
    failed: int
    not_run: int
    exact: int
    faithful: int
    accurate: int
    coarse: int
    wrong: int


def read_history(path: Path) -> list[Entry]:
    """Read a history, oldest first.

    Raises:
        ConformanceError: If there is no such file, or a line of it is no entry.
    """
    raise NotImplementedError(path)


def append_history(path: Path, entries: Sequence[Entry]) -> int:
    """Append those entries that the file does not have yet; returns how many.

    Raises:
        ConformanceError: If the file cannot be written, or is no history.
    """
    raise NotImplementedError(path, entries)
