"""The adapter whose answers come from a worker process."""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import sys
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from conformance.adapters.base import LossAdapter, no_such_device
from conformance.errors import ConformanceError, one_line
from conformance.model import TimedOut
from conformance.workers.process import LIMIT_S, LostError, Worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conformance.model import Answer, Question
    from conformance.workers.messages import DeviceMessage

_OWN = [sys.executable, "-P", "-m", "conformance.cli"]
LIMIT_VARIABLE = "BCE_CONFORMANCE_WORKER_LIMIT"
MOST_QUESTIONS = 128
MOST_ELEMENTS = 1_000_000
"""Of a message: what is asked again, one by one, when the worker is lost."""


class WorkerAdapter(LossAdapter):
    """Puts questions to a worker; ``connect`` makes a subclass that declares what it offers.

    Where the worker is lost, the questions that it had are put to fresh ones, one by one: the
    answer to the guilty one is Crashed, TimedOut or Broken.
    """

    worker: ClassVar[Worker]
    told: ClassVar[dict[str, str]]
    files: ClassVar[dict[str, tuple[str, ...]]]

    def __init__(self) -> None:
        self.incidents: list[str] = []
        self._devices: dict[str, DeviceMessage] = {}

    def evaluate(self, question: Question) -> Answer:
        """The answer to a question in an evaluation of its own.

        An earlier question may be what has spoilt the process, so a fresh one is asked as well.
        """
        used = self.worker.used
        try:
            return self._answer(question)
        except LostError as lost:
            # To wait as long once more would cost too much.
            if not used or isinstance(lost.fault, TimedOut):
                return lost.fault
            told = one_line(lost.fault.message)
        try:
            answer = self._answer(question)
        except LostError as lost:
            return lost.fault
        self.incidents.append(f"{told}; a fresh process gave the answer")
        return answer

    def _answer(self, question: Question) -> Answer:
        (answer,) = self.worker.ask([question]).answers
        assert answer is not None  # noqa: S101 - it has been asked by itself
        return answer

    def evaluate_all(self, questions: Sequence[Question]) -> Iterable[Answer]:
        """The answers in order, message by message."""
        return [answer for part in _parts(questions) for answer in self._ask(part)]

    def perform_all(self, questions: Sequence[Question]) -> Iterable[Answer]:
        """Likewise."""
        return self.evaluate_all(questions)

    def _ask(self, questions: Sequence[Question]) -> list[Answer]:
        if len(questions) == 1:
            return [self.evaluate(questions[0])]
        try:
            reply = self.worker.ask(questions)
        except LostError as lost:
            self.incidents.append(f"{one_line(lost.fault.message)}; asked one by one")
            return [self.evaluate(question) for question in questions]
        if reply.broke_off is not None:
            self.incidents.append(one_line(reply.broke_off))
        return [
            self.evaluate(question) if answer is None else answer
            for question, answer in zip(questions, reply.answers, strict=True)
        ]

    def device_problem(self, device: str) -> str | None:
        """What the worker says of it."""
        if device.partition(":")[0] not in self.devices:
            return no_such_device(self.name, device, self.devices)
        return self._device(device).problem

    def device_facts(self, device: str) -> str:
        """Likewise."""
        return self._device(device).name or device

    def device_settings(self, device: str) -> dict[str, str]:
        """Likewise."""
        return dict(self._device(device).settings)

    def _device(self, device: str) -> DeviceMessage:
        if device not in self._devices:
            try:
                self._devices |= self.worker.describe(device).devices
            except LostError as lost:
                msg = f"{self.name}: {lost.fault.message}"
                raise ConformanceError(msg) from None
        if device not in self._devices:
            msg = f"{self.name}: its worker says nothing of {device}. Let it."
            raise ConformanceError(msg)
        return self._devices[device]

    def versions(self) -> dict[str, str]:
        """Those that the worker tells."""
        return dict(self.told)

    @classmethod
    def ledgers(cls) -> list[Path]:
        """The files of known deviations that the worker names."""
        return [Path(path) for path in cls.files["deviations"]]

    @classmethod
    def policies(cls) -> list[Path]:
        """Those of policies."""
        return [Path(path) for path in cls.files["policies"]]


@cache
def connect(command: str) -> LossAdapter:
    """Start a worker, and make an adapter of what it says that it offers.

    Args:
        command: Program and arguments, quoted as for a shell; no shell runs it.

    Raises:
        ConformanceError: If it cannot be started, or does not speak the protocol.
    """
    words = _words(command)
    own = words[: len(_OWN)] == _OWN
    limit_s = _limit_s()
    environment = own_environment() if own else None
    worker = Worker(words, limit_s, environment, max(limit_s, LIMIT_S))
    atexit.register(worker.end)
    shown = one_line(command)
    try:
        offered = worker.describe().adapter
    except LostError as lost:
        said = lost.fault.message.rstrip(".")
        msg = f"worker {shown!r} cannot be asked: {said}. Try the command by itself."
        raise ConformanceError(msg) from None
    members = {
        "name": offered.name,
        "operations": frozenset(offered.operations),
        "outputs": frozenset(offered.outputs),
        "options": frozenset(offered.options),
        "dtypes": frozenset(offered.dtypes),
        "devices": frozenset(offered.devices),
        "loss_dtypes": dict(offered.loss_dtypes),
        "worker": worker,
        "told": dict(offered.versions),
        "files": {
            "deviations": tuple(offered.deviations),
            "policies": tuple(offered.policies),
        },
    }
    connected: type[WorkerAdapter] = type("Connected", (WorkerAdapter,), members)
    return connected()


def own_command(target: str) -> list[str]:
    """The command of a worker that serves an adapter of this environment."""
    return [*_OWN, "worker", "--adapter", target]


def own_environment() -> dict[str, str]:
    """An environment in which such a worker imports what can be imported here."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _limit_s() -> float:
    """How long a worker may take for the answers to one message."""
    given = os.environ.get(LIMIT_VARIABLE)
    if given is None:
        return LIMIT_S
    try:
        limit_s = float(given)
    except ValueError:
        limit_s = 0.0
    if not 0 < limit_s < threading.TIMEOUT_MAX:
        msg = f"{LIMIT_VARIABLE}={one_line(given)!r}: no number of seconds. Give one, such as 600."
        raise ConformanceError(msg)
    return limit_s


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        msg = f"worker {one_line(command)!r}: {error}. Quote it as for a shell."
        raise ConformanceError(msg) from None
    if not words:
        msg = "worker: has no command. Write --adapter 'worker:PROGRAM ARGUMENTS'."
        raise ConformanceError(msg)
    if shutil.which(words[0]) is None:
        msg = f"worker {one_line(command)!r}: there is no program {one_line(words[0])!r}. Mend it."
        raise ConformanceError(msg)
    return words


def _parts(questions: Sequence[Question]) -> Iterator[list[Question]]:
    """The questions in messages of moderate size."""
    part: list[Question] = []
    elements = 0
    for question in questions:
        size = sum(array.size for array in question.inputs.values())
        if part and (len(part) == MOST_QUESTIONS or elements + size > MOST_ELEMENTS):
            yield part
            part, elements = [], 0
        part.append(question)
        elements += size
    if part:
        yield part
