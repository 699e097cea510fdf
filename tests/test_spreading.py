"""A run that is spread over processes: who is given what, and what it takes to tell of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from running import run

from conformance.plan import Group
from conformance.spreading import preferred

if TYPE_CHECKING:
    from pathlib import Path

EAGER = [
    Group(name, "cpu", dtype) for dtype in ("float32", "float64") for name in ("torch", "ignite")
]
COMPILED = [Group("torch:inductor", "cpu", dtype) for dtype in ("float32", "float64")]

SPY = """
import collections, json, pathlib, pytest
counts = collections.Counter()
schedulers = []

@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    schedulers.append((yield))
    return schedulers[0]

def pytest_runtest_logstart(nodeid):
    counts["start"] += 1

def pytest_runtest_logfinish(nodeid):
    counts["finish"] += 1

def pytest_runtest_logreport(report):
    counts[report.when] += 1

@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    for scheduler in schedulers:
        collections_ = scheduler.registered_collections.values()
        counts["searched"] = sum(type(each).index is list.index for each in collections_)
        counts["collections"] = len(collections_)
    if not hasattr(session.config, "workerinput"):
        pathlib.Path("counts.json").write_text(json.dumps(counts))
"""


def test_what_has_to_be_compiled_is_given_out_first() -> None:
    assert COMPILED[0] == preferred([*EAGER, *COMPILED], set(), set())
    assert COMPILED[1] == preferred([*EAGER, COMPILED[1]], {"float32"}, {"float64"})


def test_a_worker_stays_with_its_dtypes_and_leaves_those_of_others_for_last() -> None:
    assert EAGER[0] == preferred(EAGER, set(), set())
    assert EAGER[2] == preferred(EAGER, set(), {"float32"})
    assert EAGER[2] == preferred(EAGER, {"float64"}, {"float32", "float64"})
    assert EAGER[0] == preferred(EAGER[:2], {"float64"}, {"float32"})


def told(folder: Path, *options: str, adapter: str = "numpy") -> dict[str, int]:
    """What a run tells of its tests, by kind."""
    (folder / "spy.py").write_text(SPY, encoding="utf-8")
    ran = run(folder, "-p", "spy", *options, adapter=adapter)
    assert 6 == len(ran.results), ran.output
    counts: dict[str, int] = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
    return counts


def test_no_more_is_told_of_a_question_than_what_came_out(folder: Path) -> None:
    # But of the first question of each of the two groups, for which all are asked, and of the last
    # one of a process.
    counts = told(folder, "-n", "2")
    assert {"start": 4, "setup": 4, "call": 6, "teardown": 4, "finish": 4}.items() <= counts.items()
    counts = told(folder)
    assert {"start": 6, "setup": 3, "call": 6, "teardown": 3, "finish": 6}.items() <= counts.items()


def test_of_a_question_that_fails_everything_is_told(folder: Path) -> None:
    # In each dtype theme/bad comes first, and the other two fail.
    counts = told(folder, adapter="fakes:HalfTheLoss")
    assert {"setup": 6, "call": 6, "teardown": 6}.items() <= counts.items()


def test_pytest_shows_the_fixtures_of_every_question_if_it_is_to(folder: Path) -> None:
    counts = told(folder, "--setup-show")
    assert {"setup": 6, "call": 6, "teardown": 6}.items() <= counts.items()


def test_an_interrupt_ends_the_run_wherever_it_comes(folder: Path) -> None:
    # In float32 theme/two is neither the first question of its group nor the last one of all.
    (folder / "interrupting.py").write_text(
        "import os, signal\n"
        "from conformance import outcome\n"
        "settled = outcome.settle\n"
        "def settle(result):\n"
        "    if result.case == 'theme/two':\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    settled(result)\n"
        "outcome.settle = settle\n",
        encoding="utf-8",
    )
    ran = run(folder, "-p", "interrupting")
    assert 2 == ran.code, ran.output
    assert "KeyboardInterrupt" in ran.output
    assert "2 passed" in ran.summary


def test_a_test_is_looked_up_and_not_searched(folder: Path) -> None:
    counts = told(folder, "-n", "2")
    assert (2, 0) == (counts["collections"], counts["searched"])
