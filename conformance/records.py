"""Writes and reads run files: JSON Lines, gzip, a header, results, a footer."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import msgspec

from conformance.errors import ConformanceError
from conformance.results import Footer, Header, NotRun, Result, Run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

RUN_FORMAT = "bce-conformance-run/1"

_Line = Header | Result | NotRun | Footer
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[_Line] = msgspec.json.Decoder(_Line)


class RunWriter:
    """Writes one run, line by line as results come; the footer when it is closed in order.

    The file appears under its final name only when complete; until then, and after a crash, what
    was written stays beside it, readable, as ``partial``.

    Attributes:
        partial: The name with the process id and ".partial" appended, so that two runs into one
            folder do not write into one file.

    Raises:
        ConformanceError: Here and in every method, if the file cannot be written.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        self.partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        self._digest = hashlib.sha256()
        self._counts: Counter[str] = Counter()
        self._unflushed = 0
        with self._sentences():
            path.parent.mkdir(parents=True, exist_ok=True)
            # No name and no time in it: equal runs give equal bytes.
            self._raw = self.partial.open("wb")
            self._file = gzip.GzipFile("", "wb", compresslevel=6, fileobj=self._raw, mtime=0)
            self._write(header)
            self._file.flush(zlib.Z_SYNC_FLUSH)

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            msg = f"{self.partial}: {error.strerror or error}. Give a place that can be written to."
            raise ConformanceError(msg) from None

    def _write(self, line: _Line) -> None:
        encoded = _encoder.encode(line) + b"\n"
        self._digest.update(encoded)
        self._file.write(encoded)

    def add(self, record: Result | NotRun) -> None:
        """Append one record."""
        if isinstance(record, Result):
            self._counts[record.status] += 1
        else:
            self._counts["not_run"] += record.items
        self._unflushed += 1
        with self._sentences():
            self._write(record)
            if self._unflushed == 100:
                self._file.flush(zlib.Z_SYNC_FLUSH)
                self._unflushed = 0

    def close(self) -> None:
        """Write the footer and give the file its name."""
        footer = Footer(counts=dict(sorted(self._counts.items())), digest=self._digest.hexdigest())
        with self._sentences():
            self._file.write(_encoder.encode(footer) + b"\n")
            self._close()
            self.partial.replace(self._path)

    def abandon(self) -> None:
        """Stop without a footer; what was written stays in ``partial``."""
        with self._sentences():
            self._close()

    def _close(self) -> None:
        self._file.close()
        self._raw.close()

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


def _lines(path: Path) -> Iterator[bytes]:
    """Complete lines, as far as the file can be read; a cut gzip stream just ends."""
    try:
        with gzip.open(path, "rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line
    except (EOFError, zlib.error):
        return


def read_run(path: Path) -> Run:
    """Read a run file; one that was cut short comes back with ``footer`` None.

    Raises:
        ConformanceError: If there is no such file, it is not a run, or a line of it is not one
            of the four records or does not belong to the footer's digest.
    """
    header: Header | None = None
    footer: Footer | None = None
    results: list[Result] = []
    not_run: list[NotRun] = []
    digest = hashlib.sha256()
    try:
        for number, line in enumerate(_lines(path), start=1):
            try:
                record = _decoder.decode(line)
            except msgspec.MsgspecError as error:
                msg = f"{path}:{number}: {error}. Is this a run file of format {RUN_FORMAT}?"
                raise ConformanceError(msg) from None
            match record:
                case Header():
                    header = record
                case Result():
                    results.append(record)
                case NotRun():
                    not_run.append(record)
                case Footer():
                    footer = record
                    break
            digest.update(line)
    except gzip.BadGzipFile:
        msg = f"{path}: not gzip, so not a run file. Give a file that a run wrote."
        raise ConformanceError(msg) from None
    except OSError as error:
        msg = f"{path}: {error.strerror or error}. Give a run file that can be read."
        raise ConformanceError(msg) from None
    if header is None or header.format != RUN_FORMAT:
        found = "no header" if header is None else f"format {header.format!r}"
        msg = f"{path}: {found}; this version reads {RUN_FORMAT!r}. Was it made by another version?"
        raise ConformanceError(msg)
    if footer is not None and footer.digest != digest.hexdigest():
        msg = f"{path}: its lines do not add up to its footer's digest. It was edited or damaged."
        raise ConformanceError(msg)
    return Run(path=path, header=header, results=results, not_run=not_run, footer=footer)


def read_runs(path: Path) -> list[Run]:
    """Read every run of a run file: one, or those that were merged into it.

    Raises:
        ConformanceError: As ``read_run``.
    """
    return [read_run(path)]
