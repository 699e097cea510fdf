"""What `bce-conformance run` shows while it runs."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from typing import TYPE_CHECKING

from test_commands_run import command, run, surroundings

if TYPE_CHECKING:
    from pathlib import Path


def test_progress_is_a_line_for_each_group_where_nobody_watches(folder: Path) -> None:
    assert [
        "collecting the questions",
        "half-the-loss on cpu in float32: 3 questions, 0 of 6 done, 0 failed",
        "half-the-loss on cpu in float64: 3 questions, 3 of 6 done, 2 failed",
    ] == run(folder, adapter="fakes:HalfTheLoss").stderr.splitlines()


def on_a_terminal(folder: Path, *arguments: str, adapter: str) -> str:
    """What a run in which all is well shows while somebody watches."""
    reading, writing = pty.openpty()
    done = subprocess.run(
        command(*arguments, "--no-report", adapter=adapter),
        cwd=folder,
        env=surroundings(),
        stdout=subprocess.DEVNULL,
        stderr=writing,
        check=False,
    )
    shown = os.read(reading, 10_000).decode()
    os.close(writing)
    os.close(reading)
    assert 0 == done.returncode
    return shown


def test_progress_is_one_line_of_a_terminal(folder: Path) -> None:
    shown = on_a_terminal(folder, adapter="numpy")
    assert "numpy on cpu in float64: 3 questions, 3 of 6 done, 0 failed" in shown
    assert "\n" not in shown
    assert shown.endswith("\r\033[K")


def test_progress_tells_how_long_a_group_has_been_waited_for(folder: Path) -> None:
    (folder / "slow.py").write_text(
        "import time\n"
        "from conformance.adapters.numpy import NumpyAdapter\n"
        "class Slow(NumpyAdapter):\n"
        "    name = 'slow'\n"
        "    def evaluate_all(self, questions):\n"
        "        time.sleep(2.5)\n"
        "        return super().evaluate_all(questions)\n",
        encoding="utf-8",
    )
    shown = on_a_terminal(folder, "-k", "float32", adapter="slow:Slow")
    told = r"slow on cpu in float32: 3 questions asked 0:0[12] ago, 0 of 3 done, 0 failed"
    assert re.search(told, shown)
