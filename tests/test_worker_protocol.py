"""Host and worker as programs: what they say to each other, how each refuses the other."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import fakes
import numpy as np
import pytest
from factories import make_case
from test_workers import command

from conformance import adapters
from conformance.adapters.numpy import NumpyAdapter
from conformance.asking import LOST
from conformance.corpus import Corpus, load_corpus
from conformance.deviations import Ledger
from conformance.errors import ConformanceError
from conformance.plan import make_plan
from conformance.runner import Runner
from conformance.workers.adapter import LIMIT_VARIABLE, WorkerAdapter, connect, own_command
from conformance.workers.process import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conformance.results import Result


WORKER = [sys.executable, "-m", "conformance.cli", "worker", "--adapter"]
START = {"type": "start", "protocol": 1}


@pytest.fixture(scope="module")
def tell() -> Iterator[Callable[[object], dict[str, Any]]]:
    """Says a line to a worker of the command line, and gives its reply."""
    with subprocess.Popen(
        [*WORKER, "numpy"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:

        def say(line: object) -> dict[str, Any]:
            assert process.stdin
            assert process.stdout
            said = line if isinstance(line, bytes) else json.dumps(line).encode()
            process.stdin.write(said + b"\n")
            process.stdin.flush()
            reply: dict[str, Any] = json.loads(process.stdout.readline())
            return reply

        yield say
        _, beside = process.communicate(b'{"type": "stop"}\n', timeout=20)
    assert (0, b"") == (process.returncode, beside)


def a_question(**changes: Any) -> dict[str, Any]:
    array = {"dtype": "float32", "shape": [1], "bits": "00000000"}
    question = {
        "id": 7,
        "case": "any",
        "operation": "bce_with_logits",
        "reduction": "none",
        "dtype": "float32",
        "device": "cpu",
        "inputs": {"logits": array, "targets": array},
        "outputs": ["loss"],
    }
    return question | changes


def questions(*asked: dict[str, Any]) -> dict[str, Any]:
    return {"type": "questions", "id": 3, "questions": list(asked)}


def test_a_worker_says_what_it_offers(tell: Any) -> None:
    reply = tell(START | {"devices": ["cpu", "cuda"]})
    assert ("started", 1) == (reply["type"], reply["protocol"])
    assert "numpy" == reply["adapter"]["name"]
    assert sorted(NumpyAdapter.outputs) == reply["adapter"]["outputs"]
    assert "numpy" in reply["adapter"]["versions"]
    assert "numpy does not run on cuda" in reply["devices"]["cuda"]["problem"]
    assert "problem" not in reply["devices"]["cpu"]


def test_a_worker_answers_by_the_numbers_of_the_questions(tell: Any) -> None:
    tell(START)
    reply = tell(questions(a_question(id=9), a_question(id=4)))
    assert ("answers", 3, [9, 4]) == (
        reply["type"],
        reply["id"],
        [each["id"] for each in reply["answers"]],
    )
    bits = np.float32(np.log(2)).tobytes().hex()
    expected = {"dtype": "float32", "shape": [1], "bits": bits}
    assert [{"loss": expected}] * 2 == [each["outputs"] for each in reply["answers"]]
    assert [] == tell(questions())["answers"]


@pytest.mark.parametrize(
    ("changes", "kind", "sentence"),
    [
        ({"operation": "hinge"}, "declined", "numpy does not offer hinge"),
        ({"dtype": "float8"}, "declined", "numpy does not offer float8"),
        ({"inputs": {}}, "raised", ""),
        ({"reduction": "median"}, "raised", "median"),
        ({"outputs": []}, "declined", "numpy offers none of the outputs asked for"),
    ],
)
def test_a_bad_question_gets_an_answer(
    tell: Any, changes: dict[str, Any], kind: str, sentence: str
) -> None:
    tell(START)
    for asked in ([a_question(**changes)], [a_question(**changes), a_question(id=8)]):
        reply = tell(questions(*asked))
        assert sentence in str(reply["answers"][0][kind])
    assert "outputs" in reply["answers"][1]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"garbage", "'garbage' is no message of protocol 1"),
        (b"", "'' is no message of protocol 1"),
        (b"[" * 100_000, "is no message of protocol 1"),
        ({"type": "answers", "id": 1, "answers": []}, "Invalid value 'answers'"),
        ({"type": "start"}, "missing required field `protocol`"),
        ({"type": "start", "protocol": "1"}, "Expected `int`, got `str`"),
        ({"type": "start", "protocol": 2}, "speaks version 1 of the protocol, not 2. Install"),
        (questions({"id": 1}), "missing required field"),
        (questions(a_question(id=-1)), "Expected `int` >= 0"),
        (questions(a_question(job="many")), "is no message of protocol 1"),
        (
            questions(a_question(inputs={"logits": {"dtype": "x", "shape": [0], "bits": ""}})),
            "'x' is no dtype",
        ),
        (
            questions(
                a_question(inputs={"logits": {"dtype": "int8", "shape": [3], "bits": "00"}}),
                a_question(),
            ),
            "1 bytes are no int8 array of shape (3,)",
        ),
    ],
)
def test_a_worker_refuses_a_malformed_message_in_a_sentence_and_goes_on(
    tell: Any, line: object, sentence: str
) -> None:
    assert "started" == tell(START)["type"]
    reply = tell(line)
    assert "failed" == reply["type"]
    assert sentence in reply["message"]
    assert reply["message"].isprintable()
    assert "answers" == tell(questions(a_question()))["type"]


@pytest.mark.parametrize(
    ("adapter", "lines", "code", "sentence"),
    [
        ("numpy", [], 0, None),
        ("numpy", [b'{"type": "stop"}'], 0, None),
        ("numpy", [b'{"type": "questions", "id": 1, "questions": []}'], 1, "has to be start"),
        ("numpy", [b'{"type": "start", "protocol": 2}'], 1, "version 1 of the protocol, not 2"),
        ("nunpy", [b'{"type": "start", "protocol": 1}'], 1, "Did you mean numpy?"),
        ("fakes:CannotBeMade", [b'{"type": "start", "protocol": 1}'], 1, "no device"),
    ],
)
def test_a_worker_that_cannot_begin_says_why_and_ends(
    adapter: str, lines: list[bytes], code: int, sentence: str | None
) -> None:
    done = subprocess.run(
        [*WORKER, adapter],
        input=b"".join(line + b"\n" for line in lines),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (code, b"") == (done.returncode, done.stderr)
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert (sentence is not None) == bool(replies)
    for reply in replies:
        assert ("failed", True) == (reply["type"], str(sentence) in reply["message"])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("", "worker: has no command. Write --adapter 'worker:PROGRAM ARGUMENTS'."),
        ("   ", "worker: has no command. Write --adapter 'worker:PROGRAM ARGUMENTS'."),
        ("'sh -c", "No closing quotation. Quote it as for a shell."),
        ("no-such-program --x", "there is no program 'no-such-program'. Mend it."),
        ("/etc/passwd", "there is no program '/etc/passwd'. Mend it."),
        ("echo hello", "'hello' is no message of protocol 1: "),
        ("cat", "is no message of protocol 1: Invalid value 'start'"),
        ("true", "the process ended with exit code 0. Try the command by itself."),
        ("sh -c 'echo no driver >&2; exit 3'", "the process ended with exit code 3: no driver. "),
        ("sleep 60", "it did not start within 0.5 s"),
    ],
)
def test_a_command_that_is_no_worker_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, given: str, sentence: str
) -> None:
    if given.startswith("sleep"):
        monkeypatch.setattr("conformance.workers.adapter.LIMIT_S", 0.5)
    with pytest.raises(ConformanceError) as raised:
        adapters.load(f"worker:{given}")
    assert sentence in str(raised.value)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("value", ["", "soon", "0", "-1", "nan", "inf", "1e300", "1 s"])
def test_a_bad_limit_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, value)
    with pytest.raises(ConformanceError, match=rf"{LIMIT_VARIABLE}='{value}': no number of sec"):
        connect("true")


def test_two_workers_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("marks", "more"):
        (tmp_path / name).mkdir()
    names = [f"worker:{command('answer_right', tmp_path / name)}" for name in ("marks", "more")]
    corpus = load_corpus([])
    few = Corpus(corpus.cases[:3], corpus.glossary)
    plan = make_plan(few, names[:1])
    assert {"plain": names[0]} == plan.targets
    with pytest.raises(ConformanceError, match=r"two adapters have the name 'plain': w"):
        make_plan(few, names)
    for name in names:
        worker = adapters.load(name)
        assert isinstance(worker, WorkerAdapter)
        worker.worker.end()


def run(adapter: Any) -> tuple[list[Result], str | None]:
    cases = [
        make_case(id=f"g/{name}", logits=[logit], targets=[1.0])
        for name, logit in {"one": 1.0, "two": 2.0, "thirteen": 13.0, "four": -4.0}.items()
    ]
    runner = Runner()
    results = runner.run(adapter, "cpu", "float32", cases, Ledger())
    return results, runner.asker.broke_off.get((adapter.name, "cpu", "float32"))


def served(name: str) -> WorkerAdapter:
    adapter = adapters.load(f"worker:{shlex.join(own_command(f'fakes:{name}'))}")
    assert isinstance(adapter, WorkerAdapter)
    return adapter


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Forewarned", None),
        (
            "Poisoned",
            f"the process ended with exit code 70: {LOST}; asked one by one",
        ),
    ],
)
def test_what_ruins_a_worker_costs_it_alone_and_the_next_question_gets_a_new_one(
    monkeypatch: pytest.MonkeyPatch, name: str, told: str | None
) -> None:
    asked: list[int] = []
    ask = Worker.ask

    def count(self: Worker, questions: Any) -> Any:
        asked.append(len(questions))
        return ask(self, questions)

    monkeypatch.setattr(Worker, "ask", count)
    adapter = served(name)
    results, said = run(adapter)
    assert ["passed", "passed", "failed", "passed"] == [result.status for result in results]
    assert "raised RuntimeError: device-side assert triggered" == results[2].reason
    assert told == said
    assert ([4, 1] if name == "Forewarned" else [4, 1, 1, 1, 1]) == asked
    assert (name == "Poisoned") == adapter.worker.used
    adapter.worker.end()
    assert [] == fakes.RUINED


@pytest.mark.parametrize(
    ("name", "reason", "told"),
    [
        ("Prints", None, None),
        ("Mutates", "the adapter is at fault: it changed its input 'targets'", None),
        ("Forgets", None, "it gave 3 answers to 4 questions"),
        ("BreaksInBulk", "raised ValueError: thirteen", "ValueError: thirteen"),
        ("Exits", "the adapter is at fault: SystemExit: 3", None),
    ],
)
def test_an_adapter_that_misbehaves_does_so_alike_in_a_worker(
    name: str, reason: str | None, told: str | None
) -> None:
    here, told_here = run(adapters.load(f"fakes:{name}"))
    adapter = served(name)
    there, told_there = run(adapter)
    adapter.worker.end()
    assert told == told_here == told_there
    assert reason == here[2].reason
    for one, other in zip(here, there, strict=True):
        assert (one.status, one.reason, one.fault) == (other.status, other.reason, other.fault)
        assert one.outputs == other.outputs
