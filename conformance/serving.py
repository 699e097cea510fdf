"""Answers cases in a process of its own, for the process that has started it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from functools import partial
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, NamedTuple

from conformance import adapters
from conformance.adapters.base import attempt
from conformance.asking import ask_alone, is_ruined, question_of
from conformance.errors import ConformanceError
from conformance.model import Answer, Broken

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from conformance.adapters.base import LossAdapter
    from conformance.model import Case


class Post(NamedTuple):
    """What a process is told when it starts: whom it asks and where, and what file it writes to."""

    target: str
    device: str
    dtype: str
    log: Path


class Message(NamedTuple):
    """What a process says to a case."""

    answer: Answer | ConformanceError
    ms: float
    ruined: bool


def serve(pipe: Connection, post: Post) -> None:
    """What a process does: answer cases until there are no more, or until it has been ruined."""
    # A failed assertion on CUDA prints hundreds of lines, and Ctrl-C is for the parent to heed.
    _redirect(post.log)
    if hasattr(os, "setsid"):
        os.setsid()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        adapter = adapters.load(post.target)
    except ConformanceError as error:
        pipe.send(str(error))
        return
    pipe.send(None)
    ruined = False
    while not ruined:
        try:
            case = pipe.recv()
        except EOFError:
            return
        _redirect(post.log)
        message = _answer(adapter, case, post)
        ruined = message.ruined
        sent = attempt(partial(pickle.dumps, message))
        if not isinstance(sent, bytes):
            unsent = Broken(f"its answer cannot be sent to another process: {sent}")
            sent = pickle.dumps(message._replace(answer=unsent))
        pipe.send_bytes(sent)


def _answer(adapter: LossAdapter, case: Case, post: Post) -> Message:
    """One case, asked here."""
    question = question_of(case, post.device, post.dtype)
    begin = time.perf_counter()
    answer: Answer | ConformanceError
    try:
        answer = ask_alone(adapter, question)
    except ConformanceError as error:
        answer = error
    return Message(answer, (time.perf_counter() - begin) * 1000, is_ruined(adapter, post.device))


def _redirect(log: Path) -> None:
    """Send what is written from here on to an empty file, also by other languages than Python."""
    with log.open("wb") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)


def _end_with_parent() -> None:
    """Wait for the end of the parent, even if it is killed; then end all of this."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGKILL)
        os._exit(1)
