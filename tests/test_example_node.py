"""The example worker in JavaScript, run as its README says; skipped where there is no Node.js."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
from running import TESTS

from conformance.workers.messages import json_schema

if TYPE_CHECKING:
    from pathlib import Path

NODE = shutil.which("node")
if NODE is None and not os.environ.get("BCE_CONFORMANCE_REQUIRE_NODE"):
    pytest.skip("node, the program of Node.js, is not installed", allow_module_level=True)

ROOT = TESTS.parent
EXAMPLE = ROOT / "docs" / "examples" / "node"
WORKER = EXAMPLE / "worker.js"
START = {"type": "start", "protocol": 1, "devices": ["cpu"]}


def array(*values: float) -> dict[str, Any]:
    return {
        "dtype": "float64",
        "shape": [len(values)],
        "bits": np.array(values, "<f8").tobytes().hex(),
    }


def ask(**question: Any) -> dict[str, Any]:
    """The answer to a question about two logits, which is that but for what is given."""
    question = {
        "id": 7,
        "case": "a case",
        "operation": "bce_with_logits",
        "reduction": "none",
        "dtype": "float64",
        "device": "cpu",
        "inputs": {"logits": array(-40, 0.5), "targets": array(0, 1)},
        "outputs": ["loss"],
    } | question
    asked = {"type": "questions", "id": 9, "questions": [question]}
    _, answers = talk(START, asked, START, {"type": "stop"})[:2]
    assert 9 == answers["id"]
    (answer,) = answers["answers"]
    assert 7 == answer.pop("id")
    return dict(answer)


def talk(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What the worker replies, each of which fits the schema."""
    assert NODE is not None, "node is required, and not installed"
    done = subprocess.run(
        [NODE, str(WORKER)],
        input="".join(f"{json.dumps(message)}\n" for message in messages),
        capture_output=True,
        text=True,
        check=True,
    )
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    for reply in replies:
        jsonschema.validate(reply, json_schema())
    assert "" == done.stderr
    return replies


def test_the_command_of_the_readme_ends_well(tmp_path: Path) -> None:
    (line,) = re.findall(
        r"```sh\n(.*?)\n```", (EXAMPLE / "README.md").read_text("utf-8"), re.DOTALL
    )
    program, *arguments = shlex.split(line)
    assert "bce-conformance" == program
    # But for other dtypes, which are declined, and the grid that takes half of the time.
    chosen = ["-k", "cpu-float64 and not reductions_grid", "--format", "json"]
    run = [*arguments, *chosen, "--run-file", str(tmp_path / "run.jsonl.gz")]
    found = subprocess.run(
        [sys.executable, "-P", "-m", "conformance.cli", *run],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(found.stdout)
    assert (0, "all is well") == (found.returncode, answer["meaning"]), found.stderr
    (subject,) = answer["subjects"]
    assert (0, 0, []) == (subject["failed"], subject["deviates"], answer["problems"]), answer
    assert subject["passed"] > 1200


def test_start_may_come_again_and_gets_the_same_reply() -> None:
    first, second = talk(START, START)
    assert first == second
    assert {"cpu": {}} == first["devices"]


def test_a_bad_question_is_raised() -> None:
    inputs = {"logits": array(-40, 0.5), "targets": array(0)}
    message = "targets have shape [1], not [2]"
    assert {"raised": {"type": "Refused", "message": message}} == ask(inputs=inputs)


def test_a_slip_of_the_program_is_no_refusal() -> None:
    answer = ask(operation="an operation that it has not declared")
    assert ["broken"] == list(answer)
    assert answer["broken"].startswith("TypeError: ")


def test_only_the_outputs_that_are_asked_for_are_given() -> None:
    outputs = ask(outputs=["targets_grad", "loss"], reduction="sum")["outputs"]
    assert {"targets_grad": [2], "loss": []} == {
        name: value["shape"] for name, value in outputs.items()
    }


def test_it_is_short() -> None:
    assert len(WORKER.read_text("utf-8").splitlines()) < 150
