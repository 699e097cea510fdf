"""`merge` and `diff`, as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from run_files import HEADER, header, result, write, write_truncated
from test_cli import command

from conformance.corpus import default_root, load_corpus
from conformance.records import read_runs
from conformance.results import NotRun

if TYPE_CHECKING:
    from pathlib import Path

LATER = header("2026-01-02T00:00:00+00:00", versions={"numpy": "2.2"})
FEW = default_root() / "logits" / "nan.yaml"
HOSTILE = "a\x1b[2Jb\nc\u202ed"
TRAINERS = {"torch", "ignite", "pytorch_lightning", "lightning_fabric", "accelerate"}


def ask(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command; one that looks cases up finds few, and soon."""
    few = ["--cases", str(FEW)] if arguments[0] != "diff" and "--cases" not in arguments else []
    return command(*map(str, arguments), *few)


def said(*arguments: object, code: int = 0) -> list[str]:
    """The lines of an answer."""
    found = ask(*arguments)
    assert (code, "") == (found.returncode, found.stderr), found
    assert "\x1b" not in found.stdout
    return found.stdout.splitlines()


def told(*arguments: object, code: int = 0) -> Any:
    """The answer to a program."""
    return json.loads("\n".join(said(*arguments, "--format", "json", code=code)))


def refused(*arguments: object, code: int = 4) -> list[str]:
    found = ask(*arguments)
    assert (code, "") == (found.returncode, found.stdout), found
    assert "Traceback" not in found.stderr
    return found.stderr.splitlines()


def test_merge_says_what_it_took(folder: Path) -> None:
    cases = load_corpus([folder / "theme.yaml"]).cases
    kept = [result(case.id, sha256=case.sha256) for case in cases]
    one = write(folder / "one.gz", [*kept, result("gone")])
    two = write_truncated(folder / "two.gz", kept[:1], LATER)
    arguments = ("merge", one, two, one, "-o", folder / "all.gz", "--cases", folder / "theme.yaml")
    first = f"{one}: 4 results, started {HEADER.started}, complete, 3 not run, 1 stale"
    assert [
        first,
        f"{two}: 1 result, started {LATER.started}, truncated, taken as far as it goes",
        f"{first}, the same run as in {one}, taken once",
        f"merged: {folder / 'all.gz'}, 2 runs, 5 results",
        "stale: 1 results, kept: their case has changed or is gone",
    ] == said(*arguments, "--allow-truncated")
    assert [HEADER, LATER] == [run.header for run in read_runs(folder / "all.gz")]
    assert [4, 1] == [len(run.results) for run in read_runs(folder / "all.gz")]


def test_merge_tells_a_program_all_of_it(folder: Path) -> None:
    cut = write_truncated(folder / "cut.gz")
    whole = write(folder / "whole.gz", head=LATER)
    found = told("merge", cut, whole, whole, "-o", folder / "x.gz", "--allow-truncated")
    entry = {"results": 1, "stale": 1, "same_as": None}
    later = {"started": LATER.started, "complete": True, "not_run": 3, "path": str(whole)}
    cut_one = {"started": HEADER.started, "complete": False, "not_run": 0, "path": str(cut)}
    assert {
        "output": str(folder / "x.gz"),
        "runs": 2,
        "results": 2,
        "stale": 2,
        "inputs": [
            {**entry, **cut_one},
            {**entry, **later},
            {**entry, **later, "same_as": str(whole)},
        ],
        "irreproducible": [],
        "differ_between_machines": 0,
    } == found


