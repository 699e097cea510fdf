"""`bce-conformance run` whose adapters answer in worker processes."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import worker_fakes
from running import TESTS
from test_processes import all_end, marks

from conformance.commands._common import FINE, INTERRUPTED, USAGE, WRONG
from conformance.corpus import load_glossary
from conformance.fill import fill
from conformance.records import read_run

if TYPE_CHECKING:
    from conformance.results import Run

CASES = """\
format: bce-conformance/1
about: One of these is the end of a process.
defaults: {operation: bce_with_logits, reduction: none, dtypes: [float32, float64]}
cases:
"""
CASE = """\
  - id: {name}
    about: A case.
    logits: [{logit}]
    targets: [0]
"""
NAMES = {"one": 1, "two": 2, "thirteen": 13, "exit": 4, "hang": 5}


class Ran:
    """What a run has left behind."""

    def __init__(self, done: subprocess.CompletedProcess[str], path: Path) -> None:
        self.code = done.returncode
        self.problem = done.stderr
        for trace in ("Traceback", "INTERNALERROR", "Exception ignored"):
            assert trace not in done.stdout + done.stderr, done.stdout + done.stderr
        self.said: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
        self.run: Run | None = read_run(path) if path.exists() else None

    @property
    def results(self) -> dict[tuple[str, str, str], Any]:
        """All that there is to each result but its time."""
        assert self.run
        found = {}
        for each in self.run.results:
            fields = {name: getattr(each, name) for name in each.__struct_fields__}
            found[each.case, each.adapter, each.dtype] = fields | {"ms": None}
        assert len(found) == len(self.run.results)
        return found

    @property
    def statuses(self) -> dict[str, str]:
        return {
            case.rpartition("/")[2]: each["status"] for (case, *_), each in self.results.items()
        }


def program(folder: Path, *arguments: str) -> list[str]:
    path = folder / "run.jsonl.gz"
    given = ["--no-report", "--run-file", str(path), "--format", "json", *arguments]
    return [sys.executable, "-P", "-m", "conformance.cli", "run", *given]


def run(folder: Path, *arguments: str, **environment: str) -> Ran:
    done = subprocess.run(
        program(folder, *arguments),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TESTS), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(done, folder / "run.jsonl.gz")


def fake(deed: str, folder: Path) -> str:
    marked = folder / "marks"
    marked.mkdir(exist_ok=True)
    words = [sys.executable, "-I", "-S", str(Path(worker_fakes.__file__)), deed, str(marked)]
    return f"--adapter=worker:{shlex.join(words)}"


@pytest.fixture
def theme(tmp_path: Path) -> Path:
    text = CASES + "".join(CASE.format(name=name, logit=logit) for name, logit in NAMES.items())
    (tmp_path / "theme.yaml").write_text(text, encoding="utf-8")
    fill(tmp_path / "theme.yaml", "theme", load_glossary([tmp_path]))
    return tmp_path


# Bad inputs, layouts, jobs; what is known to deviate, and what an adapter declines.
CHOSEN = (
    "logits/bad_inputs",
    "logits/layouts",
    "logits/legacy_arguments",
    "prediction/threshold",
)
NUMPY, TORCH = "--adapter=numpy", "--adapter=torch"
WORKER = f"--adapter=worker:{shlex.quote(sys.executable)} -m conformance.cli worker --adapter numpy"


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the suite's own, under their own names."""
    folder = tmp_path_factory.mktemp("cases")
    for name in (*CHOSEN, "flags", "policies"):
        path = folder / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(TESTS.parent / "cases" / f"{name}.yaml", path)
    return folder


def run_chosen(cases: Path, folder: Path, *arguments: str) -> Ran:
    return run(folder, f"--cases={cases}", "--device=cpu", "-k=numpy or float32", *arguments)


