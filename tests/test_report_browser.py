"""Opens the report in Chromium, as a reader does: from disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browsing import a_browser, a_page  # noqa: F401 - the fixtures "browser" and "page"
from report_runs import HOSTILE
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

if TYPE_CHECKING:
    from browsing import Page

CASE = "logits/negative_tail/minus_40_t0"


def test_a_flag_opens_to_its_explanation(page: Page) -> None:
    page.open(hash_=f"#case={CASE}")
    page.one("#panel .facts summary").click()
    assert f"It means {HOSTILE}. It matters." == page.one("#panel .facts details p").text
    links = page.run("return [...document.querySelectorAll('.facts details a')].map(a => a.href)")
    assert {"https://example.org/"} == set(links)


def test_the_table_shows_one_page_of_all_results_the_worst_first(page: Page) -> None:
    page.open()
    assert 50 == len(page.texts("#rows tbody tr"))
    assert "failed" in page.texts("#rows tbody tr")[0]
    page.one("#next").click()
    assert page.texts("#page")[0].startswith("page 2 of ")


def test_filters_narrow_the_table_and_go_into_the_address(page: Page) -> None:
    page.open()
    Select(page.one("[name=adapter]")).select_by_value("numpy")
    Select(page.one("[name=dtype]")).select_by_value("float16")
    page.one("[name=q]").send_keys("minus_40")
    assert "q=minus_40&adapter=numpy&dtype=float16" == page.hash
    assert 3 == len(page.texts("#rows tbody tr"))
    assert {"numpy"} == set(page.texts("#rows td:nth-child(2)"))


def test_an_address_with_filters_is_the_same_view_again(page: Page) -> None:
    page.open(hash_="#adapter=torch&device=cuda&status=passed&sort=-ulp")
    assert {"cuda"} == set(page.texts("#rows td:nth-child(3)"))
    assert "cuda" == Select(page.one("[name=device]")).first_selected_option.text
    assert "descending" == page.one("th.ulp").get_attribute("aria-sort")


def test_a_filter_of_which_there_is_no_result_shows_none(page: Page) -> None:
    page.open(hash_="#adapter=jax")
    assert [] == page.texts("#rows tbody tr")
    assert page.texts("#matches")[0].startswith("0 of ")


def test_differs_shows_only_cases_on_which_grades_disagree(page: Page) -> None:
    page.open(hash_=f"#q={CASE}")
    assert 20 == len(page.texts("#rows tbody tr"))
    page.one("[name=differs]").click()
    assert {CASE} == set(page.texts("#rows tbody th.case"))
    page.open(hash_="#q=logits/large/sum&differs=on&dtype=float64")
    grades = {text.split()[-1] for text in page.texts("#rows td.grade")}
    assert 1 < len(grades)


def test_clear_removes_every_filter(page: Page) -> None:
    page.open(hash_="#adapter=torch&differs=on&sort=case")
    page.one("#filters [type=reset]").click()
    assert "" == page.hash
    assert page.texts("#matches")[0].startswith("2,7")


def test_a_heading_sorts_one_way_then_the_other_then_not(page: Page) -> None:
    page.open()
    orders = []
    for _ in range(3):
        page.one("[data-sort=case]").click()
        orders.append(page.one("th.case[aria-sort]").get_attribute("aria-sort"))
        if orders[-1] == "ascending":
            cases = page.texts("#rows tbody th.case")
            assert sorted(cases) == cases
    assert ["ascending", "descending", "none"] == orders


def test_a_cell_of_the_matrix_filters_the_table_by_the_keyboard(page: Page) -> None:
    page.open()
    page.one(".matrix a.cell[href*='negative_tail'][href*='numpy']").send_keys(Keys.ENTER)
    page.until("return location.hash.includes('group')")
    assert {"numpy"} == set(page.texts("#rows td:nth-child(2)"))
    assert all("logits/negative_tail/" in text for text in page.texts("#rows tbody th.case"))


def test_the_matrix_follows_its_dtype_switch(page: Page) -> None:
    page.open()
    before = page.texts(".matrix .cell")
    page.run("document.querySelector('#matrix-dtype [value=bfloat16]').click()")
    cell = page.one(".matrix a.cell[href*='negative_tail'][href*='torch']")
    assert "dtype=bfloat16" in cell.get_attribute("href")
    assert before != page.texts(".matrix .cell")


def test_a_permalink_opens_the_case_with_its_truth_answers_and_snippet(page: Page) -> None:
    page.open(hash_=f"#case={CASE}")
    assert page.one("#panel").is_displayed()
    text = page.one("#panel").text
    assert CASE in text
    assert "4.248354255291588986304977843631582181878e-18" in text
    assert "-0x1.4p+5" in text
    assert "F.binary_cross_entropy_with_logits(logits, targets" in page.texts("#panel pre")[0]
    link = page.one("#panel .facts dd > a[href^=https]")
    assert "https://github.com/pytorch/pytorch/issues/195529" == link.get_attribute("href")


def test_escape_closes_the_case_and_brings_the_filters_back(page: Page) -> None:
    page.open(hash_="#adapter=numpy&dtype=float32&group=logits%2Fnegative_tail")
    page.one("#rows tbody a").click()
    page.until("return document.getElementById('panel').open")
    assert page.hash.startswith("case=logits/negative_tail/")
    assert "adapter" not in page.hash
    assert "float32" == page.run("return document.querySelector('#panel :checked').value")
    page.one("#panel").send_keys(Keys.ESCAPE)
    page.until("return !document.getElementById('panel').open")
    assert "adapter=numpy&dtype=float32&group=logits%2Fnegative_tail" == page.hash


def test_the_back_button_closes_the_case(page: Page) -> None:
    page.open()
    page.one("#rows tbody a").click()
    page.until("return document.getElementById('panel').open")
    page.driver.back()
    page.until("return !document.getElementById('panel').open")


def test_the_dtype_switch_of_a_case_changes_answers_and_snippet(page: Page) -> None:
    page.open(hash_=f"#case={CASE}")
    page.run("document.querySelector('#panel [value=float32]').click()")
    assert "dtype = torch.float32" in page.texts("#panel pre")[0]
    assert any("4.248354e-18" in text for text in page.texts("#panel td.digits"))


@pytest.mark.parametrize(
    "case",
    [
        "logits/infinite/plus_t1",
        "logits/large/sum",
        "logits/shape/empty",
        "logits/shape/scalar",
        "logits/shape/matrix",
        "probabilities/bad/beyond_one",
        "probabilities/zero/t_1",
    ],
)
def test_every_kind_of_case_can_be_shown(page: Page, case: str) -> None:
    page.open(hash_=f"#case={case}")
    text = page.one("#panel").text
    assert "undefined" not in text
    assert "[object" not in text
    assert "NaN" not in text


def test_a_permalink_to_an_unknown_case_says_so(page: Page) -> None:
    page.open(hash_="#case=no/such%case")
    assert "No case of this report has this id." in page.one("#panel").text


def test_a_mark_of_a_plot_tells_its_case_and_opens_it(page: Page) -> None:
    page.open()
    page.show_plots()
    assert 8 == len(page.texts("#plot-grid canvas"))
    canvas = page.one("#plot-grid canvas")
    page.run("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", canvas)
    spot = page.run(
        """
        const box = arguments[0].getBoundingClientRect();
        for (let y = 0; y < box.height; y += 4) {
          for (let x = 0; x < box.width; x += 4) {
            // Whole pixels: those of a click have no fraction.
            const at = {clientX: Math.ceil(box.left + x), clientY: Math.ceil(box.top + y)};
            arguments[0].dispatchEvent(new PointerEvent('pointermove', at));
            if (!document.getElementById('plot-tip').hidden) return at;
          }
        }
        """,
        canvas,
    )
    assert "logits/negative_tail/" in page.texts("#plot-tip")[0]
    page.run("arguments[0].dispatchEvent(new PointerEvent('click', arguments[1]))", canvas, spot)
    page.until("return document.getElementById('panel').open")
    assert page.hash.startswith("case=logits/negative_tail/")


def test_the_theme_switch_changes_the_colours(page: Page) -> None:
    page.open()
    colours = set()
    for _ in range(2):
        colours.add(page.run("return getComputedStyle(document.documentElement).backgroundColor"))
        page.one("#theme").click()
    assert {"rgb(253, 253, 251)", "rgb(22, 23, 24)"} == colours


@pytest.mark.parametrize("hash_", ["", "#case=" + HOSTILE, "#adapter=" + HOSTILE])
def test_hostile_text_stays_text(page: Page, hash_: str) -> None:
    page.open("hostile", hash_.replace("%", "%25"))
    page.run("document.querySelector('#rows tbody a').click()")
    page.until("return document.getElementById('panel').open")
    assert [] == page.texts("img")
    assert HOSTILE in page.one("#panel").text
    assert not page.run("return [...document.links].some((a) => a.protocol === 'javascript:')")
    assert 2 == page.run("return document.scripts.length")


def test_twenty_thousand_results_stay_usable(page: Page) -> None:
    page.open("many")
    assert page.texts("#matches")[0] == "20,000 of 20,000 results"
    assert 5000 > page.run("return document.querySelectorAll('*').length")
    milliseconds = page.run(
        """
        const start = performance.now();
        const search = document.querySelector('[name=q]');
        search.value = 'x_00';
        search.dispatchEvent(new Event('input', {bubbles: true}));
        return performance.now() - start;
        """
    )
    assert 1000 > milliseconds  # About 40 where nothing else runs.


def test_the_summary_can_be_read_without_scripts(page: Page) -> None:
    page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.driver.get("about:blank")
        page.driver.get(page.addresses["realistic"])
        text = page.one("main").text
    finally:
        page.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "torch 2.13.0" in text
    assert "Without its script" in text
    assert "negative_tail" in page.one(".matrix").text
    assert not page.one("#results").is_displayed()
