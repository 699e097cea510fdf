"""`repro`, as a user runs it: the script that it prints is run."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from case_folder import ask, fill_cases
from running import TESTS
from test_cli import command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two files of cases."""
    path: Path = tmp_path_factory.mktemp("some")
    fill_cases(path)
    return path


def fresh(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-"],
        input=script,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_repro_prints_a_script_that_runs_as_it_stands(folder: Path) -> None:
    script = ask(folder, "repro", "tail_one", "--adapter", "numpy").stdout
    assert "conformance" not in script
    assert "dtype = np.float32" in script
    done = fresh(script, folder)
    assert (0, "") == (done.returncode, done.stderr)
    assert "targets_grad [40.0, -0.5]" in done.stdout.splitlines()


def test_repro_takes_torch_and_the_dtype_given(folder: Path) -> None:
    pytest.importorskip("torch")
    script = ask(folder, "repro", "tail_one", "--dtype", "float64").stdout
    assert "dtype = torch.float64" in script
    assert "targets_grad [40.0, -0.5]" in fresh(script, folder).stdout.splitlines()
    script = ask(folder, "repro", "tail_one", "--device", "cuda:1").stdout
    assert 'torch.set_default_device("cuda:1")' in script


def test_repro_of_a_job_runs_and_tells_the_truth(folder: Path) -> None:
    pytest.importorskip("torch")
    script = ask(folder, "repro", "steps").stdout
    done = fresh(script, folder)
    [line] = [line for line in done.stdout.splitlines() if line.startswith("parameters ")]
    [truth] = [line for line in script.splitlines() if line.startswith("# truth of parameters")]
    digits = [float(text) for text in truth.partition(": ")[2].split(", ")]
    assert pytest.approx(digits, rel=1e-6) == ast.literal_eval(line.partition(" ")[2])


def test_repro_falls_back_on_this_package_and_says_what_it_needs(folder: Path) -> None:
    script = ask(folder, "repro", "steps", "--adapter", "numpy").stdout
    assert "# pip install 'bce-conformance'" in script.splitlines()
    done = fresh(script, folder)
    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("grade ")
    assert "parameters [" in done.stdout
    suite = command("repro", "logits/bad_inputs/reduction_foo", "--adapter", "numpy").stdout
    assert "default_root() / 'logits/bad_inputs.yaml'" in suite
    done = fresh(suite, folder)
    assert done.stdout.startswith("grade exact"), done.stderr
    assert "truth: an error" in done.stdout


def test_repro_asks_a_third_partys_adapter(folder: Path) -> None:
    (folder / "mine.py").write_text((TESTS / "fakes.py").read_text("utf-8"), encoding="utf-8")
    asked = [sys.executable, "-P", "-m", "conformance.cli", "repro", "tail_one", "--cases", "cases"]
    made = subprocess.run(
        [*asked, "--adapter", "mine:Right"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert "# Run it where mine can be imported." in made.stdout.splitlines()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["absent_here"], "no case has the id 'absent_here'"),
        (["tail_one", "--adapter", "trch"], "unknown adapter 'trch'. Did you mean torch? Known"),
        (["tail_one", "--adapter", "numpy", "--device", "cuda"], "numpy does not run on cuda"),
        (["tail_one", "--device", "tpu"], "torch does not run on tpu: it runs on cpu and cuda"),
        (["long", "--dtype", "float32"], "theme/long is asked in float64, not in float32"),
        (["tail_one", "--adapter", "absent.module:Class"], "cannot be imported"),
        (["tail_one", "--adapter", "fabric"], "fabric does not offer bce_with_logits"),
    ],
    ids=["id", "adapter", "device", "unknown_device", "dtype", "module", "declined"],
)
def test_repro_refuses_in_one_sentence(folder: Path, arguments: list[str], sentence: str) -> None:
    found = ask(folder, "repro", *arguments)
    assert (64, "", 1) == (found.returncode, found.stdout, found.stderr.count("\n"))
    assert sentence in found.stderr
