"""Keeps a report of 100,000 results small, and quick to make and to open."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from browsing import a_browser, a_page  # noqa: F401 - the fixtures "browser" and "page"
from report_runs import many

from conformance.report import write_report

if TYPE_CHECKING:
    from pathlib import Path

    from browsing import Page

COUNT = 100_000


@pytest.fixture(name="large", scope="module")
def a_large_report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A report of 100,000 results, with the seconds that it took."""
    path = tmp_path_factory.mktemp("large") / "index.html"
    runs, cases = many(COUNT)
    start = time.perf_counter()
    write_report(runs, cases, path)
    return path, time.perf_counter() - start


def test_a_hundred_thousand_results_fit_into_three_megabytes(large: tuple[Path, float]) -> None:
    path, seconds = large
    assert 3_000_000 > path.stat().st_size
    assert 60 > seconds  # Below 5 where nothing else runs: benchmarks/report_cost.py.


def test_a_hundred_thousand_results_are_soon_usable(page: Page, large: tuple[Path, float]) -> None:
    path, _ = large
    page.addresses.known["large"] = path.as_uri()
    start = time.perf_counter()
    page.open("large")
    assert 20 > time.perf_counter() - start  # Below 1.5 where nothing else runs.
    assert "100,000 of 100,000 results" == page.texts("#matches")[0]
    assert 20_000 > page.run("return document.querySelectorAll('*').length")
    page.show_plots()
    assert 25_000 == page.run(
        "return Math.max(...[...document.querySelectorAll('canvas[data-marks]')]"
        ".map((canvas) => Number(canvas.dataset.marks)))"
    )
