"""What is said of runs in Markdown and in annotations, and that nobody else can say it."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from report_data import careful, case, not_run, result, run
from report_runs import hostile
from running import TESTS

from conformance.history import read_history
from conformance.report.annotations import annotate
from conformance.report.evidence import gather
from conformance.report.failures import failures
from conformance.report.markdown import code, escape, render
from conformance.results import NotRun

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.model import Case
    from conformance.results import Result, Run

TAIL = [case(f"logits/tail/c{x}", logits=[-x], targets=[0]) for x in (3, 20, 40)]
WEIGHT = [case("logits/weights/one", logits=[0.5], targets=[1])]
CASES = [*TAIL, *WEIGHT]


def failed(one: Case, adapter: str = "torch", reason: str = "loss: R.", **changes: str) -> Result:
    return result(one, adapter, status="failed", grade="wrong", reason=reason, **changes)


def markdown(*runs: Run) -> str:
    return render(gather(runs, CASES), runs)


def rows(text: str) -> list[list[str]]:
    """The cells of all tables, as GitHub splits them."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_each_adapter_has_a_sentence_and_a_row_of_counts() -> None:
    results = [result(TAIL[0], "torch"), failed(TAIL[1]), not_run(TAIL[2], "torch", "float32", "R")]
    absent = [NotRun(adapter="torch", device="cuda", items=7, reason="no driver")]
    text = markdown(run(results, not_run=absent))
    assert "- **torch 2.13.0** " in text
    head, _, cpu, cuda = rows(text)[:4]
    assert ["adapter", "device", "asked", "right", "known deviations", "failed", "not run"] == (
        head[:7]
    )
    assert ["`torch 2.13.0`", "`cpu`", "3", "1", "0", "1", "1"] == cpu[:7]
    assert ["`torch 2.13.0`", "`cuda`", "7", "0", "0", "0", "7"] == cuda[:7]
    assert "Not run: 8" in text
    assert ["`torch 2.13.0 cuda`", "7", "no driver"] in rows(text)


def test_failures_are_grouped_by_adapter_and_file_the_most_first() -> None:
    results = [failed(WEIGHT[0]), failed(TAIL[0]), failed(TAIL[1]), result(TAIL[2], "torch")]
    results.append(failed(WEIGHT[0], "ignite"))
    found = rows(markdown(run(results)).partition("### Failures")[2])[2:]
    assert [
        ["`torch 2.13.0 cpu`", "`logits/tail`", "2 of 3"],
        ["`ignite 0.5.5 cpu`", "`logits/weights`", "1 of 1"],
        ["`torch 2.13.0 cpu`", "`logits/weights`", "1 of 1"],
    ] == [row[:3] for row in found]
    assert "logits/tail/c20 in float32 on cpu is wrong: loss: R." == html.unescape(found[0][3])


def test_nothing_failed_is_no_section() -> None:
    assert "Failures" not in markdown(run([result(TAIL[0], "torch")]))


def test_nothing_run_is_said() -> None:
    absent = [NotRun(adapter="torch", device="cuda", items=7, reason="no driver")]
    assert "Nothing was run." in markdown(run([], not_run=absent))


def test_a_run_that_was_cut_short_is_said_to_be_so() -> None:
    text = markdown(run([result(TAIL[0], "torch")], truncated=True))
    assert "`reports/run.jsonl.gz`, started 2026" in text
    assert "was **cut short** after 1 result; what it did not reach is in no number here." in text


def test_results_of_changed_cases_are_said_to_be_left_out() -> None:
    old = result(TAIL[0], "torch", sha256="0" * 64)
    assert "- Stale: 1 result, left out: their case has changed or is" in markdown(run([old]))


def test_answers_that_are_not_reproducible_are_said_to_be_so() -> None:
    first = result(TAIL[0], "torch")
    second = result(TAIL[0], "torch", formula=careful)
    text = markdown(run([first]), run([second], started="2026-03-02T10:00:00Z"))
    assert "- **Not reproducible**: 1 answer, other bits on the same machine, device and" in text


