"""Listens to a process and speaks to it, without ever waiting for it."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections import deque
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from conformance.adapters.base import first_line
from conformance.workers.messages import encode

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from conformance.workers.messages import FromHost

MOST_BYTES = 256_000_000
"""Of a line. The largest answer of the suite has 2 MB."""

MOST_LINES = 8
"""That nobody has taken yet. A worker has never more than one to say."""

_PATIENCE_S = 0.2


class Said:
    """What a process says: lines of its output, and the end of what it writes beside.

    Attributes:
        lines: Those that nobody has taken yet; at the end an empty one.
        problem: Why it was not listened to any further, or None.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.problem: str | None = None
        self._process = process
        self._beside: deque[bytes] = deque(maxlen=4)
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        assert process.stderr is not None  # noqa: S101 - likewise
        _in_background(self._listen, process.stdout)
        self._drained = _in_background(self._drain, process.stderr)

    def _listen(self, output: IO[bytes]) -> None:
        with suppress(OSError, ValueError), output:
            while line := output.readline(MOST_BYTES):
                if len(line) == MOST_BYTES and not line.endswith(b"\n"):
                    self.problem = f"it wrote a line of more than {MOST_BYTES:,} bytes"
                elif not line.endswith(b"\n"):
                    break  # Its end came in the middle of it.
                elif self.lines.qsize() >= MOST_LINES:
                    self.problem = f"it wrote {MOST_LINES} lines that nobody had asked for"
                if self.problem is not None:
                    kill(self._process)
                    while not self.lines.empty():
                        self.lines.get()
                    break
                self.lines.put(line)
        self.lines.put(b"")

    def _drain(self, beside: IO[bytes]) -> None:
        with suppress(OSError, ValueError), beside:
            while piece := os.read(beside.fileno(), 4096):
                self._beside.append(piece)

    def last_words(self) -> str:
        """The last line that it wrote beside, if any, behind a colon."""
        self._drained.join(_PATIENCE_S)
        said = b"".join(self._beside).decode("utf-8", "replace")
        words = first_line(RuntimeError(said.strip().rpartition("\n")[2]))
        return f": {words}" if words else ""


def _in_background(deed: Callable[[IO[bytes]], None], pipe: IO[bytes]) -> threading.Thread:
    thread = threading.Thread(target=deed, args=(pipe,), daemon=True)
    thread.start()
    return thread


def say(process: subprocess.Popen[bytes], message: FromHost, last: bool = False) -> None:
    """Write a message; a process that has ended does not take it, which its output tells."""
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    with suppress(OSError, ValueError):
        process.stdin.write(encode(message))
        process.stdin.flush()
    if last:
        hang_up(process)


def hang_up(process: subprocess.Popen[bytes]) -> None:
    """Close the process's input."""
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    with suppress(OSError, ValueError):
        process.stdin.close()


def how_it_ended(code: int | None) -> str:
    """How a process ended."""
    if code is None:
        return "and told no exit code"
    if code >= 0:
        return f"with exit code {code}"
    with suppress(ValueError):
        return f"by signal {-code} ({signal.Signals(-code).name})"
    return f"by signal {-code}"


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and those that it has started."""
    # Nothing but the ended process may be left of the group.
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(OSError):
        process.kill()
