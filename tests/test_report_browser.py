"""Opens the report in Chromium, as a reader does: from disk."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from report_data import run
from report_jobs import CARRIED, EPOCH, SHORT, STEPPED, follows
from report_runs import HOSTILE, hostile, many, realistic

from conformance.glossary import Explanation, Glossary
from conformance.report import write_report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model import Case
    from conformance.results import Run

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER) and not os.environ.get("BCE_CONFORMANCE_REQUIRE_BROWSER"):
    pytest.skip("chromium and chromedriver are not installed", allow_module_level=True)

from selenium import webdriver  # noqa: E402 - only where there is a browser to drive
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.select import Select  # noqa: E402
from selenium.webdriver.support.wait import WebDriverWait  # noqa: E402

CASE = "logits/negative_tail/minus_40_t0"


class Page:
    """One browser, with the addresses of the reports."""

    def __init__(self, driver: webdriver.Chrome, addresses: dict[str, str]) -> None:
        self.driver = driver
        self.addresses = addresses

    def open(self, name: str = "realistic", hash_: str = "") -> None:
        # A new address that differs in its hash alone would not load the page anew.
        self.driver.get("about:blank")
        self.driver.get(self.addresses[name] + hash_)
        self.until("return document.documentElement.classList.contains('ready')")

    def until(self, script: str) -> None:
        WebDriverWait(self.driver, 10, 0.02).until(lambda driver: driver.execute_script(script))

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def one(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        found = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        texts: list[str] = self.run(found, selector)
        return texts

    @property
    def hash(self) -> str:
        return urlsplit(self.driver.current_url).fragment


EXPLAINED = Explanation(
    f"It means {HOSTILE}.", "It matters.", ["javascript:alert(1)", "https://example.org/"]
)


def trainers() -> tuple[list[Run], list[Case]]:
    """A run of three trainers, of which one is wrong."""
    results = [
        follows(SHORT, "ignite", CARRIED),
        follows(SHORT, "lightning", STEPPED),
        follows(SHORT, "torch", STEPPED, off=0.125),
        follows(EPOCH, "ignite", "epoch_by_samples"),
        follows(EPOCH, "lightning", "epoch_by_samples"),
        follows(EPOCH, "torch", "epoch_by_batches"),
    ]
    return [run(results)], [SHORT, EPOCH]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("reports")
    reports = {"realistic": realistic(), "hostile": hostile(), "many": many(20_000)}
    reports["trainers"] = trainers()
    for name, (runs, cases) in reports.items():
        words = {flag: EXPLAINED for case in cases for flag in case.flags}
        policies = {policy: EXPLAINED for case in cases for policy in case.policies}
        write_report(runs, cases, folder / f"{name}.html", Glossary(words, policies))
    return {name: (folder / f"{name}.html").as_uri() for name in reports}


@pytest.fixture(scope="module")
def browser(addresses: dict[str, str]) -> Iterator[Page]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-quic",
        "--disable-sync",
        "--no-first-run",
        "--window-size=1280,900",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(DRIVER))
    yield Page(driver, addresses)
    driver.quit()


@pytest.fixture
def page(browser: Page) -> Iterator[Page]:
    """The browser; whatever a test does, nothing may be logged or leave the page."""
    for log in ("browser", "performance"):
        browser.driver.get_log(log)
    yield browser
    assert [] == browser.driver.get_log("browser")
    messages = [
        json.loads(entry["message"])["message"] for entry in browser.driver.get_log("performance")
    ]
    requested = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert {"file"} >= {urlsplit(url).scheme for url in requested} - {"data", "about"}
    assert set(browser.addresses.values()) >= {
        url.partition("#")[0] for url in requested if url.startswith("file")
    }


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


def test_another_move_between_trainers_tells_other_changes(page: Page) -> None:
    page.open("trainers")
    [change] = page.texts("#move-changes .change")
    assert f"{CARRIED} → {STEPPED}" in change
    for name, trainer in (("from", "lightning"), ("to", "torch")):
        Select(page.one(f"#move-{name}")).select_by_visible_text(trainer)
    assert ["2 things:"] == page.texts("#move-count")
    window, epoch = page.texts("#move-changes .change")
    assert f"{STEPPED} → wrong" in window
    assert "epoch_by_samples → epoch_by_batches" in epoch


def test_a_policy_is_explained_where_it_is_focused(page: Page) -> None:
    page.open("trainers")
    page.run("document.querySelector('.policies .term').focus()")
    assert page.texts("#term-tip")[0].startswith(f"It means {HOSTILE}.")
    assert page.one("#term-tip").is_displayed()
    page.one(".policies .term").send_keys(Keys.ESCAPE)
    assert not page.one("#term-tip").is_displayed()


def test_a_scenario_tells_its_job_and_each_trainers_policy_and_error(page: Page) -> None:
    page.open("trainers", f"#case={SHORT.id}")
    page.until("return document.getElementById('panel').open")
    assert "trains a model: linear; 1 output" in page.one("#panel .facts").text
    assert ["", "", "grade", "policy", "error / allowed", ""] == page.texts(".statuses thead th")
    ignite, lightning, torch = page.texts(".statuses tbody tr")
    assert CARRIED in ignite
    assert STEPPED in lightning
    assert f"none; nearest {STEPPED}" in torch
    assert ["losses", "parameters"] == page.texts(".answers details > summary")


@pytest.mark.parametrize("name", ["realistic", "trainers"])
def test_a_narrow_page_does_not_scroll_sideways(page: Page, name: str) -> None:
    size = {"width": 380, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.open(name)
        assert 380 >= page.run("return document.documentElement.scrollWidth")
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


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
    assert "torch 2.13.0 is right on" in text
    assert "Without its script" in text
    assert "negative_tail" in page.one(".matrix").text
    assert not page.one("#results").is_displayed()
