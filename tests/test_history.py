"""A history of runs: what is kept, what is refused, what is left as it was."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from report_data import case, result, run

from conformance.errors import ConformanceError
from conformance.history import Entry, append_history, read_history
from conformance.report.entries import entries_of
from conformance.results import NotRun

if TYPE_CHECKING:
    from pathlib import Path

ONE = case("logits/tail/one", logits=[-3], targets=[0])
TWO = case("logits/tail/two", logits=[0.5], targets=[1])


def entry(**changes: object) -> Entry:
    facts = {
        "started": "2026-03-01T10:00:00Z",
        "suite": "0.1.0",
        "corpus": "ab",
        "adapter": "torch",
        "version": "2.13.0",
        "device": "cpu",
        "asked": 3,
        "passed": 1,
        "deviates": 0,
        "failed": 1,
        "not_run": 1,
        "exact": 1,
        "faithful": 0,
        "accurate": 0,
        "coarse": 0,
        "wrong": 1,
    }
    return msgspec.convert({**facts, **changes}, Entry)


def test_what_is_appended_is_read_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "new" / "history.jsonl"
    late, early = entry(started="2026-03-02"), entry(started="2026-03-01")
    assert 1 == append_history(path, [late])
    assert 1 == append_history(path, [early])
    assert [early, late] == read_history(path)


def test_what_is_there_is_not_appended_again(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    append_history(path, [entry()])
    before = path.read_bytes()
    assert 0 == append_history(path, [entry(), entry(passed=2, failed=0)])
    assert before == path.read_bytes()


@pytest.mark.parametrize("field", ["started", "adapter", "version", "device", "corpus"])
def test_another_run_subject_or_corpus_is_another_line(tmp_path: Path, field: str) -> None:
    path = tmp_path / "history.jsonl"
    append_history(path, [entry()])
    assert 1 == append_history(path, [entry(**{field: "other"})])
    assert 2 == len(read_history(path))


def test_a_line_given_twice_is_kept_once(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    assert 1 == append_history(path, [entry(), entry()])
    path.write_bytes(path.read_bytes() * 2)
    assert [entry()] == read_history(path)


def test_a_last_line_without_an_end_is_not_run_into(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    append_history(path, [entry()])
    path.write_bytes(path.read_bytes().rstrip())
    append_history(path, [entry(device="cuda")])
    assert 2 == len(read_history(path))


@pytest.mark.parametrize(
    "line",
    [
        b"[1]",
        b"{",
        b'{"started": "2026"}',
        msgspec.json.encode({**msgspec.structs.asdict(entry()), "asked": -1}),
        msgspec.json.encode({**msgspec.structs.asdict(entry()), "more": 1}),
        b'{"started": "\xff"}',
        b"[" * 100_000,
    ],
    ids=["list", "cut", "fields", "negative", "unknown", "bytes", "nesting"],
)
def test_a_malformed_line_is_named_and_nothing_is_lost(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "history.jsonl"
    append_history(path, [entry()])
    path.write_bytes(path.read_bytes() + line + b"\n")
    before = path.read_bytes()
    for attempt in (lambda: read_history(path), lambda: append_history(path, [entry(device="x")])):
        with pytest.raises(ConformanceError) as caught:
            attempt()
        assert str(caught.value).startswith(f"{path}:2: ")
        assert "\n" not in str(caught.value)
    assert before == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_a_history_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConformanceError, match=r"No such file or directory\. Give a history"):
        read_history(tmp_path / "absent")


def test_a_folder_is_no_history(tmp_path: Path) -> None:
    with pytest.raises(ConformanceError, match=r"is a folder\. Name a file\."):
        append_history(tmp_path, [entry()])


def test_a_place_that_cannot_be_written_to_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConformanceError, match="Give a place that can be written to"):
        append_history(tmp_path / "file" / "history.jsonl", [entry()])


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    link = tmp_path / "history.jsonl"
    link.symlink_to("kept/history.jsonl")
    append_history(link, [entry()])
    assert link.is_symlink()
    assert [entry()] == read_history(tmp_path / "kept" / "history.jsonl")


def test_its_readers_may_go_on_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    append_history(path, [entry()])
    assert 0o644 == path.stat().st_mode & 0o777
    path.chmod(0o664)
    append_history(path, [entry(device="cuda")])
    assert 0o664 == path.stat().st_mode & 0o777


def test_a_full_disk_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    append_history(path, [entry()])
    before = path.read_bytes()
    program = (
        "import signal, sys, msgspec\n"
        "from pathlib import Path\n"
        "from conformance.errors import ConformanceError\n"
        "from conformance.history import append_history, read_history\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "path = Path(sys.argv[1])\n"
        "new = [msgspec.structs.replace(e, device='cuda') for e in read_history(path)]\n"
        "try:\n    append_history(path, new)\n"
        "except ConformanceError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{path}: File too large. Give a place that can be written to.\n" == done.stdout
    assert before == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_the_entries_of_a_run_add_up() -> None:
    results = [
        result(ONE, "torch"),
        result(TWO, "torch", status="failed", grade="wrong"),
        result(ONE, "numpy", status="deviates", grade="wrong"),
    ]
    absent = [NotRun(adapter="torch", device="cuda", items=4, reason="no driver")]
    found = {
        (one.adapter, one.version, one.device): one
        for one in entries_of(run(results, not_run=absent))
    }
    assert [("numpy", "2.4.6", "cpu"), ("torch", "2.13.0", "cpu"), ("torch", "2.13.0", "cuda")] == (
        sorted(found)
    )
    assert (4, 4) == (
        found["torch", "2.13.0", "cuda"].asked,
        found["torch", "2.13.0", "cuda"].not_run,
    )
    for one in found.values():
        ran = one.passed + one.deviates + one.failed
        assert one.asked == ran + one.not_run
        assert ran == one.exact + one.faithful + one.accurate + one.coarse + one.wrong
    torch = found["torch", "2.13.0", "cpu"]
    assert (2, 1, 1, 1) == (torch.asked, torch.passed, torch.failed, torch.wrong)
    assert ("0.1.0", "2026-03-01T10:00:00Z") == (torch.suite, torch.started)


def test_a_run_that_was_cut_short_has_no_entry() -> None:
    assert [] == entries_of(run([result(ONE, "torch")], truncated=True))


def test_a_line_is_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    append_history(path, [entry()])
    (line,) = path.read_text("utf-8").splitlines()
    assert msgspec.structs.asdict(entry()) == json.loads(line)
