"""Looks at the report as people do who see little, use no mouse, or read it on a phone or paper."""

from __future__ import annotations

import base64
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from browsing import a_browser, a_page  # noqa: F401 - the fixtures "browser" and "page"
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tools.fetch_axe import PLACE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browsing import Page

CASE = "logits/negative_tail/minus_40_t0"
FOCUSED = "return document.activeElement"


@pytest.fixture(name="axe", scope="module")
def the_script_of_axe() -> str:
    if not PLACE.exists() and not os.environ.get("BCE_CONFORMANCE_REQUIRE_BROWSER"):
        pytest.skip("axe-core is not there: python -m tools.fetch_axe")
    return PLACE.read_text("utf-8")


def violations(page: Page, axe: str) -> list[str]:
    """What axe finds by any of its rules: the rule, and where."""
    page.run(axe)
    found = page.driver.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        // After the next frame: what scrolls sideways is made known once it is laid out.
        requestAnimationFrame(() => setTimeout(() => axe.run(document)
          .then(done, (error) => done(String(error)))));
        """
    )
    assert isinstance(found, dict), found
    assert found["passes"], "axe has looked at nothing"
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


@contextmanager
def seen(page: Page, **features: str) -> Iterator[None]:
    """As with these media features, or as the medium "print"."""
    listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    emulated: dict[str, Any] = {"media": "", "features": listed}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)
    try:
        yield
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def press(page: Page, *keys: str) -> None:
    for key in keys:
        ActionChains(page.driver).send_keys(key).perform()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "view",
    [
        ("realistic", "", 1280),
        ("realistic", f"#case={CASE}", 1280),
        ("realistic", "#q=tail&differs=on&sort=-ulp", 1280),
        ("realistic", "", 380),
        ("realistic", f"#case={CASE}", 380),
        ("trainers", "", 1280),
        ("hostile", "", 380),
    ],
)
def test_axe_finds_nothing(page: Page, axe: str, view: tuple[str, str, int], theme: str) -> None:
    report, hash_, width = view
    with page.width(width), seen(page, prefers_color_scheme=theme):
        page.open(report, hash_)
        page.show_plots()
        assert [] == violations(page, axe)
    page.driver.get_log("browser")  # Of axe, not of the page.


def test_the_tab_key_reaches_every_control_and_each_is_seen(page: Page) -> None:
    page.open(hash_="#q=minus_40_t0&adapter=torch")
    page.show_plots()
    page.run("document.activeElement.blur(); scrollTo(0, 0);")
    wanted = page.run(
        """
        const found = [...document.querySelectorAll(
          'a[href], button:enabled, select, input, summary, [tabindex="0"]')];
        // Of radio buttons only the chosen one is reached by Tab; the arrows go on from there.
        return found.filter((e) => e.checkVisibility() && (e.type !== 'radio' || e.checked)).length;
        """
    )
    reached = 0
    for _ in range(wanted):
        press(page, Keys.TAB)
        found = page.run(
            """
            const e = document.activeElement;
            if (e === document.body || e.dataset.reached) return null;
            e.dataset.reached = '1';
            const shown = e.type === 'radio' ? e.nextElementSibling : e;
            const style = getComputedStyle(shown);
            const box = shown.getBoundingClientRect();
            return [style.outlineStyle, box.width > 0 && box.bottom > 0 && box.top < innerHeight];
            """
        )
        assert found is not None
        assert ["solid", True] == found
        reached += 1
    assert wanted == reached
    tops = page.run(
        "return [...document.querySelectorAll('[data-reached]')].map((e) => e.closest('section'))"
        ".filter(Boolean).map((s) => s.getBoundingClientRect().top)"
    )
    assert sorted(tops) == tops


def test_a_case_takes_the_focus_keeps_it_and_gives_it_back(page: Page) -> None:
    page.open(hash_="#q=minus_40_t0&adapter=torch")
    row = page.one("#rows tbody a")
    row.send_keys(Keys.ENTER)
    page.until("return document.getElementById('panel').open")
    assert "panel-id" == page.run(f"{FOCUSED}.id")
    assert page.driver.title.startswith(CASE)
    for _ in range(40):
        press(page, Keys.TAB)
        # A browser lets the focus leave a dialog for its own bars, and come back.
        assert page.run(
            f"const e = document.activeElement; {FOCUSED} === document.body"
            " || document.getElementById('panel').contains(e)"
        )
    press(page, Keys.ESCAPE)
    page.until("return !document.getElementById('panel').open")
    assert row == page.run(FOCUSED)
    page.until("return document.title === 'Conformance of binary cross-entropy'")


def test_going_back_from_a_case_brings_the_focus_to_its_row(page: Page) -> None:
    page.open(hash_="#q=minus_40_t0&adapter=torch")
    page.one("#rows tbody a").send_keys(Keys.ENTER)
    page.until("return document.getElementById('panel').open")
    page.driver.back()
    page.until("return !document.getElementById('panel').open")
    assert CASE == page.run(f"{FOCUSED}.textContent")


def test_keys_go_through_the_cases_of_the_filter(page: Page) -> None:
    page.open(hash_="#group=logits/negative_tail&adapter=numpy&dtype=float16&sort=case")
    listed = page.texts("#rows tbody th.case")
    page.one("#rows tbody a").send_keys(Keys.ENTER)
    page.until("return document.getElementById('panel').open")
    opened = []
    for key in ("j", "j", "k"):
        press(page, key)
        opened.append(page.texts("#panel-id")[0])
        assert "float16" == page.run("return document.querySelector('#panel :checked').value")
    assert [listed[1], listed[2], listed[1]] == opened
    assert page.hash == f"case={listed[1]}"
    page.one("#panel [data-step='1']").click()
    page.until(f"return document.getElementById('panel-id').textContent === {listed[2]!r}")
    assert "next" == page.run(f"{FOCUSED}.textContent")
    page.driver.back()  # At once to the table, whatever was walked through.
    page.until("return !document.getElementById('panel').open")
    assert page.hash.startswith("group=")


def test_arrow_keys_walk_through_a_plot_by_logit_and_enter_opens_the_case(page: Page) -> None:
    page.open()
    page.show_plots()
    canvas = page.one("#plot-grid canvas")
    page.run("document.querySelector('#plot-legend input').focus()")
    while page.run(FOCUSED) != canvas:
        press(page, Keys.TAB)
    told = []
    for key in (Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.END):
        press(page, key)
        assert page.one("#plot-tip").is_displayed()
        assert "status" == page.one("#plot-tip").get_attribute("role")
        assert page.one("#plot-grid .ring").is_displayed()
        told.append(page.one("#plot-tip").text)
    assert told[3] == told[1]
    logits = [float(text.split("logit ")[1].split(",")[0].split("\n")[0]) for text in told]
    assert sorted(logits[:3]) == logits[:3]
    assert (float("-inf"), float("inf")) == (logits[0], logits[-1])
    press(page, Keys.ENTER)
    page.until("return document.getElementById('panel').open")
    assert told[-1].splitlines()[0] == page.texts("#panel-id")[0]
    press(page, Keys.ESCAPE)
    page.until("return !document.getElementById('panel').open")
    assert canvas == page.run(FOCUSED)


def test_the_plots_are_told_in_numbers(page: Page) -> None:
    page.open()
    page.show_plots()
    page.one("#plot-numbers summary").click()
    page.until("return document.querySelector('#plot-numbers tbody tr')")
    lines = [text for text in page.texts("#plot-numbers tbody tr") if "loss, float32" in text]
    assert 4 == len(lines)  # One for each adapter.


def test_the_matrix_leads_to_a_case_in_two_steps(page: Page) -> None:
    page.open()
    page.one(".matrix a.cell[href*='negative_tail'][href*='numpy']").click()
    page.until("return location.hash.includes('group')")
    page.one("#rows tbody a").click()
    page.until("return document.getElementById('panel').open")


@pytest.mark.parametrize("name", ["realistic", "hostile", "trainers", "hostile trainers", "many"])
def test_no_section_is_wider_than_a_telephone(page: Page, name: str) -> None:
    with page.width(380):
        page.open(name)
        page.show_plots()
        page.run("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
        for section in page.run("return [...document.querySelectorAll('section')]"):
            page.run("arguments[0].scrollIntoView()", section)
            scrolled = page.run("return document.scrollingElement.scrollWidth - innerWidth")
            assert 0 >= scrolled, section.get_attribute("id")
        page.run("document.querySelector('#rows tbody a').click()")
        page.until("return document.getElementById('panel').open")
        panel = "document.getElementById('panel')"
        wider = f"""
            const end = {panel}.getBoundingClientRect().right;
            return [...{panel}.querySelectorAll(":scope *:not(.wide *, pre *)")]
              .filter((e) => e.getBoundingClientRect().right > end).map((e) => e.outerHTML);
        """
        assert [] == page.run(wider)
        assert 0 >= page.run(f"return {panel}.scrollWidth - {panel}.clientWidth")


@pytest.mark.parametrize(
    ("hash_", "tables"), [("#q=tail", "#rows"), (f"#case={CASE}", ".statuses, .output")]
)
def test_on_a_telephone_results_and_answers_need_no_scrolling_sideways(
    page: Page, hash_: str, tables: str
) -> None:
    with page.width(380):
        page.open(hash_=hash_)
        widths = page.run(
            "return [...document.querySelectorAll(arguments[0])].map(({ parentElement: e }) =>"
            " [e.clientWidth, e.scrollWidth])",
            tables,
        )
    assert widths
    assert [shown for shown, _ in widths] == [whole for _, whole in widths]


def test_paper_has_no_controls_and_all_of_the_text(page: Page) -> None:
    page.open("trainers")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        hidden = page.run(
            # What a move is from and to is not only a control, but what the text says.
            "return [...document.querySelectorAll('button, select, input, form, dialog, .ring')]"
            ".filter((e) => e.checkVisibility() && !e.matches('.move select'))"
            ".map((e) => e.outerHTML)"
        )
        assert [] == hidden
        assert page.one("#summary").is_displayed()
        printed = page.driver.execute_cdp_cmd("Page.printToPDF", {})["data"]
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert base64.b64decode(printed).startswith(b"%PDF-")
