"""`diff`, as a user runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from run_files import header, merged, result, write, write_truncated
from test_commands_runs import LATER, ask, said, told

if TYPE_CHECKING:
    from pathlib import Path


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
    found = ask("diff", both, parts[0])
    assert [f"{path}: a run was cut short after 1 result." for path in (both, parts[0])] == (
        found.stderr.splitlines()
    )
    assert [
        f"old: {both}, 1 answers by numpy 2.1",
        "  1 of its 2 runs was cut short",
        "  numpy on cpu: 2.1, which started last, is compared; not 2.2",
        f"new: {parts[0]}, 1 answers by numpy 2.1",
        "  1 of its 1 runs was cut short",
        "0 regressed, 0 gone, 0 new, 0 improved, 0 changed, 1 same",
    ] == found.stdout.splitlines()
