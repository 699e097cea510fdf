"""PyTorch does to the known issues what their cases say that it did when they were run again."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from conformance.adapters.torch import TorchAdapter
from conformance.corpus import default_root, load_corpus
from conformance.deviations import Ledger
from conformance.model import Grade
from conformance.report.links import link
from conformance.runner import Runner

if TYPE_CHECKING:
    from conformance.model import Case
    from conformance.results import Result

REGRESSIONS = load_corpus([default_root() / "regressions"]).cases
INSTALLED = f"torch {version('torch').partition('+')[0]}"
RERUN_ON_TORCH = [
    case
    for case in REGRESSIONS
    if case.regression and (case.regression.rerun_on or "").startswith("torch ")
]


def shows_the_fault(case: Case, result: Result) -> bool:
    """Whether an answer is less than accurate, or right by another policy than the case's first."""
    assert result.grade is not None, result.reason
    if Grade[result.grade] > Grade.accurate:
        return True
    first = case.policies[0] if case.policies else None
    if result.raised:
        return first not in (None, "refuse")
    return any(graded.policy != first for graded in result.outputs.values())


@pytest.mark.parametrize("case", RERUN_ON_TORCH, ids=lambda case: case.id)
def test_torch_still_answers_as_when_the_issue_was_run_again(case: Case) -> None:
    assert case.regression
    if case.regression.rerun_on != INSTALLED:
        pytest.skip(f"run again on {case.regression.rerun_on}, installed is {INSTALLED}")
    runner = Runner()
    results = [
        runner.run(TorchAdapter(), "cpu", dtype, [case], Ledger())[0] for dtype in case.dtypes
    ]
    reproduces = any(shows_the_fault(case, result) for result in results)
    assert (case.regression.result == "reproduces") == reproduces, results


def test_each_regression_says_which_versions_had_the_fault_and_links_its_issue() -> None:
    assert [] == [
        case.id
        for case in REGRESSIONS
        if not case.regression or not case.source or not all(map(link, case.source))
    ]


def test_at_least_sixty_issues_are_linked() -> None:
    assert len({link(source) for case in REGRESSIONS for source in case.source}) >= 60


def test_most_regressions_have_been_run_again() -> None:
    rerun = [case for case in REGRESSIONS if case.regression and case.regression.rerun_on]
    assert len(rerun) > len(REGRESSIONS) / 2
