"""Older answers, compared with newer ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from run_files import HEADER, header, not_run, result

from conformance.comparison import KINDS, Change, Comparison, compare, reasons
from conformance.results import Footer, NotRun, OutputResult, Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.results import Header, Result


def run(
    *results: Result, head: Header = HEADER, absent: Sequence[NotRun] = (), truncated: bool = False
) -> Run:
    footer = None if truncated else Footer(counts={}, digest="")
    return Run(Path("run.gz"), head, results, absent, footer)


def counts(comparison: Comparison) -> dict[str, int]:
    return {kind: len(found) for kind, found in comparison.changes.items() if found}


def change(old: Result, new: Result) -> Change:
    """What became of the one answer that both sides have."""
    comparison = compare([run(old)], [run(new)])
    (found,) = [one for found in comparison.changes.values() for one in found]
    return found


def answer(status: str = "passed", /, **outputs: tuple[str, float | None]) -> Result:
    """A result of several outputs, each a grade and an error."""
    order = ("exact", "faithful", "accurate", "coarse", "wrong")
    worst = max((grade for grade, _ in outputs.values()), key=order.index)
    given = {name: OutputResult(grade=grade, ulp=ulp) for name, (grade, ulp) in outputs.items()}
    return result(grade=worst, outputs=given, status=status)


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (("exact", 0.1), ("exact", 0.4), "same"),
        (("exact", 0.4), ("faithful", 0.6), "regressed"),
        (("faithful", 0.6), ("exact", 0.4), "improved"),
        (("coarse", 9.0), ("wrong", 9.0), "regressed"),
        (("wrong", None), ("coarse", 1e9), "improved"),
        # Within a grade: a factor of 2, and more than 1 ulp.
        (("coarse", 10.0), ("coarse", 19.9), "same"),
        (("coarse", 10.0), ("coarse", 20.0), "regressed"),
        (("coarse", 20.0), ("coarse", 10.0), "improved"),
        (("accurate", 1.0), ("accurate", 2.0), "same"),
        (("accurate", 1.0), ("accurate", 2.1), "regressed"),
        (("coarse", 0.0), ("coarse", 1.1), "regressed"),
        (("coarse", 0.0), ("coarse", 1.0), "same"),
        (("coarse", 1e300), ("coarse", 1e308), "regressed"),
        (("wrong", None), ("wrong", 5.0), "same"),
        (("wrong", 5.0), ("wrong", None), "same"),
    ],
)
def test_grade_goes_first_and_then_a_clear_change_of_the_error(
    old: tuple[str, float], new: tuple[str, float], kind: str
) -> None:
    assert kind == change(answer(loss=old), answer(loss=new)).kind


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("passed", "failed", "regressed"),
        ("passed", "deviates", "regressed"),
        ("deviates", "failed", "regressed"),
        ("failed", "deviates", "improved"),
        ("failed", "passed", "improved"),
    ],
)
def test_at_one_grade_the_status_decides(old: str, new: str, kind: str) -> None:
    found = change(answer(old, loss=("coarse", 9)), answer(new, loss=("coarse", 99)))
    assert (kind, "status", None) == (found.kind, found.by, found.output)


def test_a_better_grade_goes_before_a_worse_status() -> None:
    found = change(answer("passed", loss=("wrong", 9)), answer("failed", loss=("coarse", 9)))
    assert ("improved", "grade") == (found.kind, found.by)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # The worst output is as it was; another got worse.
        (
            {"loss": ("exact", 0.1), "logits_grad": ("coarse", 9)},
            {"loss": ("accurate", 3), "logits_grad": ("coarse", 9)},
            ("regressed", "grade", "loss"),
        ),
        (
            {"loss": ("coarse", 4), "logits_grad": ("coarse", 9)},
            {"loss": ("coarse", 9), "logits_grad": ("coarse", 9)},
            ("regressed", "ulp", "loss"),
        ),
        # One got better by grade, the other worse by error only: what got worse counts.
        (
            {"a": ("accurate", 2), "b": ("coarse", 9), "c": ("coarse", 9)},
            {"a": ("exact", 0), "b": ("coarse", 900), "c": ("coarse", 90)},
            ("regressed", "ulp", "b"),
        ),
        (
            {"a": ("accurate", 2), "b": ("coarse", 90)},
            {"a": ("exact", 0), "b": ("coarse", 9)},
            ("improved", "grade", "a"),
        ),
    ],
)
def test_outputs_decide_where_the_answer_as_a_whole_does_not(
    old: Any, new: Any, expected: tuple[str, str, str]
) -> None:
    found = change(answer(**old), answer(**new))
    assert expected == (found.kind, found.by, found.output)


def test_an_output_that_is_no_longer_offered_regressed() -> None:
    both = answer(loss=("exact", 0), logits_grad=("exact", 0))
    alone = result(grade="exact", declined=["logits_grad"])
    found = change(both, alone)
    assert ("regressed", "status", "logits_grad") == (found.kind, found.by, found.output)
    found = change(alone, both)
    assert ("improved", "status", "logits_grad") == (found.kind, found.by, found.output)


def test_what_is_no_longer_run_regressed_and_what_was_not_is_new() -> None:
    assert ("regressed", "status") == (
        change(result(grade="wrong"), not_run()).kind,
        change(result(), not_run()).by,
    )
    assert "new" == change(not_run(), result(grade="wrong")).kind
    assert {} == counts(compare([run(not_run())], [run(not_run())]))
    assert {} == counts(compare([run(not_run())], [run()]))
    assert {} == counts(compare([run()], [run(not_run())]))


def test_what_only_one_side_has_is_gone_or_new() -> None:
    comparison = compare([run(result("a"), result("b"))], [run(result("b"), result("c"))])
    assert {"gone": 1, "new": 1, "same": 1} == counts(comparison)
    assert "a" == comparison.changes["gone"][0].question.case
    assert "c" == comparison.changes["new"][0].question.case


@pytest.mark.parametrize("field", ["adapter", "device", "dtype"])
def test_answers_are_matched_by_all_that_the_question_is(field: str) -> None:
    comparison = compare([run(result())], [run(result(**{field: "other"}))])
    assert {"gone": 1, "new": 1} == counts(comparison)


def test_a_case_that_changed_is_not_compared() -> None:
    assert "changed" == change(result(), result(grade="wrong", sha256="2")).kind
    assert "changed" == change(result(), not_run(sha256="2")).kind


def test_why_it_is_gone_is_said_where_the_newer_run_says_it() -> None:
    absent = [NotRun(adapter="torch", device="cuda", items=9, reason="no driver")]
    gone = [result("a", adapter="torch", device="cuda"), result("b", adapter="torch")]
    assert {"no driver": 1} == reasons(compare([run(*gone)], [run(absent=absent)]))


def test_of_several_versions_the_one_started_last_is_compared() -> None:
    def at(started: str, version: str, *results: Result) -> Run:
        return run(*results, head=header(started, versions={"numpy": version}))

    old = [at("2026-03", "2.2", result("a")), at("2026-02", "2.9", result("a", "wrong"))]
    both = compare([*old, at("2026-01", "2.2", result("c"))], [run(result("a"), result("c"))])
    assert {"same": 2} == counts(both)
    assert {("numpy", "cpu"): "2.2"} == both.old.versions
    assert {("numpy", "cpu"): ["2.9"]} == both.old.older
    assert {} == both.new.older


def test_builds_of_one_version_are_one_version() -> None:
    def on(device: str, build: str) -> Run:
        found = result(adapter="torch", device=device)
        return run(found, head=header(versions={"torch": f"2.13.0+{build}"}))

    side = [on("cpu", "cpu"), on("cuda", "cu130")]
    comparison = compare(side, side)
    assert {"same": 2} == counts(comparison)
    assert {} == comparison.old.older


def test_of_one_version_the_last_answer_counts_and_an_answer_before_none() -> None:
    old = [
        run(result("a", "wrong"), result("b")),
        run(result("a"), not_run("b"), head=header("2027")),
    ]
    for order in (old, old[::-1]):
        assert {"same": 2} == counts(compare(order, [run(result("a"), result("b"))]))


def test_the_worst_goes_first() -> None:
    old = [
        result("a", ulp=9.0, grade="coarse"),
        result("b", ulp=9.0, grade="coarse"),
        result("c"),
        result("d", grade="coarse"),
        result("e"),
        result("f"),
        result("g", ulp=0.0, grade="coarse"),
    ]
    new = [
        result("a", ulp=90.0, grade="coarse"),
        result("b", ulp=900.0, grade="coarse"),
        result("c", grade="wrong"),
        result("d", grade="wrong"),
        result("e", grade="wrong", status="deviates"),
        not_run("f"),
        result("g", ulp=2.0, grade="coarse"),
    ]
    comparison = compare([run(*old)], [run(*new)])
    assert "cdebagf" == "".join(one.question.case for one in comparison.changes["regressed"])
    back = compare([run(*new)], [run(*old)])
    assert "cdebag" == "".join(one.question.case for one in back.changes["improved"])
    assert ["f"] == [one.question.case for one in back.changes["new"]]


def test_every_kind_is_there_even_if_nothing_is_of_it() -> None:
    assert list(KINDS) == list(compare([run()], [run()]).changes)
