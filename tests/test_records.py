"""Run files, written and read."""

from __future__ import annotations

import gzip
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from conformance.errors import ConformanceError
from conformance.records import RUN_FORMAT, RunWriter, read_run
from conformance.results import Header, NotRun, OutputResult, Result

if TYPE_CHECKING:
    from pathlib import Path

HEADER = Header(
    format=RUN_FORMAT,
    started="2026-01-01T00:00:00+00:00",
    versions={"numpy": "2"},
    machine={"platform": "x"},
    devices={"cpu": "a cpu"},
    options={},
    corpus="0",
    cases=1,
)
RESULT = Result(
    case="a/b",
    sha256="1",
    adapter="numpy",
    device="cpu",
    dtype="float32",
    status="passed",
    grade="exact",
    outputs={"loss": OutputResult(grade="exact", ulp=0.0, ulps=[0.0], shape=[1], bits="00")},
    ms=0.5,
)
NOT_RUN = NotRun(adapter="torch", device="cuda", items=3, reason="no driver")


def write(path: Path, count: int = 1) -> Path:
    with RunWriter(path, HEADER) as writer:
        for _ in range(count):
            writer.add(RESULT)
        writer.add(NOT_RUN)
    return path


def test_two_runs_into_one_folder_do_not_write_into_one_file(tmp_path: Path) -> None:
    names = {
        subprocess.run(
            [sys.executable, "-c", WRITE, str(tmp_path / "run.gz")],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    }
    assert 2 == len(names)


WRITE = """
import sys
from pathlib import Path
from conformance.results import Header
from conformance.records import RUN_FORMAT, RunWriter
header = Header(format=RUN_FORMAT, started="", versions={}, machine={}, devices={}, options={},
                corpus="", cases=0)
print(RunWriter(Path(sys.argv[1]), header).partial)
"""


@pytest.mark.parametrize("place", ["file/run.gz", "folder.gz"])
def test_a_place_that_cannot_be_written_to_is_one_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.gz").mkdir()
    with pytest.raises(ConformanceError, match=r"Give a place that can be written to\.$"):
        write(tmp_path / place)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    run = read_run(write(tmp_path / "deep" / "run.jsonl.gz", 2))
    assert HEADER == run.header
    assert [RESULT, RESULT] == run.results
    assert [NOT_RUN] == run.not_run
    assert run.footer is not None
    assert {"passed": 2, "not_run": 3} == run.footer.counts


def test_equal_runs_are_equal_files(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a" / "run.gz"), write(tmp_path / "b" / "run.gz")
    assert one.read_bytes() == two.read_bytes()


def test_a_run_without_its_end_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "run.gz"
    writer = RunWriter(path, HEADER)
    for _ in range(250):
        writer.add(RESULT)
    # As a killed process leaves it: no footer, and only what was flushed.
    run = read_run(writer.partial)
    assert run.footer is None
    assert 200 == len(run.results)
    assert not path.exists()
    writer.abandon()


def fail_after_one(path: Path) -> None:
    with RunWriter(path, HEADER) as writer:
        writer.add(RESULT)
        raise RuntimeError


def test_an_error_leaves_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "run.gz"
    with pytest.raises(RuntimeError):
        fail_after_one(path)
    (partial,) = tmp_path.iterdir()
    assert partial.name.endswith(".partial")
    assert [RESULT] == read_run(partial).results


def sentence_or_truncated(path: Path) -> bool:
    """Tell whether a damaged file is read without a footer, or refused in one sentence."""
    try:
        return read_run(path).footer is None
    except ConformanceError as error:
        return "\n" not in str(error)


def test_a_file_cut_anywhere_is_read_as_cut_or_refused_in_a_sentence(tmp_path: Path) -> None:
    whole = write(tmp_path / "run.gz", 30).read_bytes()
    path = tmp_path / "cut.gz"
    # The last bytes are gzip's checksum, behind the footer.
    for end in range(len(whole) - 10):
        path.write_bytes(whole[:end])
        assert sentence_or_truncated(path), end


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"not gzip", "not gzip, so not a run file"),
        (gzip.compress(b"{}\n"), ":1: Object missing required field `type`"),
        (gzip.compress(b"nonsense\n"), ":1: JSON is malformed"),
        (gzip.compress(b'{"type":"result","case":1}\n'), ":1: Expected `str`, got `int`"),
        (gzip.compress(b""), "no header; this version reads"),
        (
            gzip.compress(
                msgspec.json.encode(msgspec.structs.replace(HEADER, format="x/9")) + b"\n"
            ),
            "format 'x/9'; this version reads",
        ),
    ],
)
def test_what_is_no_run_is_one_sentence(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "run.gz"
    path.write_bytes(content)
    with pytest.raises(ConformanceError) as caught:
        read_run(path)
    assert problem in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_an_edited_run_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "run.gz")
    text = gzip.decompress(path.read_bytes()).replace(b'"passed","grade"', b'"failed","grade"')
    path.write_bytes(gzip.compress(text))
    with pytest.raises(ConformanceError, match="do not add up"):
        read_run(path)


def test_damage_inside_the_stream_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "run.gz", 200)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert sentence_or_truncated(path)


def test_a_missing_run_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConformanceError, match=r"No such file or directory\. Give a run file"):
        read_run(tmp_path / "absent.gz")
