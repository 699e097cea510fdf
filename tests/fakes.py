"""Small adapters that behave, and misbehave, in one way each."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.adapters.base import LossAdapter
from conformance.adapters.numpy import NumpyAdapter
from conformance.errors import ConformanceError
from conformance.model import Computed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conformance.model import Question


class Right(NumpyAdapter):
    name = "right"


class Changed(NumpyAdapter):
    """Right, but for what ``change`` does to its outputs."""

    def change(self, outputs: dict[str, Any]) -> None:
        raise NotImplementedError

    def evaluate(self, question: Question) -> Computed:
        outputs = dict(super().evaluate(question).outputs)
        self.change(outputs)
        return Computed(**outputs)


class HalfTheLoss(Changed):
    name = "half-the-loss"

    def change(self, outputs: dict[str, Any]) -> None:
        outputs["loss"] = (outputs["loss"] / 2).astype(outputs["loss"].dtype)


class ExtraAxis(Changed):
    name = "extra-axis"

    def change(self, outputs: dict[str, Any]) -> None:
        outputs["loss"] = outputs["loss"][np.newaxis]


class InDouble(Changed):
    name = "in-double"

    def change(self, outputs: dict[str, Any]) -> None:
        outputs["loss"] = outputs["loss"].astype(np.float64)


class NoGradient(Changed):
    name = "no-gradient"

    def change(self, outputs: dict[str, Any]) -> None:
        del outputs["targets_grad"]


class Lists(Changed):
    name = "lists"

    def change(self, outputs: dict[str, Any]) -> None:
        outputs["loss"] = outputs["loss"].tolist()


class Nothing(LossAdapter):
    name = "nothing"

    def evaluate(self, question: Question) -> Computed:
        return None  # type: ignore[return-value]


class Raises(LossAdapter):
    name = "raises"

    def evaluate(self, question: Question) -> Computed:
        msg = "first line\nsecond line"
        raise RuntimeError(msg)


class Slips(LossAdapter):
    name = "slips"

    def evaluate(self, question: Question) -> Computed:
        return undefined_name  # type: ignore[name-defined] # noqa: F821


class SaysNothingReadable(LossAdapter):
    """Raises an exception whose message cannot be read."""

    name = "unreadable"

    def evaluate(self, question: Question) -> Computed:
        class UnreadableError(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        raise UnreadableError


class SaysTooMuch(LossAdapter):
    """Raises an exception whose message is long, and no valid Unicode."""

    name = "too-much"

    def evaluate(self, question: Question) -> Computed:
        raise RuntimeError("\ud800" + "x" * 10**6)


class DeclinesWithAWord(Right):
    name = "declines-with-a-word"

    def decline(self, question: Question) -> Any:
        return "no"


class LossOnly(Right):
    name = "loss-only"
    outputs = frozenset({"loss"})


class CannotBeMade(Right):
    name = "cannot-be-made"

    def __init__(self) -> None:
        msg = "no device"
        raise RuntimeError(msg)


class Nameless(LossAdapter):
    def evaluate(self, question: Question) -> Computed:
        return Computed()


class Numpy(Right):
    name = "numpy"


class KnowsNoFacts(Right):
    name = "knows-no-facts"
    distributions = ("no-such-distribution",)

    def device_facts(self, device: str) -> str:
        raise RuntimeError


class Exits(LossAdapter):
    name = "exits"

    def evaluate(self, question: Question) -> Computed:
        sys.exit(3)


class Prints(Right):
    name = "prints"

    def evaluate(self, question: Question) -> Computed:
        print("noise on stdout")
        return super().evaluate(question)


class Mutates(Right):
    name = "mutates"

    def evaluate(self, question: Question) -> Computed:
        answer = super().evaluate(question)
        question.inputs["targets"][...] = 0
        return answer


class BreaksInBulk(Right):
    """Its bulk evaluation breaks off at a question whose first input is 13."""

    name = "breaks-in-bulk"

    def evaluate(self, question: Question) -> Computed:
        if next(iter(question.inputs.values())).flat[0] == 13:
            msg = "thirteen"
            raise ValueError(msg)
        return super().evaluate(question)

    def evaluate_all(self, questions: Any) -> Any:
        return [self.evaluate(question) for question in questions]


class Forgets(Right):
    """Its bulk evaluation gives one answer too few."""

    name = "forgets"

    def evaluate_all(self, questions: Any) -> Any:
        return [self.evaluate(question) for question in questions[1:]]


class Float64Only(Right):
    name = "float64-only"
    dtypes = frozenset({"float64"})


class ByTurns(Right):
    """Right the first time that a question is asked, and every second time after that."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()

    def evaluate(self, question: Question) -> Computed:
        self.asked[question.id, question.dtype] += 1
        answer = super().evaluate(question)
        if self.asked[question.id, question.dtype] % 2:
            return answer
        return self.otherwise(answer)

    def otherwise(self, answer: Computed) -> Computed:
        raise NotImplementedError


