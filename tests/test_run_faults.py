"""`pytest conformance`, run for real, when something is wrong: input, place, adapter, user."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from running import CASES, PACKAGE, Ran, run

from conformance.records import read_run

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.results import Run


@pytest.mark.parametrize(
    "adapter", ["Raises", "Nothing", "ExtraAxis", "InDouble", "Mutates", "NoGradient", "Exits"]
)
def test_a_broken_adapter_fails_without_a_traceback(folder: Path, adapter: str) -> None:
    assert 1 == run(folder, adapter=f"fakes:{adapter}").code


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--adapter", "tensorfow"], "unknown adapter 'tensorfow'. Did you mean tensorflow?"),
        (["--adapter", "fakes:Absent"], "has no attribute 'Absent'. Check the module"),
        (["--device", "tpu"], "numpy does not run on tpu: it runs on cpu. Leave out the device"),
        (["--require-cuda"], "numpy does not run on cuda: it runs on cpu. Leave out the device"),
        (["--device", "cpu:1"], "unknown device 'cpu:1'. Give cpu, cuda, cuda:N, or a kind that"),
        (["--device", "cuda"], "numpy does not run on cuda: it runs on cpu. Leave out the device"),
        (["--require", "perfect"], "invalid choice: 'perfect'"),
        (["--cases", "absent.yaml"], "absent.yaml: No such file or directory"),
    ],
)
def test_wrong_options_are_one_sentence_and_a_usage_error(
    folder: Path, arguments: list[str], sentence: str
) -> None:
    ran = run(folder, *arguments)
    assert 4 == ran.code
    assert sentence in ran.output
    assert not (folder / "reports").exists()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("logits: [-3]", "logitz: [-3]", "theme.yaml:5:5: cases[0]: Object contains unknown field"),
        ("logits: [-3]", "logits: [1e-7]", "1e-7 is not exact in any of the four dtypes"),
        ("logits: [-3]", "logits: [NaN]", 'theme.yaml:7:14: write NaN as a string: "nan"'),
        ("about: A case.", "about: A case.\n    about: B.", "theme.yaml:7:5: the key 'about'"),
        ("id: two", "id: one", "the id one is taken by cases[0]"),
        (
            "    logits: [-3]",
            "    reduction: NO\n    logits: [-3]",
            "'NO' is none of none, mean, sum",
        ),
    ],
)
def test_a_malformed_case_stops_the_run_with_its_place(
    folder: Path, old: str, new: str, sentence: str
) -> None:
    path = folder / "theme.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    ran = run(folder)
    assert 4 == ran.code
    assert sentence in ran.output


def test_an_unfilled_case_stops_the_run(folder: Path) -> None:
    (folder / "theme.yaml").write_text(CASES, encoding="utf-8")
    ran = run(folder)
    assert 4 == ran.code
    assert "no expected answer: theme/one, theme/two. Run `bce-conformance fill`." in ran.output


def partial_of(folder: Path) -> Run:
    (path,) = (folder / "reports").glob("*.partial")
    return read_run(path)


def test_a_run_that_is_cut_short_says_so_and_reports_what_it_has(folder: Path) -> None:
    assert 0 == run(folder, "--report").code
    before = (folder / "reports" / "index.html").read_text(encoding="utf-8")
    ran = run(folder, "--report", "-x", adapter="fakes:HalfTheLoss")
    assert "(cut short)" in ran.output
    partial = partial_of(folder)
    assert partial.footer is None
    assert "failed" in {result.status for result in partial.results}
    after = (folder / "reports" / "index.html").read_text(encoding="utf-8")
    assert before != after
    assert "half-the-loss" in after
    assert {"numpy"} == {key.split("-")[1] for key in ran.results}


@pytest.mark.parametrize("adapter", ["numpy", "torch", "ignite", "lightning"])
def test_an_interrupt_ends_the_run_and_keeps_what_it_has(folder: Path, adapter: str) -> None:
    (folder / "interrupt.py").write_text(
        "import os, signal\n"
        "from conformance.adapters import load\n"
        f"Base = type(load({adapter!r}))\n"
        "class Interrupted(Base):\n"
        "    name = 'interrupted'\n"
        "    def evaluate_all(self, questions):\n"
        "        if questions[0].dtype == 'float64':\n"
        "            questions = Killing(questions)\n"
        "        return super().evaluate_all(questions)\n"
        "class Killing(list):\n"
        "    def __iter__(self):\n"
        "        for index, question in enumerate(super().__iter__()):\n"
        "            if index == 1:\n"
        "                os.kill(os.getpid(), signal.SIGINT)\n"
        "            yield question\n",
        encoding="utf-8",
    )
    ran = run(folder, adapter="interrupt:Interrupted")
    assert 2 == ran.code
    assert {"float32"} == {result.dtype for result in partial_of(folder).results}


def test_another_page_beside_the_run_is_left_alone(folder: Path) -> None:
    (folder / "web").mkdir()
    (folder / "web" / "index.html").write_text("MINE", encoding="utf-8")
    run(folder, "--report", "--run-file", "web/mine.jsonl.gz")
    assert "MINE" == (folder / "web" / "index.html").read_text(encoding="utf-8")
    assert (folder / "web" / "mine.html").exists()


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("reports", "reports: is a folder. Name a file."),
        ("theme.yaml", "theme.yaml: exists, and is no run file. Name another file, or remove it"),
        ("theme.yaml/run.jsonl.gz", "Not a directory. Give a place that can be written to."),
    ],
)
def test_a_run_file_that_cannot_be_written_is_one_sentence(
    folder: Path, place: str, sentence: str
) -> None:
    (folder / "reports").mkdir()
    ran = run(folder, "--run-file", place)
    assert 4 == ran.code
    assert sentence in ran.output


def test_a_damaged_run_kept_for_comparison_fails_the_run_and_not_the_report(folder: Path) -> None:
    (folder / "reports" / "reference").mkdir(parents=True)
    (folder / "reports" / "reference" / "old.jsonl.gz").write_text("garbage", encoding="utf-8")
    ran = run(folder, "--report")
    assert 1 == ran.code
    assert "old.jsonl.gz: neither gzip nor JSON Lines" in ran.output
    assert (folder / "reports" / "index.html").exists()


def test_a_trainer_that_takes_no_step_fails(folder: Path) -> None:
    (folder / "conftest.py").write_text(
        "import conformance.adapters.ignite as ignite\n"
        "from ignite.engine import Engine\n"
        "run = Engine.run\n"
        "Engine.run = lambda self, data, **options: (self.state if len(data) > 1 else\n"
        "                                            run(self, data, **options))\n",
        encoding="utf-8",
    )
    ran = run(folder, "-p", "conftest", "--adapter", "torch", "--adapter", "ignite", adapter="")
    assert 1 == ran.code
    assert "ignite-cpu-float32 broke off: RuntimeError: Ignite took 0 steps" in ran.output


@pytest.mark.parametrize(
    ("adapter", "sentence"),
    [
        ("fakes:CannotBeMade", "cannot be imported: RuntimeError: no device."),
        ("fakes:Nameless", "needs a name"),
        ("broken_syntax:X", "cannot be imported: SyntaxError"),
        ("boom:X", "cannot be imported: RuntimeError: at import"),
        (":X", "cannot be imported"),
    ],
)
def test_an_adapter_that_cannot_be_loaded_is_one_sentence(
    folder: Path, adapter: str, sentence: str
) -> None:
    (folder / "broken_syntax.py").write_text("def", encoding="utf-8")
    (folder / "boom.py").write_text("raise RuntimeError('at import')", encoding="utf-8")
    ran = run(folder, adapter=adapter)
    assert 4 == ran.code
    assert sentence in ran.output


def test_an_adapter_that_knows_no_facts_of_itself_runs(folder: Path) -> None:
    assert 0 == run(folder, adapter="fakes:KnowsNoFacts").code


BROKEN_IGNITE = """
import sys
from importlib.util import spec_from_loader

