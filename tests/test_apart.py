"""Questions asked in processes of their own, which end, hang, and ruin what they run on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import fakes
import numpy as np
import pytest
from factories import make_case
from test_processes import all_end, marks

from conformance import adapters
from conformance.apart import Apart
from conformance.asking import ask_alone, question_of
from conformance.corpus import load_corpus
from conformance.deviations import Ledger
from conformance.errors import ConformanceError
from conformance.model import Answer, Broken, Computed, Crashed, Expected, TimedOut
from conformance.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conformance.model import Case
    from conformance.results import Result


def case(name: str, logit: float = 1.0, **given: Any) -> Case:
    return make_case(id=f"g/{name}", logits=[logit], targets=[0.0], **given)


def ask(adapter: Any, *names: str, limit_s: float = 60.0) -> list[Answer]:
    told = Apart({}, limit_s).ask(adapter, "cpu", "float32", [case(name) for name in names])
    assert all(each.ms >= 0 for each in told)
    return [each.answer for each in told]


def is_right(answer: Answer) -> bool:
    assert isinstance(answer, Computed), answer
    np.testing.assert_allclose(np.logaddexp(0, [1.0]), answer.outputs["loss"], rtol=1e-6)
    return True


@pytest.fixture(autouse=True)
def _sound() -> Iterator[None]:
    fakes.RUINED.clear()
    yield
    fakes.RUINED.clear()


def run(runner: Runner, adapter: Any, cases: list[Case], device: str = "cpu") -> list[Result]:
    return runner.run(adapter, device, "float32", cases, Ledger())


@pytest.mark.parametrize(
    ("deed", "message"),
    [
        ("abort", "the process ended by signal 6 (SIGABRT)"),
        ("exit", "the process ended with exit code 3"),
        ("be_killed", "the process ended by signal 9 (SIGKILL)"),
        ("segfault", "the process ended by signal 11 (SIGSEGV)"),
        ("speak_and_abort", "the process ended by signal 6 (SIGABRT): what():  CUDA error"),
    ],
)
def test_a_process_that_ends_costs_its_question_alone(
    capfd: pytest.CaptureFixture[str], deed: str, message: str
) -> None:
    before, crashed, after = ask(fakes.Mortal(), "one", deed, "two")
    assert Crashed(message) == crashed
    assert is_right(before)
    assert is_right(after)
    assert ("", "") == capfd.readouterr()


def test_a_process_that_gives_no_answer_is_killed_with_all_that_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKS", str(tmp_path))
    before, late, after = ask(fakes.Mortal(), "one", "hang", "two", limit_s=2)
    assert TimedOut("it gave no answer within 2 s") == late
    assert is_right(before)
    assert is_right(after)
    assert all_end(marks(tmp_path, 2))


def test_a_process_that_loses_its_pipe_is_not_waited_for() -> None:
    lost, after = ask(fakes.Mortal(), "close_everything", "two")
    assert isinstance(lost, Crashed)
    assert is_right(after)


def processes(adapter: Any, cases: int) -> set[int]:
    answers = ask(adapter, *map(str, range(cases)))
    assert all(isinstance(answer, Computed) for answer in answers)
    return {int(answer.outputs["loss"]) for answer in answers if isinstance(answer, Computed)}


def test_a_sound_process_answers_many_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    (pid,) = processes(fakes.TellsItsProcess(), 5)
    assert os.getpid() != pid


def test_no_more_processes_are_started_than_there_are_questions() -> None:
    assert 1 == len(processes(fakes.TellsItsProcess(), 1))
    assert [] == ask(fakes.Right())


def test_the_answers_are_those_of_this_process_to_the_bit() -> None:
    cases = [
        each for each in load_corpus([]).cases if each.group in ("logits/layouts", "training/modes")
    ]
    here = run(Runner(), fakes.Right(), cases)
    apart = run(Runner(), AllApart(), cases)
    assert {"passed", "not_run"} == {result.status for result in here}
    assert [result.outputs for result in here] == [result.outputs for result in apart]
    assert [result.reason for result in here] == [result.reason for result in apart]


class AllApart(fakes.Right):
    def may_ruin(self, question: Any) -> bool:
        return True


def test_an_answer_that_cannot_be_sent_is_at_fault() -> None:
    first, second = ask(fakes.CannotBeSent(), "one", "two")
    assert first == second
    assert isinstance(first, Broken)
    assert first.message.startswith("its answer cannot be sent: ")


def test_an_adapter_that_cannot_be_imported_there_is_at_fault_and_says_why() -> None:
    class Local(fakes.Right):
        pass

    first, second = ask(Local(), "one", "two")
    assert first == second
    assert isinstance(first, Broken)
    assert first.message.startswith("adapter '")
    assert "cannot be imported: " in first.message


def test_an_adapter_is_imported_as_the_run_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made.py").write_text("import fakes\nadapter = fakes.TellsItsProcess()\n")
    (tmp_path / "ends.py").write_text("import os\nos._exit(4)\n")
    monkeypatch.syspath_prepend(tmp_path)
    apart = Apart({"right": "made:adapter", "lists": "ends:adapter"})
    (told,) = apart.ask(fakes.Right(), "cpu", "float32", [case("one")])
    assert isinstance(told.answer, Computed)
    assert ["loss"] == list(told.answer.outputs)
    (told,) = apart.ask(fakes.Lists(), "cpu", "float32", [case("one")])
    assert Crashed("the process ended with exit code 4") == told.answer


def test_an_adapter_that_takes_too_long_to_import_is_not_imported_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    begin = time.monotonic()
    told = Apart({"right": "slow:adapter"}, start_s=2).ask(
        fakes.Right(), "cpu", "float32", [case(name) for name in ("one", "two", "three")]
    )
    late = TimedOut("it did not start within 2 s")
    assert [late] * 3 == [each.answer for each in told]
    assert time.monotonic() - begin < 6


def test_a_sentence_for_the_user_stays_one() -> None:
    with pytest.raises(ConformanceError, match=r"A sentence for the user\."):
        ask(fakes.Mortal(), "one", "give_a_sentence", "two")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_processes_end_with_their_parent(tmp_path: Path, end: signal.Signals) -> None:
    code = "import fakes, test_apart; test_apart.ask(fakes.Mortal(), 'hang', 'hang')"
    marked = tmp_path / "marks"
    marked.mkdir()
    paths = {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    environment = os.environ | paths | {"MARKS": str(marked)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as parent:
        children = marks(marked, 2 * min(2, os.cpu_count() or 1))
        begin = time.monotonic()
        parent.send_signal(end)
        assert (b"KeyboardInterrupt" in parent.communicate(timeout=20)[1]) == (end == signal.SIGINT)
    assert time.monotonic() - begin < 10
    assert all_end(children)


SOUND = [case("one"), case("two", 2.0), case("thirteen", 13.0), case("four", -4.0)]
GUILTY_ALONE = ["passed", "passed", "failed", "passed"]


def test_what_may_ruin_the_device_is_asked_apart_and_fails_alone() -> None:
    runner = Runner()
    results = run(runner, fakes.Forewarned(), SOUND)
    assert GUILTY_ALONE == [result.status for result in results]
    assert [each.id for each in SOUND] == [result.case for result in results]
    assert "raised RuntimeError: device-side assert triggered" == results[2].reason
    assert ([], {}) == (fakes.RUINED, runner.asker.broke_off)


def test_each_question_after_a_ruin_gets_a_sound_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    results = run(Runner(), AllForewarned(), SOUND)
    assert GUILTY_ALONE == [result.status for result in results]


class AllForewarned(fakes.Poisoned):
    def may_ruin(self, question: Any) -> bool:
        return True


def test_an_error_that_was_due_is_right_whatever_became_of_the_device() -> None:
    due = replace(case("thirteen", 13.0, filled=False), expected=Expected(raises=True))
    statuses = [each.status for each in run(Runner(), fakes.Forewarned(), [due, SOUND[0]])]
    assert ["passed", "passed"] == statuses


def test_after_an_unexpected_ruin_all_is_asked_apart() -> None:
    runner = Runner()
    adapter = fakes.Poisoned()
    assert GUILTY_ALONE == [result.status for result in run(runner, adapter, SOUND)]
    (reason,) = runner.asker.broke_off.values()
    assert "it left the device unusable for this process" == reason
    later = run(runner, adapter, [case("five", 5.0, dtypes=("float32",))])
    assert ["passed"] == [result.status for result in later]
    assert ["cpu"] == fakes.RUINED


def test_a_ruin_that_breaks_the_bulk_off_is_told_with_its_reason() -> None:
    class InBulk(fakes.Poisoned):
        def evaluate_all(self, questions: Any) -> Any:
            return [self.evaluate(question) for question in questions]

    runner = Runner(targets={"poisoned": "fakes:Poisoned"})
    assert GUILTY_ALONE == [result.status for result in run(runner, InBulk(), SOUND)]
    (reason,) = runner.asker.broke_off.values()
    told = "RuntimeError: device-side assert triggered; it left the device unusable"
    assert reason.startswith(told)


def test_a_device_is_lost_by_itself_and_for_every_adapter() -> None:
    runner = Runner()
    run(runner, fakes.Poisoned(), SOUND)
    assert ["passed"] == [each.status for each in run(runner, fakes.Right(), SOUND[:1])]
    assert ["passed"] == [each.status for each in run(runner, fakes.Right(), SOUND[:1], "other")]
    told = {key[:2]: reason for key, reason in runner.asker.broke_off.items()}
    assert {("poisoned", "cpu"), ("right", "cpu")} == told.keys()
    assert "an earlier question left the device unusable" in told["right", "cpu"]


def test_one_question_alone_is_asked_apart_where_need_be() -> None:
    asker = Runner().asker
    crashed = asker.ask_alone(fakes.Mortal(), "cpu", "float32", case("exit"))
    assert Crashed("the process ended with exit code 3") == crashed
    assert is_right(asker.ask_alone(fakes.Right(), "cpu", "float32", case("one")))


@pytest.mark.parametrize(
    ("deed", "fault", "reason"),
    [
        ("abort", "crashed", "crashed: the process ended by signal 6 (SIGABRT)"),
        ("hang", "timed_out", "timed out: it gave no answer within 2 s"),
    ],
)
def test_what_gives_no_answer_is_wrong_even_where_an_error_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str, fault: str, reason: str
) -> None:
    monkeypatch.setenv("MARKS", str(tmp_path))
    runner = Runner()
    runner.asker.apart.limit_s = 2
    due = replace(case(deed, filled=False), expected=Expected(raises=True))
    (result,) = run(runner, fakes.Mortal(), [due])
    assert ("failed", "wrong", fault) == (result.status, result.grade, result.fault)
    assert reason == result.reason


def test_an_adapter_that_cannot_be_imported_there_is_broken_even_where_an_error_is_due() -> None:
    due = replace(case("one", filled=False), expected=Expected(raises=True))
    (result,) = run(Runner(targets={"right": "fakes:Absent"}), AllApart(), [due])
    assert ("failed", "wrong", "broken") == (result.status, result.grade, result.fault)
    assert "has no attribute 'Absent'" in str(result.reason)


TRAINED = ("torch", "ignite", "lightning", "fabric", "accelerate")


@pytest.mark.parametrize(
    ("given", "device", "expected"),
    [
        ({"probabilities": [0.0, 1.0], "targets": [1.0, 0.5]}, "cuda", False),
        ({"probabilities": [-0.0], "targets": [0.0]}, "cuda", False),
        ({"probabilities": [0.5, 1.5], "targets": [1.0, 0.5]}, "cuda", True),
        ({"probabilities": [0.5, 1.5], "targets": [1.0, 0.5]}, "cuda:1", True),
        ({"probabilities": [0.5, 1.5], "targets": [1.0, 0.5]}, "cpu", False),
        ({"probabilities": [0.5], "targets": [-0.25]}, "cuda", True),
        ({"probabilities": [np.nan], "targets": [1.0]}, "cuda", True),
        ({"probabilities": [0.5], "targets": [np.nan]}, "cuda", True),
        ({"probabilities": [0.5], "targets": [np.inf]}, "cuda", True),
        ({"probabilities": [], "targets": []}, "cuda", False),
        ({"logits": [1.5], "targets": [2.0]}, "cuda", False),
    ],
)
@pytest.mark.parametrize("name", TRAINED)
def test_a_probability_out_of_range_may_ruin_cuda(
    name: str, given: Any, device: str, expected: bool
) -> None:
    if adapters.missing(name):
        pytest.skip("not installed")
    adapter = adapters.load(name)
    for dtype in ("float32", "float16", "bfloat16"):
        question = question_of(make_case(filled=False, **given), device, dtype)
        assert expected == adapter.may_ruin(question)


def test_each_question_that_pytorch_refuses_for_its_range_may_ruin_cuda() -> None:
    torch = pytest.importorskip("torch")
    adapter = adapters.load("torch")
    flagged = 0
    for each in load_corpus([]).cases:
        if each.group == "probabilities/bad_inputs" or each.id.startswith(
            ("regressions/", "training/bce_of_sigmoid", "evaluation/arguments")
        ):
            dtype = each.dtypes[0]
            answer = ask_alone(adapter, question_of(each, "cpu", dtype))
            refused = "should be between 0 and 1" in getattr(answer, "message", "")
            assert not refused or adapter.may_ruin(question_of(each, "cuda", dtype)), each.id
            flagged += refused
    assert flagged > 20
    assert not adapter.is_ruined("cpu")
    assert not torch.cuda.is_initialized()


def test_a_device_that_is_not_there_cannot_be_used() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert adapters.load("torch").is_ruined("cuda")
