"""Tests of processes that behave, and misbehave, as rank_actions.py has them do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rank_actions import asked

from conformance.adapters.jobs._processes import together
from conformance.errors import ConformanceError
from conformance.jobs import Job
from conformance.model import Answer, Broken, Computed, Declined, Raised

if TYPE_CHECKING:
    from pathlib import Path


def ask(*names: str, limit_s: float = 60.0, text: str = "") -> list[Answer]:
    questions = [asked(name, text) for name in names]
    return together("rank_actions:work", questions, limit_s=limit_s)


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
    command = ["ps", "-o", "stat=", "-p", str(pid)]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    return told.stdout.strip()[:1] not in ("", "Z", "X")


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
    (answer,) = together("rank_actions:tell_the_environment", [asked("any")], processes=3)
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
        # One that is killed cannot tidy up.
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(folder.parent)},
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
        ("differ_in_outputs", "the processes have the outputs [['logged', 'losses'], ['losses']]"),
        ("is_nowhere", "AttributeError: module 'rank_actions' has no attribute 'is_nowhere'"),
    ],
)
def test_ranks_that_do_not_fit_together_are_broken(worker: str, message: str) -> None:
    assert [Broken(message)] == together(f"rank_actions:{worker}", [asked("any")])


def test_a_worker_that_returns_no_values_has_raised() -> None:
    (answer,) = together("rank_actions:return_nothing", [asked("any")])
    message = "rank_actions:return_nothing returned NoneType, not Computed"
    assert Raised("TypeError", message) == answer


def test_a_worker_may_decline() -> None:
    assert [Declined("not this one")] == together("rank_actions:refuse", [asked("any")])


def test_what_is_not_on_the_cpu_or_is_for_another_number_of_processes_is_declined() -> None:
    questions = [
        replace(asked("compute"), device="cuda:0"),
        replace(asked("compute"), job=Job(shards=((1,), (1,), (1,)))),
        replace(asked("compute"), job=Job(shards=((1,), (1,)))),
    ]
    on_cuda, three, two = together("rank_actions:work", questions)
    assert Declined("several processes are started on the CPU only, not on cuda:0") == on_cuda
    assert Declined("it starts 2 processes, not 3") == three
    assert is_right(two)