class Broken:
    def find_spec(self, name, path=None, target=None):
        return spec_from_loader(name, self) if name == "ignite" else None
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        raise OSError("libx.so: no")

sys.meta_path.insert(0, Broken())
"""


def test_a_broken_framework_costs_only_its_own_adapter(folder: Path) -> None:
    (folder / "broken.py").write_text(BROKEN_IGNITE, encoding="utf-8")
    ran = run(folder, "-p", "broken", "--adapter", "numpy", "--adapter", "ignite", adapter="")
    assert 1 == ran.code
    assert "adapter 'ignite' cannot be imported: OSError: libx.so: no." in ran.output
    assert re.search(r"numpy +\d+ +\d+ +\d+ +0 +0 +0 +0", ran.output)


def test_coming_upon_the_suite_says_how_to_run_it(tmp_path: Path) -> None:
    (tmp_path / "somewhere").symlink_to(PACKAGE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    ran = Ran(tmp_path, done)
    assert 4 == ran.code
    assert "name the suite on the command line: pytest conformance" in ran.output


def test_a_project_with_a_package_of_this_name_is_left_in_peace(tmp_path: Path) -> None:
    (tmp_path / "conformance").mkdir()
    (tmp_path / "conformance" / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "test_theirs.py").write_text("def test_theirs(): pass", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in Ran(tmp_path, done).output
