"""What a report of 100,000 results costs, beside what its run file costs.

    python benchmarks/report_cost.py [ROUNDS] [RUN]

The results are invented, each with random digits; or they are those of a run file, repeated under
other versions until they are as many. Times are medians of the rounds; a round does one after the
other. The time until the page can be used is told where chromium and chromedriver are installed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from conformance.corpus import load_corpus
from conformance.records import read_run
from conformance.report import write_report
from conformance.writing import RunWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.model import Case
    from conformance.results import Run

sys.path.append(str(Path(__file__).parents[1] / "tests"))

COUNT = 100_000
READY = "return document.documentElement.classList.contains('ready')"


def repeated(run: Run) -> list[Run]:
    """``run`` under as many versions as make COUNT results of it."""
    runs = []
    for number in range(-(-COUNT // len(run.results))):
        versions = {name: f"{text}.{number}" for name, text in run.header.versions.items()}
        runs.append(dataclasses.replace(run, header=replace(run.header, versions=versions)))
    return runs


def write_run(runs: Sequence[Run], path: Path) -> None:
    """All results as one run file."""
    with RunWriter(path, runs[0].header) as writer:
        for run in runs:
            for result in run.results:
                writer.add(result)


@contextlib.contextmanager
def browser() -> Iterator[object]:
    """Headless Chromium, or None where it cannot be driven."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        yield None
        return
    from selenium import webdriver  # noqa: PLC0415 - only where there is a browser to drive
    from selenium.webdriver.chrome.service import Service  # noqa: PLC0415

    options = webdriver.ChromeOptions()
    options.binary_location = str(programs[0])
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, Service(programs[1]))
    try:
        yield driver
    finally:
        driver.quit()


def until_ready(driver: object, path: Path) -> float:
    """Seconds from the navigation to a page that can be used."""
    driver.get("about:blank")  # type: ignore[attr-defined]
    start = time.perf_counter()
    driver.get(path.as_uri())  # type: ignore[attr-defined]
    while not driver.execute_script(READY):  # type: ignore[attr-defined]
        time.sleep(0.01)
    return time.perf_counter() - start


def measure(runs: Sequence[Run], cases: Sequence[Case], rounds: int) -> None:
    """Print sizes and medians."""
    with tempfile.TemporaryDirectory() as folder, browser() as driver:
        file, page = Path(folder, "run.jsonl.gz"), Path(folder, "index.html")
        write_run(runs, file)
        raw = gzip.decompress(file.read_bytes())
        seconds: dict[str, list[float]] = {"read": [], "compress": [], "build": [], "ready": []}
        for _ in range(rounds):
            for name, action in (
                ("read", lambda: read_run(file)),
                ("compress", lambda: gzip.compress(raw, 6)),
                ("build", lambda: write_report(runs, cases, page)),
            ):
                start = time.perf_counter()
                action()
                seconds[name].append(time.perf_counter() - start)
            if driver is not None:
                seconds["ready"].append(until_ready(driver, page))
        number = sum(len(run.results) for run in runs)
        small, large = page.stat().st_size, file.stat().st_size
    medians = {name: statistics.median(found) for name, found in seconds.items() if found}
    print(f"{number} results of {len(cases)} cases, {rounds} rounds, medians")
    print(f"  run file   {large / 1e6:8.2f} MB")
    print(f"  report     {small / 1e6:8.2f} MB, {small / large:.2f} of the run file")
    for name, median in medians.items():
        ratio = median / medians["read"]
        print(f"  {name:9}  {median:8.2f} s,  {ratio:.1f} times reading the run file")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    if len(sys.argv) > 2:
        measure(repeated(read_run(Path(sys.argv[2]))), load_corpus([]).cases, rounds)
    else:
        from report_runs import many  # noqa: PLC0415 - of the tests, which a wheel has not

        measure(*many(COUNT), rounds)


if __name__ == "__main__":
    main()
