"""`pytest conformance`, run for real, when questions ruin the process that they are asked in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from running import TESTS, Ran, run

from conformance.corpus import load_glossary
from conformance.fill import fill
from conformance.records import read_run

CASES = """\
format: bce-conformance/1
about: Some of these are the end of a process.
defaults: {operation: bce_with_logits, reduction: none, dtypes: [float32, float64]}
cases:
"""
CASE = """\
  - id: {name}
    about: A case.
    logits: [{logit}]
    targets: [0]
"""
NAMES = {"one": 1, "abort": 2, "exit": 3, "thirteen": 13, "four": 4}
PROGRAMS = {
    "pytest": [str(Path(sys.executable).with_name("pytest")), "--pyargs", "conformance"],
    "on two workers": [sys.executable, "-m", "pytest", "--pyargs", "conformance", "-n", "2"],
    "bce-conformance run": [str(Path(sys.executable).with_name("bce-conformance")), "run"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = CASES + "".join(CASE.format(name=name, logit=logit) for name, logit in NAMES.items())
    (tmp_path / "theme.yaml").write_text(text, encoding="utf-8")
    fill(tmp_path / "theme.yaml", "theme", load_glossary([tmp_path]))
    return tmp_path


def statuses(ran: Ran) -> dict[str, str]:
    """Case to status of those in one dtype."""
    return {
        name.removeprefix("theme/").partition("-")[0]: status
        for name, status in ran.results.items()
        if name.endswith("float32")
    }


@pytest.mark.parametrize("program", PROGRAMS)
def test_only_the_guilty_fail_however_the_suite_is_run(folder: Path, program: str) -> None:
    command = [*PROGRAMS[program], "--cases=theme.yaml", "--adapter=fakes:Mortal", "--no-report"]
    command += ["-k", "float32"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    ran = Ran(folder, done)
    assert 1 == ran.code
    expected = dict.fromkeys(NAMES, "passed") | {"abort": "failed", "exit": "failed"}
    assert expected == statuses(ran)
    assert "crashed: the process ended by signal 6 (SIGABRT)" in ran.output
    assert "crashed: the process ended with exit code 3" in ran.output
    assert 1 == ran.output.count("run:    ")


@pytest.mark.parametrize(
    ("workers", "afterwards"),
    [
        ("0", "an earlier question left the device unusable for this process"),
        ("2", "it left the device unusable for this process"),
    ],
)
def test_an_unexpected_ruin_fails_one_question_of_each_group_and_is_told(
    folder: Path, workers: str, afterwards: str
) -> None:
    ran = run(folder, "-n", workers, adapter="fakes:Poisoned")
    assert 1 == ran.code
    assert dict.fromkeys(NAMES, "passed") | {"thirteen": "failed"} == statuses(ran)
    told = {line for line in ran.output.splitlines() if " broke off: " in line}
    assert {
        "poisoned-cpu-float32 broke off: it left the device unusable for this process",
        f"poisoned-cpu-float64 broke off: {afterwards}",
    } == told


def test_a_fault_is_in_the_run_and_no_deviation_excuses_it(folder: Path) -> None:
    (folder / "mine.py").write_text(
        "import fakes\nclass Mine(fakes.Mortal):\n    name = 'mine'\n", encoding="utf-8"
    )
    entry = '[[deviation]]\ncases = "theme/*"\ngrade = "wrong"\nsince = 2026-01-01\n'
    (folder / "mine.deviations.toml").write_text(
        f'{entry}issue = "https://example.org/1"\nreason = "It crashes."\n', encoding="utf-8"
    )
    ran = run(folder, "-k", "float32 and not four", adapter="mine:Mine")
    assert 1 == ran.code
    assert {"passed", "failed"} == set(ran.results.values())
    results = read_run(folder / "reports" / "run.jsonl.gz").results
    assert {"crashed"} == {result.fault for result in results if result.status == "failed"}
