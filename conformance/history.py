"""Keeps what runs came to, a line for each run and subject, over months."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from conformance.errors import ConformanceError
from conformance.files import replacing, require_plain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_Count = Annotated[int, msgspec.Meta(ge=0)]


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
    asked: _Count
    passed: _Count
    deviates: _Count
    failed: _Count
    not_run: _Count
    exact: _Count
    faithful: _Count
    accurate: _Count
    coarse: _Count
    wrong: _Count

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from every other; a history has it once. Sorts by age first."""
        return self.started, self.adapter, self.version, self.device, self.corpus


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Entry)


def read_history(path: Path) -> list[Entry]:
    """Read a history, oldest first; what it has twice, once.

    Raises:
        ConformanceError: If there is no such file, or a line of it is no entry.
    """
    return _sorted(_entries(path, _read(path)))


def append_history(path: Path, entries: Iterable[Entry]) -> int:
    """Append those entries that the file does not have yet; returns how many.

    The file is replaced as a whole, so that whoever reads it sees the old one or the new one, and
    a full disk leaves the old one. What it had stays as it was, byte for byte.

    Raises:
        ConformanceError: If the file cannot be written, or is no history.
    """
    require_plain(path)
    old = _read(path) if path.exists() else b""
    known = {entry.key for entry in _entries(path, old)}
    new = [entry for entry in _sorted(entries) if entry.key not in known]
    if new:
        end = b"\n" if old and not old.endswith(b"\n") else b""
        with replacing(path) as file:
            file.write(old + end + b"".join(_encoder.encode(entry) + b"\n" for entry in new))
    return len(new)


def _sorted(entries: Iterable[Entry]) -> list[Entry]:
    return [entry for _, entry in sorted({entry.key: entry for entry in entries}.items())]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"{path}: {error.strerror or error}. Give a history that can be read."
        raise ConformanceError(msg) from None


def _entries(path: Path, text: bytes) -> list[Entry]:
    entries = []
    for number, line in enumerate(text.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            entries.append(_decoder.decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            msg = (
                f"{path}:{number}: {error}. Is this what `bce-conformance summary --append` wrote?"
                " Mend or remove the line."
            )
            raise ConformanceError(msg) from None
    return entries
