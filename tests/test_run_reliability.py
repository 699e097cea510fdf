"""Runs that are killed, that find no room, that meet others, and files that are far too large."""

from __future__ import annotations

import contextlib
import gzip
import os
import resource
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from run_files import HEADER, RESULT, header, merged, write
from running import TESTS
from test_cli import command

from conformance.corpus import load_glossary
from conformance.fill import fill
from conformance.records import MAX_BYTES, read_run, read_runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CASES = 60

# Asks whether it may go on before it answers anything in float64, when all of float32 is recorded.
WAITS = """\
import pathlib, time
from conformance.adapters.numpy import NumpyAdapter
class Waits(NumpyAdapter):
    name = "waits"
    def evaluate_all(self, questions):
        if questions[0].dtype == "float64":
            pathlib.Path("waiting").touch()
            while not pathlib.Path("go").exists():
                time.sleep(0.02)
        return super().evaluate_all(questions)
"""


@pytest.fixture(scope="module")
def theme(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A filled case file of CASES cases in two dtypes."""
    path = tmp_path_factory.mktemp("cases") / "theme.yaml"
    cases = (
        f"  - id: case_{index}\n    about: A case.\n    logits: [-{index + 1}]\n    targets: [0]\n"
        for index in range(CASES)
    )
    path.write_text(
        "format: bce-conformance/1\nabout: Many cases.\ndefaults: {operation: bce_with_logits, "
        "reduction: none, dtypes: [float32, float64]}\ncases:\n" + "".join(cases),
        encoding="utf-8",
    )
    fill(path, "theme", load_glossary([path.parent]))
    return path.read_text(encoding="utf-8")


@pytest.fixture
def place(tmp_path: Path, theme: str) -> Path:
    (tmp_path / "theme.yaml").write_text(theme, encoding="utf-8")
    (tmp_path / "waits.py").write_text(WAITS, encoding="utf-8")
    return tmp_path


def begin(folder: Path, *arguments: str, adapter: str = "numpy") -> subprocess.Popen[str]:
    """A run of its own."""
    options = ["--cases", "theme.yaml", "--adapter", adapter, "-p", "no:cacheprovider", "-q"]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "--pyargs", "conformance", *options, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def begin_and_wait(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A run that has recorded all that it was asked in float32, and waits."""
    run = begin(folder, *arguments, adapter="waits:Waits")
    deadline = time.monotonic() + 120
    while not (folder / "waiting").exists():
        assert run.poll() is None, run.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return run


def end(run: subprocess.Popen[str]) -> str:
    """What a run has said, once it is over."""
    output, _ = run.communicate(timeout=120)
    for trace in ("Traceback", "INTERNALERROR", "Exception ignored", "\nE   "):
        assert trace not in output, output
    return output


def test_a_run_that_is_killed_can_be_read_and_merged(place: Path) -> None:
    path = write(place / "reports" / "run.jsonl.gz")
    before = path.read_bytes()
    run = begin_and_wait(place)
    os.kill(run.pid, signal.SIGKILL)
    assert -signal.SIGKILL == run.wait()
    run.communicate()
    partial = path.with_name(f"{path.name}.{run.pid}.partial")
    found = read_run(partial)
    assert found.footer is None
    assert CASES - 9 <= len(found.results) <= CASES
    assert {("waits", "passed")} == {(one.adapter, one.status) for one in found.results}
    assert before == path.read_bytes()
    arguments = ("merge", str(path), str(partial), "-o", str(place / "all.gz"))
    arguments += ("--cases", str(place / "theme.yaml"))
    assert 4 == command(*arguments).returncode
    allowed = command(*arguments, "--allow-truncated")
    assert 0 == allowed.returncode
    assert "truncated, taken as far as it goes" in allowed.stdout
    one, other = read_runs(place / "all.gz")
    assert [RESULT] == one.results
    assert found.results == other.results


def test_a_run_that_finds_no_room_says_so_and_keeps_what_it_has(place: Path) -> None:
    path = write(place / "reports" / "run.jsonl.gz")
    before = path.read_bytes()
    script = (
        "import os, resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
    )
    arguments = ["-m", "pytest", "--pyargs", "conformance", "--cases", "theme.yaml"]
    arguments += ["--adapter", "numpy", "-p", "no:cacheprovider", "-q"]
    run = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=place,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    check_full(run, path, before, "File too large")


def check_full(run: subprocess.Popen[str], path: Path, before: bytes, problem: str) -> None:
    output = end(run)
    assert 1 == run.returncode, output
    partial = path.with_name(f"{path.name}.{run.pid}.partial")
    reason = f"{problem}; what was written before can be read. Give a place that can be written to."
    assert f"{partial}: {reason}" in output
    assert before == path.read_bytes()
    found = read_run(partial)
    assert found.footer is None
    assert 10 <= len(found.results) < 2 * CASES


@pytest.fixture
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of two pages, where one may be mounted."""
    disk = place / "reports"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk)]
    with contextlib.suppress(FileNotFoundError):
        if not subprocess.run(mount, capture_output=True, check=False).returncode:
            yield disk
            subprocess.run(["umount", str(disk)], check=True)
            return
    pytest.skip("nothing can be mounted here")


def test_a_disk_that_is_full_is_one_sentence(place: Path, small_disk: Path) -> None:
    path = write(small_disk / "run.jsonl.gz")
    check_full(begin(place), path, path.read_bytes(), "No space left on device")


def test_merging_onto_a_full_disk_leaves_nothing_behind(place: Path, small_disk: Path) -> None:
    path = write(small_disk / "run.jsonl.gz")
    large = write(
        place / "large.gz", [msgspec.structs.replace(RESULT, case=os.urandom(9999).hex())]
    )
    before = path.read_bytes()
    refused = command("merge", str(large), "-o", str(path), "--cases", str(place / "theme.yaml"))
    assert (4, "") == (refused.returncode, refused.stdout)
    expected = f"{path}: No space left on device. Give a place that can be written to.\n"
    assert expected == refused.stderr
    assert [path] == list(small_disk.iterdir())
    assert before == path.read_bytes()


@pytest.mark.parametrize("before", [True, False])
def test_of_two_runs_into_one_folder_neither_is_lost(place: Path, *, before: bool) -> None:
    path = place / "reports" / "run.jsonl.gz"
    if before:
        write(path)
    slow = begin_and_wait(place)
    quick = begin(place)
    assert f"run:    {path}" in end(quick)
    (place / "go").touch()
    output = end(slow)
    beside = path.with_name(f"run-{slow.pid}.jsonl.gz")
    assert f"run:    {beside}" in output
    assert f"report: {place / 'reports' / f'run-{slow.pid}.html'}" in output
    assert "another run has been written there" in output
    assert [0, 0] == [quick.returncode, slow.returncode]
    for file, adapter in ((path, "numpy"), (beside, "waits")):
        run = read_run(file)
        assert run.footer is not None
        assert 2 * CASES == len(run.results)
        assert {adapter} == {result.adapter for result in run.results}
    left = {"index.html", f"run-{slow.pid}.html", path.name, beside.name}
    assert left == {file.name for file in (place / "reports").iterdir()}
    assert "numpy" in (place / "reports" / "index.html").read_text(encoding="utf-8")


def test_merged_runs_kept_for_comparison_go_into_the_report(place: Path) -> None:
    kept = [
        write(place / f"{name}.gz", head=header(started, versions={"numpy": name}))
        for name, started in (("1.90", "2026-01-01"), ("1.91", "2026-01-02"))
    ]
    merged(place / "reports" / "reference" / "both.jsonl.gz", *kept)
    run = begin(place)
    output = end(run)
    assert 0 == run.returncode, output
    page = (place / "reports" / "index.html").read_text(encoding="utf-8")
    assert "1.90" in page
    assert "1.91" in page


@pytest.mark.parametrize("verb", ["diff", "merge"])
def test_a_run_file_of_2_gb_is_refused_in_seconds_and_bounded_memory(
    tmp_path: Path, verb: str
) -> None:
    line = msgspec.json.encode(RESULT) + b"\n"
    block = line * (2**20 // len(line))
    path = tmp_path / "huge.jsonl.gz"
    # Parts of a gzip file may follow one another.
    head = gzip.compress(msgspec.json.encode(HEADER) + b"\n")
    path.write_bytes(head + gzip.compress(block) * (2 * 10**9 // len(block)))
    assert path.stat().st_size < 20 * 10**6
    other = tmp_path / "out.gz"
    arguments = [str(path), str(path)] if verb == "diff" else [str(path), "-o", str(other)]
    cases = [] if verb == "diff" else ["--cases", str(tmp_path)]
    (tmp_path / "theme.yaml").write_text(
        "format: bce-conformance/1\nabout: A file.\ncases:\n  - {id: one, about: A case., "
        "operation: bce, dtypes: [float64], probabilities: [0.25], targets: [1]}\n"
    )
    begun = time.monotonic()
    refused = subprocess.Popen(
        [sys.executable, "-P", "-m", "conformance.cli", verb, *arguments, *cases],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    output, problem = refused.communicate(timeout=60)
    assert (4, "") == (refused.returncode, output)
    assert f"{path}: its text has more than 1,073,741,824 bytes" in problem
    assert 1 == problem.count("\n")
    assert not other.exists()
    assert time.monotonic() - begun < 30
    # Kilobytes, of the largest child so far; the text that was read up to the limit, and Python.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1.5 * MAX_BYTES / 1024
