"""Processes that behave, and misbehave; each function that a rank calls is here as well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from conformance.adapters.jobs._processes import together
from conformance.errors import ConformanceError
from conformance.jobs import Job
from conformance.model import Answer, Broken, Computed, Declined, Question, Raised

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


def ask(*names: str, limit_s: float = 60.0, text: str = "") -> list[Answer]:
    questions = [asked(name, text) for name in names]
    return together("test_processes:work", questions, limit_s=limit_s)


def is_right(answer: Answer) -> bool:
    assert isinstance(answer, Computed), answer
    np.testing.assert_array_equal(np.float32([0, 1]), answer.outputs["epoch_loss"])
    np.testing.assert_array_equal(np.float32([0]), answer.outputs["logged"])
    np.testing.assert_array_equal(np.float32([[7]]), answer.outputs["parameters"])
    return True


def marks(folder: Path, count: int) -> list[int]:
    """The processes that have left a mark, once there are as many as ``count``."""
    end = time.monotonic() + 30
    while len(found := [int(path.name) for path in folder.iterdir()]) < count:
        assert time.monotonic() < end, f"{len(found)} of {count} processes began"
        time.sleep(0.02)
    return found


def runs(pid: int) -> bool:
    """Whether a process is there and has not ended; one that nobody waited for has."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def all_end(pids: list[int]) -> bool:
    end = time.monotonic() + 10
    while any(runs(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_each_rank_reports_its_own_loss_and_rank_0_speaks_for_the_rest() -> None:
    (answer,) = ask("compute")
    assert is_right(answer)


def test_no_questions_start_nothing() -> None:
    assert [] == ask()


def test_all_questions_are_answered_by_one_launch(tmp_path: Path) -> None:
    ask("mark", "mark", "mark", text=str(tmp_path))
    assert 2 == len(list(tmp_path.iterdir()))


def test_ranks_find_what_torchrun_would_tell_them_in_a_process_group_of_their_own() -> None:
    (answer,) = together("test_processes:tell_the_environment", [asked("any")], processes=3)
    assert isinstance(answer, Computed)
    expected = [[rank, rank, 3, 1, 1, 1] for rank in range(3)]
    np.testing.assert_array_equal(expected, answer.outputs["epoch_loss"])


def test_an_exception_is_the_answer_to_its_question_alone() -> None:
    before, raised, exited, after = ask("compute", "raise", "exit", "compute again")
    assert Raised("ValueError", "first line") == raised
    assert Broken("SystemExit: a slip") == exited
    assert is_right(before)
    assert is_right(after)


def test_a_rank_that_raises_alone_has_raised_for_all() -> None:
    alone, waiting, after = ask("raise on rank 1", "leave the partner waiting", "compute")
    assert Raised("ValueError", "rank 1 alone") == alone == waiting
    assert is_right(after)


def test_the_first_to_raise_is_the_one_that_tells_why() -> None:
    assert [Raised("ValueError", "rank 1 alone")] == ask("lose the partner")


def test_a_rank_that_ends_breaks_its_question_and_the_next_are_answered_by_new_ranks() -> None:
    before, ended, after = ask("compute", "exit on rank 1", "compute again")
    assert Broken("rank 1 ended with exit code 3: at last") == ended
    assert is_right(before)
    assert is_right(after)


def test_a_rank_that_is_killed_is_told_by_the_signal() -> None:
    (answer,) = ask("be killed")
    assert isinstance(answer, Broken)
    assert answer.message.endswith("ended by signal 9")


def test_what_ranks_print_is_no_answer() -> None:
    printed, after = ask("print garbage", "compute")
    assert is_right(printed)
    assert is_right(after)


def test_what_is_unfinished_at_the_limit_is_broken_and_ends_with_its_children(
    tmp_path: Path,
) -> None:
    start = time.monotonic()
    names = ("compute", "spawn a child, hang", "compute again")
    before, *late = ask(*names, limit_s=5, text=str(tmp_path))
    assert time.monotonic() - start < 15
    assert is_right(before)
    assert [Broken("2 processes did not finish within 5 s")] * 2 == late
    assert all_end(marks(tmp_path, 4))


def test_ranks_end_when_the_parent_is_interrupted(tmp_path: Path) -> None:
    with started("spawn a child, hang", tmp_path) as parent:
        ranks = marks(tmp_path, 4)
        parent.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in parent.communicate(timeout=20)[1]
    assert all_end(ranks)


def test_ranks_end_when_the_parent_is_killed(tmp_path: Path) -> None:
    with started("spawn a child, hang", tmp_path) as parent:
        ranks = marks(tmp_path, 4)
        parent.kill()
    assert all_end(ranks)


def started(name: str, folder: Path) -> subprocess.Popen[bytes]:
    """Another process that asks a question."""
    code = f"import test_processes; test_processes.ask({name!r}, text={str(folder)!r})"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
    )


def test_a_sentence_for_the_user_stays_one() -> None:
    with pytest.raises(ConformanceError, match=r"A sentence for the user\."):
        ask("give a sentence")


@pytest.mark.parametrize(
    ("worker", "message"),
    [
        ("differ", "the processes do not have the same parameters"),
        ("differ_in_shape", "the processes have losses of the shapes [(1,), (2,)]"),
        ("is_nowhere", "AttributeError: module 'test_processes' has no attribute 'is_nowhere'"),
    ],
)
def test_ranks_that_do_not_fit_together_are_broken(worker: str, message: str) -> None:
    assert [Broken(message)] == together(f"test_processes:{worker}", [asked("any")])


def test_a_worker_that_returns_no_values_has_raised() -> None:
    (answer,) = together("test_processes:return_nothing", [asked("any")])
    message = "test_processes:return_nothing returned NoneType, not Computed"
    assert Raised("TypeError", message) == answer


def test_a_worker_may_decline() -> None:
    assert [Declined("not this one")] == together("test_processes:refuse", [asked("any")])


def test_what_is_not_on_the_cpu_or_is_for_another_number_of_processes_is_declined() -> None:
    questions = [
        replace(asked("compute"), device="cuda:0"),
        replace(asked("compute"), job=Job(shards=((1,), (1,), (1,)))),
        replace(asked("compute"), job=Job(shards=((1,), (1,)))),
    ]
    on_cuda, three, two = together("test_processes:work", questions)
    assert Declined("several processes are started on the CPU only, not on cuda:0") == on_cuda
    assert Declined("it starts 2 processes, not 3") == three
    assert is_right(two)
