"""`merge` and `diff`, as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from run_files import HEADER, header, merged, result, write, write_truncated
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
        "nondeterministic": [],
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
        "not deterministic: 7 answers, other bits on the same machine, device and version"
    )
    assert f"  {names[0]} by numpy on cpu in float32: loss" == found[at + 1]
    assert "  and 2 more; --format json names all" == found[at + 6]
    assert 2 == len(read_runs(tmp_path / "out.gz"))
    found = said("merge", one, elsewhere, "-o", tmp_path / "out.gz")
    assert "differ between machines: 7 answers, " in found[-1]
    answer = told("merge", one, two, elsewhere, "-o", tmp_path / "out.gz", code=1)
    assert names == [one["case"] for one in answer["nondeterministic"]]
    assert ["loss"] == answer["nondeterministic"][0]["outputs"]
    assert 0 == answer["differ_between_machines"]


def test_a_truncated_run_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    cut, one = write_truncated(tmp_path / "cut.gz"), write(tmp_path / "one.gz")
    before = sorted(tmp_path.iterdir())
    sentence = (
        f"{cut}: a run was cut short after 1 results. Give --allow-truncated to merge it as far as "
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


def test_diff_says_what_became_better_and_worse(tmp_path: Path) -> None:
    old = [
        result("a/better", "coarse", 50.0),
        result("a/changed"),
        result("a/gone", adapter="torch", device="cuda"),
        result("a/lost"),
        result("a/same"),
        result("a/worse", "faithful", 0.75),
        result("a/worse_by_ulp", "coarse", 9.0),
    ]
    new = [
        result("a/better", "accurate", 2.0),
        result("a/changed", sha256="2"),
        result("a/lost", outputs={}, grade="wrong", reason="raised ValueError: no"),
        result("a/new"),
        result("a/same"),
        result("a/worse", "wrong", 1e6),
        result("a/worse_by_ulp", "coarse", 900.0),
    ]
    one, two = write(tmp_path / "one.gz", old), write(tmp_path / "two.gz", new, LATER)
    assert [
        f"old: {one}, 7 answers by numpy 2.1, torch",
        f"new: {two}, 7 answers by numpy 2.2",
        "3 regressed, 1 gone, 1 new, 1 improved, 1 changed, 1 same",
        "",
        "regressed: 3",
        "  a/lost          numpy  cpu  float32  exact -> wrong, raised ValueError: no",
        "  a/worse         numpy  cpu  float32  faithful -> wrong, 0.75 -> 1e+06 ulp",
        "  a/worse_by_ulp  numpy  cpu  float32  loss: 9 -> 900 ulp, coarse",
        "",
        "gone: 1",
        "  not run: 1 of them, no driver",
        "  a/gone  torch  cuda  float32  was passed, exact",
        "",
        "new: 1",
        "  a/new  numpy  cpu  float32  passed, exact",
        "",
        "improved: 1",
        "  a/better  numpy  cpu  float32  coarse -> accurate, 50 -> 2 ulp",
        "",
        "changed, not compared: 1",
        "  a/changed  numpy  cpu  float32",
    ] == said("diff", one, two)


def test_diff_lists_twenty_of_a_kind_or_all(tmp_path: Path) -> None:
    names = [f"case_{index:02}" for index in range(23)]
    one = write(tmp_path / "one.gz", [result(name) for name in names])
    two = write(tmp_path / "two.gz", [result(name, "wrong", 9.0) for name in names])
    found = said("diff", one, two)
    assert "  and 3 more; --all lists them" == found[-1]
    assert 20 == sum("exact -> wrong" in line for line in found)
    found = said("diff", one, two, "--all")
    assert 23 == sum("exact -> wrong" in line for line in found)
    assert "more" not in found[-1]
    assert names == [change["case"] for change in told("diff", one, two)["regressed"]]


def test_diff_tells_a_program_all_of_it(tmp_path: Path) -> None:
    one = write(tmp_path / "one.gz", [result("a"), result("b")])
    two = write(tmp_path / "two.gz", [result("a", "wrong", 9.0, reason="far off")], LATER)
    found = told("diff", one, two)
    assert {"regressed": 1, "gone": 1, "new": 0, "improved": 0, "changed": 0, "same": 0} == found[
        "counts"
    ]
    asked = {"adapter": "numpy", "device": "cpu", "dtype": "float32"}
    exact = {
        "status": "passed",
        "grade": "exact",
        "reason": None,
        "outputs": {"loss": {"grade": "exact", "ulp": 0.0}},
    }
    wrong = {
        "status": "failed",
        "grade": "wrong",
        "reason": "far off",
        "outputs": {"loss": {"grade": "wrong", "ulp": 9.0}},
    }
    assert [
        {**asked, "case": "a", "by": "grade", "output": None, "old": exact, "new": wrong}
    ] == found["regressed"]
    assert [{**asked, "case": "b", "by": None, "output": None, "old": exact, "new": None}] == found[
        "gone"
    ]
    assert [[], [], []] == [found[kind] for kind in ("new", "improved", "changed")]
    assert {
        "path": str(two),
        "runs": [{"started": LATER.started, "complete": True, "results": 1}],
        "compared": [{"adapter": "numpy", "device": "cpu", "version": "2.2", "left_out": []}],
    } == found["new_side"]
    assert str(one) == found["old_side"]["path"]


@pytest.mark.parametrize(
    ("new", "options", "code"),
    [
        ([result("a"), result("b")], (), 0),
        ([result("a"), result("b", "wrong")], (), 1),
        ([result("a"), result("b", "wrong")], ("--allow-gone",), 1),
        ([result("a")], (), 1),
        ([result("a")], ("--allow-gone",), 0),
        ([result("a"), result("b"), result("c", "wrong")], (), 0),
        ([], ("--allow-gone",), 3),
        ([result("a", sha256="2"), result("b", sha256="2")], (), 3),
    ],
)
def test_diff_fails_on_a_regression_only_if_it_is_told_to(
    tmp_path: Path, new: list[Any], options: tuple[str, ...], code: int
) -> None:
    one = write(tmp_path / "one.gz", [result("a"), result("b")])
    two = write(tmp_path / "two.gz", new, LATER)
    assert 0 == ask("diff", one, two).returncode
    found = ask("diff", one, two, "--fail-on-regression", *options)
    assert code == found.returncode
    expected = "no answer is on both sides, so nothing was compared.\n" if code == 3 else ""
    assert expected == found.stderr


def test_diff_says_which_runs_it_took(tmp_path: Path) -> None:
    parts = [
        write_truncated(tmp_path / "a.gz", [result("a")], header("2026-01-05")),
        write(tmp_path / "b.gz", [result("a", "wrong")], LATER),
    ]
    both = merged(tmp_path / "both.gz", *parts)
    found = said("diff", both, parts[0])
    assert [
        f"old: {both}, 1 answers by numpy 2.1",
        "  1 of its 2 runs was cut short",
        "  numpy on cpu: 2.1, which started last, is compared; not 2.2",
        f"new: {parts[0]}, 1 answers by numpy 2.1",
        "  1 of its 1 runs was cut short",
        "0 regressed, 0 gone, 0 new, 0 improved, 0 changed, 1 same",
    ] == found


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
