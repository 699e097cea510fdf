"""Workers that misbehave, each in one way, cost the questions in flight and no other."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import worker_fakes
from factories import make_case
from test_processes import all_end, marks

from conformance import adapters
from conformance.adapters.base import LossAdapter
from conformance.deviations import Ledger
from conformance.errors import ConformanceError
from conformance.model import Computed, Expected
from conformance.runner import Runner
from conformance.workers import pipes
from conformance.workers.adapter import LIMIT_VARIABLE, WorkerAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.model import Case, Question
    from conformance.results import Result

LIMIT = "1"
NO_ANSWER = f"it gave no answer within {LIMIT} s"
CLOSED = "the process closed its output"
FLOODED = "it wrote 8 lines that nobody had asked for"
NOT_SENT = "its answer cannot be read: "
NO_MESSAGE = " is no message of protocol 1: "


class Plain(LossAdapter):
    """What worker_fakes computes, in this process."""

    name = "plain"
    operations = frozenset({"bce_with_logits"})
    outputs = frozenset({"loss"})
    dtypes = frozenset({"float64"})

    def evaluate(self, question: Question) -> Computed:
        logits, targets = question.inputs["logits"], question.inputs["targets"]
        return Computed(loss=np.array(list(map(worker_fakes.loss_of, logits, targets))))


def case(name: str, *logits: float, **given: Any) -> Case:
    given = {"logits": list(logits), "targets": [0.0] * len(logits), **given}
    return make_case(id=f"g/{name}", dtypes=("float64",), **given)


GUILTY = case("guilty", 13.0)
INNOCENT = [case("one", 1.0), case("two", 2.0, -3.0), case("four", 1e-3)]
CASES = [GUILTY, *INNOCENT]


def ask(adapter: LossAdapter, cases: Sequence[Case] = CASES) -> tuple[list[Result], str | None]:
    """The results, and what is told of the group."""
    runner = Runner()
    results = runner.run(adapter, "cpu", "float64", cases, Ledger())
    return results, runner.asker.broke_off.get((adapter.name, "cpu", "float64"))


def worth(results: Sequence[Result]) -> list[Any]:
    """All that there is to an answer but its time, bits included."""
    return [(each.case, each.status, each.grade, each.outputs, each.raised) for each in results]


@pytest.fixture(scope="module")
def right() -> list[Result]:
    results, told = ask(Plain())
    assert (None, {"passed"}) == (told, {result.status for result in results})
    assert all(result.outputs["loss"].bits for result in results)
    return results


def command(deed: str, folder: Path) -> str:
    # Started fast, and in every test by a command of its own.
    program = [sys.executable, "-I", "-S", str(Path(worker_fakes.__file__)), deed, str(folder)]
    return shlex.join(program)


def connected(deed: str, folder: Path) -> WorkerAdapter:
    adapter = adapters.load(f"worker:{command(deed, folder)}")
    assert isinstance(adapter, WorkerAdapter)
    return adapter


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Path]:
    """The folder in which processes leave their marks; at the end none of them runs."""
    folder, away = tmp_path / "marks", tmp_path / "away"
    folder.mkdir()
    away.mkdir()
    yield folder
    assert all_end(marks(folder, 1))
    for pid in marks(away, 0):
        kill(pid)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    assert all_end([pid])


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, LIMIT)


def require_guilty_alone(
    results: Sequence[Result], right: Sequence[Result], fault: str, sentence: str
) -> None:
    guilty, *others = results
    assert worth(right[1:]) == worth(others)
    assert ("failed", "wrong", fault) == (guilty.status, guilty.grade, guilty.fault)
    assert sentence in str(guilty.reason)
    assert "\n" not in str(guilty.reason)


@pytest.fixture
def _moderate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "MOST_BYTES", 2**20)


@pytest.mark.usefixtures("_moderate")
@pytest.mark.parametrize(
    ("deed", "fault", "sentence"),
    [
        ("segfault", "crashed", "the process ended by signal 11 (SIGSEGV)"),
        ("abort", "crashed", "the process ended by signal 6 (SIGABRT): what():  an assertion"),
        ("exit_", "crashed", "the process ended with exit code 3"),
        ("break_off", "crashed", "the process ended with exit code 0"),
        ("answer_and_die", "crashed", "the process ended with exit code 5"),
        ("leave_the_output_to_a_child", "crashed", "the process ended with exit code 0"),
        ("close_the_output", "crashed", CLOSED),
        ("flood_without_end", "broken", "it wrote a line of more than 1,048,576 bytes"),
        ("answer_twice", "broken", "it said 'answers' where 'started' was due"),
        ("start_again", "broken", "it said 'started' where 'answers' was due"),
        ("repeat_an_answer", "broken", "it answered a question twice"),
        ("answer_other_questions", "broken", ", which was not asked"),
        ("answer_one_more", "broken", "it answered 0, which was not asked"),
        ("answer_another_message", "broken", "it answered message 10"),
        ("answer_nothing", "broken", "it gave 0 answers to 1 questions"),
        ("forget_the_last", "broken", "it gave 0 answers to 1 questions"),
        ("speak_garbage", "broken", NO_MESSAGE),
        ("nest_deeply", "broken", NO_MESSAGE),
        ("print_beside", "broken", f"'INFO: initialized'{NO_MESSAGE}"),
        ("answer_in_two_ways", "broken", "has both outputs and declined"),
        ("answer_in_no_way", "broken", "has no answer"),
        ("send_too_few_bits", "broken", f"{NOT_SENT}8 bytes are no float64 array of shape (7,)"),
        ("send_no_bits", "broken", f"{NOT_SENT}'zz' is not hexadecimal"),
        ("send_an_unknown_dtype", "broken", f"{NOT_SENT}'float8' is no dtype"),
        ("send_a_huge_shape", "broken", f"{NOT_SENT}0 bytes cannot be laid out in shape"),
        ("send_a_wide_array", "broken", f"{NOT_SENT}8 bytes cannot be laid out in shape (1,): "),
    ],
)
def test_a_worker_that_misbehaves_costs_the_guilty_question_alone(
    started: Path, right: list[Result], deed: str, fault: str, sentence: str
) -> None:
    adapter = connected(deed, started)
    results, told = ask(adapter)
    require_guilty_alone(results, right, fault, sentence)
    assert str(told).endswith("; asked one by one")
    adapter.worker.end()


def test_a_flood_of_lines_costs_the_guilty_question_alone(
    started: Path, right: list[Result]
) -> None:
    adapter = connected("flood_lines", started)
    results, _ = ask(adapter)
    # The first line is no answer, and may be read before there are too many.
    told = FLOODED if FLOODED in str(results[0].reason) else NO_MESSAGE
    require_guilty_alone(results, right, "broken", told)
    adapter.worker.end()


def test_a_process_that_floods_is_ended_before_anybody_reads() -> None:
    flood = [sys.executable, "-I", "-S", "-c", "while True: print('a line', flush=True)"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        flood, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    ) as process:
        said = pipes.Said(process)
        assert -signal.SIGKILL == process.wait(60)
        assert b"" == said.lines.get(timeout=60)
    assert FLOODED == said.problem


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize("deed", ["hang_with_a_child", "flood_beside", "answer_too_late"])
def test_a_worker_that_gives_no_answer_in_time_costs_the_guilty_question_alone(
    started: Path, right: list[Result], deed: str
) -> None:
    adapter = connected(deed, started)
    results, told = ask(adapter)
    require_guilty_alone(results, right, "timed_out", f"timed out: {NO_ANSWER}")
    assert str(told).startswith(NO_ANSWER)
    adapter.worker.end()


def ask_the_deaf(folder: Path) -> list[Result]:
    # More than a pipe holds, so that whoever writes it would wait.
    logits = [13.0, *[0.0] * 20_000]
    long = case("guilty", *logits, filled=False)
    adapter = connected("read_no_more", folder)
    results, _ = ask(adapter, [replace(long, expected=Expected(raises=True)), *INNOCENT])
    adapter.worker.end()
    return results


@pytest.mark.usefixtures("_short")
def test_a_worker_that_does_not_read_holds_nobody_up_even_if_its_pipes_outlive_it(
    started: Path, right: list[Result]
) -> None:
    begin = time.monotonic()
    require_guilty_alone(ask_the_deaf(started), right, "timed_out", f"timed out: {NO_ANSWER}")
    assert time.monotonic() - begin < 15


@pytest.mark.usefixtures("_short")
def test_nor_does_it_keep_a_program_from_its_end(started: Path) -> None:
    code = (
        "import pathlib, sys, test_workers; folder = pathlib.Path(sys.argv[1]);"
        "print([each.fault for each in test_workers.ask_the_deaf(folder)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(started)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=40,
    )
    expected = (0, "['timed_out', None, None, None]\n", "")
    assert expected == (done.returncode, done.stdout, done.stderr)


def test_answers_out_of_order_are_asked_for_again_one_by_one(
    started: Path, right: list[Result]
) -> None:
    adapter = connected("answer_out_of_order", started)
    results, told = ask(adapter)
    assert worth(right) == worth(results)
    assert "its answers are out of order; asked one by one" == told
    adapter.worker.end()


def test_a_question_that_has_been_asked_by_itself_cannot_ask_for_it(
    started: Path, right: list[Result]
) -> None:
    adapter = connected("ask_to_be_alone", started)
    results, told = ask(adapter)
    require_guilty_alone(results, right, "broken", "it wanted to be asked by itself, and was")
    assert told is None
    adapter.worker.end()


@pytest.mark.parametrize(
    "deed", ["answer_right", "flood_beside_and_answer", "answer_and_leave_a_child"]
)
def test_what_is_no_fault_costs_nothing(started: Path, right: list[Result], deed: str) -> None:
    adapter = connected(deed, started)
    results, told = ask(adapter)
    assert worth(right) == worth(results)
    assert told is None
    adapter.worker.end()


def test_a_sound_worker_answers_every_message_and_ends_by_itself(
    started: Path, right: list[Result]
) -> None:
    adapter = connected("answer_right", started)
    for _ in range(3):
        assert worth(right) == worth(ask(adapter)[0])
    assert 1 == len(marks(started, 1))
    assert 0 == adapter.worker.end()
    assert adapter.worker.end() is None


def test_a_question_is_not_blamed_for_what_an_earlier_one_has_spoilt(
    started: Path, right: list[Result]
) -> None:
    adapter = connected("die_at_the_next_question", started)
    before, told = ask(adapter, [GUILTY])
    assert (worth(right[:1]), None) == (worth(before), told)
    after, told = ask(adapter, INNOCENT[:1])
    assert worth(right[1:2]) == worth(after)
    assert "the process ended with exit code 6; a fresh process gave the answer" == told
    adapter.worker.end()


def test_a_worker_that_ends_between_two_messages_is_replaced(
    started: Path, right: list[Result]
) -> None:
    adapter = connected("answer_right", started)
    ask(adapter)
    (pid,) = marks(started, 1)
    kill(pid)
    results, _ = ask(adapter)
    assert worth(right) == worth(results)
    assert 2 == len(marks(started, 2))
    adapter.worker.end()


def test_many_questions_cost_no_more_than_their_message(started: Path) -> None:
    many = [replace(INNOCENT[0], id=f"g/{number}") for number in range(300)]
    many[200] = GUILTY
    adapter = connected("segfault", started)
    results, told = ask(adapter, many)
    assert [200] == [index for index, each in enumerate(results) if each.status != "passed"]
    assert "the process ended by signal 11 (SIGSEGV); asked one by one" == told
    # The first, one for its message asked one by one, and one each for those before and after.
    assert len(marks(started, 3)) <= 4
    adapter.worker.end()


def test_a_sentence_for_the_user_stays_one(started: Path) -> None:
    adapter = connected("fail", started)
    with pytest.raises(ConformanceError, match=r"^The licence has expired\. Renew it\.$"):
        ask(adapter)


def test_the_worker_tells_of_its_devices_and_versions(started: Path) -> None:
    adapter = connected("answer_right", started)
    assert "a device" == adapter.device_facts("cpu")
    assert adapter.device_problem("cpu") is None
    assert "plain does not run on cuda: it runs on cpu" == adapter.device_problem("cuda")
    assert {} == adapter.device_settings("cpu")
    assert {"plain": "1.0"} == adapter.versions()
    assert ([], []) == (adapter.ledgers(), adapter.policies())
    adapter.worker.end()


@pytest.mark.parametrize(
    ("deed", "sentence"),
    [
        (
            "crash_with_a_word",
            "the process ended with exit code 127: libcudart.so.12: cannot open shared object file",
        ),
        ("hang", "it did not start within 1 s"),
        ("greet", "'Welcome!' is no message of protocol 1: "),
        ("speak_another_version", "it speaks version 2 of the protocol, not 1"),
        ("refuse", "no licence is found"),
        ("answer_before_the_start", "it said 'answers' where 'started' was due"),
        ("offer_nothing", "required field `adapter`"),
    ],
)
def test_a_worker_that_does_not_start_is_refused_in_a_sentence(
    started: Path, monkeypatch: pytest.MonkeyPatch, deed: str, sentence: str
) -> None:
    monkeypatch.setattr("conformance.workers.adapter.LIMIT_S", 1.0 if deed == "hang" else 60.0)
    monkeypatch.setenv(LIMIT_VARIABLE, LIMIT)
    with pytest.raises(ConformanceError) as raised:
        connected(f"start:{deed}", started)
    message = str(raised.value)
    assert message.startswith("worker '")
    assert " cannot be asked: " in message
    assert sentence in message
    assert message.endswith(". Try the command by itself.")
    assert "\n" not in message


def test_a_worker_of_a_bad_name_is_refused(started: Path) -> None:
    with pytest.raises(ConformanceError, match="needs a name of letters, digits"):
        connected("start:have_a_bad_name", started)
    # It is ended when this process ends.
    (pid,) = marks(started, 1)
    kill(pid)
