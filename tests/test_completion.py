"""The completions that shtab makes of the command's parser, in a real bash."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from conformance.cli import build_parser

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("shtab")

_COMPLETE = """
source "$1"; shift
function=$(complete -p bce-conformance | sed 's/.*-F \\([^ ]*\\).*/\\1/')
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
"$function"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("shtab") / "bce-conformance"
    with path.open("wb") as file:
        made = [sys.executable, "-m", "shtab", "--shell=bash", "conformance.completion.parser"]
        subprocess.run(made, stdout=file, check=True)
    return path


def completed(script: Path, line: str, folder: Path | None = None) -> set[str]:
    """What bash offers for the last word of a line."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    words = [*shlex.split(line), *([""] if line.endswith(" ") else [])]
    found = subprocess.run(
        [bash, "-c", _COMPLETE, "bash", str(script), *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    return set(found.stdout.split())


def commands() -> set[str]:
    [choices] = [action.choices for action in build_parser()._actions if action.choices]
    return set(choices)


def test_every_command_is_completed(script: Path) -> None:
    assert commands() <= completed(script, "bce-conformance ")


@pytest.mark.parametrize("name", sorted(commands()))
def test_a_part_of_a_command_is_completed_to_those_that_begin_so(script: Path, name: str) -> None:
    expected = {other for other in commands() if other.startswith(name[:2])}
    assert expected == completed(script, f"bce-conformance {name[:2]}")


def test_an_option_is_completed_and_its_choices(script: Path) -> None:
    assert {"--operation"} == completed(script, "bce-conformance list --op")
    found = completed(script, "bce-conformance list --operation bce")
    assert {"bce", "bce_with_logits"} == found


def test_a_path_is_completed_to_files(script: Path, tmp_path: Path) -> None:
    (tmp_path / "theme.yaml").touch()
    for line in ("bce-conformance check the", "bce-conformance list --cases the"):
        assert {"theme.yaml"} == completed(script, line, tmp_path)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_get_a_script(shell: str) -> None:
    made = [sys.executable, "-m", "shtab", f"--shell={shell}", "conformance.completion.parser"]
    found = subprocess.run(made, capture_output=True, text=True, check=True)
    assert all(name in found.stdout for name in commands())


def test_the_command_needs_no_shtab() -> None:
    code = (
        "import sys; sys.modules['shtab'] = None\n"
        "from conformance.cli import main\n"
        "main(['list', '--help'])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert found.returncode == 0
