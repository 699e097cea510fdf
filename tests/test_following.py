"""The policies known of a trainer: confirmed, or told to have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.errors import ConformanceError
from conformance.following import Followings, load_followings
from conformance.results import OutputResult, Result

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = """
[[follows]]
cases = ["training/accumulation/*", "training/sums/*"]
policy = "window_by_length_carried"
dtypes = ["float32"]
when = { pytorch-ignite = ">=0.5" }
"""


def known(folder: Path, text: str = ENTRY, ignite: str = "0.5.5") -> Followings:
    path = folder / "x.policies.toml"
    path.write_text(text, encoding="utf-8")
    return load_followings([path], {"pytorch-ignite": ignite})


def result(policy: str | None, *, status: str = "passed", dtype: str = "float32") -> Result:
    output = OutputResult(grade="accurate", policy=policy)
    return Result(
        case="training/accumulation/short",
        sha256="0",
        adapter="ignite",
        device="cpu",
        dtype=dtype,
        status=status,  # type: ignore[arg-type]
        grade="accurate",
        outputs={"losses": output, "parameters": output},
    )


def test_the_known_policy_is_confirmed(tmp_path: Path) -> None:
    found = result("window_by_length_carried")
    assert found == known(tmp_path).confirm(found)


def test_another_policy_fails_with_both_names(tmp_path: Path) -> None:
    found = known(tmp_path).confirm(result("window_by_samples"))
    reason = "follows window_by_samples, and window_by_length_carried is known of it."
    remedy = "Tell its users what has changed, then mend x.policies.toml."
    assert ("failed", f"{reason} {remedy}") == (found.status, found.reason)


@pytest.mark.parametrize(
    "untouched",
    [
        result(None),
        result("window_by_samples", dtype="float64"),
        result("window_by_samples", status="failed"),
        result("window_by_samples", status="deviates"),
    ],
)
def test_what_no_entry_speaks_of_stays_as_it_is(tmp_path: Path, untouched: Result) -> None:
    assert untouched == known(tmp_path).confirm(untouched)


def test_an_entry_for_other_versions_is_left_out(tmp_path: Path) -> None:
    assert () == known(tmp_path, ignite="0.4.13").entries


def test_an_entry_that_matches_nothing_is_stale(tmp_path: Path) -> None:
    (problem,) = known(tmp_path).stale([("training/accumulation/short", "cpu", "float32")])
    assert problem.endswith("the policy for training/sums/* matches nothing. Remove it.")


@pytest.mark.parametrize("text", ["[[follows]]\ncases = 1", "[[follow]]", "follows = 3", "["])
def test_a_malformed_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConformanceError, match=r"x\.policies\.toml:.* Mend the ledger"):
        known(tmp_path, text)
