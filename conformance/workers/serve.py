"""The worker's side: answers a host's questions with an adapter of this environment."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from typing import IO, TYPE_CHECKING

from conformance import adapters
from conformance.adapters.base import attempt
from conformance.asking import LOST, answers_to, ask_alone, is_ruined
from conformance.errors import ConformanceError, one_line
from conformance.operations import JOBS
from conformance.workers.messages import (
    PROTOCOL,
    AnswerMessage,
    Answers,
    Description,
    DeviceMessage,
    Failed,
    FromHost,
    ProtocolError,
    Start,
    Started,
    Stop,
    decode,
    encode,
)
from conformance.workers.wire import answer_message, question_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.adapters.base import LossAdapter
    from conformance.model import Answer, Question
    from conformance.workers.messages import FromWorker, QuestionMessage, Questions

_GRACE_S = 3.0
_RUINED = 70  # As sysexits.h has it: an internal error.


def serve(target: str) -> int:
    """Answer until the host is done.

    Returns:
        0 if it has ended, 1 if nothing could be answered.
    """
    lines, output = _take_over()

    def say(message: FromWorker) -> None:
        output.write(encode(message))
        output.flush()

    worker: _Session | None = None
    while True:
        line = lines.get()
        if not line:
            _end_others()
            return 0
        try:
            message = decode(line, FromHost)
            if isinstance(message, Stop):
                return 0
            if isinstance(message, Start):
                _require(message.protocol)
                worker = worker or _Session(adapters.load(target))
                say(worker.start(message))
            else:
                say(_begun(worker).answer(message))
        except (ConformanceError, ProtocolError) as error:
            say(Failed(one_line(str(error))))
            if worker is None:
                return 1


class _Session:
    """An adapter, asked by messages."""

    def __init__(self, adapter: LossAdapter) -> None:
        self._adapter = adapter
        self._description = describe(adapter)

    def start(self, message: Start) -> Started:
        devices = {device: _device(self._adapter, device) for device in message.devices}
        return Started(PROTOCOL, self._description, devices)

    def answer(self, message: Questions) -> Answers:
        if not message.questions:
            return Answers(message.id, [])
        if len(message.questions) == 1:
            return self._alone(message.id, message.questions[0])
        again: list[Callable[[], Question]] = [
            partial(question_of, each) for each in message.questions
        ]
        ruins = [self._may_ruin(make()) for make in again]
        chosen = [index for index, ruin in enumerate(ruins) if not ruin]
        given, broke_off = answers_to(self._adapter, [again[index] for index in chosen])
        if is_ruined(self._adapter, message.questions[0].device):
            # Nothing can be asked here any more, and the host finds out by itself which it was.
            sys.stderr.write(f"{LOST}\n")
            sys.stderr.flush()
            os._exit(_RUINED)
        found: dict[int, Answer] = dict(zip(chosen, given, strict=True))
        answers = [
            answer_message(found[index], each.id)
            if index in found
            else AnswerMessage(each.id, alone=True)
            for index, each in enumerate(message.questions)
        ]
        return Answers(message.id, answers, broke_off=broke_off)

    def _alone(self, number: int, asked: QuestionMessage) -> Answers:
        question = question_of(asked)
        answer = answer_message(ask_alone(self._adapter, question), asked.id)
        return Answers(number, [answer], ruined=is_ruined(self._adapter, question.device))

    def _may_ruin(self, question: Question) -> bool:
        return bool(attempt(partial(self._adapter.may_ruin, question)))


def describe(adapter: LossAdapter) -> Description:
    """What an adapter offers, as its host is told."""
    versions = attempt(adapter.versions)
    return Description(
        name=adapter.name,
        operations=sorted(adapter.operations | (JOBS if adapter.jobs else frozenset())),
        outputs=sorted(adapter.outputs),
        options=sorted(adapter.options | getattr(adapter.jobs, "OPTIONS", frozenset())),
        dtypes=sorted(adapter.dtypes),
        devices=sorted(adapter.devices),
        loss_dtypes=adapter.loss_dtypes,
        versions=versions if isinstance(versions, dict) else {},
        deviations=[str(path.absolute()) for path in adapter.ledgers()],
        policies=[str(path.absolute()) for path in adapter.policies()],
    )


def _device(adapter: LossAdapter, device: str) -> DeviceMessage:
    problem = attempt(partial(adapter.device_problem, device))
    if problem is not None:
        return DeviceMessage(problem=str(problem))
    name = attempt(partial(adapter.device_facts, device))
    settings = attempt(partial(adapter.device_settings, device))
    return DeviceMessage(
        name=name if isinstance(name, str) else None,
        settings=settings if isinstance(settings, dict) else {},
    )


def _begun(worker: _Session | None) -> _Session:
    if worker is None:
        msg = "the first message has to be start"
        raise ProtocolError(msg)
    return worker


def _require(protocol: int) -> None:
    if protocol != PROTOCOL:
        msg = (
            f"this worker speaks version {PROTOCOL} of the protocol, not {protocol}. "
            "Install the same version of bce-conformance on both sides"
        )
        raise ConformanceError(msg)


def _take_over() -> tuple[queue.SimpleQueue[bytes], IO[bytes]]:
    """The lines of standard input, and standard output, which nobody else gets to see.

    What a framework prints, in whatever language, goes to standard error.
    """
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - it is a device
        os.dup2(nothing.fileno(), 0)
    sys.stdout.flush()
    os.dup2(2, 1)
    # Ctrl-C is for the host to heed.
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, lines), daemon=True).start()
    return lines, replies


def _listen(requests: IO[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    """Take lines as they come; soon after their end ends all of this, whatever it is doing."""
    with suppress(OSError):
        for line in requests:
            lines.put(line)
            if line.strip() == encode(Stop()).strip():
                return
    lines.put(b"")
    time.sleep(_GRACE_S)
    if _leads():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _end_others() -> None:
    """Ask what this process has started to end, for the host no longer can."""
    if _leads():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)


def _leads() -> bool:
    """Whether the process group is that of this process and what it has started."""
    return hasattr(os, "killpg") and os.getpgid(0) == os.getpid()
