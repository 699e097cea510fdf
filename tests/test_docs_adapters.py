"""docs/adapters.md, done as it stands: from an empty folder to a green run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from running import TESTS

TEXT = (TESTS.parent / "docs" / "adapters.md").read_text(encoding="utf-8")


class Block(NamedTuple):
    language: str
    text: str


def blocks() -> list[Block]:
    """Every block that says of which language it is, in order."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    return [Block(language, text) for language, text in found]


def ask(script: str, folder: Path) -> str:
    """What a reader sees, whose shell finds the command of this environment."""
    place = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": f"{place}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout
    return done.stdout


def test_from_an_empty_folder_to_a_green_run(tmp_path: Path) -> None:
    output = ""
    for block in blocks():
        if block.language in {"python", "toml"}:
            name = block.text.partition("\n")[0].removeprefix("# ")
            (tmp_path / name).write_text(block.text, encoding="utf-8")
        elif block.language == "sh":
            output = ask(block.text, tmp_path)
        elif block.language == "text":
            missing = [line for line in block.text.splitlines() if line not in output]
            assert [] == missing, output
    assert output.splitlines()[-1].startswith("all is well: ")
