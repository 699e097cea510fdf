"""The protocol as docs/protocol.md and its JSON Schema have it, against what is really said."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from running import TESTS

if TYPE_CHECKING:
    from pathlib import Path

DOCS = TESTS.parent / "docs"
PAGE = (DOCS / "protocol.md").read_text(encoding="utf-8")
SCHEMA = (DOCS / "protocol.schema.json").read_text(encoding="utf-8")
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA))
HOST = ("start", "questions", "stop")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


EXAMPLES = [json.loads(block) for block in blocks("json")]


def command(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-P", "-m", "conformance.cli", *arguments]
    return subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of the page."""
    (program,) = blocks("python")
    path: Path = tmp_path_factory.mktemp("tiny") / "tiny.py"
    path.write_text(program, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Both sides of the session of a run, as it was spoken, by the type of the message."""
    folder: Path = tmp_path_factory.mktemp("session")
    worker = shlex.join([sys.executable, "-P", "-m", "conformance.cli", "worker"])
    listen = f"tee -a asked | {worker} --adapter numpy | tee -a said"
    chosen = "bad_inputs or layouts or mixed_dtypes or training/optimizers or prediction/views"
    run = ["run", "--adapter", f"worker:sh -c '{listen}'", "-k", f"cpu-float32 and ({chosen})"]
    found = command(*run, "--run-file", "run.jsonl.gz", "--no-report", folder=folder)
    assert 0 == found.returncode, found.stdout + found.stderr
    messages: dict[str, list[dict[str, Any]]] = {}
    for name in ("asked", "said"):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            message = json.loads(line)
            messages.setdefault(message["type"], []).append(message)
    return messages


def test_the_schema_in_the_docs_is_what_the_program_prints() -> None:
    assert SCHEMA == command("schema", "protocol").stdout


def test_the_schema_of_a_case_file_is_printed_by_name_as_well() -> None:
    assert command("schema").stdout == command("schema", "case").stdout != SCHEMA


def test_another_schema_is_refused_in_a_sentence() -> None:
    found = command("schema", "frob")
    assert (64, "", 1) == (found.returncode, found.stdout, found.stderr.count("\n"))
    assert "invalid choice: 'frob'" in found.stderr


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA))


def test_the_page_has_an_example_of_every_message_that_fits_the_schema() -> None:
    for example in EXAMPLES:
        VALIDATOR.validate(example)
    kinds = VALIDATOR.schema["discriminator"]["mapping"].keys()
    assert kinds == {example["type"] for example in EXAMPLES}


def test_the_worker_of_the_page_says_what_the_page_shows(tiny: Path) -> None:
    asked = [each for each in EXAMPLES if each["type"] in HOST]
    done = subprocess.run(
        [sys.executable, str(tiny)],
        input="".join(f"{json.dumps(each)}\n" for each in asked),
        capture_output=True,
        text=True,
        check=True,
    )
    shown = [each for each in EXAMPLES if each["type"] not in HOST]
    assert shown == [json.loads(line) for line in done.stdout.splitlines()]


def test_the_run_of_the_page_prints_what_the_page_shows(tiny: Path) -> None:
    (line,) = [each for each in blocks("sh") if "tiny.py" in each]
    (shown,) = blocks("text")
    program, *arguments = shlex.split(line.replace("worker:python", f"worker:{sys.executable}"))
    found = command(*arguments, "--run-file", "run.jsonl.gz", folder=tiny.parent)
    assert ("bce-conformance", 1) == (program, found.returncode)
    failed = [each for each in found.stdout.splitlines() if each.startswith("failed: ")]
    assert shown.splitlines() == failed


def test_what_host_and_worker_really_say_fits_the_schema(
    recorded: dict[str, list[dict[str, Any]]],
) -> None:
    for messages in recorded.values():
        for message in messages:
            VALIDATOR.validate(message)
    assert {"start", "started", "questions", "answers", "stop"} == recorded.keys()


def test_the_session_has_what_the_page_explains(
    recorded: dict[str, list[dict[str, Any]]],
) -> None:
    questions = [each for message in recorded["questions"] for each in message["questions"]]
    answers = [each for message in recorded["answers"] for each in message["answers"]]
    arrays = [array for each in questions for array in each["inputs"].values()]
    assert any("strides" in array for array in arrays)
    assert {"job", "mixed"} <= {key for each in questions for key in each}
    assert {"id", "outputs", "raised"} == {key for each in answers for key in each}
    assert [each["id"] for each in questions] == [each["id"] for each in answers]
    started = recorded["started"][0]
    assert started["adapter"].keys() <= set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))


BITS = {"dtype": "float64", "shape": [1], "bits": "000000000000f03f"}


@pytest.mark.parametrize(
    "message",
    [
        {"protocol": 1},
        {"type": "begin", "protocol": 1},
        {"type": "start", "protocol": "1"},
        {"type": "answers", "id": -1, "answers": []},
        {"type": "answers", "id": 1, "answers": [{"outputs": {}}]},
        {"type": "answers", "id": 1, "answers": [{"id": 1, "raised": "ValueError"}]},
        {"type": "answers", "id": 1, "answers": [{"id": 1, "outputs": {"loss": [0.5]}}]},
        *(
            {"type": "answers", "id": 1, "answers": [{"id": 1, "outputs": {"loss": BITS | wrong}}]}
            for wrong in ({"shape": [-1]}, {"bits": "0"}, {"bits": "zz"}, {"strides": [0.5]})
        ),
    ],
    ids=str,
)
def test_what_is_no_message_does_not_fit_the_schema(message: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(message)
