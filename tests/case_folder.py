"""A folder of cases with a run of it, for the tests of the commands that look cases up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from running import run
from test_cli import command

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

CASES = """\
format: bce-conformance/1
about: Some cases.
source: [pytorch#195529]
defaults: {operation: bce_with_logits, reduction: none, dtypes: [float32, float64]}
cases:
  - id: tail_one
    about: The loss of a confident negative.
    logits: [-40, 0.5]
    targets: [0, 1]
    flags: [NegativeTail]
  - id: long
    about: A long one.
    reduction: mean
    dtypes: [float64]
    logits: {linspace: [-8, 8], shape: [1025]}
    targets: {repeat: 0.5, shape: [1025]}
    positions: [0, 1024]
  - id: certain
    about: A certain mistake.
    operation: bce
    probabilities: [0]
    targets: [1]
    policies: [limit, clamp_log_100, denominator_eps_1e_12]
"""
JOBS = """\
format: bce-conformance/1
about: A job.
cases:
  - id: steps
    about: Two steps.
    operation: train
    reduction: mean
    dtypes: [float32]
    features: [[0.5], [1.5]]
    targets: [[1], [0]]
    parameters: [0.25, 0.5]
    job: {model: linear, batches: [1, 1], optimizer: {name: sgd, lr: 0.5}}
"""


def fill_cases(path: Path) -> None:
    """Two files of cases, in a folder of ``path``."""
    (path / "cases" / "deep").mkdir(parents=True)
    (path / "cases" / "theme.yaml").write_text(CASES, encoding="utf-8")
    (path / "cases" / "deep" / "jobs.yaml").write_text(JOBS, encoding="utf-8")
    filled = command("fill", str(path / "cases"))
    assert filled.returncode == 0, filled.stderr


@pytest.fixture(name="folder", scope="module")
def a_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two files of cases, and the run of an adapter."""
    path: Path = tmp_path_factory.mktemp("some")
    fill_cases(path)
    done = run(path, cases="cases", adapter="numpy")
    assert done.code == 0, done.output
    return path


def ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command(*arguments, "--cases", str(folder / "cases"))


def ids(found: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.partition("\t")[0] for line in found.stdout.splitlines()]
