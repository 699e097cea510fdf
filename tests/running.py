"""Runs `pytest conformance` as an adopter does, outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import conformance
from conformance.records import read_run

PACKAGE = Path(conformance.__file__).parent
TESTS = Path(__file__).parent

CASES = """\
format: bce-conformance/1
about: Two cases.
defaults: {operation: bce_with_logits, reduction: none, dtypes: [float32, float64]}
cases:
  - id: one
    about: A case.
    logits: [-3]
    targets: [0]
  - id: two
    about: Another.
    logits: [0.5, 20]
    targets: [1, 0]
  - id: bad
    about: An error is due.
    logits: [0.5, 20]
    targets: [1]
    expected: {raises: true}
"""


class Ran:
    """What a run of pytest left behind."""

    def __init__(self, folder: Path, done: subprocess.CompletedProcess[str]) -> None:
        self.folder = folder
        self.code = done.returncode
        self.output = done.stdout + done.stderr
        # The last is how pytest shows the frames of an exception.
        for trace in ("Traceback", "INTERNALERROR", "\nE   "):
            assert trace not in self.output, self.output

    @property
    def summary(self) -> str:
        return self.output.strip().splitlines()[-1]

    @property
    def results(self) -> dict[str, str]:
        found = read_run(self.folder / "reports" / "run.jsonl.gz").results
        return {f"{result.case}-{result.adapter}-{result.dtype}": result.status for result in found}


def run(folder: Path, *arguments: str, cases: str = "theme.yaml", adapter: str = "numpy") -> Ran:
    """The installed suite, outside the checkout; "--report" among the arguments writes one."""
    options = ["--cases", cases] if cases else []
    options += ["--adapter", adapter] if adapter else []
    options += [] if "--report" in arguments else ["--no-report"]
    arguments = tuple(argument for argument in arguments if argument != "--report")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--pyargs",
            "conformance",
            "-p",
            "no:cacheprovider",
            "-q",
            *options,
            *arguments,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(folder, done)
