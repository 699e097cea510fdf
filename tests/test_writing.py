"""Run files, written."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from run_files import HEADER, NOT_RUN, RESULT, header, merged, result, write, write_truncated

from conformance.errors import ConformanceError
from conformance.records import read_run, read_runs
from conformance.writing import RunWriter, write_merged

if TYPE_CHECKING:
    from pathlib import Path

WRITE = """
import sys
from pathlib import Path
from run_files import HEADER
from conformance.writing import RunWriter
print(RunWriter(Path(sys.argv[1]), HEADER).partial)
"""


def test_two_runs_into_one_folder_do_not_write_into_one_file(tmp_path: Path) -> None:
    names = {
        subprocess.run(
            [sys.executable, "-c", WRITE, str(tmp_path / "run.gz")],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    }
    assert 2 == len(names)


def test_a_process_id_used_again_takes_no_file_of_another_run(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl.gz"
    killed = RunWriter(path, header("2026-01-01"))
    killed.add(RESULT)
    killed.abandon()
    write(path)
    assert read_run(killed.partial).header == header("2026-01-01")
    assert read_run(path).footer is not None


def test_where_not_even_the_header_finds_room_nothing_is_left_behind(tmp_path: Path) -> None:
    no_room = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", no_room + WRITE, str(tmp_path / "run.gz")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ConformanceError" in ran.stderr
    assert "File too large. Give a place that can be written to." in ran.stderr
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("file/run.gz", "Not a directory"),
        ("file/folder/run.gz", "Not a directory"),
    ],
)
def test_a_place_that_cannot_be_written_to_is_one_sentence(
    tmp_path: Path, place: str, problem: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.gz").mkdir()
    with pytest.raises(ConformanceError) as caught:
        RunWriter(tmp_path / place, HEADER)
    expected = f"{tmp_path / place}: {problem}. Give a place that can be written to."
    assert expected == str(caught.value)
    assert ["file", "folder.gz"] == sorted(path.name for path in tmp_path.iterdir())


def test_equal_runs_are_equal_files(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a" / "run.gz"), write(tmp_path / "b" / "run.gz")
    assert one.read_bytes() == two.read_bytes()


def test_a_run_that_is_killed_loses_no_more_than_nine_results(tmp_path: Path) -> None:
    path = tmp_path / "run.gz"
    writer = RunWriter(path, HEADER)
    for _ in range(259):
        writer.add(RESULT)
    # As a killed process leaves it: no footer, and only what was flushed.
    run = read_run(writer.partial)
    assert run.footer is None
    assert 250 == len(run.results)
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


def test_a_run_takes_the_place_of_the_one_that_was_there_when_it_began(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl.gz")
    writer = RunWriter(path, header("2026-02-02"))
    assert path == writer.close()
    assert [path] == list(tmp_path.iterdir())
    assert "2026-02-02" == read_run(path).header.started


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("name", "free"),
    [("run.jsonl.gz", "run-{}.jsonl.gz"), ("v1.2.gz", "v1.2-{}.gz"), ("run", "run-{}")],
)
def test_of_two_runs_at_once_neither_is_lost(
    tmp_path: Path, name: str, free: str, *, before: bool
) -> None:
    path = tmp_path / name
    if before:
        write(path)
    first, second, third = (RunWriter(path, header(f"2026-0{n}-01")) for n in (1, 2, 3))
    pid = os.getpid()
    beside = tmp_path / free.format(pid)
    assert path == second.close()
    assert beside == first.close()
    assert tmp_path / free.format(f"{pid}-2") == third.close()
    assert "2026-02-01" == read_run(path).header.started
    assert "2026-01-01" == read_run(beside).header.started
    assert 3 == len(list(tmp_path.iterdir()))


def test_a_merged_file_keeps_each_run_to_the_byte(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one.gz"), write(tmp_path / "two.gz", [RESULT] * 3, header("2027"))
    both = merged(tmp_path / "both.gz", one, two)
    expected = [*read_runs(one), *read_runs(two)]
    for before, after in zip(expected, read_runs(both), strict=True):
        assert (before.header, before.results, before.not_run, before.footer) == (
            after.header,
            after.results,
            after.not_run,
            after.footer,
        )
        assert both == after.path


def test_a_merged_file_keeps_a_truncated_run_truncated(tmp_path: Path) -> None:
    cut = write_truncated(tmp_path / "cut.gz", [result("c/d")])
    both = merged(tmp_path / "both.gz", cut, write(tmp_path / "whole.gz"))
    assert [None, {"not_run": 3, "passed": 1}] == [
        run.footer and run.footer.counts for run in read_runs(both)
    ]
    assert [result("c/d")] == read_runs(both)[0].results


def test_merged_files_cannot_be_written_half(tmp_path: Path) -> None:
    write(tmp_path / "one.gz")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConformanceError, match=r"folder: is a folder\. Name a file\.$"):
        write_merged(tmp_path / "folder", [])
    assert ["folder", "one.gz"] == sorted(path.name for path in tmp_path.iterdir())


def test_what_was_not_run_is_counted_by_its_items(tmp_path: Path) -> None:
    footer = read_run(write(tmp_path / "run.gz", [RESULT], absent=[NOT_RUN, NOT_RUN])).footer
    assert footer is not None
    assert {"not_run": 6, "passed": 1} == footer.counts
