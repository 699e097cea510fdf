"""Known deviations in the report: how long each has been known."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from report_data import case, result, run

from conformance.report import render_report
from conformance.report.evidence import gather
from conformance.report.known import deviations

if TYPE_CHECKING:
    from conformance.model import Case
    from conformance.report.known import Deviation
    from conformance.results import Run


def run_of(*since: str | None, started: str = "2026-03-15T10:00:00Z") -> tuple[Run, list[Case]]:
    """A run with a deviation for each day on which one was written down, and its cases."""
    cases = [case(f"logits/tail/{i}", logits=[1], targets=[0]) for i in range(len(since))]
    results = [
        replace(
            result(asked, "torch", "float32"),
            status="deviates",
            deviation="https://example.org/1",
            reason=f"Reason {asked.id}.",
            since=day,
        )
        for asked, day in zip(cases, since, strict=True)
    ]
    return run(results, started=started), cases


def known(*since: str | None, started: str = "2026-03-15T10:00:00Z") -> list[Deviation]:
    made, cases = run_of(*since, started=started)
    return deviations(gather([made], cases), [made])


@pytest.mark.parametrize(
    ("since", "age"),
    [
        ("2026-03-15", "0 days"),
        ("2026-03-14", "1 day"),
        ("2026-01-16", "58 days"),
        ("2026-01-15", "2 months"),
        ("2024-03-16", "23 months"),
        ("2024-03-15", "24 months"),
        ("2026-03-16", "-"),
        ("tomorrow", "-"),
        ("9" * 5000, "-"),
        (None, "-"),
    ],
)
def test_the_age_is_told_in_whole_days_and_then_months(since: str | None, age: str) -> None:
    assert [age] == [row.age for row in known(since)]


@pytest.mark.parametrize("started", ["", "yesterday", "2026-13-01", "\ud800"])
def test_without_the_day_of_the_run_there_is_no_age(started: str) -> None:
    (row,) = known("2026-01-31", started=started)
    assert ("-", "2026-01-31") == (row.age, row.since)


def test_the_oldest_deviations_come_first() -> None:
    found = known(None, "2026-02-01", "2025-02-01")
    assert ["2025-02-01", "2026-02-01", "-"] == [row.since for row in found]


def test_what_several_adapters_share_is_told_once() -> None:
    made, cases = run_of("2026-01-15")
    [first] = made.results
    both = dataclasses.replace(made, results=[first, replace(first, adapter="ignite")])
    (row,) = deviations(gather([both], cases), [both])
    assert ["ignite", "torch"] == [subject.adapter for subject in row.subjects]
    assert (2, [first.case]) == (row.items, row.cases)


def test_without_any_day_the_page_tells_no_age() -> None:
    made, cases = run_of(None)
    assert "known for" not in render_report([made], cases)


def test_the_page_shows_age_day_and_link() -> None:
    made, cases = run_of("2026-01-15")
    page = render_report([made], cases)
    assert '2 months <span class="key since">since 2026-01-15</span>' in page
    assert '<a href="https://example.org/1" rel="noopener">' in page


def test_an_error_that_is_no_distance_is_not_called_zero() -> None:
    made, cases = run_of("2026-01-15")
    lost = {name: replace(each, ulp=None) for name, each in made.results[0].outputs.items()}
    changed = dataclasses.replace(made, results=[replace(made.results[0], outputs=lost)])
    (row,) = deviations(gather([changed], cases), [changed])
    assert "-" == row.worst
