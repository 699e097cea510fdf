"""What the ranks of test_processes.py do, and what they are asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.errors import ConformanceError
from conformance.model import Computed, Declined, Question

if TYPE_CHECKING:
    from collections.abc import Callable

RANK = int(os.environ.get("RANK", "-1"))


def asked(name: str, text: str = "") -> Question:
    return Question(
        id=name,
        operation="evaluate",
        reduction="mean",
        dtype="float32",
        device="cpu",
        inputs={"features": np.frombuffer(text.encode(), np.uint8)},
        outputs=("epoch_loss",),
    )


def text_of(question: Question) -> str:
    return question.inputs["features"].tobytes().decode()


def leave_a_mark(question: Question) -> None:
    """Tell the test which process this is."""
    (Path(text_of(question)) / str(os.getpid())).touch()


def wait() -> None:
    time.sleep(600)


def computed() -> Computed:
    return Computed(
        epoch_loss=np.float32(RANK), logged=np.float32([RANK]), parameters=np.float32([[7.0]])
    )


def work(question: Question, meeting: str) -> Computed:
    """Do what the question's id says, then compute."""
    ACTIONS[question.id](question)
    return computed()


def raise_it(question: Question) -> None:
    raise ValueError("first line\nsecond line")


def raise_on_rank_1(question: Question) -> None:
    if RANK == 1:
        raise ValueError("rank 1 alone")


def leave_the_partner_waiting(question: Question) -> None:
    raise_on_rank_1(question)
    wait()


def lose_the_partner(question: Question) -> None:
    raise_on_rank_1(question)
    time.sleep(0.3)
    raise RuntimeError("Connection closed by peer")


def exit_on_rank_1(question: Question) -> None:
    if RANK == 1:
        print("what it said\nat last", file=sys.stderr, flush=True)
        os._exit(3)
    wait()


def print_garbage(question: Question) -> None:
    os.write(1, b"\xff\x00garbage" * 100_000)
    os.write(2, b"\xff\x00garbage" * 100_000)


def spawn_a_child_and_hang(question: Question) -> None:
    leave_a_mark(question)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (Path(text_of(question)) / str(child.pid)).touch()
    wait()


def give_a_sentence(question: Question) -> None:
    raise ConformanceError("A sentence for the user.")


ACTIONS: dict[str, Callable[[Question], Any]] = {
    "compute": lambda question: None,
    "compute again": lambda question: None,
    "raise": raise_it,
    "raise on rank 1": raise_on_rank_1,
    "leave the partner waiting": leave_the_partner_waiting,
    "lose the partner": lose_the_partner,
    "exit on rank 1": exit_on_rank_1,
    "be killed": lambda question: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda question: sys.exit("a slip"),
    "print garbage": print_garbage,
    "give a sentence": give_a_sentence,
    "mark": leave_a_mark,
    "spawn a child, hang": spawn_a_child_and_hang,
}


def differ(question: Question, meeting: str) -> Computed:
    return Computed(parameters=np.float32([RANK]))


def differ_in_shape(question: Question, meeting: str) -> Computed:
    return Computed(losses=np.zeros(RANK + 1))


def differ_in_outputs(question: Question, meeting: str) -> Computed:
    return Computed(losses=np.zeros(1), **({"logged": np.zeros(1)} if RANK == 0 else {}))


def refuse(question: Question, meeting: str) -> Declined:
    return Declined("not this one")


def return_nothing(question: Question, meeting: str) -> Any:
    return None


def tell_the_environment(question: Question, meeting: str) -> Computed:
    path = Path(meeting.removeprefix("file://"))
    return Computed(
        epoch_loss=np.array(
            [int(os.environ[name]) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE")]
            + [os.getpgid(0) == os.getpid(), path.parent == Path.cwd(), not path.exists()]
        )
    )
