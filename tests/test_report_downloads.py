"""Downloads what the table shows, as a reader does."""

from __future__ import annotations

import csv
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from browsing import a_browser, a_page  # noqa: F401 - the fixtures "browser" and "page"
from report_runs import HOSTILE

if TYPE_CHECKING:
    from pathlib import Path

    from browsing import Page

FILTERED = "#adapter=numpy&dtype=float16&sort=case"


def downloaded(page: Page, folder: Path, kind: str) -> str:
    """The file that the button gives."""
    page.driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)}
    )
    path = folder / f"bce-conformance-results.{kind}"
    page.run(f"document.getElementById('download-{kind}').click()")
    until = time.monotonic() + 20
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.05)
    return path.read_bytes().decode("utf-8")


def shown(page: Page) -> list[tuple[str, ...]]:
    """Case, adapter, device and dtype of every row, of all pages of the table."""
    rows = []
    while True:
        found: Any = page.run(
            "return [...document.querySelectorAll('#rows tbody tr')]"
            ".map((row) => [...row.cells].slice(0, 4).map((cell) => cell.textContent))"
        )
        rows += [tuple(row) for row in found]
        if not page.one("#next").is_enabled():
            return rows
        page.one("#next").click()


def test_the_csv_has_the_rows_that_the_filter_shows_on_all_pages(
    page: Page, tmp_path: Path
) -> None:
    page.open(hash_=FILTERED)
    text = downloaded(page, tmp_path, "csv")
    rows = list(csv.DictReader(text.splitlines(keepends=True), strict=True))
    expected = shown(page)
    assert 50 < len(expected)
    assert expected == [tuple(r[n] for n in ("case", "adapter", "device", "dtype")) for r in rows]
    assert {"exact"} == {row["grade"] for row in rows}
    assert all(float(row["worst_ulp"]) >= 0 for row in rows if row["status"] == "passed")
    assert text.count("\r\n") == text.count("\n") == len(rows) + 1


def test_the_json_has_the_same_rows_with_every_output(page: Page, tmp_path: Path) -> None:
    page.open(hash_=FILTERED)
    found = json.loads(downloaded(page, tmp_path, "json"))
    assert {"adapter": "numpy", "dtype": "float16", "sort": "case"} == found["filters"]
    rows = found["results"]
    assert shown(page) == [(r["case"], r["adapter"], r["device"], r["dtype"]) for r in rows]
    one = next(row for row in rows if row["case"] == "logits/positive_tail/plus_0_5_t0")
    assert ["0.974"] == one["outputs"]["loss"]["values"]
    assert {"loss", "logits_grad", "targets_grad"} == one["outputs"].keys()


def test_no_result_is_a_file_without_rows(page: Page, tmp_path: Path) -> None:
    page.open(hash_="#adapter=jax")
    assert [] == json.loads(downloaded(page, tmp_path, "json"))["results"]
    assert 1 == len(downloaded(page, tmp_path, "csv").splitlines())


def test_hostile_text_is_a_cell_as_it_was(page: Page, tmp_path: Path) -> None:
    page.open("hostile")
    [row] = json.loads(downloaded(page, tmp_path, "json"))["results"]
    assert HOSTILE == row["adapter"] == row["message"]
    [cells] = csv.DictReader(downloaded(page, tmp_path, "csv").splitlines(keepends=True))
    assert HOSTILE == cells["adapter"] == cells["raised"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ('a "b", c', '"a ""b"", c"'),
        ("two\nlines", '"two\nlines"'),
        ("=a,b", '"\'=a,b"'),
        (-1.5, "-1.5"),
        (None, ""),
        ("a=b", "a=b"),
    ],
)
def test_no_text_of_a_cell_is_taken_for_a_formula(page: Page, value: Any, expected: str) -> None:
    page.open()
    assert expected == page.run("return csvCell(arguments[0])", value)
