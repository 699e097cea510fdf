"""A report of twenty ways to run one framework, as a reader sees it in Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browsing import a_browser, a_page  # noqa: F401 - the fixtures "browser" and "page"
from report_data import careful, case, result, run

from conformance.report import write_report

if TYPE_CHECKING:
    from pathlib import Path

    from browsing import Page

ONE = case("logits/negative_tail/one", logits=[-20], targets=[0])
WAYS = [
    f"torch:{way}" for way in ("func.grad", *(f"way_{letter}" for letter in "abcdefghijklmnop"))
]
WIDTHS = (
    "return [document.documentElement.scrollWidth, document.documentElement.clientWidth,"
    " document.querySelector('.matrix').scrollWidth]"
)


@pytest.fixture(name="ways")
def a_report_of_many_ways(page: Page, tmp_path: Path) -> Page:
    results = [result(ONE, name) for name in ("ignite", "torch", *WAYS)]
    results.append(result(ONE, "numpy", formula=careful))
    write_report([run(results)], [ONE], tmp_path / "index.html")
    page.addresses.known["ways"] = (tmp_path / "index.html").as_uri()
    page.open("ways")
    return page


@pytest.mark.parametrize("pixels", [380, 1280])
def test_what_is_wide_scrolls_in_its_own_box(ways: Page, pixels: int) -> None:
    with ways.width(pixels):
        page, screen, matrix = ways.run(WIDTHS)
        assert page == screen
        assert matrix > screen
        ways.run("document.querySelector('.matrix').parentElement.scrollLeft = 300")
        left = "return document.querySelector('.matrix {}').getBoundingClientRect().left"
        assert 0 <= ways.run(left.format("tbody tr + tr th")) < 150
        assert ways.run(left.format("thead tr + tr th")) < 150


def test_ways_are_drawn_when_they_are_chosen_and_can_be_told_apart(ways: Page) -> None:
    ways.show_plots()
    chosen = "return [...document.querySelectorAll('#plot-legend :checked')].length"
    assert 3 == ways.run(chosen)
    names = ways.texts("#plot-legend label")
    assert ["ignite", "numpy", "torch", "torch:func.grad"] == names[:4]
    looks = ways.run(
        "return [...document.querySelectorAll('#plot-legend canvas')].map((canvas) =>"
        " canvas.toDataURL() + getComputedStyle(canvas).color)"
    )
    assert len(names) == len(looks) == len(set(looks))


def test_a_case_names_all_ways_as_one(ways: Page) -> None:
    ways.open("ways", f"#case={ONE.id}")
    assert ["ignite cpu", "numpy cpu", "all ways of torch cpu"] == ways.texts(
        "#panel .statuses tbody th"
    )
    answers = ways.texts("#panel table.output:first-of-type tbody th")
    assert "ignite cpu, all ways of torch cpu" in answers


def test_an_address_selects_a_way_by_its_name(ways: Page) -> None:
    ways.run("document.querySelector('#ways tbody a[href*=func]').click()")
    ways.until("return location.hash.includes('func')")
    assert "#adapter=torch%3Afunc.grad&device=cpu" == f"#{ways.hash}"
    assert {"torch:func.grad"} == set(ways.texts("#rows tbody td:nth-child(2)"))
    ways.open("ways", "#adapter=torch:func.grad")
    assert {"torch:func.grad"} == set(ways.texts("#rows tbody td:nth-child(2)"))
