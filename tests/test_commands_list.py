"""`list`, as a user runs it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest
from case_folder import CASES, a_folder, ask, ids  # noqa: F401 - the fixture "folder"

from conformance.corpus import load_corpus

if TYPE_CHECKING:
    from pathlib import Path

ALL = ["deep/jobs/steps", "theme/certain", "theme/long", "theme/tail_one"]


def test_list_prints_a_line_a_case_with_the_id_first_and_counts_apart(folder: Path) -> None:
    found = ask(folder, "list")
    assert (0, ALL) == (found.returncode, ids(found))
    assert "theme/long\tA long one." in found.stdout.splitlines()
    assert found.stderr == "4 of 4 cases\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["tail"], ["theme/tail_one"]),
        (["theme/*"], ALL[1:]),
        (["the*l*"], ALL[2:]),
        (["ail", "long"], ["theme/long", "theme/tail_one"]),
        (["--operation", "bce"], ["theme/certain"]),
        (["--operation", "bce", "--operation", "train"], ALL[:2]),
        (["--reduction", "mean"], ["deep/jobs/steps", "theme/long"]),
        (["--dtype", "float32"], ["deep/jobs/steps", "theme/certain", "theme/tail_one"]),
        (["--flag", "NegativeTail"], ["theme/tail_one"]),
        (["--policy", "clamp_log_100"], ["theme/certain"]),
        (["--group", "deep"], ["deep/jobs/steps"]),
        (["--group", "deep/jobs/"], ["deep/jobs/steps"]),
        (["--source", "195529", "--reduction", "none"], ["theme/certain", "theme/tail_one"]),
        (["--jobs"], ALL[:1]),
        (["--losses", "--dtype", "float64", "n"], ALL[1:]),
    ],
    ids=" ".join,
)
def test_list_keeps_what_fits_every_filter(
    folder: Path, arguments: list[str], expected: list[str]
) -> None:
    assert expected == ids(ask(folder, "list", *arguments))


def test_list_says_where_nothing_fits_and_exits_with_3(folder: Path) -> None:
    found = ask(folder, "list", "tail", "--operation", "bce")
    assert (3, "", "no case fits\n") == (found.returncode, found.stdout, found.stderr)
    found = ask(folder, "list", "absent", "--format", "json")
    assert (3, []) == (found.returncode, json.loads(found.stdout))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--flag", "negativetails"],
            "no flag is called 'negativetails'; near it are NegativeTail",
        ),
        (["--policy", "clamp_100"], "clamp_log_100"),
        (["--reduction", "means"], "near it are mean"),
        (["--group", "them"], "near it are theme"),
        (["--flag", "zzzzzzzz"], "no flag is called 'zzzzzzzz'. See"),
        (["--dtype", "float23"], "float32"),
    ],
    ids=["flag", "policy", "reduction", "group", "unlike_any", "dtype"],
)
def test_list_refuses_a_name_that_is_none_and_tells_those_like_it(
    folder: Path, arguments: list[str], sentence: str
) -> None:
    found = ask(folder, "list", *arguments)
    assert (64, "", 1) == (found.returncode, found.stdout, found.stderr.count("\n"))
    assert sentence in found.stderr


def test_list_tells_programs_what_the_cases_are(folder: Path) -> None:
    [facts] = json.loads(ask(folder, "list", "tail", "--format", "json").stdout)
    [case] = [case for case in load_corpus([folder / "cases"]).cases if "tail" in case.id]
    expected = {
        "id": "theme/tail_one",
        "about": "The loss of a confident negative.",
        "operation": "bce_with_logits",
        "reduction": "none",
        "dtypes": ["float32", "float64"],
        "flags": ["NegativeTail"],
        "policies": [],
        "source": ["pytorch#195529"],
        "job": False,
        "sha256": case.sha256,
        "file": str(case.path),
    }
    assert expected == facts


@pytest.mark.parametrize("columns", [20, 40, 200])
def test_list_fits_its_lines_to_a_terminal_and_cuts_no_id(folder: Path, columns: int) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    arguments = ["list", "--cases", str(folder / "cases")]
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    subprocess.run(
        [sys.executable, "-P", "-m", "conformance.cli", *arguments],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=environment,
        check=True,
    )
    os.close(theirs)
    lines = os.read(ours, 10_000).decode().splitlines()
    os.close(ours)
    assert ALL == [line.split()[0] for line in lines]
    assert columns >= max(map(len, lines))
    whole = [line for line in lines if line.endswith("The loss of a confident negative.")]
    assert (columns == 200) == bool(whole)