@pytest.fixture(scope="module")
def here(cases: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The results of the process of the run itself."""
    pytest.importorskip("torch")
    ran = run_chosen(cases, tmp_path_factory.mktemp("here"), NUMPY, TORCH)
    assert FINE == ran.code, ran.said
    assert {"passed", "deviates", "not_run"} == {each["status"] for each in ran.results.values()}
    return ran


@pytest.mark.parametrize(
    "arguments",
    [(NUMPY, TORCH, "--isolate"), (NUMPY, "--isolate", "-n=2"), (WORKER,)],
    ids=["isolated", "isolated in two processes", "by its command"],
)
def test_workers_give_the_results_of_the_process_itself(
    cases: Path, tmp_path: Path, here: Ran, arguments: tuple[str, ...]
) -> None:
    ran = run_chosen(cases, tmp_path, *arguments)
    assert FINE == ran.code, ran.said
    asked = {"numpy", "torch"} if TORCH in arguments else {"numpy"}
    assert {key: each for key, each in here.results.items() if key[1] in asked} == ran.results
    assert [each for each in here.said["subjects"] if each["adapter"] in asked] == (
        ran.said["subjects"]
    )
    for key in ("complete", "failed", "stale", "problems", "notes"):
        assert here.said[key] == ran.said[key]
    assert here.run
    assert ran.run
    told = ("corpus", "cases", "versions", "devices", "settings")
    # Those of torch are not in a run without it.
    for name in told if TORCH in arguments else told[:2]:
        assert getattr(here.run.header, name) == getattr(ran.run.header, name)
    assert "numpy" in ran.run.header.versions


def test_a_worker_that_crashes_fails_its_question_and_the_run_tells_why(theme: Path) -> None:
    ran = run(theme, "--cases=theme.yaml", fake("segfault", theme))
    assert WRONG == ran.code
    expected = dict.fromkeys(NAMES, "passed") | {"thirteen": "failed"}
    both = {
        (case.rpartition("/")[2], dtype): each for (case, _, dtype), each in ran.results.items()
    }
    assert expected == {case: each["status"] for (case, d), each in both.items() if d == "float64"}
    assert {"not_run"} == {each["status"] for (_, d), each in both.items() if d == "float32"}
    guilty = both["thirteen", "float64"]
    reason = "crashed: the process ended by signal 11 (SIGSEGV)"
    assert ("crashed", reason) == (guilty["fault"], guilty["reason"])
    assert any(reason in line for line in ran.said["failures"])
    told = "plain-cpu-float64 broke off: the process ended by signal 11 (SIGSEGV); asked one by one"
    assert [told] == ran.said["notes"]
    assert ran.said["complete"]
    assert ran.run
    assert "1.0" == ran.run.header.versions["plain"]
    assert all_end(marks(theme / "marks", 1))


def test_an_isolated_adapter_that_ends_its_process_fails_alone(theme: Path) -> None:
    ran = run(
        theme,
        "--cases=theme.yaml",
        "--isolate",
        "--adapter=fakes:Mortal",
        "-k",
        "float32 and not hang",
    )
    assert WRONG == ran.code
    assert {
        "one": "passed",
        "two": "passed",
        "thirteen": "passed",
        "exit": "failed",
    } == ran.statuses
    (failure,) = ran.said["failures"]
    assert "crashed: the process ended with exit code 3" in failure


def test_a_worker_that_cannot_be_asked_is_a_usage_error_in_a_sentence(theme: Path) -> None:
    ran = run(theme, "--cases=theme.yaml", fake("start:speak_another_version", theme))
    assert USAGE == ran.code
    assert "it speaks version 2 of the protocol, not 1. Try the command" in ran.problem
    assert 1 == len(ran.problem.splitlines())
    assert ran.run is None
    assert all_end(marks(theme / "marks", 1))


def test_a_workers_sentence_for_the_user_fails_its_questions_and_is_told(theme: Path) -> None:
    ran = run(theme, "--cases=theme.yaml", fake("fail", theme), "-k", "float64")
    assert WRONG == ran.code
    assert ["The licence has expired. Renew it."] == [
        line.partition(": ")[2] or line for line in ran.said["failures"]
    ]
    assert not ran.said["complete"]


def begin(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        program(folder, "--cases=theme.yaml", *arguments),
        cwd=folder,
        # One that is killed cannot tidy up.
        env={
            **os.environ,
            "PYTHONPATH": str(TESTS),
            "MARKS": str(folder / "marks"),
            "TMPDIR": str(folder),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_interrupted_run_ends_its_workers_whoever_has_written_them(theme: Path) -> None:
    with begin(theme, fake("hang_with_a_child", theme), "-k=float64") as running:
        pids = marks(theme / "marks", 2)
        running.send_signal(signal.SIGINT)
        begun = time.monotonic()
        _, beside = running.communicate(timeout=60)
    assert time.monotonic() - begun < 20
    assert INTERRUPTED == running.returncode
    assert "Traceback" not in beside
    assert all_end(pids)


def test_workers_end_with_a_run_that_is_killed_whatever_they_are_doing(theme: Path) -> None:
    (theme / "marks").mkdir()
    with begin(theme, "--isolate", "--adapter=fakes:Mortal", "-k=hang") as running:
        # The worker, and the child that it has started.
        pids = marks(theme / "marks", 2)
        running.kill()
        running.communicate(timeout=60)
    assert all_end(pids)
