"""Asks questions in processes of their own, so that what ruins a process costs one question."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from conformance.adapters.base import attempt, first_line
from conformance.asking import Told
from conformance.errors import ConformanceError
from conformance.model import Answer, Broken, Crashed, Raised, TimedOut
from conformance.serving import Message, Post, serve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from conformance.adapters.base import LossAdapter
    from conformance.model import Case

LIMIT_S = 120.0
MOST = 4
"""Processes at a time, each of which may hold a CUDA context of half a gigabyte."""

_GRACE_S = 1.0
_LOCK = threading.Lock()
"""Whoever starts a process waits for all that have ended, which one thread may do at a time."""


class Apart:
    """Asks cases in fresh processes, several at a time; one that has been ruined is replaced.

    A process is started as ``multiprocessing`` spawns it, which imports the program's main module:
    a script that calls this needs ``if __name__ == "__main__":``.

    Attributes:
        targets: Adapter name to what ``adapters.load`` takes; an adapter that is not among them
            is imported by the name of its class.
        limit_s: Seconds for an answer, once the adapter has been imported.
    """

    def __init__(self, targets: Mapping[str, str], limit_s: float = LIMIT_S) -> None:
        self.targets = targets
        self.limit_s = limit_s

    def ask(
        self, adapter: LossAdapter, device: str, dtype: str, cases: Sequence[Case]
    ) -> list[Told]:
        """The answer to each case, in order: Crashed or TimedOut where its process gave none.

        Raises:
            ConformanceError: As a process raised it.
        """
        kind = type(adapter)
        target = self.targets.get(adapter.name, f"{kind.__module__}:{kind.__qualname__}")
        waiting = deque(enumerate(cases))
        told: dict[int, Told] = {}
        size = min(MOST, os.cpu_count() or 1, len(cases))
        with (
            TemporaryDirectory(prefix="bce-conformance-") as folder,
            ThreadPoolExecutor(max(1, size)) as threads,
        ):
            children = [
                _Child(Post(target, device, dtype, Path(folder) / str(index)), self.limit_s)
                for index in range(size)
            ]
            try:
                for done in [threads.submit(_work, each, waiting, told) for each in children]:
                    done.result()
            except BaseException:
                # The threads would wait for their answers, and Ctrl-C for the threads.
                waiting.clear()
                for child in children:
                    child.stop()
                raise
        return [told[index] for index in range(len(cases))]


def _work(child: _Child, waiting: deque[tuple[int, Case]], told: dict[int, Told]) -> None:
    """Have ``child`` answer what no other has taken yet."""
    try:
        while waiting:
            try:
                index, case = waiting.popleft()
            except IndexError:  # Another has just taken the last.
                break
            told[index] = child.ask(case)
    except ConformanceError:
        waiting.clear()
        raise
    finally:
        child.end()


class _Child:
    """A process that answers one case after another; when it is lost, the next gets a fresh one.

    One thread asks it; another may stop it.
    """

    def __init__(self, post: Post, limit_s: float) -> None:
        self._post = post
        self._limit_s = limit_s
        self._process: SpawnProcess | None = None
        self._pipe: Connection
        self._stopped = False
        self._unusable: Broken | TimedOut | None = None

    def ask(self, case: Case) -> Told:
        """The answer to a case, with the milliseconds that it took."""
        begin = time.perf_counter()
        if self._process is not None and wait([self._process.sentinel], 0):
            self.end()
        problem = self._unusable or (self._start() if self._process is None else None)
        if problem is not None:
            return Told(problem, _ms_since(begin))
        begin = time.perf_counter()
        # A process that has just ended will not take it, and is found out below.
        with suppress(OSError):
            self._pipe.send(replace(case, expected=None))
        found = self._receive(self._limit_s, "it gave no answer")
        if not isinstance(found, Message):
            return Told(found, _ms_since(begin))
        if isinstance(found.answer, ConformanceError):
            raise found.answer
        if found.ruined:
            self.end()
        return Told(found.answer, found.ms)

    def stop(self) -> None:
        """Kill the process, and start no other."""
        with _LOCK:
            self._stopped = True
            if self._process is not None:
                _kill(self._process)

    def end(self) -> int | None:
        """End the process with all that it has started; its exit code, None if there is none."""
        process = self._process
        if process is None:
            return None
        # At the end of its pipe it ends by itself, unless it hangs.
        self._pipe.close()
        wait([process.sentinel], _GRACE_S)
        with _LOCK:
            self._process = None
            _kill(process)
            process.join(_GRACE_S)
        return process.exitcode

    def _start(self) -> Answer | None:
        """Start a process, and wait until it can be asked; or why it cannot."""
        with _LOCK:
            if self._stopped:
                return Broken("it was stopped")
            context = multiprocessing.get_context("spawn")
            self._pipe, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, self._post), daemon=True)
            try:
                process.start()
            except OSError as error:
                return Broken(f"no process can be started: {first_line(error)}")
            self._process = process
            # While it is open here too, its end is not to be seen.
            theirs.close()
        failed: Any = self._receive(LIMIT_S, "its adapter was not imported")
        if isinstance(failed, str):
            failed = Broken(f"in a process of its own, {failed}")
        if isinstance(failed, Broken | TimedOut):
            # The next would fare no better, and may take as long to say so.
            self._unusable = failed
        found: Answer | None = failed
        return found

    def _receive(self, limit_s: float, lack: str) -> Any:
        """What the process says; or Crashed, TimedOut, Broken, and then it is no longer there."""
        try:
            if not self._pipe.poll(limit_s):
                self.end()
                return TimedOut(f"{lack} within {limit_s:g} s{self._last_words()}")
            found = attempt(partial(pickle.loads, self._pipe.recv_bytes()))
        except (EOFError, OSError):
            return Crashed(f"the process ended {_how(self.end())}{self._last_words()}")
        if isinstance(found, Raised | Broken):
            self.end()
            return Broken(f"its answer cannot be read: {found}")
        return found

    def _last_words(self) -> str:
        """The last line that the process has written, if any."""
        try:
            said = self._post.log.read_bytes()[-2000:].decode("utf-8", "replace")
        except OSError:
            return ""
        words = first_line(RuntimeError(said.strip().rpartition("\n")[2]))
        return f": {words}" if words else ""


def _ms_since(begin: float) -> float:
    return (time.perf_counter() - begin) * 1000


def _how(code: int | None) -> str:
    """How a process ended."""
    if code is None:
        return "and told no exit code"
    if code >= 0:
        return f"with exit code {code}"
    with suppress(ValueError):
        return f"by signal {-code} ({signal.Signals(-code).name})"
    return f"by signal {-code}"


def _kill(process: SpawnProcess) -> None:
    """Kill a process that has not been waited for, and those that it has started."""
    # It may not lead a group yet, or nothing but the ended process may be left of it.
    if hasattr(os, "killpg") and process.pid is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
