"""Known wrong answers: matched, and struck out when they are wrong no more."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

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
since = 2026-01-31
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


@pytest.mark.parametrize("fault", ["broken", "crashed", "timed_out"])
def test_what_is_no_answer_is_never_excused(tmp_path: Path, fault: str) -> None:
    book = ledger(tmp_path, ENTRY.replace('outputs = ["probabilities_grad"]', ""))
    crashed = result(outputs={}, reason="crashed: the process ended by signal 6 (SIGABRT)")
    assert "deviates" == status(book, crashed)
    assert "failed" == status(book, replace(crashed, fault=fault))
    assert "failed" == status(ledger(tmp_path), result(fault=fault))


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
    with pytest.raises(ConformanceError, match=r"x\.deviations\.toml(:2)?: .+\.$"):
        ledger(tmp_path, ENTRY.replace(old, new))


def sentence(folder: Path, text: str) -> str:
    with pytest.raises(ConformanceError) as caught:
        ledger(folder, text)
    return str(caught.value).removeprefix(f"{folder}/")


def test_an_error_names_the_file_the_line_and_the_entry(tmp_path: Path) -> None:
    bad = ENTRY.replace("edges", "interior").replace('"wrong"', '"awful"')
    assert (
        "x.deviations.toml:12: the entry for probabilities/interior/*: "
        "Invalid enum value 'awful' - at `$.grade`. Mend the ledger."
    ) == sentence(tmp_path, ENTRY + bad)


def test_without_a_line_that_can_be_told_the_entry_is_still_named(tmp_path: Path) -> None:
    assert (
        "x.deviations.toml: entry 2: Expected `object`, got `int`. Mend the ledger."
    ) == sentence(tmp_path, f"deviation = [{entry_inline()}, 3]")


def entry_inline() -> str:
    return (
        '{cases = "a", grade = "wrong", since = 2026-01-31, '
        'issue = "https://example.org", reason = "R."}'
    )


@pytest.mark.parametrize("name", ["issue", "reason"])
def test_an_entry_that_nobody_has_finished_is_refused(tmp_path: Path, name: str) -> None:
    lines = [f'{name} = " "' if line.startswith(name) else line for line in ENTRY.splitlines()]
    found = sentence(tmp_path, "\n".join(lines))
    assert f"x.deviations.toml:2: the entry for probabilities/edges/*: its {name} is empty" in found


def test_an_entry_for_other_versions_is_held_to_the_same(tmp_path: Path) -> None:
    text = ENTRY.replace(">=2.0", "<1").replace("example.org/1", "").replace("https://", "")
    assert "its issue is empty" in sentence(tmp_path, text)


def test_an_entry_without_its_day_is_told_how_to_write_it(tmp_path: Path) -> None:
    found = sentence(tmp_path, ENTRY.replace("since = 2026-01-31\n", ""))
    assert found.endswith("such as since = 2026-01-31.")


def test_an_empty_list_of_cases_is_refused(tmp_path: Path) -> None:
    text = ENTRY.replace('"probabilities/edges/*"', "[]")
    assert "its list of cases is empty" in sentence(tmp_path, text)


def test_a_result_carries_the_earliest_day_of_its_entries(tmp_path: Path) -> None:
    later = ENTRY.replace("2026-01-31", "2026-02-01")
    found = ledger(tmp_path, later + ENTRY).explain(result(), Grade.coarse)
    assert "2026-01-31" == found.since


def test_a_day_that_lies_ahead_holds_whatever_a_machine_s_clock_says(tmp_path: Path) -> None:
    (entry,) = ledger(tmp_path, ENTRY.replace("2026-01-31", "9999-12-31")).entries
    assert dt.date(9999, 12, 31) == entry[1].since


def test_a_version_that_cannot_be_told_is_in_no_range(tmp_path: Path) -> None:
    assert () == ledger(tmp_path, torch="unknown").entries


def test_another_error_than_the_known_one_is_not_excused(tmp_path: Path) -> None:
    text = ENTRY.replace('outputs = ["probabilities_grad"]', 'message = "raised TypeError"')
    book = ledger(tmp_path, text)
    for reason, wanted in (("raised TypeError: no", "deviates"), ("raised OSError: no", "failed")):
        assert wanted == status(book, result(outputs={}, reason=reason))
    found = book.explain(result(outputs={}, reason="raised TypeError: no"), Grade.coarse)
    key = (found.case, found.device, found.dtype)
    assert [] == book.stale([key], [found])
    (problem,) = book.stale([key], [result(outputs={}, reason="raised OSError: no")])
    assert "no longer deviates" in problem


def test_what_an_adapter_declines_makes_no_entry_stale(tmp_path: Path) -> None:
    declined = result(status="not_run", grade=None, outputs={}, reason="x does not offer bce")
    assert [] == ledger(tmp_path).stale(
        [(declined.case, declined.device, declined.dtype)], [declined]
    )
    only_loss = result(
        status="passed",
        grade="exact",
        outputs={"loss": OutputResult(grade="exact")},
        declined=["probabilities_grad"],
    )
    assert [] == ledger(tmp_path).stale(
        [(only_loss.case, only_loss.device, only_loss.dtype)], [only_loss]
    )


def test_each_pattern_of_a_list_is_judged_by_itself(tmp_path: Path) -> None:
    text = ENTRY.replace(
        'cases = "probabilities/edges/*"', 'cases = ["probabilities/edges/*", "logits/none/*"]'
    )
    book = ledger(tmp_path, text)
    found = result()
    assert "deviates" == status(book, found)
    (problem,) = book.stale([(found.case, found.device, found.dtype)], [found])
    assert "the entry for logits/none/* matches nothing. Remove it." in problem
