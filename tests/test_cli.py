"""The command line, as a user runs it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "conformance.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sys.modules, file=sys.stderr)"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    return set(found.stderr.split())


HEAVY = {"torch", "ignite", "pytorch_lightning", "numpy", "flint", "mpmath", "yaml", "jinja2"}


def test_importing_the_package_imports_no_framework() -> None:
    assert set() == modules_after("import conformance") & HEAVY


def test_help_imports_no_framework() -> None:
    statement = "from conformance.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    assert set() == modules_after(statement) & HEAVY


def test_wrong_usage_is_one_line_and_exits_with_64() -> None:
    found = command("frob")
    assert found.returncode == 64
    assert found.stderr.count("\n") == 1


def test_what_a_command_does_not_know_it_refuses_by_its_own_name() -> None:
    found = command("schema", "--frob")
    assert (64, "") == (found.returncode, found.stdout)
    assert (
        "bce-conformance schema: unrecognized arguments: --frob. See bce-conformance schema"
        " --help.\n"
    ) == found.stderr


@pytest.fixture
def case_file(tmp_path: Path) -> Path:
    path = tmp_path / "theme.yaml"
    path.write_text(
        "format: bce-conformance/1\nabout: A file.\ncases:\n  - id: one\n    about: A case.\n"
        "    operation: bce\n    dtypes: [float64]\n    probabilities: [0.25]\n    targets: [1]\n",
        encoding="utf-8",
    )
    return path


def test_check_then_fill_then_check(case_file: Path) -> None:
    before = command("check", str(case_file))
    assert (before.returncode, before.stdout.splitlines()[-1]) == (4, "1 cases, 1 problems")
    filled = command("fill", str(case_file))
    assert (0, f"filled: {case_file}\n") == (filled.returncode, filled.stdout)
    after = command("check", "--format", "json", str(case_file))
    assert after.returncode == 0
    assert json.loads(after.stdout) == {"cases": 1, "problems": []}
    again = command("fill", str(case_file))
    assert f"as it was: {case_file}\n" == again.stdout


@pytest.mark.parametrize("verb", ["check", "fill"])
@pytest.mark.parametrize(
    "text",
    ["format: [", "[" * 10_000_000, "", "a: \x00", "a: 1\na: 2"],
    ids=["truncated", "nesting", "empty", "control", "duplicate"],
)
def test_a_malformed_file_is_one_sentence(case_file: Path, verb: str, text: str) -> None:
    case_file.write_text(text, encoding="utf-8")
    found = command(verb, str(case_file))
    assert found.returncode == 4
    output = found.stdout + found.stderr
    assert "Traceback" not in output
    assert sum(line.startswith(f"{case_file}:") for line in output.splitlines()) == 1
    assert text == case_file.read_text(encoding="utf-8")


def test_a_path_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    found = command("check", str(tmp_path / "absent.yaml"))
    assert found.returncode == 4
    assert "absent.yaml: No such file or directory. Give a case file" in found.stdout


def test_a_reader_that_stops_early_sees_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    found = subprocess.run(
        [sys.executable, "-P", "-m", "conformance.cli", "schema"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (141, "") == (found.returncode, found.stderr)


def test_output_that_cannot_be_written_is_one_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        found = subprocess.run(
            [sys.executable, "-P", "-m", "conformance.cli", "schema"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    expected = "the output: No space left on device. Mend that, and run again.\n"
    assert (4, expected) == (found.returncode, found.stderr)


def test_schema_prints_the_schema() -> None:
    found = command("schema")
    assert json.loads(found.stdout)["title"] == "A case file of format bce-conformance/1"


@pytest.mark.parametrize(("columns", "shown"), [(40, 39), (0, 79)])
def test_progress_fits_the_terminal_and_gives_way_to_what_is_wrong(
    tmp_path: Path, columns: int, shown: int
) -> None:
    absent = tmp_path / f"{'x' * 90}.gz"
    reading, writing = pty.openpty()
    termios.tcsetwinsize(writing, (24, columns))
    program = [sys.executable, "-P", "-m", "conformance.cli", "diff", str(absent), str(absent)]
    done = subprocess.run(program, stdout=subprocess.DEVNULL, stderr=writing, check=False)
    text = os.read(reading, 10_000).decode()
    os.close(writing)
    os.close(reading)
    assert 4 == done.returncode
    assert [
        "",
        f"reading {absent}"[:shown],
        f"{absent}: No such file or directory. Give a run file that can be read.\r\n",
    ] == text.split("\r\033[K")
