"""Reads run files: JSON Lines, gzip or plain, a header, results, a footer."""

from __future__ import annotations

import gc
import gzip
import hashlib
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, cast

import msgspec

from conformance.errors import ConformanceError, one_line
from conformance.results import Footer, Header, Merged, NotRun, Result, Run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

RUN_FORMAT = "bce-conformance-run/1"

MAX_BYTES = 2**30
"""Of the text of a run file: fifty runs of all cases. A gzip file of 1 MB can hold as much of
nothing, and must be refused before memory ends."""

MAX_LINES = 1_000_000
"""Of a run file; each becomes a record of about 3 kB."""

MAX_LINE = 2**20
"""Bytes of a line. The longest answers, of jobs, take 20,000."""

_MAX_COMPLAINT = 300
_BLOCK = 2**20
_UNZIPPABLE = (EOFError, zlib.error, gzip.BadGzipFile)

_Line = Header | Result | NotRun | Footer | Merged
_decoder: msgspec.json.Decoder[_Line] = msgspec.json.Decoder(_Line)


@dataclass(frozen=True, slots=True)
class Section:
    """One run of a file, beside the text that it was read from: header, records, footer."""

    run: Run
    text: memoryview


def read_run(path: Path) -> Run:
    """Read a run file of one run; one that was cut short comes back with ``footer`` None.

    Raises:
        ConformanceError: As ``read_sections``, and if it holds several runs.
    """
    runs = read_runs(path)
    if len(runs) > 1:
        msg = f"{path}: holds {len(runs)} runs, where one is wanted. Give one that was not merged."
        raise ConformanceError(msg)
    return runs[0]


def read_runs(path: Path) -> list[Run]:
    """Read every run of a run file: one, or those that were merged into it.

    Raises:
        ConformanceError: As ``read_sections``.
    """
    return [section.run for section in read_sections(path)]


def read_sections(path: Path) -> list[Section]:
    """Read every run of a run file, gzip or plain, with its text; at least one.

    A run that was cut short has no footer. A merged file that was cut short has fewer runs than it
    says; the last of them then counts as cut short.

    Raises:
        ConformanceError: If there is no such file, it is not a run file, it is larger than one can
            be (``MAX_BYTES``, ``MAX_LINES``, ``MAX_LINE``), a line of it is not what has to stand
            there, or the lines of a run do not belong to its footer's digest.
    """
    whole = _text(path)
    text = memoryview(whole)
    merged: Merged | None = None
    current: _Reading | None = None
    sections: list[_Reading] = []
    with _no_collection():
        for number, start, end in _lines(path, whole):
            record = _decode(path, number, text[start:end])
            match record:
                case Result() if current is not None:
                    current.results.append(record)
                case NotRun() if current is not None:
                    current.not_run.append(record)
                case Footer() if current is not None:
                    digest = hashlib.sha256(text[current.start : start]).hexdigest()
                    if record.digest != digest:
                        what = "the lines above do not add up to its digest"
                        _refuse(path, number, what, "It was edited or damaged.")
                    current.footer, current.end, current = record, end, None
                case Header() if current is None or merged is not None:
                    _check_format(path, number, record)
                    if len(sections) == (merged.runs if merged is not None else 1):
                        remedy = "Put runs into one file with `bce-conformance merge`."
                        _refuse(path, number, "a header more than it has runs", remedy)
                    if current is not None:
                        current.end = start
                    current = _Reading(record, start, len(text))
                    sections.append(current)
                case Merged() if number == 1:
                    _check_format(path, number, record)
                    merged = record
                case _:
                    name = record.__struct_config__.tag
                    _refuse(path, number, f"a {name} has no place here", "It was edited.")
    if not sections:
        msg = f"{path}: no header in it. Give a file that a run of format {RUN_FORMAT} wrote."
        raise ConformanceError(msg)
    if merged is not None and len(sections) < merged.runs:
        sections[-1].footer = None
    return [
        Section(
            Run(path, section.header, section.results, section.not_run, section.footer),
            text[section.start : section.end],
        )
        for section in sections
    ]


