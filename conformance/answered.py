"""A plugin of pytest: the short way for a question whose group has been asked already."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from conformance.stash import BENCH, RESULT

if TYPE_CHECKING:
    from conformance.plan import Item
    from conformance.results import Result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Call the test with the result that is at hand, and report that call only.

    pytest would set the test up, call it and tear it down, each with fixtures, with what is printed
    captured and with a report of its own, which xdist sends to another process: most of what a
    question takes. That remains the way of a test that fails, and of the last one of a file, after
    which is torn down what was set up for all of them.
    """
    if not isinstance(item, pytest.Function) or item.config.getoption("setupshow", False):
        return None
    found = _at_hand(item)
    if found is None or nextitem is None or nextitem.parent is not item.parent:
        return None
    item.stash[RESULT] = found
    spread = hasattr(item.config, "workerinput")
    if not spread:
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    ending = (KeyboardInterrupt, pytest.exit.Exception)
    call = pytest.CallInfo.from_call(partial(item.obj, result=found), "call", reraise=ending)
    report = item.ihook.pytest_runtest_makereport(item=item, call=call)
    item.ihook.pytest_runtest_logreport(report=report)
    if not spread:
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _at_hand(test: pytest.Function) -> Result | None:
    """The result of a test of one question, unless it fails."""
    if "result" not in test.fixturenames:
        return None
    item: Item = test.callspec.params["item"]  # type: ignore[assignment]
    found = test.config.stash[BENCH].at_hand(item)
    return None if found is None or found.status == "failed" else found
