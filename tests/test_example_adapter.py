"""The example of a third party, installed by pip and run as its README says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.machinery import PathFinder
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from running import TESTS

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = TESTS.parent / "docs" / "examples" / "adapter"


def command(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, in an environment in which the example is installed in ``place``."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "conformance.cli", *arguments],
        cwd=place.parent,
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip has put the example, with nothing of its folder left to be found by chance."""
    # Whoever imports pip, or asks all finders for it, makes setuptools take the distutils of the
    # standard library, which warns that it is deprecated: an error in the tests that come later.
    if not PathFinder.find_spec("pip"):
        pytest.skip("pip is not installed")
    folder = tmp_path_factory.mktemp("example")
    source = folder / "source"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    # Where it is installed there is no need to fetch it.
    isolation = ["--no-build-isolation"] if find_spec("hatchling") else []
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *isolation]
    subprocess.run([*install, "--target", str(folder / "place"), str(source)], check=True)
    shutil.rmtree(source)
    return folder / "place"


def test_the_example_passes_the_smoke_test_by_the_name_of_its_entry_point(place: Path) -> None:
    found = command(place, "smoke", "--adapter", "smallgrad", "--format", "json")
    answer = json.loads(found.stdout)
    assert (0, True) == (found.returncode, answer["sound"])
    assert {"ok"} == {check["status"] for check in answer["checks"]}, answer


def test_the_example_s_whole_run_is_green_but_for_its_known_deviation(place: Path) -> None:
    run = ["run", "--adapter", "smallgrad", "-k", "float32", "--run-file", "run.jsonl.gz"]
    found = command(place, *run, "--no-report", "--format", "json")
    answer = json.loads(found.stdout)
    assert (0, []) == (found.returncode, answer["stale"]), answer
    [subject] = answer["subjects"]
    assert subject["passed"] > 400
    assert 1 <= subject["deviates"] < 20


def test_what_the_readme_says_of_the_overflow_is_what_is_printed(place: Path) -> None:
    text = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    [script] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    printed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "inf\n" == printed.stdout
