"""Writes run files, so that neither a crash nor another run loses one."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections import Counter
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, Self

import msgspec

from conformance.files import (
    create,
    make_folder,
    numbered,
    partials,
    refuse,
    replacing,
    require_plain,
)
from conformance.records import RUN_FORMAT
from conformance.results import Footer, Header, Merged, NotRun, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from conformance.records import Section

# What a killed run may lose. A flush after each result would make the file a quarter larger.
_FLUSHED_AFTER = 10
_LEVEL = 6
_GZIP = 16 + zlib.MAX_WBITS

_encoder = msgspec.json.Encoder()


class RunWriter:
    """Writes one run, line by line as results come; the footer when it is closed in order.

    The file appears under its final name only when complete; until then, and after a crash, what
    was written stays beside it, readable, as ``partial``.

    Attributes:
        partial: A new file: the name with the process id and ".partial" appended, so that two runs
            into one folder do not write into one file.

    Raises:
        ConformanceError: Here and in every method, if the file cannot be written.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        self._counts: Counter[str] = Counter()
        self._unflushed = 0
        # No name and no time in its head: equal runs give equal bytes.
        self._deflate = zlib.compressobj(level=_LEVEL, wbits=_GZIP)
        require_plain(path)
        try:
            make_folder(path.parent)
            self._replaced = _standing(path)
            self.partial, self._file = create(partials(path))
        except OSError as error:
            refuse(path, error)
        with self._sentences():
            self._write(_line(header))
            self._flush()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            with suppress(OSError):
                self._file.close()
            if self._counts:
                refuse(self.partial, error, "; what was written before can be read")
            self.partial.unlink(missing_ok=True)
            refuse(self.partial, error)

    def _write(self, line: bytes) -> None:
        self._digest.update(line)
        self._file.write(self._deflate.compress(line))

    def _flush(self) -> None:
        self._file.write(self._deflate.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def add(self, record: Result | NotRun) -> None:
        """Append one record."""
        if isinstance(record, Result):
            self._counts[record.status] += 1
        else:
            self._counts["not_run"] += record.items
        self._unflushed += 1
        with self._sentences():
            self._write(_line(record))
            if self._unflushed == _FLUSHED_AFTER:
                self._flush()
                self._unflushed = 0

    def close(self) -> Path:
        """Write the footer and give the file its name.

        Returns:
            Its path: the one asked for, unless another run has put its file there since this one
            began. Then it is a free name beside it, with the process id, so that neither is lost.
        """
        footer = Footer(counts=dict(sorted(self._counts.items())), digest=self._digest.hexdigest())
        with self._sentences():
            self._file.write(self._deflate.compress(_line(footer)))
            self._finish()
            path = self._path
            standing = _standing(path)
            if standing is None or standing != self._replaced:
                # Taken by creating it, for another run may close at this very moment.
                path, taken = create(chain([path], _beside(path)))
                taken.close()
            self.partial.replace(path)
        return path

    def abandon(self) -> None:
        """Stop without a footer; what was written stays in ``partial``."""
        with self._sentences():
            self._finish()

    def _finish(self) -> None:
        if self._file.closed:
            return
        self._file.write(self._deflate.flush())
        self._file.flush()
        # A disk may tell only now that it is full.
        os.fsync(self._file.fileno())
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


def write_merged(path: Path, sections: Sequence[Section]) -> None:
    """Write runs into one file, each as it is; all of them, or nothing.

    Raises:
        ConformanceError: If the file cannot be written.
    """
    with (
        replacing(path) as file,
        gzip.GzipFile("", "wb", compresslevel=_LEVEL, fileobj=file, mtime=0) as text,
    ):
        text.write(_line(Merged(format=RUN_FORMAT, runs=len(sections))))
        for section in sections:
            text.write(section.text)


def _line(record: Header | Result | NotRun | Footer | Merged) -> bytes:
    return _encoder.encode(record) + b"\n"


def _standing(path: Path) -> tuple[int, int, int] | None:
    """What tells one file at ``path`` from another; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _beside(path: Path) -> Iterator[Path]:
    stem = path.name.removesuffix(".gz").removesuffix(".jsonl")
    return numbered(path, f"{stem}-", path.name[len(stem) :])
