"""Opens the table of trainers in Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browsing import a_browser, a_page  # noqa: F401 - the fixtures "browser" and "page"
from report_jobs import CARRIED, SHORT, STEPPED
from report_runs import HOSTILE
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from conformance.report.policy_words import policy_words

if TYPE_CHECKING:
    from browsing import Page


def moved(page: Page, one: str, other: str) -> None:
    for name, trainer in (("from", one), ("to", other)):
        Select(page.one(f"#move-{name}")).select_by_visible_text(trainer)


def test_another_move_between_trainers_tells_other_changes(page: Page) -> None:
    page.open("trainers")
    [change] = page.texts("#move-changes .change")
    assert f"{policy_words(CARRIED)} → {policy_words(STEPPED)}" in change
    moved(page, "lightning", "torch")
    assert ["2 things:"] == page.texts("#move-count")
    window, reason, epoch = page.texts("#move-changes .change")
    assert f"{policy_words(STEPPED)} → ✗ wrong" in window
    assert reason.startswith("✗ torch ")
    assert reason.endswith("Wrong on 1 scenario.")
    assert "weighed by samples → mean of batches, all alike" in epoch


def test_a_move_told_by_the_script_is_the_one_told_without_it(page: Page) -> None:
    page.open("hostile trainers")
    read = "return document.getElementById('move-changes').innerText.replace(/\\s+/g, ' ')"
    before, count = page.run(read), page.texts("#move-count")
    moved(page, "lightning", "ignite")
    assert before != page.run(read)
    moved(page, "ignite", "lightning")
    assert (before, count) == (page.run(read), page.texts("#move-count"))
    assert HOSTILE in before


def test_no_move_to_the_same_trainer_changes_anything(page: Page) -> None:
    page.open("trainers")
    moved(page, "torch", "torch")
    assert ["0 things."] == page.texts("#move-count")
    assert [] == page.texts("#move-changes li")


def test_a_policy_is_explained_where_it_is_focused(page: Page) -> None:
    page.open("trainers")
    page.run("document.querySelector('.policies .term').focus()")
    assert page.texts("#term-tip")[0].startswith(f"{CARRIED}It means {HOSTILE}.")
    assert page.one("#term-tip").is_displayed()
    page.one(".policies .term").send_keys(Keys.ESCAPE)
    assert not page.one("#term-tip").is_displayed()


def test_a_scenario_tells_its_job_and_each_trainers_policy_and_error(page: Page) -> None:
    page.open("trainers", f"#case={SHORT.id}")
    page.until("return document.getElementById('panel').open")
    assert "trains a model: linear; 1 output" in page.one("#panel .facts").text
    heads = ["subject", "status", "grade", "policy", "error / allowed", "message"]
    assert heads == page.texts(".statuses thead th")
    ignite, lightning, torch = page.texts(".statuses tbody tr")
    assert CARRIED in ignite
    assert STEPPED in lightning
    assert f"none; nearest {STEPPED}" in torch
    assert ["losses", "parameters"] == page.texts(".answers details > summary")


@pytest.mark.parametrize("width", [380, 800])
@pytest.mark.parametrize("name", ["realistic", "trainers", "hostile trainers"])
def test_a_narrow_page_does_not_scroll_sideways(page: Page, name: str, width: int) -> None:
    with page.width(width):
        page.open(name)
        assert width >= page.run("return document.documentElement.scrollWidth")


def test_sixty_hostile_policies_stay_text(page: Page) -> None:
    page.open("hostile trainers")
    assert [] == page.texts("img")
    assert 60 == len(page.texts(".key-list .term"))
    assert any(HOSTILE in text for text in page.texts(".fault"))
    assert not page.run("return [...document.links].some((a) => a.protocol === 'javascript:')")
    page.run("document.querySelector('.key-list .term').focus()")
    assert HOSTILE in page.texts("#term-tip")[0]


def test_why_something_was_not_run_is_read_by_the_keyboard_and_on_paper(page: Page) -> None:
    page.open("hostile trainers")
    shown = "return document.querySelector('.absent span').checkVisibility()"
    seen = [page.run(shown)]
    for _ in range(2):
        page.one(".absent summary").send_keys(Keys.ENTER)
        seen.append(page.run(shown))
    assert [False, True, False] == seen
    assert HOSTILE == page.texts(".absent span")[0]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert page.run(shown)
        assert not page.one(".code details").is_displayed()
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