def test_equal_inputs_give_equal_bytes_in_any_order(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one.gz"), write(tmp_path / "two.gz", head=LATER)
    said("merge", one, two, "-o", tmp_path / "a.gz")
    said("merge", two, one, "-o", tmp_path / "other" / "b.gz")
    said("merge", tmp_path / "a.gz", one, "-o", tmp_path / "c.gz")
    files = (tmp_path / "a.gz", tmp_path / "other" / "b.gz", tmp_path / "c.gz")
    assert 1 == len({path.read_bytes() for path in files})


def test_a_run_file_may_be_replaced_by_a_merged_one(tmp_path: Path) -> None:
    one, old = write(tmp_path / "one.gz"), write(tmp_path / "old.gz", head=LATER)
    said("merge", one, "-o", old)
    assert [HEADER] == [run.header for run in read_runs(old)]


def test_merge_exits_with_1_where_something_is_not_deterministic(tmp_path: Path) -> None:
    names = [f"case_{index}" for index in range(7)]
    one = write(tmp_path / "one.gz", [result(name) for name in names])
    other = [result(name, bits="01") for name in names]
    two = write(tmp_path / "two.gz", other, header("2026-01-02"))
    elsewhere = write(tmp_path / "three.gz", other, header("2026-01-03", machine={"cores": "9"}))
    found = said("merge", one, two, "-o", tmp_path / "out.gz", code=1)
    at = found.index(
        "not reproducible: 7 answers, other bits on the same machine, device and version"
    )
    assert f"  {names[0]} by numpy on cpu in float32: loss" == found[at + 1]
    assert "  and 2 more; --format json names all" == found[at + 6]
    assert 2 == len(read_runs(tmp_path / "out.gz"))
    found = said("merge", one, elsewhere, "-o", tmp_path / "out.gz")
    assert "differ between machines: 7 answers, " in found[-1]
    answer = told("merge", one, two, elsewhere, "-o", tmp_path / "out.gz", code=1)
    assert names == [one["case"] for one in answer["irreproducible"]]
    assert ["loss"] == answer["irreproducible"][0]["outputs"]
    assert 0 == answer["differ_between_machines"]


def test_a_truncated_run_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    cut, one = write_truncated(tmp_path / "cut.gz"), write(tmp_path / "one.gz")
    before = sorted(tmp_path.iterdir())
    sentence = (
        f"{cut}: a run was cut short after 1 result. Give --allow-truncated to merge it as far as "
        "it goes, or leave it out."
    )
    assert [sentence] == refused("merge", one, cut, "-o", tmp_path / "new" / "out.gz")
    assert before == sorted(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("one.gz", "is one of the runs to be merged. Name another file."),
        ("", "is a folder. Name a file."),
        ("notes.txt", "exists, and is no run file. Name another file, or remove it first."),
        ("one.gz/out.gz", "Not a directory. Give a place that can be written to."),
    ],
)
def test_merge_writes_over_nothing_but_another_run(
    tmp_path: Path, output: str, problem: str
) -> None:
    one = write(tmp_path / "one.gz")
    (tmp_path / "notes.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert [f"{tmp_path / output}: {problem}"] == refused("merge", one, "-o", tmp_path / output)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


@pytest.mark.parametrize("verb", ["merge", "diff", "report"])
def test_what_is_no_run_is_one_sentence(tmp_path: Path, verb: str) -> None:
    bad, one = tmp_path / "bad.gz", write(tmp_path / "one.gz")
    bad.write_bytes(b'{"type":"result"}\n')
    output = () if verb == "diff" else ("-o", tmp_path / "out")
    (sentence,) = refused(verb, one, bad, *output)
    assert sentence.startswith(f"{bad}:1: Object missing required field")
    assert ["bad.gz", "one.gz"] == sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("verb", ["merge", "diff"])
def test_an_absent_run_is_one_sentence(tmp_path: Path, verb: str) -> None:
    output = () if verb == "diff" else ("-o", tmp_path / "out")
    (sentence,) = refused(verb, tmp_path / "a.gz", tmp_path / "b.gz", *output)
    assert f"{tmp_path / 'a.gz'}: No such file or directory. Give a run file" in sentence


def test_hostile_text_reaches_no_terminal(tmp_path: Path) -> None:
    head = header(HOSTILE, versions={HOSTILE: HOSTILE})
    names = {"adapter": HOSTILE, "device": HOSTILE, "dtype": HOSTILE}
    absent = [NotRun(adapter=HOSTILE, device=HOSTILE, items=1, reason=HOSTILE)]
    one = write(tmp_path / "one.gz", [result(HOSTILE, **names)], head)
    worse = result(HOSTILE, "wrong", bits="01", outputs={}, reason=HOSTILE, **names)
    two = write(tmp_path / "two.gz", [worse, result("new", **names)], head, absent=absent)
    for found in (
        said("diff", one, two),
        said("diff", two, one),
        said("merge", one, two, "-o", tmp_path / "out.gz", code=1),
    ):
        assert all(line.isprintable() for line in found)
        assert any(r"a\x1b[2Jb\nc\u202ed" in line for line in found)


@pytest.mark.parametrize("verb", ["merge", "diff", "report"])
def test_reading_runs_imports_no_framework(tmp_path: Path, verb: str) -> None:
    one = str(write(tmp_path / "one.gz"))
    output = [] if verb == "diff" else ["-o", str(tmp_path / "out"), "--cases", str(FEW)]
    code = (
        "import sys\nfrom conformance.cli import main\n"
        f"assert main({[verb, one, one, *output]!r}) == 0\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = {name.partition(".")[0] for name in done.stderr.split()}
    assert "conformance" in modules
    assert set() == modules & TRAINERS


def test_a_report_replaces_a_page_and_no_run(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one.gz"), write(tmp_path / "two.gz")
    before = one.read_bytes()
    for _ in range(2):
        said("report", two, "-o", tmp_path / "page.html")
    # As a shell makes it of `report -o *.gz`.
    assert [f"{one}: exists, and is no page. Name another file, or remove it first."] == refused(
        "report", "-o", one, two
    )
    assert before == one.read_bytes()


@pytest.mark.parametrize(
    "verb", [["summary"], ["badge"], ["deviations", "propose"], ["diff", "whole.gz"]], ids=" ".join
)
def test_whoever_reads_a_run_that_was_cut_short_is_warned(tmp_path: Path, verb: list[str]) -> None:
    write(tmp_path / "whole.gz")
    cut = write_truncated(tmp_path / "cut.gz")
    arguments = [tmp_path / word if word.endswith(".gz") else word for word in verb]
    cases = [] if verb[0] in ("diff", "deviations") else ["--cases", FEW]
    found = command(*map(str, [*arguments, cut, *cases]))
    assert 0 == found.returncode
    assert f"{cut}: a run was cut short after 1 result." == found.stderr.splitlines()[0]


def test_merge_and_summary_agree_on_what_is_not_reproducible(tmp_path: Path) -> None:
    cases = load_corpus([FEW]).cases[:3]
    heads = (HEADER, header("2026-01-02"), header("2026-01-03", machine={"cores": "9"}))
    bits = ({"0": "00", "1": "00", "2": "00"}, {"0": "01", "1": "00", "2": "00"})
    given = (*bits, {"0": "01", "1": "02", "2": "00"})
    runs = [
        write(
            tmp_path / f"{number}.gz",
            [
                result(case.id, sha256=case.sha256, bits=given[number][str(index)])
                for index, case in enumerate(cases)
            ],
            head,
        )
        for number, head in enumerate(heads)
    ]
    merged = told("merge", *runs, "-o", tmp_path / "all.gz", code=1)
    summary = told("summary", tmp_path / "all.gz")
    assert (1, 1) == (len(merged["irreproducible"]), merged["differ_between_machines"])
    assert (1, 1) == (summary["irreproducible"], summary["differ_between_machines"])
