"""Proposed entries of a ledger: they excuse what failed, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance.commands.deviations import ledger_text
from conformance.deviations import Ledger, load_ledger
from conformance.errors import ConformanceError
from conformance.model import Grade
from conformance.proposals import Entry, propose
from conformance.results import Footer, Header, NotRun, OutputResult, Result, Run

if TYPE_CHECKING:
    from collections.abc import Sequence

FAR = "got 3.0 (0x1.8p1), the truth is 1, 9 ulp away"
NAN = "at [0] got nan (nan), the truth is 1"


def result(case: str, *, wrong: dict[str, str] | None = None, **changes: Any) -> Result:
    """A result of four outputs, right but for those in ``wrong``, each with its message."""
    outputs = {name: OutputResult(grade="exact") for name in ("loss", "logits_grad")}
    for name, message in (wrong or {}).items():
        outputs[name] = OutputResult(grade="wrong", message=message)
    fields = {
        "case": case,
        "sha256": "0",
        "adapter": "mine",
        "device": "cpu",
        "dtype": "float32",
        "status": "failed" if wrong else "passed",
        "grade": "wrong" if wrong else "exact",
        "outputs": outputs,
    }
    return Result(**(fields | changes))


def made(
    results: Sequence[Result],
    *,
    version: str = "2.13.0+cpu",
    started: str = "2026-03-01T10:00:00Z",
    not_run: Sequence[NotRun] = (),
    complete: bool = True,
    require: str = "coarse",
) -> Run:
    header = Header(
        format="bce-conformance-run/1",
        started=started,
        versions={"bce-conformance": "0.1.0", "torch": version},
        machine={},
        devices={},
        options={"require": require},
        corpus="0",
        cases=1,
    )
    footer = Footer(counts={}, digest="") if complete else None
    return Run(Path("run.jsonl.gz"), header, results, tuple(not_run), footer)


def entries(*runs: Run) -> Sequence[Entry]:
    return propose(runs, "mine", ["torch"]).entries


def finished(text: str) -> str:
    """What a person makes of a proposal."""
    text = text.replace('issue = ""', 'issue = "https://example.org/1"')
    return text.replace('reason = ""', 'reason = "It is known."')


def book(folder: Path, runs: Sequence[Run], torch: str = "2.13.0+cpu") -> Ledger:
    path = folder / "mine.deviations.toml"
    path.write_text(finished(ledger_text(propose(runs, "mine", ["torch"]))), encoding="utf-8")
    return load_ledger([path], {"torch": torch})


def excused(ledger: Ledger, results: Sequence[Result]) -> list[str]:
    return [
        f"{each.case} {each.dtype}"
        for each in results
        if ledger.explain(each, Grade.coarse).status == "deviates"
    ]


def test_an_entry_says_all_that_the_results_have_in_common() -> None:
    (entry,) = entries(made([result("logits/a/x", wrong={"loss": NAN}), result("logits/a/y")]))
    assert (("logits/a/x",), ("float32",), ("cpu",)) == (entry.cases, entry.dtypes, entry.devices)
    assert (("loss",), "wrong", "got nan", (("torch", ">=2.13.0"),)) == entry.kind
    assert ("2026-03-01", 1) == (entry.since.isoformat(), entry.results)


def test_a_group_that_is_wrong_as_a_whole_is_a_pattern() -> None:
    wrong = [result(f"logits/a/{name}", wrong={"loss": NAN}) for name in "xyz"]
    (entry,) = entries(made([*wrong, result("logits/ab/x")]))
    assert (("logits/a/*",), 3) == (entry.cases, entry.results)


@pytest.mark.parametrize(
    "other",
    [
        result("logits/a/z"),
        result("logits/a/b/z"),
        result("logits/a/z", wrong={"loss": FAR}),
        result("logits/a/z", wrong={"logits_grad": NAN}),
        result("logits/a/z", wrong={"loss": NAN, "logits_grad": NAN}),
    ],
)
def test_a_pattern_never_catches_what_is_not_wrong_alike(other: Result) -> None:
    wrong = [result(f"logits/a/{name}", wrong={"loss": NAN}) for name in "xy"]
    assert ("logits/a/x", "logits/a/y") == entries(made([*wrong, other]))[0].cases


def test_a_pattern_may_leave_other_dtypes_alone() -> None:
    wrong = [result(f"logits/a/{name}", wrong={"loss": NAN}) for name in "xy"]
    (entry,) = entries(made([*wrong, result("logits/a/x", dtype="float64")]))
    assert (("logits/a/*",), ("float32",)) == (entry.cases, entry.dtypes)


@pytest.mark.parametrize(
    "changes",
    [
        {"complete": False},
        {"not_run": [NotRun(adapter="mine", device="cpu", items=1, reason="not selected")]},
    ],
)
def test_what_was_not_put_to_the_adapter_is_not_excused_by_a_pattern(
    changes: dict[str, Any],
) -> None:
    wrong = [result(f"logits/a/{name}", wrong={"loss": NAN}) for name in "xy"]
    (entry,) = entries(made(wrong, **changes))
    assert ("logits/a/x", "logits/a/y") == entry.cases


def test_devices_that_are_wrong_alike_share_an_entry() -> None:
    wrong = [result("logits/a/x", wrong={"loss": NAN}, device=name) for name in ("cpu", "cuda:1")]
    (entry,) = entries(made(wrong[:1]), made(wrong[1:], started="2026-02-01T10:00:00Z"))
    assert (("cpu", "cuda"), "2026-02-01") == (entry.devices, entry.since.isoformat())


def test_of_several_versions_an_entry_holds_from_the_lowest_on() -> None:
    runs = [made([result("a/x", wrong={"loss": NAN})], version=each) for each in ("2.9", "2.13")]
    for order in (runs, runs[::-1]):
        (entry,) = entries(*order)
        assert (("torch", ">=2.9"),) == entry.kind.when


def test_a_version_that_cannot_be_told_is_left_out() -> None:
    (entry,) = entries(made([result("a/x", wrong={"loss": NAN})], version="unknown"))
    assert () == entry.kind.when


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("raised TypeError: no", "raised TypeError"),
        ("returned values where an error is due", "returned values where an error is due"),
        ("something else", ""),
    ],
)
def test_an_error_that_is_missing_or_undue_is_an_entry_without_outputs(
    reason: str, message: str
) -> None:
    odd = result("a/x", status="failed", grade="wrong", outputs={}, reason=reason)
    (entry,) = entries(made([odd]))
    assert ((), message) == (entry.kind.outputs, entry.kind.message)


def test_another_policy_than_the_known_one_is_no_deviation() -> None:
    found = propose([made([result("a/x", status="failed")])], "mine", [])
    assert [] == found.entries
    (reason,) = found.left_out.values()
    assert "policies.toml" in reason


@pytest.mark.parametrize("fault", ["broken", "crashed", "timed_out"])
def test_what_is_no_answer_is_left_out(fault: str) -> None:
    changes = {"status": "failed", "grade": "wrong", "outputs": {}, "reason": "crashed: by itself"}
    found = propose([made([result("a/x", fault=fault, **changes)])], "mine", [])
    assert [] == found.entries
    assert ["no entry excuses what is no answer: crashed: by itself"] == [*found.left_out.values()]


def test_a_grade_that_no_entry_can_have_is_left_out() -> None:
    odd = result("a/x", status="failed", outputs={"loss": OutputResult(grade="accurate")})
    found = propose([made([odd], require="faithful")], "mine", [])
    assert ([], 1) == (found.entries, len(found.left_out))


def test_a_run_without_its_day_is_a_sentence() -> None:
    with pytest.raises(ConformanceError, match=r"gz: it was started 'once'.+Give a run"):
        entries(made([result("a/x", wrong={"loss": NAN})], started="once"))


MIXED = [
    result("logits/a/x", wrong={"loss": NAN}),
    result("logits/a/x", wrong={"loss": NAN}, dtype="float64"),
    result("logits/a/y", wrong={"loss": NAN}),
    result("logits/a/y", dtype="float64"),
    result("logits/a/z", wrong={"loss": FAR, "logits_grad": NAN}),
    result("logits/b/x", wrong={"loss": "its shape is (1,), not ()"}),
    result("logits/b/y", wrong={"loss": "its shape is (2,), not ()"}),
    result("logits/b/z", status="failed", outputs={}, grade="wrong", reason="raised A: no"),
    result('logits/[b]/*"\x7f\\', wrong={"loss": NAN}),
    result("logits/c/x"),
]


def test_what_is_proposed_excuses_all_that_failed(tmp_path: Path) -> None:
    failed = [f"{each.case} {each.dtype}" for each in MIXED if each.status == "failed"]
    ledger = book(tmp_path, [made(MIXED)])
    assert failed == excused(ledger, MIXED)
    planned = [(each.case, each.device, each.dtype) for each in MIXED]
    assert [] == ledger.stale(planned, MIXED)


@pytest.mark.parametrize(
    "other",
    [
        result("logits/a/new", wrong={"loss": NAN}),
        result("logits/a/y", wrong={"loss": NAN}, dtype="float64"),
        result("logits/a/x", wrong={"loss": FAR}),
        result("logits/a/x", wrong={"loss": NAN}, device="cuda"),
        result("logits/b/z", status="failed", outputs={}, grade="wrong", reason="raised B: no"),
        result('logits/b/anything"\x7f\\', wrong={"loss": NAN}),
    ],
)
def test_what_is_proposed_excuses_nothing_else(tmp_path: Path, other: Result) -> None:
    assert [] == excused(book(tmp_path, [made(MIXED)]), [other])


def test_what_is_proposed_does_not_hold_for_older_versions(tmp_path: Path) -> None:
    assert () == book(tmp_path, [made(MIXED)], torch="2.12.1").entries


def test_a_proposal_that_nobody_has_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.deviations.toml"
    path.write_text(ledger_text(propose([made(MIXED)], "mine", [])), encoding="utf-8")
    with pytest.raises(ConformanceError, match=r"toml:\d+: the entry for .+ its issue is empty"):
        load_ledger([path], {})
