"""Spoiled files: a reader accepts one, or refuses it in sentences that name it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance.corpus import load_corpus
from conformance.errors import ConformanceError
from tools.fuzz.__main__ import attempt, main
from tools.fuzz.inputs import Input
from tools.fuzz.targets import TARGETS, BrokenPromiseError, check_sentences, limited

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]

INPUTS = {"cases": 800, "glossary": 300, "run": 120, "ledger": 1200, "policies": 1200}
"""How many there are of each; `python -m tools.fuzz` tries as many as one has time for."""


@pytest.mark.parametrize("name", TARGETS)
def test_every_reader_keeps_its_promises(name: str) -> None:
    accepted = 0
    for index in range(INPUTS[name]):
        given = TARGETS[name].input(5, index)
        fine, problem = attempt(name, given)
        assert problem is None, f"input {index} of seed 5: {given.data[:500]!r}\n{problem}"
        accepted += fine
    # Where everything is refused, or nothing, the inputs are no test of the reader.
    assert INPUTS[name] * 0.02 < accepted < INPUTS[name] * 0.98


def case_file(**changes: Any) -> bytes:
    case = {
        "id": "a",
        "about": "A case.",
        "operation": "bce_with_logits",
        "dtypes": ["float32"],
        "logits": [1],
        "targets": [0],
    }
    cases = [case | changes]
    return json.dumps({"format": "bce-conformance/1", "about": "A.", "cases": cases}).encode()


def nested(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("target", "given"),
    [
        pytest.param("cases", Input("theme.json", case_file(job=nested(900))), id="a-deep-job"),
        pytest.param(
            "cases",
            Input("theme.json", case_file(logits=["0x" + "1" * 200_000])),
            id="a-long-hex-float",
        ),
        pytest.param(
            "cases", Input("theme.json", case_file(expected={"a\nb": 1})), id="a-key-of-two-lines"
        ),
        pytest.param(
            "cases", Input("theme.json", case_file(dtypes=["9" * 5000])), id="a-long-value"
        ),
        pytest.param(
            "cases",
            Input("theme.json", case_file(dtypes=["no"]).replace(b"A.", rb"A\/")),
            id="an-escape-that-only-json-has",
        ),
        pytest.param("cases", Input("theme.yaml", b"format: nan\n"), id="a-word-that-is-no-number"),
        pytest.param(
            "policies",
            Input("x.policies.toml", b'[[follows]]\ncases = "a\\u2028b"\npolicy = "a"\n'),
            id="a-pattern-of-two-lines",
        ),
        pytest.param("ledger", Input("x.deviations.toml", b"a = " + b"[" * 1900), id="deep-toml"),
        pytest.param(
            "ledger", Input("x.deviations.toml", b".".join([b"a"] * 400_000)), id="a-long-toml-key"
        ),
        pytest.param("ledger", Input("x.deviations.toml", b"a = " + b"9" * 1900), id="toml-digits"),
    ],
)
def test_what_was_found_once_stays_found(target: str, given: Input) -> None:
    assert None is attempt(target, given)[1]


def test_the_place_of_an_error_is_told_whatever_escapes_json_has(tmp_path: Path) -> None:
    path = tmp_path / "theme.json"
    path.write_bytes(case_file(dtypes=["no"]).replace(b"A.", rb"A\q".replace(b"q", b"/")))
    with pytest.raises(ConformanceError, match=r"cases\[0\]\.dtypes\[0\]: Invalid enum value 'no'"):
        load_corpus([path])


@pytest.mark.parametrize(
    "sentence", ["theme.yaml: no end", "other.yaml: bad.", "theme.yaml: two\nlines.", "x" * 3000]
)
def test_the_check_of_sentences_can_fail(sentence: str) -> None:
    with pytest.raises(BrokenPromiseError):
        check_sentences(ConformanceError(sentence), "theme.yaml")


def forever() -> None:
    with limited(0.05):
        while True:
            pass


def test_the_check_of_time_can_fail() -> None:
    with pytest.raises(BrokenPromiseError, match="took more than"):
        forever()


def breaking(name: str) -> Callable[..., bool]:
    def check(given: Input, folder: Path) -> bool:
        raise RecursionError(name)

    return check


def test_a_failure_is_written_down_and_can_be_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = TARGETS["ledger"]
    monkeypatch.setitem(TARGETS, "ledger", type(target)("ledger", target.make, breaking("oh no")))
    arguments = ["--inputs", "1", "--target", "ledger", "--failures", str(tmp_path)]
    assert 1 == main(arguments)
    (path,) = tmp_path.iterdir()
    assert "RecursionError: oh no" in capsys.readouterr().out
    assert 1 == main(["--replay", str(path)])
    monkeypatch.setitem(TARGETS, "ledger", target)
    assert 0 == main(["--replay", str(path)])


def test_the_program_counts_what_it_has_tried(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.fuzz", "--inputs", "20", "--target", "ledger"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert done.stdout.startswith("20 inputs in ")


def test_equal_seeds_give_equal_inputs() -> None:
    for target in TARGETS.values():
        assert target.input(1, 2) == target.input(1, 2)
        assert target.input(1, 2) != target.input(1, 3)
