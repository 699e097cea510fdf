"""Follows a run of pytest, for the person who waits for it."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from conformance.commands._common import room
from conformance.stash import BENCH
from conformance.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FAILURES = 20
"""So many failures are shown; the report has all of them."""

_LONGEST = 400
_PAUSE = 0.1  # Seconds between two states of the line: a terminal takes time to draw it.
_WAIT = 1.0  # Seconds after which a group that is still asked is told to be.
_LONG_WAIT = 60.0  # Likewise, where each state is a line that stays.


class Progress:
    """A plugin of pytest that shows what is asked, and remembers what failed.

    On a terminal this is one line that changes, elsewhere a line for each group. A group is asked
    as a whole when its first result is wanted, which takes minutes where it has to be compiled, so
    that a thread tells how long it has been waited for.

    Attributes:
        config: That of pytest, once there is one.
        interrupted: True if somebody pressed Ctrl-C.
        failed: How many tests have failed.
        failures: A sentence about each of the first of them, to how many it is about.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.config: pytest.Config | None = None
        self.interrupted = False
        self.failed = 0
        self.failures: Counter[str] = Counter()
        self._stream = None if stream is None else _own(stream)
        self._done = 0
        self._total = 0
        self._groups: Mapping[str, str] = {}
        self._asked: Counter[tuple[str, str]] = Counter()
        self._running: dict[str, float] = {}
        self._seen: set[tuple[str, str]] = set()
        self._drawn = 0.0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._waiting = threading.Thread(target=self._wait, daemon=True)
        if stream is not None:
            self._waiting.start()

    def pytest_configure(self, config: pytest.Config) -> None:
        """Remember where the run keeps what becomes of it."""
        self.config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Say why nothing seems to happen; the cases are loaded by now."""
        self._draw("collecting the questions")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count what there is to do."""
        self._count([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Likewise, where the workers collect; each of them collects all."""
        if not self._total:
            self._count(ids)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Show the group that is asked, before the wait for its answers.

        With xdist it is told of few tests, but always of the first one of a group.
        """
        group = self._group(nodeid)
        with self._lock:
            self._running[nodeid] = time.monotonic()
        if group not in self._seen:
            self._seen.add(group)
            self._draw(self._line(group, f"{self._questions(group)}, "))

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Remember a failure, in a line, and count a test."""
        if report.failed:
            self.failed += 1
            sentence = _sentence(str(report.longrepr)) or report.nodeid
            if sentence in self.failures or len(self.failures) < FAILURES:
                self.failures[sentence] += 1
        # Where a worker of xdist has crashed, it is a report of no phase.
        if report.when != "teardown" and not (report.when == "setup" and report.passed):
            with self._lock:
                self._running.pop(report.nodeid, None)
            self._done += 1
            if time.monotonic() >= self._drawn + _PAUSE:
                self._draw(self._line(self._group(report.nodeid), ""), once=True)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Tell Ctrl-C from the other reasons for which pytest breaks off."""
        self.interrupted = excinfo.type is KeyboardInterrupt

    def close(self) -> None:
        """Clear the line."""
        self._over.set()
        if self._stream is not None:
            self._waiting.join()
            self._draw("", once=True)
            self._stream.close()
            self._stream = None

    def _count(self, ids: Sequence[str]) -> None:
        self._total = len(ids)
        self._asked = Counter(map(self._group, ids))

    def _group(self, nodeid: str) -> tuple[str, str]:
        """The function of a test, with its group by the end of its id, or itself if it has none."""
        if not self._groups and self.config is not None:
            self._groups = {
                str(group): f"{group.adapter} on {group.device} in {group.dtype}"
                for group in self.config.stash[BENCH].plan.groups
            }
        function, _, end = nodeid.partition("[")
        end = end.removesuffix("]")
        while end and end not in self._groups:
            end = end.partition("-")[2]
        return function, self._groups.get(end, nodeid)

    def _questions(self, group: tuple[str, str]) -> str:
        return count_of(self._asked[group], "question")

    def _line(self, group: tuple[str, str], doing: str) -> str:
        return f"{group[1]}: {doing}{self._done:,} of {self._total:,} done, {self.failed:,} failed"

    def _wait(self) -> None:
        """Tell, until all is over, what has been asked for long, and for how long."""
        told = time.monotonic()
        while not self._over.wait(_WAIT):
            now = time.monotonic()
            with self._lock:
                nodeid, since = next(iter(self._running.items()), ("", now))
            pause = _WAIT if self._stream is not None and self._stream.isatty() else _LONG_WAIT
            if now - max(since, told) < pause:
                continue
            told = now
            group = self._group(nodeid)
            minutes, seconds = divmod(int(now - since), 60)
            doing = f"{self._questions(group)} asked {minutes}:{seconds:02} ago, "
            self._draw(self._line(group, doing))

    def _draw(self, line: str, *, once: bool = False) -> None:
        """Show a state; elsewhere than on a terminal, not those that a line has told ``once``."""
        if self._stream is None:
            return
        with self._lock:
            self._drawn = time.monotonic()
            if self._stream.isatty():
                self._stream.write(f"\r\033[K{line[: room(self._stream)]}")
            elif not once:
                self._stream.write(f"{line}\n")
            self._stream.flush()


def _own(stream: TextIO) -> TextIO:
    """The same place to write to, also while pytest captures what a test writes there."""
    return os.fdopen(os.dup(stream.fileno()), "w", encoding=stream.encoding, errors=stream.errors)


def _sentence(text: str) -> str:
    """What pytest has to say of a failure, on one line; of a traceback its end."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    told = " ".join(lines) if len(lines) <= 3 else next(filter(None, reversed(lines)), "")
    shown = "".join(character if character.isprintable() else "?" for character in told)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
