"""Drives Chromium through reports, for the tests of what a reader does."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace
from report_data import not_run, run
from report_jobs import CARRIED, EPOCH, SHORT, STEPPED, WINDOWS, follows
from report_runs import HOSTILE, hostile, many, realistic

from conformance.glossary import Explanation, Glossary
from conformance.report import write_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conformance.model import Case
    from conformance.results import Run

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER) and not os.environ.get("BCE_CONFORMANCE_REQUIRE_BROWSER"):
    pytest.skip("chromium and chromedriver are not installed", allow_module_level=True)

from selenium import webdriver  # noqa: E402 - only where there is a browser to drive
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.wait import WebDriverWait  # noqa: E402

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


def hostile_trainers() -> tuple[list[Run], list[Case]]:
    """Three trainers, one of them wrong, over sixty policies; all names and reasons hostile."""
    assert SHORT.expected is not None
    known = SHORT.expected.alternatives
    names = [f"window_{index}_{HOSTILE}" for index in range(60)]
    many = tuple(
        dataclasses.replace(known[index % len(known)], policy=name)
        for index, name in enumerate(names)
    )
    facts = {"status": "deviates", "reason": HOSTILE, "deviation": "javascript:alert(1)"}
    results = [
        follows(SHORT, "ignite", WINDOWS[0]),
        follows(SHORT, HOSTILE, WINDOWS[1]),
        follows(SHORT, "lightning", WINDOWS[2], off=0.5, **facts),
        not_run(EPOCH, "ignite", "float32", HOSTILE),
        not_run(EPOCH, HOSTILE, "float32", HOSTILE),
        follows(EPOCH, "lightning", "epoch_by_batches"),
    ]
    new = dict(zip(WINDOWS, names, strict=False))
    results = [
        replace(
            result,
            outputs={
                name: replace(output, policy=new.get(output.policy or "", output.policy))
                for name, output in result.outputs.items()
            },
        )
        for result in results
    ]
    expected = dataclasses.replace(SHORT.expected, alternatives=many)
    return [run(results)], [
        dataclasses.replace(SHORT, policies=tuple(names), expected=expected),
        EPOCH,
    ]


REPORTS: dict[str, Callable[[], tuple[list[Run], list[Case]]]] = {
    "realistic": realistic,
    "hostile": hostile,
    "many": functools.partial(many, 20_000),
    "trainers": trainers,
    "hostile trainers": hostile_trainers,
}


class Reports:
    """The addresses of reports, each written when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self.known:
            runs, cases = REPORTS[name]()
            words = {flag: EXPLAINED for case in cases for flag in case.flags}
            policies = {policy: EXPLAINED for case in cases for policy in case.policies}
            path = self.folder / f"{name.replace(' ', '_')}.html"
            write_report(runs, cases, path, Glossary(words, policies))
            self.known[name] = path.as_uri()
        return self.known[name]


class Page:
    """One browser, with the addresses of the reports."""

    def __init__(self, driver: webdriver.Chrome, addresses: Reports) -> None:
        self.driver = driver
        self.addresses = addresses

    def open(self, name: str = "realistic", hash_: str = "") -> None:
        # A new address that differs in its hash alone would not load the page anew.
        self.driver.get("about:blank")
        self.driver.get(self.addresses[name] + hash_)
        self.until("return document.documentElement.classList.contains('ready')")

    def until(self, script: str) -> None:
        WebDriverWait(self.driver, 10, 0.02).until(lambda driver: driver.execute_script(script))

    def show_plots(self) -> None:
        """Let the plots come near, so that they are drawn."""
        self.run("document.getElementById('plots').scrollIntoView()")
        self.until(
            "return document.getElementById('plots').hidden"
            " || document.querySelector('#plot-grid canvas[data-marks]')"
        )

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def one(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        found = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        texts: list[str] = self.run(found, selector)
        return texts

    @contextmanager
    def width(self, pixels: int) -> Iterator[None]:
        """As seen on a screen of this width."""
        size = {"width": pixels, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    @property
    def hash(self) -> str:
        return urlsplit(self.driver.current_url).fragment


@pytest.fixture(name="browser", scope="module")
def a_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
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
    yield Page(driver, Reports(tmp_path_factory.mktemp("reports")))
    driver.quit()


@pytest.fixture(name="page")
def a_page(browser: Page) -> Iterator[Page]:
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
    # A blob is a file that the page itself has made.
    assert {"file"} >= {urlsplit(url).scheme for url in requested} - {"data", "about", "blob"}
    assert set(browser.addresses.known.values()) >= {
        url.partition("#")[0] for url in requested if url.startswith("file")
    }
