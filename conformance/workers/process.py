"""A worker process: starts it, asks it, watches it, ends it."""

from __future__ import annotations

import queue
import subprocess
import threading
import time
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from conformance.adapters.base import first_line
from conformance.errors import ConformanceError
from conformance.model import Answer, Broken, Crashed, TimedOut
from conformance.workers.messages import (
    PROTOCOL,
    Answers,
    Failed,
    FromWorker,
    ProtocolError,
    Questions,
    Start,
    Started,
    Stop,
    decode,
)
from conformance.workers.pipes import Said, hang_up, how_it_ended, kill, say
from conformance.workers.wire import answer_of, question_message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.model import Question
    from conformance.workers.messages import FromHost

LIMIT_S = 120.0
_GRACE_S = 1.0
_TICK_S = 0.2
_LOCK = threading.Lock()
"""Whoever starts a process waits for all that have ended, which one thread may do at a time."""


class LostError(Exception):
    """The worker gave no answer, and is no more.

    Attributes:
        fault: What became of it.
    """

    def __init__(self, fault: Broken | Crashed | TimedOut) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Reply(NamedTuple):
    """What came of some questions.

    Attributes:
        answers: In order; None for one that wants to be asked by itself.
        broke_off: Why they were not answered in one evaluation, where that was tried.
    """

    answers: Sequence[Answer | None]
    broke_off: str | None


