"""Asks questions in processes of their own, so that what ruins a process costs one question."""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from conformance.asking import Told, question_of
from conformance.errors import ConformanceError
from conformance.workers.adapter import own_command, own_environment
from conformance.workers.process import LIMIT_S, LostError, Worker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.adapters.base import LossAdapter
    from conformance.model import Answer, Case, Question

MOST = 4
"""Processes at a time, each of which may hold a CUDA context of half a gigabyte."""


class Apart:
    """Asks cases in fresh workers, several at a time; one that has been ruined is replaced.

    Attributes:
        targets: Adapter name to what ``adapters.load`` takes; an adapter that is not among them
            is imported by the name of its class.
        limit_s: Seconds for an answer.
        start_s: Seconds for the import of the adapter.
    """

    def __init__(
        self, targets: Mapping[str, str], limit_s: float = LIMIT_S, start_s: float = LIMIT_S
    ) -> None:
        self.targets = targets
        self.limit_s = limit_s
        self.start_s = start_s

    def ask(
        self, adapter: LossAdapter, device: str, dtype: str, cases: Sequence[Case]
    ) -> list[Told]:
        """The answer to each case, in order: Crashed or TimedOut where its process gave none.

        Raises:
            ConformanceError: As a process raised it.
        """
        kind = type(adapter)
        target = self.targets.get(adapter.name, f"{kind.__module__}:{kind.__qualname__}")
        waiting = deque(
            (index, question_of(case, device, dtype)) for index, case in enumerate(cases)
        )
        told: dict[int, Told] = {}
        size = max(1, min(MOST, os.cpu_count() or 1, len(cases)))
        environment = own_environment()
        workers = [
            Worker(own_command(target), self.limit_s, environment, self.start_s)
            for _ in range(size)
        ]
        with ThreadPoolExecutor(size) as threads:
            try:
                for done in [threads.submit(_work, each, waiting, told) for each in workers]:
                    done.result()
            except BaseException:
                # The threads would wait for their answers, and Ctrl-C for the threads.
                waiting.clear()
                for worker in workers:
                    worker.stop()
                raise
        return [told[index] for index in range(len(cases))]


def _work(worker: Worker, waiting: deque[tuple[int, Question]], told: dict[int, Told]) -> None:
    """Have ``worker`` answer what no other has taken yet."""
    try:
        while waiting:
            try:
                index, question = waiting.popleft()
            except IndexError:  # Another has just taken the last.
                break
            told[index] = _ask(worker, question)
    except ConformanceError:
        waiting.clear()
        raise
    finally:
        worker.end()


def _ask(worker: Worker, question: Question) -> Told:
    begin = time.perf_counter()
    answer: Answer | None
    try:
        (answer,) = worker.ask([question]).answers
    except LostError as lost:
        answer = lost.fault
    assert answer is not None  # noqa: S101 - it has been asked by itself
    return Told(answer, (time.perf_counter() - begin) * 1000)
