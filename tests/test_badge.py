"""Badges: what they say, and which files they may replace."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from report_data import case, not_run, result, run
from test_summary import command

from conformance.commands.badge import badges_of
from conformance.corpus import load_corpus
from conformance.report.evidence import gather
from conformance.results import NotRun, Result
from conformance.writing import RunWriter

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.results import Run

ONE = case("logits/tail/one", logits=[-3], targets=[0])
TWO = case("logits/tail/two", logits=[0.5], targets=[1])
RIGHT = result(ONE, "torch")
KNOWN = result(TWO, "torch", status="deviates", grade="wrong")
WRONG = result(TWO, "torch", status="failed", grade="wrong")
SKIPPED = not_run(TWO, "torch", "float32", "R.")
NO_CUDA = NotRun(adapter="torch", device="cuda", items=2, reason="no driver")


def badge(*runs: Run) -> dict[str, object]:
    return badges_of(runs, gather(runs, [ONE, TWO]))["torch"]


@pytest.mark.parametrize(
    ("results", "message", "color"),
    [
        ([RIGHT], "1 of 1 right", "brightgreen"),
        ([RIGHT, SKIPPED], "1 of 2 right", "yellowgreen"),
        ([RIGHT, KNOWN], "1 of 2 right", "yellow"),
        ([RIGHT, WRONG], "1 of 2 right, 1 failed", "red"),
        ([SKIPPED], "nothing run", "lightgrey"),
    ],
)
def test_a_badge_says_how_much_is_right(results: list[Result], message: str, color: str) -> None:
    assert {
        "schemaVersion": 1,
        "label": "bce-conformance torch 2.13.0",
        "message": message,
        "color": color,
    } == badge(run(results))


def test_a_device_that_was_not_run_is_in_the_denominator() -> None:
    assert "1 of 3 right" == badge(run([RIGHT], not_run=[NO_CUDA]))["message"]


def test_a_run_that_was_cut_short_has_no_denominator() -> None:
    found = badge(run([RIGHT], truncated=True))
    assert ("1 right, cut short", "orange") == (found["message"], found["color"])
    found = badge(run([RIGHT, WRONG], truncated=True))
    assert ("1 right, cut short, 1 failed", "red") == (found["message"], found["color"])


def test_of_two_versions_the_one_that_was_run_last_counts() -> None:
    old = run([WRONG], started="2026-02-01T10:00:00Z", versions={"torch": "2.9.0"})
    found = badge(run([RIGHT]), old)
    assert ("bce-conformance torch 2.13.0", "1 of 1 right") == (found["label"], found["message"])


def write(folder: Path, *adapters: str) -> str:
    """A run file of answers that ``adapters`` gave to a question of the suite."""
    asked = load_corpus().cases[0]
    source = run([])
    with RunWriter(folder / "run.jsonl.gz", source.header) as writer:
        for name in adapters:
            writer.add(
                Result(
                    case=asked.id,
                    sha256=asked.sha256,
                    adapter=name,
                    device="cpu",
                    dtype="float32",
                    status="passed",
                    grade="exact",
                )
            )
    return "run.jsonl.gz"


def test_the_badge_of_one_adapter_is_printed(tmp_path: Path) -> None:
    done = command(tmp_path, "badge", write(tmp_path, "torch", "numpy"), "--adapter", "numpy")
    assert 0 == done.returncode
    assert "1 of 1 right" == json.loads(done.stdout)["message"]


def test_several_badges_need_a_folder(tmp_path: Path) -> None:
    name = write(tmp_path, "torch", "numpy")
    refused = command(tmp_path, "badge", name)
    assert (64, "") == (refused.returncode, refused.stdout)
    done = command(tmp_path, "badge", name, "-o", "badges")
    assert 0 == done.returncode
    assert {"numpy.json", "torch.json"} == {path.name for path in (tmp_path / "badges").iterdir()}
    assert (
        "bce-conformance torch 2.13.0"
        == (json.loads((tmp_path / "badges" / "torch.json").read_text("utf-8"))["label"])
    )


def test_an_adapter_that_was_not_run_has_a_grey_badge_and_is_warned_of(tmp_path: Path) -> None:
    done = command(tmp_path, "badge", write(tmp_path, "torch"), "--adapter", "jax")
    assert "no run has the adapter 'jax'\n" == done.stderr
    assert "nothing run" == json.loads(done.stdout)["message"]


def test_a_name_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    name = write(tmp_path, "../../x", "..", "/etc/passwd", "a\nb" + "c" * 300)
    assert 0 == command(tmp_path, "badge", name, "-o", "in/badges").returncode
    found = {path.name for path in (tmp_path / "in" / "badges").iterdir()}
    assert {"x.json", "adapter.json", "etc-passwd.json", f"a-b{'c' * 57}.json"} == found
    assert {"in", "run.jsonl.gz"} == {path.name for path in tmp_path.iterdir()}


def test_two_names_of_one_file_are_refused(tmp_path: Path) -> None:
    done = command(tmp_path, "badge", write(tmp_path, "A", "a"), "-o", "badges")
    assert 4 == done.returncode
    assert "for 'A' and 'a' alike. Choose with --adapter." in done.stderr
    assert not (tmp_path / "badges").exists()


@pytest.mark.parametrize("text", ["mine", "{}", '{"label": "coverage"}', "[" * 100_000, "\udcff"])
def test_what_is_no_badge_is_not_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "torch.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    before = (tmp_path / "torch.json").read_bytes()
    done = command(tmp_path, "badge", write(tmp_path, "numpy", "torch"), "-o", ".")
    assert 4 == done.returncode
    assert "torch.json: exists and is no badge. Move it" in done.stderr
    assert before == (tmp_path / "torch.json").read_bytes()
    assert not (tmp_path / "numpy.json").exists()


def test_a_badge_is_replaced(tmp_path: Path) -> None:
    name = write(tmp_path, "torch")
    for _ in range(2):
        assert 0 == command(tmp_path, "badge", name, "-o", ".").returncode
