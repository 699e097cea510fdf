"""Known wrong answers: matched, and struck out when they are wrong no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.deviations import Ledger, load_ledger
from conformance.errors import ConformanceError
from conformance.model import Grade
from conformance.results import OutputResult, Result

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = """
[[deviation]]
cases = "probabilities/edges/*"
outputs = ["probabilities_grad"]
dtypes = ["float16"]
when = { torch = ">=2.0" }
grade = "wrong"
issue = "https://example.org/1"
reason = "The epsilon is 0 in float16."
"""


def ledger(folder: Path, text: str = ENTRY, torch: str = "2.13.0+cpu") -> Ledger:
    path = folder / "x.deviations.toml"
    path.write_text(text, encoding="utf-8")
    return load_ledger([path], {"torch": torch})


def result(**changes: Any) -> Result:
    outputs = {
        "loss": OutputResult(grade="exact"),
        "probabilities_grad": OutputResult(grade="wrong", message="got nan"),
    }
    fields = {
        "case": "probabilities/edges/zero",
        "sha256": "0",
        "adapter": "torch",
        "device": "cpu",
        "dtype": "float16",
        "status": "failed",
        "grade": "wrong",
        "outputs": outputs,
        "reason": "got nan",
    }
    return Result(**(fields | changes))


def status(book: Ledger, found: Result) -> str:
    return book.explain(found, Grade.coarse).status


def test_a_known_wrong_output_deviates(tmp_path: Path) -> None:
    found = ledger(tmp_path).explain(result(), Grade.coarse)
    assert ("deviates", "https://example.org/1", "The epsilon is 0 in float16.") == (
        found.status,
        found.deviation,
        found.reason,
    )


@pytest.mark.parametrize(
    "other",
    [
        {"case": "probabilities/interior/zero"},
        {"dtype": "float32"},
        {"outputs": {"loss": OutputResult(grade="wrong")}},
        {
            "outputs": {
                "loss": OutputResult(grade="wrong"),
                "probabilities_grad": OutputResult(grade="wrong"),
            }
        },
        {"outputs": {}, "raised": "RuntimeError: crash"},
    ],
)
def test_what_the_entry_does_not_say_still_fails(tmp_path: Path, other: dict[str, Any]) -> None:
    assert "failed" == status(ledger(tmp_path), result(**other))


def test_another_grade_than_the_known_one_fails(tmp_path: Path) -> None:
    book = ledger(tmp_path, ENTRY.replace('"wrong"', '"coarse"'))
    assert "failed" == status(book, result())


def test_another_wrong_value_than_the_known_one_fails(tmp_path: Path) -> None:
    book = ledger(tmp_path, ENTRY.replace("issue", 'message = "got nan"\nissue', 1))
    assert "deviates" == status(book, result())
    other = {"probabilities_grad": OutputResult(grade="wrong", message="got 1e30")}
    assert "failed" == status(book, result(outputs=other))


def test_two_entries_may_account_for_one_result_together(tmp_path: Path) -> None:
    outputs = {name: OutputResult(grade="wrong") for name in ("loss", "probabilities_grad")}
    both = ENTRY + ENTRY.replace('["probabilities_grad"]', '["loss"]')
    assert "deviates" == status(ledger(tmp_path, both), result(outputs=outputs))


def test_an_error_that_is_missing_or_undue_has_an_entry_without_outputs(tmp_path: Path) -> None:
    book = ledger(tmp_path, ENTRY.replace('outputs = ["probabilities_grad"]', ""))
    assert "deviates" == status(book, result(outputs={}, raised="RuntimeError: undue"))
    assert "failed" == status(book, result())


def test_an_entry_for_other_versions_does_not_hold(tmp_path: Path) -> None:
    assert () == ledger(tmp_path, torch="1.13").entries
    assert 1 == len(ledger(tmp_path, torch="3.0.dev1").entries)


PLANNED = [
    ("probabilities/edges/zero", "cpu", "float16"),
    ("probabilities/edges/one", "cpu", "float16"),
    ("probabilities/edges/zero", "cpu", "float32"),
]


def right(case: str) -> Result:
    return result(case=case, status="passed", outputs={"loss": OutputResult(grade="exact")})


def test_an_entry_that_still_deviates_somewhere_is_not_stale(tmp_path: Path) -> None:
    found = [right(PLANNED[0][0]), result(case=PLANNED[1][0])]
    assert [] == ledger(tmp_path).stale(PLANNED, found)


def test_an_entry_that_deviates_nowhere_is_stale(tmp_path: Path) -> None:
    found = [right(PLANNED[0][0]), right(PLANNED[1][0])]
    (problem,) = ledger(tmp_path).stale(PLANNED, found)
    assert "the entry for probabilities/edges/* no longer deviates. Remove it." in problem


def test_an_entry_that_matches_nothing_is_stale(tmp_path: Path) -> None:
    (problem,) = ledger(tmp_path).stale([("other/case", "cpu", "float16")], [])
    assert "the entry for probabilities/edges/* matches nothing. Remove it." in problem


def test_an_entry_is_not_held_to_other_cases_than_the_suite_s(tmp_path: Path) -> None:
    assert [] == ledger(tmp_path).stale([("mine/case", "cpu", "float16")], [], whole=False)


def test_an_entry_is_judged_only_when_all_it_covers_was_run(tmp_path: Path) -> None:
    assert [] == ledger(tmp_path).stale(PLANNED, [right(PLANNED[0][0])])


def test_an_entry_for_a_device_not_planned_is_left_alone(tmp_path: Path) -> None:
    book = ledger(tmp_path, ENTRY.replace("dtypes", 'devices = ["cuda"]\ndtypes'))
    assert [] == book.stale(PLANNED, [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('grade = "wrong"', 'grade = "awful"'),
        ('grade = "wrong"\n', ""),
        ("cases", "case"),
        ('">=2.0"', '"two"'),
        ("[[deviation]]", "[[deviation"),
        ('"float16"', "16"),
    ],
)
def test_a_malformed_ledger_is_one_sentence(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(ConformanceError, match=r"x\.deviations\.toml: .+\.$"):
        ledger(tmp_path, ENTRY.replace(old, new))


def test_each_pattern_of_a_list_is_judged_by_itself(tmp_path: Path) -> None:
    text = ENTRY.replace(
        'cases = "probabilities/edges/*"', 'cases = ["probabilities/edges/*", "logits/none/*"]'
    )
    book = ledger(tmp_path, text)
    found = result()
    assert "deviates" == status(book, found)
    (problem,) = book.stale([(found.case, found.device, found.dtype)], [found])
    assert "the entry for logits/none/* matches nothing. Remove it." in problem
