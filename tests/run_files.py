"""Small run files of every kind."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from conformance.records import RUN_FORMAT, read_sections
from conformance.results import Header, NotRun, OutputResult, Result
from conformance.writing import RunWriter, write_merged

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

HEADER = Header(
    format=RUN_FORMAT,
    started="2026-01-01T00:00:00+00:00",
    versions={"numpy": "2.1"},
    machine={"platform": "x", "cores": "2"},
    devices={"cpu": "a cpu"},
    options={},
    corpus="0",
    cases=1,
)
NOT_RUN = NotRun(adapter="torch", device="cuda", items=3, reason="no driver")


def header(started: str = HEADER.started, **changes: Any) -> Header:
    return replace(HEADER, started=started, **changes)


def result(
    case: str = "a/b",
    grade: str = "exact",
    ulp: float | None = 0.0,
    *,
    bits: str = "00",
    outputs: dict[str, OutputResult] | None = None,
    **changes: Any,
) -> Result:
    """An answer with one output, the loss, if no others are given."""
    if outputs is None:
        outputs = {"loss": OutputResult(grade=grade, ulp=ulp, ulps=[ulp], shape=[1], bits=bits)}
    given = {
        "sha256": "1",
        "adapter": "numpy",
        "device": "cpu",
        "dtype": "float32",
        "status": "failed" if grade == "wrong" else "passed",
        "ms": 0.5,
    }
    return Result(case=case, grade=grade, outputs=outputs, **{**given, **changes})


def not_run(case: str = "a/b", **changes: Any) -> Result:
    empty = result(case, outputs={}, **{"status": "not_run", "reason": "declined", **changes})
    return replace(empty, grade=None)


RESULT = result()


def write(
    path: Path,
    results: Iterable[Result] = (RESULT,),
    head: Header = HEADER,
    *,
    absent: Iterable[NotRun] = (NOT_RUN,),
) -> Path:
    with RunWriter(path, head) as writer:
        for record in (*results, *absent):
            writer.add(record)
    return path


def write_truncated(
    path: Path, results: Iterable[Result] = (RESULT,), head: Header = HEADER
) -> Path:
    """A run that stopped before its end; what it wrote is all there."""
    writer = RunWriter(path, head)
    for record in results:
        writer.add(record)
    writer.abandon()
    return writer.partial.rename(path)


def merged(path: Path, *parts: Path) -> Path:
    write_merged(path, [section for part in parts for section in read_sections(part)])
    return path


def lines_of(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines(keepends=True)


def zipped(path: Path, *lines: bytes) -> Path:
    path.write_bytes(gzip.compress(b"".join(lines)))
    return path