HOSTILE = [
    "</details><script>alert(1)</script>",
    "a | b | c",
    "a \\| b \\",
    "line\nbreak\r\n| cell |\n\n# title",
    "`code` ``code``",
    "[link](https://evil.example) ![image](x)",
    "@everyone #1 owner/repo#2 GH-3",
    "**bold** _it_ ~~gone~~ $math$ :smile:",
    "www.evil.example https://evil.example",
    "\u202egnp.exe \u2028 \x1b[31m",
    "::error::x\n##[error]y",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_in_one_cell(text: str) -> None:
    shown = escape(text)
    plain = re.sub(r"\\([`*_~\[\]])", "", shown)
    assert not re.search(r"[<>|\[\]`*_~@$\\\n\r\u202e\u2028\x1b]|://|www\.|(?<!&)#", plain)
    assert not re.search(r":[a-z]+:", html.unescape(plain))
    if text.isprintable():
        read = re.sub(r"\\([`*_~\[\]])", r"\1", shown)
        assert text == html.unescape(read).replace("\u200b", "")
    assert code(text) in {shown, f"`{text}`"}
    assert code(text) == shown or not set("`|\\\n") & set(text)


def test_a_name_becomes_code() -> None:
    assert "`logits/tail (x=1)`" == code("logits/tail (x=1)")


def test_hostile_runs_give_the_same_structure() -> None:
    runs, cases = hostile()
    text = render(gather(runs, cases), runs)
    allowed = {"<details><summary>Not run: 1</summary>", "</details>"}
    for line in text.splitlines():
        assert line in allowed or not re.search(r"[<>@]", line)
    assert {12, 3} == {len(row) for row in rows(text)}


def test_its_size_has_a_bound() -> None:
    results = [
        failed(one, f"adapter-{number}", "|" * 10_000) for number in range(300) for one in CASES
    ]
    absent = [
        NotRun(adapter="torch", device="cuda", items=1, reason=f"{number}" + "@" * 10_000)
        for number in range(300)
    ]
    text = markdown(run(results, not_run=absent))
    assert len(text.encode()) < 300_000
    assert "and 260 more rows" in text
    assert "and 560 more rows" in text


def test_an_annotation_names_adapter_group_and_an_example() -> None:
    evidence = gather([run([failed(TAIL[0]), result(TAIL[1], "torch")])], CASES)
    title = "::error title=torch 2.13.0 cpu%2C logits/tail"
    message = "1 of 2 failed; logits/tail/c3 in float32 on cpu is wrong: loss: R."
    assert [f"{title}::{message}"] == annotate(failures(evidence))


@pytest.mark.parametrize("number", [10, 11, 300])
def test_no_more_annotations_than_github_shows(number: int) -> None:
    results = [failed(TAIL[0], f"adapter-{index}") for index in range(number)]
    lines = annotate(failures(gather([run(results)], CASES)))
    assert 10 == len(lines)
    said = f"::error title=bce-conformance::{number - 9} more groups, {number - 9} more failures"
    assert (said == lines[-1]) == (number > 10)


@pytest.mark.parametrize("text", [*HOSTILE, "100%0A::error::x", "a,file=b::c"])
def test_hostile_text_cannot_begin_a_command_or_end_its_title(text: str) -> None:
    evidence = gather([run([failed(TAIL[0], text, text, device=text)])], CASES)
    (line,) = annotate(failures(evidence))
    assert len(line.splitlines()) == 1
    parts = re.fullmatch(r"::error title=([^:,]*)::(.*)", line)
    assert parts, line
    for part in parts.groups():
        assert not re.search(r"%(?!25|2C|3A)", part)


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run, with failures."""
    folder = tmp_path_factory.mktemp("real")
    done = command(
        folder,
        "run",
        *("--adapter", "fakes:HalfTheLoss", "--adapter", "numpy", "--no-report"),
        *("-k", "logits/published_examples and float32"),
    )
    assert 1 == done.returncode, done.stderr
    return folder / "reports" / "run.jsonl.gz"


def command(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "conformance.cli", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(TESTS), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_markdown_and_exits_with_0(run_file: Path, tmp_path: Path) -> None:
    done = command(tmp_path, "summary", str(run_file))
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("## bce-conformance\n\n- **half-the-loss** ")
    assert "`logits/published_examples`" in done.stdout


def test_github_gets_the_summary_and_the_log_the_annotations(
    run_file: Path, tmp_path: Path
) -> None:
    place = tmp_path / "summary.md"
    place.write_text("before\n", encoding="utf-8")
    done = command(
        tmp_path,
        "summary",
        str(run_file),
        "--github",
        "--annotations",
        GITHUB_STEP_SUMMARY=str(place),
    )
    assert 0 == done.returncode
    assert place.read_text("utf-8").startswith("before\n## bce-conformance\n")
    assert {"::error title=half-the-loss cpu%2C logits/published_examples"} == {
        line.rpartition("::")[0] for line in done.stdout.splitlines()
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--github"], "--github: GITHUB_STEP_SUMMARY is not set. Leave it out"),
        (["--annotations", "--format", "json"], "Leave out one."),
    ],
)
def test_options_that_make_no_sense_exit_with_64(
    run_file: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    done = command(tmp_path, "summary", str(run_file), *arguments)
    assert (64, "") == (done.returncode, done.stdout)
    assert sentence in done.stderr


def test_json_has_counts_that_add_up(run_file: Path, tmp_path: Path) -> None:
    found = json.loads(command(tmp_path, "summary", str(run_file), "--format", "json").stdout)
    assert {"runs", "subjects", "failures", "replaced", "irreproducible"} | {
        "differ_between_machines"
    } == set(found)
    for one in found["subjects"]:
        ran = one["passed"] + one["deviates"] + one["failed"]
        assert (one["asked"], ran) == (ran + one["not_run"], sum(one["grades"].values()))
    failing = {one["adapter"]: one["failed"] for one in found["subjects"] if one["failed"]}
    assert ["half-the-loss"] == list(failing)
    (group,) = found["failures"]
    assert ("logits/published_examples", failing["half-the-loss"]) == (
        group["group"],
        group["failed"],
    )


def test_append_adds_a_run_to_the_history_once(run_file: Path, tmp_path: Path) -> None:
    first, second = (
        command(tmp_path, "summary", str(run_file), "--append", "history.jsonl") for _ in range(2)
    )
    assert "history.jsonl: 2 lines added\n" == first.stderr
    assert "history.jsonl: 0 lines added\n" == second.stderr
    entries = read_history(tmp_path / "history.jsonl")
    assert ["half-the-loss", "numpy"] == [one.adapter for one in entries]
    assert all(one.failed for one in entries if one.adapter == "half-the-loss")


def test_a_file_that_is_no_run_exits_with_4(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_text("no", encoding="utf-8")
    done = command(tmp_path, "summary", "x.gz")
    assert (4, "", 1) == (done.returncode, done.stdout, done.stderr.count("\n"))