def require_run(path: Path) -> None:
    """Refuse to put a run where something else is: what is there has to begin as one does.

    Raises:
        ConformanceError: If ``path`` exists, is not empty, and is no run file of this version.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.peek(2)[:2] == b"\x1f\x8b"
            file = cast("BufferedReader", gzip.GzipFile(fileobj=raw)) if zipped else raw
            line = file.readline(MAX_LINE)
        found = _decoder.decode(line) if line else None
    except FileNotFoundError:
        return
    except (*_UNZIPPABLE, OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        line, found = b"?", None
    if line and not (isinstance(found, (Header, Merged)) and found.format == RUN_FORMAT):
        msg = f"{path}: exists, and is no run file. Name another file, or remove it first."
        raise ConformanceError(msg)


@dataclass(slots=True)
class _Reading:
    """A run while it is being read; ``start`` and ``end`` are where its text is."""

    header: Header
    start: int
    end: int
    results: list[Result] = field(default_factory=list)
    not_run: list[NotRun] = field(default_factory=list)
    footer: Footer | None = None


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector from looking, in vain, through records as they come."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _text(path: Path) -> bytearray:
    """What a file holds, as far as it can be read: a cut gzip stream just ends."""
    text = bytearray()
    try:
        with path.open("rb") as raw:
            start = raw.peek(2)[:2]
            if start not in (b"\x1f\x8b", b"") and not start.startswith(b"{"):
                msg = f"{path}: neither gzip nor JSON Lines. Give a file that a run wrote."
                raise ConformanceError(msg)
            zipped = start == b"\x1f\x8b"
            file = cast("BufferedReader", gzip.GzipFile(fileobj=raw)) if zipped else raw
            while block := file.read1(_BLOCK):
                text += block
                if len(text) > MAX_BYTES:
                    msg = f"{path}: its text has more than {MAX_BYTES:,} bytes, the most of a run "
                    msg += "file. Merge fewer runs into one."
                    raise ConformanceError(msg)
    except _UNZIPPABLE:
        pass
    except OSError as error:
        msg = f"{path}: {error.strerror or error}. Give a run file that can be read."
        raise ConformanceError(msg) from None
    return text


def _lines(path: Path, text: bytearray) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each complete line, its line break included."""
    if text.count(b"\n") > MAX_LINES:
        msg = f"{path}: has more than {MAX_LINES:,} lines, the most of a run file. "
        msg += "Merge fewer runs into one."
        raise ConformanceError(msg)
    number, start = 1, 0
    while end := text.find(b"\n", start, start + MAX_LINE) + 1:
        yield number, start, end
        number, start = number + 1, end
    if len(text) - start >= MAX_LINE:
        what = f"a line of more than {MAX_LINE:,} bytes, the most of a run file"
        _refuse(path, number, what, "It was edited or damaged.")


def _decode(path: Path, number: int, line: memoryview) -> _Line:
    try:
        return _decoder.decode(line)
    except RecursionError:
        what = "nested too deeply"
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        what = str(error)
        what = what if len(what) <= _MAX_COMPLAINT else f"{what[:_MAX_COMPLAINT]}..."
    return _refuse(path, number, one_line(what), f"Is this a run file of format {RUN_FORMAT}?")


def _check_format(path: Path, number: int, record: Header | Merged) -> None:
    if record.format != RUN_FORMAT:
        found = one_line(record.format[:_MAX_COMPLAINT])
        what = f"format '{found}'; this version reads '{RUN_FORMAT}'"
        _refuse(path, number, what, "Read it with the version that made it.")


def _refuse(path: Path, number: int, what: str, remedy: str) -> NoReturn:
    msg = f"{path}:{number}: {what}. {remedy}"
    raise ConformanceError(msg)
