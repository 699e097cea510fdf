"""`bce-conformance run`, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from running import CASES, TESTS

from conformance.corpus import load_glossary
from conformance.fill import fill
from conformance.records import read_run

if TYPE_CHECKING:
    from pathlib import Path

Done = subprocess.CompletedProcess[str]


def run(folder: Path, *arguments: str, adapter: str = "numpy", **environment: str) -> Done:
    """Without a report, for most of what is said here is not about it."""
    done = subprocess.run(
        command(*arguments, "--no-report", adapter=adapter)
        if "--" not in arguments
        else command("--no-report", *arguments, adapter=adapter),
        cwd=folder,
        env=surroundings(**environment),
        capture_output=True,
        text=True,
        check=False,
    )
    for trace in ("Traceback", "INTERNALERROR"):
        assert trace not in done.stdout + done.stderr, done.stderr
    return done


def command(*arguments: str, adapter: str) -> list[str]:
    given = ["--adapter", adapter] if adapter else []
    program = [sys.executable, "-P", "-m", "conformance.cli", "run", "--cases", "theme.yaml"]
    return [*program, *given, *arguments]


def surroundings(**changes: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(TESTS), **changes}


def answer(done: Done) -> dict[str, object]:
    found = json.loads(done.stdout)
    assert found["exit"] == done.returncode
    return found  # type: ignore[no-any-return]


def stale_adapter(folder: Path) -> None:
    (folder / "mine.py").write_text(
        "from conformance.adapters.numpy import NumpyAdapter\n"
        "class Mine(NumpyAdapter):\n    name = 'mine'\n",
        encoding="utf-8",
    )
    (folder / "mine.deviations.toml").write_text(
        '[[deviation]]\ncases = "theme/one"\noutputs = ["loss"]\ngrade = "wrong"\n'
        'since = 2026-01-31\nissue = "https://x.org"\nreason = "R."\n',
        encoding="utf-8",
    )


def test_a_run_says_what_came_out_and_where_it_lies(folder: Path) -> None:
    done = run(folder)
    assert 0 == done.returncode, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1].startswith("numpy ")
    assert [f"run:    {folder / 'reports' / 'run.jsonl.gz'}"] == lines[2:-1]
    assert "all is well: 6 of 6 right" == lines[-1]
    assert 6 == len(read_run(folder / "reports" / "run.jsonl.gz").results)


def test_a_report_is_written_unless_it_is_declined(folder: Path) -> None:
    done = subprocess.run(
        command("--format", "json", adapter="numpy"),
        cwd=folder,
        env=surroundings(),
        capture_output=True,
        text=True,
        check=False,
    )
    page = folder / "reports" / "index.html"
    assert str(page) == answer(done)["report"]
    assert "<html" in page.read_text(encoding="utf-8")


def test_a_wrong_answer_exits_with_1_and_is_told_in_a_sentence(folder: Path) -> None:
    done = run(folder, adapter="fakes:HalfTheLoss")
    assert 1 == done.returncode
    first = "failed: theme/one in float32 by half-the-loss on cpu is wrong: loss: at [0] got 0.02"
    assert done.stdout.startswith(first)
    assert "something is wrong: 2 of 6 right, 4 failed" == done.stdout.splitlines()[-1]


def test_no_more_failures_are_listed_than_a_person_reads(folder: Path) -> None:
    cases = "".join(
        f"  - id: c{number}\n    about: A case.\n    logits: [{number}]\n    targets: [0]\n"
        for number in range(12)
    )
    (folder / "theme.yaml").write_text(CASES.partition("  - id")[0] + cases, encoding="utf-8")
    fill(folder / "theme.yaml", "theme", load_glossary([folder]))
    lines = run(folder, adapter="fakes:HalfTheLoss").stdout.splitlines()
    failed = [line for line in lines if line.startswith("failed: ")]
    assert 21 == len(failed)
    assert "failed: and 4 more; the run has all of them" == failed[-1]
    assert all(len(line) < 500 for line in failed)


def test_an_exception_is_told_on_one_line(folder: Path) -> None:
    done = run(folder, "-k", "one and float32", adapter="fakes:Raises")
    assert 1 == done.returncode
    assert "first line" in done.stdout.splitlines()[0]


def test_a_stale_deviation_alone_exits_with_2(folder: Path) -> None:
    stale_adapter(folder)
    done = run(folder, adapter="mine:Mine")
    assert 2 == done.returncode
    assert "the entry for theme/one no longer deviates. Remove it." in done.stdout
    assert "a known deviation is stale: 6 of 6 right" == done.stdout.splitlines()[-1]


def test_a_stale_deviation_beside_a_wrong_answer_exits_with_1(folder: Path) -> None:
    stale_adapter(folder)
    done = run(folder, "--adapter", "fakes:HalfTheLoss", adapter="mine:Mine")
    assert 1 == done.returncode
    assert "no longer deviates" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "adapter"),
    [(["-k", "no_such_case"], "numpy"), (["-k", "float32"], "fakes:Float64Only")],
)
def test_nothing_executed_exits_with_3(folder: Path, arguments: list[str], adapter: str) -> None:
    done = run(folder, *arguments, adapter=adapter)
    assert 3 == done.returncode
    assert "nothing was executed: 0 of 6 right, 6 not run" == done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (CASES, "no expected answer: theme/one, theme/two. Run `bce-conformance fill`."),
        (CASES.replace("logits: [-3]", "logitz: [-3]"), "unknown field `logitz`"),
        (None, "theme.yaml: No such file or directory. Give a case file that can be read."),
    ],
    ids=["unfilled", "malformed", "absent"],
)
def test_invalid_cases_exit_with_4(folder: Path, text: str | None, sentence: str) -> None:
    path = folder / "theme.yaml"
    path.unlink() if text is None else path.write_text(text, encoding="utf-8")
    done = run(folder)
    assert (4, "") == (done.returncode, done.stdout)
    assert sentence in done.stderr
    assert 1 == done.stderr.count("\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--adapter", "tensorfow"], "unknown adapter 'tensorfow'. Did you mean tensorflow?"),
        (["--device", "tpu"], "numpy does not run on tpu: it runs on cpu. Leave out the device"),
        (["--require-cuda"], "numpy does not run on cuda: it runs on cpu. Leave out the device"),
        (["--device", "cpu:1"], "unknown device 'cpu:1'. Give cpu, cuda, cuda:N, or a kind that"),
        (["--device", "cuda"], "numpy does not run on cuda: it runs on cpu. Leave out the device"),
        (["--require", "perfect"], "invalid choice: 'perfect'"),
        (["--run-file", "."], ": is a folder. Name a file."),
        (["--run-file", "theme.yaml"], "theme.yaml: exists, and is no run file. Name another"),
        (["--run-file", "theme.yaml/run.jsonl.gz"], "Not a directory. Give a place that can be"),
        (["--adapter", "accelerate"], "accelerate: not installed: accelerate. Install it with"),
        (["-n", "2"], "-n: pytest-xdist is not installed. Run: pip install pytest-xdist"),
        (["-n", "two"], "'two' is no number of processes; give one, or auto"),
        (["-k", "("], "Wrong expression passed to '-k': (: at column 2"),
        (["logits/zero"], "'logits/zero' is no option. Select questions with -k"),
        (["--", "--frob"], "unrecognized arguments: --frob"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_a_wrong_command_line_exits_with_64(
    folder: Path, arguments: list[str], sentence: str
) -> None:
    (folder / "sitecustomize.py").write_text(
        "import sys\nsys.modules['accelerate'] = sys.modules['xdist'] = None\n", encoding="utf-8"
    )
    done = run(
        folder,
        *arguments,
        PYTHONPATH=f"{folder}{os.pathsep}{TESTS}",
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    )
    assert (64, "") == (done.returncode, done.stdout)
    assert sentence in done.stderr
    assert not (folder / "reports").exists()


def test_the_settings_of_the_folder_have_no_say(folder: Path) -> None:
    (folder / "pytest.ini").write_text(
        "[pytest]\npython_files = mine_*.py\naddopts = --frob\n", encoding="utf-8"
    )
    (folder / "conftest.py").write_text("raise SystemExit('mine')\n", encoding="utf-8")
    done = run(folder, PYTEST_ADDOPTS="--frob")
    assert (0, 6) == (done.returncode, len(read_run(folder / "reports/run.jsonl.gz").results))


def test_what_follows_two_dashes_goes_to_pytest(folder: Path) -> None:
    done = run(folder, "--format", "json", "--", "-x", adapter="fakes:HalfTheLoss")
    found = answer(done)
    assert (1, 1, False) == (found["exit"], found["failed"], found["complete"])
    assert str(found["run"]).endswith(".partial")


def test_pytest_speaks_on_standard_error_if_asked(folder: Path) -> None:
    done = run(folder, "-v", "--format", "json")
    assert 0 == answer(done)["exit"]
    assert "test session starts" in done.stderr


def test_json_is_all_that_is_on_standard_output(folder: Path) -> None:
    found = answer(run(folder, "--format", "json", adapter="fakes:Prints"))
    assert {
        "exit": 0,
        "meaning": "all is well",
        "complete": True,
        "run": str(folder / "reports" / "run.jsonl.gz"),
        "report": None,
        "subjects": [
            {
                "adapter": "prints",
                "device": "cpu",
                "asked": 6,
                "passed": 6,
                "deviates": 0,
                "failed": 0,
                "not_run": 0,
            }
        ],
        "failed": 0,
        "failures": [],
        "repeated": 1,
        "varied": [],
        "stale": [],
        "problems": [],
        "notes": [],
    } == found


def test_what_a_selection_leaves_out_is_in_the_denominator(folder: Path) -> None:
    (subject,) = answer(run(folder, "-k", "theme/one", "--format", "json"))["subjects"]  # type: ignore[misc]
    assert (6, 2, 4) == (subject["asked"], subject["passed"], subject["not_run"])


def test_a_refused_run_is_told_to_a_program_as_well(folder: Path) -> None:
    (folder / "theme.yaml").write_text("format: [", encoding="utf-8")
    found = answer(run(folder, "--format", "json"))
    assert ("a case is invalid", []) == (found["meaning"], found["subjects"])


def test_processes_share_the_work_and_give_the_same_results(folder: Path) -> None:
    alone = answer(run(folder, "--format", "json", adapter="fakes:HalfTheLoss"))
    spread = answer(run(folder, "-n", "2", "--format", "json", adapter="fakes:HalfTheLoss"))
    assert alone["subjects"] == spread["subjects"]
    assert sorted(alone["failures"]) == sorted(spread["failures"])  # type: ignore[call-overload]


def test_a_failure_that_all_questions_share_is_told_once(folder: Path) -> None:
    (folder / "refusing.py").write_text(
        "from conformance.adapters.numpy import NumpyAdapter\n"
        "from conformance.errors import ConformanceError\n"
        "class Refusing(NumpyAdapter):\n"
        "    name = 'refusing'\n"
        "    def evaluate_all(self, questions):\n"
        "        raise ConformanceError('nothing can be compiled here.')\n",
        encoding="utf-8",
    )
    first, *others = run(folder, adapter="refusing:Refusing").stdout.splitlines()
    assert "failed: nothing can be compiled here. (6 times)" == first
    assert not [line for line in others if line.startswith("failed: ")]


def test_an_interrupt_exits_with_130_and_keeps_what_there_is(folder: Path) -> None:
    (folder / "interrupt.py").write_text(
        "import os, signal\n"
        "from fakes import Right\n"
        "class Interrupted(Right):\n"
        "    name = 'interrupted'\n"
        "    def evaluate(self, question):\n"
        "        if question.dtype == 'float64':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "        return super().evaluate(question)\n",
        encoding="utf-8",
    )
    done = run(folder, adapter="interrupt:Interrupted")
    assert 130 == done.returncode
    assert "interrupted: 3 of 6 right, 3 not run" == done.stdout.splitlines()[-1]
    (partial,) = (folder / "reports").glob("*.partial")
    assert {"float32"} == {result.dtype for result in read_run(partial).results}


def test_a_request_to_end_is_one_where_a_trainer_takes_the_signal_for_its_own(
    folder: Path,
) -> None:
    (folder / "ended.py").write_text(
        "import os, signal\n"
        "from conformance.adapters.lightning import LightningAdapter\n"
        "class Ended(LightningAdapter):\n"
        "    name = 'ended'\n"
        "    def evaluate_all(self, questions):\n"
        "        def asked():\n"
        "            yield questions[0]\n"
        "            os.kill(os.getpid(), signal.SIGTERM)\n"
        "            yield from questions[1:]\n"
        "        return super().evaluate_all(Questions(asked(), questions))\n"
        "class Questions(list):\n"
        "    def __init__(self, asked, questions):\n"
        "        super().__init__(questions)\n"
        "        self.asked = asked\n"
        "    def __iter__(self):\n"
        "        return self.asked\n",
        encoding="utf-8",
    )
    done = run(folder, adapter="ended:Ended")
    assert 130 == done.returncode
    assert done.stdout.splitlines()[-1].startswith("interrupted: 0 of ")