class SumsByTurns(ByTurns):
    """A reduced loss, such as a sum in no fixed order, has other last bits."""

    name = "sums-by-turns"

    def otherwise(self, answer: Computed) -> Computed:
        loss = answer.outputs["loss"]
        if loss.shape:
            return answer
        return Computed(**answer.outputs | {"loss": np.nextafter(loss, loss.dtype.type(0))})


class WrongByTurns(ByTurns):
    name = "wrong-by-turns"

    def otherwise(self, answer: Computed) -> Computed:
        return Computed(**answer.outputs | {"loss": -answer.outputs["loss"]})


class RaisesByTurns(ByTurns):
    name = "raises-by-turns"

    def otherwise(self, answer: Computed) -> Computed:
        msg = "not this time"
        raise RuntimeError(msg)


class OnMetal(Right):
    """Has one device, of a kind that no adapter of ours has."""

    name = "on-metal"
    devices = frozenset({"mps"})

    def device_problem(self, device: str) -> str | None:
        index = int(device.partition(":")[2] or 0)
        if index > 1:
            msg = "lost"
            raise RuntimeError(msg)
        return (
            f"there is one Metal device, no {device}" if index else super().device_problem(device)
        )


def first_input(question: Question) -> float:
    return float(next(iter(question.inputs.values())).flat[0])


RUINED: list[str] = []
"""The devices of this process that nothing runs on any more."""


class Poisoned(Right):
    """A question whose first input is 13 ruins its device; every later one there fails as well."""

    name = "poisoned"

    def evaluate(self, question: Question) -> Computed:
        if first_input(question) == 13:
            RUINED.append(question.device)
        if question.device in RUINED:
            msg = "device-side assert triggered"
            raise RuntimeError(msg)
        return super().evaluate(question)

    def is_ruined(self, device: str) -> bool:
        return device in RUINED


class Forewarned(Poisoned):
    """Likewise, and it says beforehand which question that is."""

    name = "forewarned"

    def may_ruin(self, question: Question) -> bool:
        return first_input(question) == 13


def mark(pid: int) -> None:
    """Tell the test of a process."""
    (Path(os.environ["MARKS"]) / str(pid)).touch()


def hang() -> None:
    mark(os.getpid())
    mark(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid)
    time.sleep(600)


def speak_and_abort() -> None:
    os.write(1, b"\xff\x00garbage" * 100_000)
    os.write(2, b"Assertion failed.\n" * 1000 + b"what():  CUDA error\n")
    os.abort()


def give_a_sentence() -> None:
    msg = "A sentence for the user."
    raise ConformanceError(msg)


class Mortal(Right):
    """Right, but for what a question with one of these ids makes of its process."""

    name = "mortal"
    deeds: Mapping[str, Callable[[], object]] = {
        "abort": os.abort,
        "exit": lambda: os._exit(3),
        "be_killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "segfault": lambda: ctypes.string_at(0),
        "hang": hang,
        "speak_and_abort": speak_and_abort,
        "close_everything": lambda: os.closerange(3, 1000),
        "give_a_sentence": give_a_sentence,
    }

    def may_ruin(self, question: Question) -> bool:
        return True

    def evaluate(self, question: Question) -> Computed:
        self.deeds.get(question.id.rpartition("/")[2], lambda: None)()
        return super().evaluate(question)


class TellsItsProcess(Right):
    name = "tells-its-process"

    def evaluate(self, question: Question) -> Computed:
        return Computed(loss=np.asarray(os.getpid()))


class CannotBeSent(Right):
    name = "cannot-be-sent"

    def evaluate(self, question: Question) -> Computed:
        return Computed(loss=np.asarray([lambda: None], object))


NOT_AN_ADAPTER = 1
