"""Follows a run of pytest, for the person who waits for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from conformance.commands._common import room
from conformance.stash import BENCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.plan import Group

FAILURES = 20
"""So many failures are shown; the report has all of them."""

_LONGEST = 400
_PAUSE = 0.1  # Seconds between two states of the line: a terminal takes time to draw it.


class Progress:
    """A plugin of pytest that shows what is asked, and remembers what failed.

    On a terminal this is one line that changes, elsewhere a line for each group.

    Attributes:
        config: That of pytest, once there is one.
        interrupted: True if somebody pressed Ctrl-C.
        failed: How many tests have failed.
        failures: A sentence about each of the first of them.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.config: pytest.Config | None = None
        self.interrupted = False
        self.failed = 0
        self.failures: list[str] = []
        self._stream = stream
        self._done = 0
        self._total = 0
        self._groups: Sequence[Group] = ()
        self._seen: set[str] = set()
        self._drawn = 0.0

    def pytest_configure(self, config: pytest.Config) -> None:
        """Remember where the run keeps what becomes of it."""
        self.config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Say why nothing seems to happen; the cases are loaded by now."""
        self._draw("collecting the questions")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count what there is to do."""
        self._total = len(session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Likewise, where the workers collect; each of them collects all."""
        self._total = len(ids)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Show the group that is asked, before the wait for its answers."""
        name = self._group(nodeid)
        if name in self._seen and time.monotonic() < self._drawn + _PAUSE:
            return
        line = f"{name}: {self._done:,} of {self._total:,} done, {self.failed:,} failed"
        self._draw(line, once=name in self._seen)
        self._seen.add(name)

    def pytest_runtest_logfinish(self) -> None:
        """Count a test."""
        self._done += 1

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Remember a failure, in a line."""
        if report.failed:
            self.failed += 1
            if len(self.failures) < FAILURES:
                self.failures.append(_sentence(str(report.longrepr)) or report.nodeid)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Tell Ctrl-C from the other reasons for which pytest breaks off."""
        self.interrupted = excinfo.type is KeyboardInterrupt

    def close(self) -> None:
        """Clear the line."""
        self._draw("", once=True)

    def _group(self, nodeid: str) -> str:
        """The group of a test, by the end of its id; that of a comparison is its id."""
        if not self._groups and self.config is not None:
            self._groups = self.config.stash[BENCH].plan.groups
        id_ = nodeid.partition("[")[2].removesuffix("]")
        for group in self._groups:
            if id_ == str(group) or id_.endswith(f"-{group}"):
                return f"{group.adapter} on {group.device} in {group.dtype}"
        return nodeid

    def _draw(self, line: str, *, once: bool = False) -> None:
        """Show a state; elsewhere than on a terminal, not those that a line has told ``once``."""
        if self._stream is None:
            return
        self._drawn = time.monotonic()
        if self._stream.isatty():
            self._stream.write(f"\r\033[K{line[: room(self._stream)]}")
        elif not once:
            self._stream.write(f"{line}\n")
        self._stream.flush()


def _sentence(text: str) -> str:
    """What pytest has to say of a failure, on one line; of a traceback its end."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    told = " ".join(lines) if len(lines) <= 3 else next(filter(None, reversed(lines)), "")
    shown = "".join(character if character.isprintable() else "?" for character in told)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
