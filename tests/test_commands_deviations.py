"""`deviations propose`, as a user runs it: from a run that failed to one that is excused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from running import TESTS, run
from test_proposals import finished

if TYPE_CHECKING:
    from pathlib import Path


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "conformance.cli", "deviations", "propose", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def failed(folder: Path) -> Path:
    """A folder in which an adapter has given half of each loss."""
    (folder / "mine.py").write_text(
        "from fakes import HalfTheLoss\nclass Mine(HalfTheLoss):\n    name = 'mine'\n",
        encoding="utf-8",
    )
    assert 1 == run(folder, adapter="mine:Mine").code
    return folder


RUN = "reports/run.jsonl.gz"


def test_a_finished_proposal_excuses_the_next_run(failed: Path) -> None:
    done = command(failed, RUN, "--adapter", "mine:Mine", "-o", "proposed")
    assert 0 == done.returncode, done.stderr
    text = (failed / "proposed" / "mine.deviations.toml").read_text("utf-8")
    assert 'cases = [\n    "theme/one",\n    "theme/two",\n]' in text
    assert re.search(r'when = \{ numpy = ">=[0-9.]+" \}', text)
    ledger = failed / "mine.deviations.toml"

    ledger.write_text(text, encoding="utf-8")
    unread = run(failed, adapter="mine:Mine")
    assert 0 != unread.code
    assert "its issue is empty" in unread.output

    ledger.write_text(finished(text), encoding="utf-8")
    ran = run(failed, adapter="mine:Mine")
    assert 0 == ran.code, ran.output
    statuses = [status for name, status in ran.results.items() if "bad" not in name]
    assert ["deviates"] * 4 == statuses


def test_the_ledger_is_printed_where_no_folder_is_given(failed: Path) -> None:
    done = command(failed, RUN, "--adapter", "mine:Mine")
    assert done.stdout.startswith("# Proposed for mine.")
    assert 'issue = ""\nreason = ""' in done.stdout
    assert "" == done.stderr


def test_programs_read_a_proposal_as_json(failed: Path) -> None:
    (found,) = json.loads(command(failed, RUN, "--format", "json").stdout)["adapters"]
    assert ("mine", None, []) == (found["adapter"], found["file"], found["left_out"])
    (entry,) = found["entries"]
    assert (["theme/one", "theme/two"], ["loss"], 4) == (
        entry["cases"],
        entry["outputs"],
        entry["results"],
    )


def test_an_adapter_that_is_not_installed_by_name_is_never_imported(failed: Path) -> None:
    done = command(failed, RUN)
    assert "when" not in done.stdout
    assert "mine: not installed here" in done.stderr


def test_a_file_that_is_there_is_not_written_over(failed: Path) -> None:
    (failed / "mine.deviations.toml").write_text("mine", encoding="utf-8")
    done = command(failed, RUN, "-o", ".")
    assert 4 == done.returncode
    assert "mine.deviations.toml: is there already." in done.stderr
    assert "mine" == (failed / "mine.deviations.toml").read_text("utf-8")


def test_nothing_failed_is_said(folder: Path) -> None:
    assert 0 == run(folder).code
    done = command(folder, RUN)
    assert (0, "Nothing failed, so there is nothing to write down.\n") == (
        done.returncode,
        done.stdout,
    )


def test_an_adapter_without_results_is_a_sentence(failed: Path) -> None:
    done = command(failed, RUN, "--adapter", "numpy")
    assert 4 == done.returncode
    assert "no run has results of numpy. The adapters there are: mine." in done.stderr