class Worker:
    """A process that answers questions; when it is lost, the next question gets a fresh one.

    One thread asks it; another may stop it.

    Args:
        command: Program and arguments.
        limit_s: Seconds for the answers to one message.
        environment: Its environment variables; None for those of this process.
        start_s: Seconds for a start, in which a framework is imported.
    """

    def __init__(
        self,
        command: Sequence[str],
        limit_s: float = LIMIT_S,
        environment: Mapping[str, str] | None = None,
        start_s: float = LIMIT_S,
    ) -> None:
        self.command = tuple(command)
        self._limit_s = limit_s
        self._start_s = start_s
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._said: Said
        self._numbers = count(1)
        self._stopped = False
        self._unusable: Broken | Crashed | TimedOut | None = None
        self._used = False

    @property
    def used(self) -> bool:
        """Whether the process that the next question goes to has been asked before."""
        return self._used and self._process is not None and self._process.poll() is None

    def describe(self, *devices: str) -> Started:
        """What the worker offers, and what it knows of some devices.

        Raises:
            LostError: If it does not start, does not say, or speaks another version.
        """
        try:
            if self._process is None or self._process.poll() is not None:
                self.end()
                self._start()
            started: Started = self._exchange(
                Start(PROTOCOL, devices), Started, self._start_s, "it did not start"
            )
        except LostError as lost:
            # The next would fare no better, and may take as long to say so.
            self._unusable = lost.fault
            raise
        if started.protocol != PROTOCOL:
            said = f"it speaks version {started.protocol} of the protocol, not {PROTOCOL}"
            self._unusable = Broken(said)
            self._give_up(self._unusable)
        return started

    def ask(self, questions: Sequence[Question]) -> Reply:
        """The answers to questions of one device and dtype.

        Raises:
            LostError: If they have not come, or not as they should.
            ConformanceError: With a sentence of the worker for the user.
        """
        if self._unusable is not None:
            raise LostError(self._unusable)
        if self._process is None or self._process.poll() is not None:
            self.describe()
        numbers = [next(self._numbers) for _ in questions]
        asked = Questions(next(self._numbers), list(map(question_message, questions, numbers)))
        self._used = True
        found = self._exchange(asked, Answers, self._limit_s, "it gave no answer")
        if found.id != asked.id:
            self._give_up(Broken(f"it answered message {found.id} where {asked.id} was asked"))
        given = [each.id for each in found.answers]
        if given != numbers:
            self._give_up(Broken(_disorder(given, numbers)))
        try:
            answers = [None if each.alone else answer_of(each) for each in found.answers]
        except ProtocolError as error:
            self._give_up(Broken(f"its answer cannot be read: {error}"))
        if answers == [None]:
            self._give_up(Broken("it wanted to be asked by itself, and was"))
        if found.ruined:
            self.end()
        else:
            # What else it has to say belongs to these questions, and not to the next.
            self._exchange(Start(PROTOCOL), Started, self._limit_s, "it did not go on")
        return Reply(answers, found.broke_off)

    def stop(self) -> None:
        """Kill the process, and start no other."""
        with _LOCK:
            self._stopped = True
            if self._process is not None:
                kill(self._process)

    def end(self) -> int | None:
        """End the process with all that it has started; its exit code, None if there is none."""
        process = self._process
        if process is None:
            return None
        # It ends by itself, unless it hangs.
        if process.poll() is None:
            threading.Thread(target=say, args=(process, Stop(), True), daemon=True).start()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_S)
        return self._kill()

    def _kill(self) -> int | None:
        process = self._process
        if process is None:
            return None
        with _LOCK:
            self._process = None
            kill(process)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_S)
        # Somebody who has got away may hold the pipe, and it be full.
        threading.Thread(target=hang_up, args=(process,), daemon=True).start()
        return process.returncode

    def _start(self) -> None:
        with _LOCK:
            if self._stopped:
                raise LostError(Broken("it was stopped"))
            try:
                self._process = subprocess.Popen(  # noqa: S603 - the user names it
                    self.command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=None if self._environment is None else dict(self._environment),
                    # Ctrl-C is for this process to heed, and what it starts ends with it.
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise LostError(Broken(f"it cannot be started: {first_line(error)}")) from None
            self._said = Said(self._process)
            self._used = False

    def _exchange(self, message: FromHost, kind: type[Any], limit_s: float, lack: str) -> Any:
        """The reply to a message.

        Raises:
            LostError: If there is none of this kind in time, and then the process is no more.
            ConformanceError: With a sentence of the worker for the user.
        """
        assert self._process is not None  # noqa: S101 - it has been started
        # One that does not read would keep this thread waiting.
        threading.Thread(target=say, args=(self._process, message), daemon=True).start()
        deadline = time.monotonic() + limit_s
        over = False
        while True:
            try:
                line = self._said.lines.get(timeout=_TICK_S)
                break
            except queue.Empty:
                if time.monotonic() > deadline:
                    self._kill()
                    words = self._said.last_words()
                    late = TimedOut(f"{lack} within {limit_s:g} s{words}")
                    raise LostError(late) from None
                # What it has started may keep its pipe open; its last words have had their time.
                if over:
                    line = b""
                    break
                over = self._process.poll() is not None
        if line == b"":
            self._end_of(self._said.problem)
        try:
            reply = decode(line, FromWorker)
        except ProtocolError as error:
            self._give_up(Broken(str(error)))
        if isinstance(reply, Failed):
            self.end()
            if kind is Started:
                raise LostError(Broken(reply.message))
            raise ConformanceError(reply.message)
        if not isinstance(reply, kind):
            said = type(reply).__name__.lower()
            self._give_up(Broken(f"it said {said!r} where {kind.__name__.lower()!r} was due"))
        return reply

    def _end_of(self, problem: str | None) -> NoReturn:
        """Raise what has become of a process that says no more."""
        if problem is not None:
            self._give_up(Broken(problem))
        process = self._process
        if process is not None:
            # It may have closed its output only, and have time to end by itself.
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_S)
        ended = process is not None and process.returncode is not None
        code = self._kill()
        how = (
            f"the process ended {how_it_ended(code)}" if ended else "the process closed its output"
        )
        raise LostError(Crashed(f"{how}{self._said.last_words()}"))

    def _give_up(self, fault: Broken | Crashed | TimedOut) -> NoReturn:
        self._kill()
        raise LostError(fault)


def _disorder(given: Sequence[int], asked: Sequence[int]) -> str:
    """What is wrong with the numbers of some answers."""
    if len(set(given)) < len(given):
        return "it answered a question twice"
    if sorted(given) == sorted(asked):
        return "its answers are out of order"
    if unknown := [number for number in given if number not in asked]:
        return f"it answered {unknown[0]}, which was not asked"
    return f"it gave {len(given)} answers to {len(asked)} questions"
