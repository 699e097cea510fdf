"""`pytest conformance`, run for real: options, failures, bad input, xdist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from factories import make_case

import conformance
from conformance.corpus import load_glossary
from conformance.fill import fill
from conformance.records import read_run

if TYPE_CHECKING:
    from conformance.model import Run

PACKAGE = Path(conformance.__file__).parent
TESTS = Path(__file__).parent

CASES = """\
format: bce-conformance/1
about: Two cases.
defaults: {operation: bce_with_logits, reduction: none, dtypes: [float32, float64]}
cases:
  - id: one
    about: A case.
    logits: [-3]
    targets: [0]
  - id: two
    about: Another.
    logits: [0.5, 20]
    targets: [1, 0]
  - id: bad
    about: An error is due.
    logits: [0.5, 20]
    targets: [1]
    expected: {raises: true}
"""


class Ran:
    """What a run of pytest left behind."""

    def __init__(self, folder: Path, done: subprocess.CompletedProcess[str]) -> None:
        self.folder = folder
        self.code = done.returncode
        self.output = done.stdout + done.stderr
        # The last is how pytest shows the frames of an exception.
        for trace in ("Traceback", "INTERNALERROR", "\nE   "):
            assert trace not in self.output, self.output

    @property
    def summary(self) -> str:
        return self.output.strip().splitlines()[-1]

    @property
    def results(self) -> dict[str, str]:
        found = read_run(self.folder / "reports" / "run.jsonl.gz").results
        return {f"{result.case}-{result.adapter}-{result.dtype}": result.status for result in found}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "theme.yaml").write_text(CASES, encoding="utf-8")
    fill(tmp_path / "theme.yaml", "theme", load_glossary([tmp_path]))
    return tmp_path


def run(folder: Path, *arguments: str, cases: str = "theme.yaml", adapter: str = "numpy") -> Ran:
    """The installed suite, outside the checkout; "--report" among the arguments writes one."""
    options = ["--cases", cases] if cases else []
    options += ["--adapter", adapter] if adapter else []
    options += [] if "--report" in arguments else ["--no-report"]
    arguments = tuple(argument for argument in arguments if argument != "--report")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--pyargs",
            "conformance",
            "-p",
            "no:cacheprovider",
            "-q",
            *options,
            *arguments,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(folder, done)


def test_a_run_leaves_a_run_file_and_a_report(folder: Path) -> None:
    ran = run(folder, "--report")
    assert 0 == ran.code, ran.output
    assert {
        f"theme/{name}-numpy-{dtype}"
        for name in ("one", "two", "bad")
        for dtype in ("float32", "float64")
    } == set(ran.results)
    assert {"passed"} == set(ran.results.values())
    assert "<html" in (folder / "reports" / "index.html").read_text(encoding="utf-8")
    assert re.search(r"numpy +\d+ +\d+ +\d+ +0 +0 +0 +0", ran.output)


def test_run_file_and_no_report_say_where(folder: Path) -> None:
    ran = run(folder, "--run-file", "other/mine.jsonl.gz")
    assert 0 == ran.code
    assert ["mine.jsonl.gz"] == [path.name for path in (folder / "other").iterdir()]


def test_a_wrong_answer_fails_and_says_how_far_it_is(folder: Path) -> None:
    ran = run(folder, adapter="fakes:HalfTheLoss")
    assert 1 == ran.code
    assert "theme/one in float32 by half-the-loss on cpu is wrong: loss: at [0] got" in ran.output
    assert "failed" == ran.results["theme/one-half-the-loss-float32"]
    assert "passed" == ran.results["theme/bad-half-the-loss-float32"]


@pytest.mark.parametrize(
    "adapter", ["Raises", "Nothing", "ExtraAxis", "InDouble", "Mutates", "NoGradient", "Exits"]
)
def test_a_broken_adapter_fails_without_a_traceback(folder: Path, adapter: str) -> None:
    assert 1 == run(folder, adapter=f"fakes:{adapter}").code


def test_an_adapter_that_prints_passes(folder: Path) -> None:
    assert 0 == run(folder, adapter="fakes:Prints").code


def test_what_an_adapter_declines_is_skipped_with_its_reason(folder: Path) -> None:
    ran = run(folder, "-rs", adapter="fakes:Float64Only")
    assert 0 == ran.code
    assert "float64-only does not offer float32" in ran.output
    assert "3 passed, 3 skipped" in ran.summary
    assert "not_run" == ran.results["theme/one-float64-only-float32"]


def test_nothing_executed_is_a_failure(folder: Path) -> None:
    ran = run(folder, "-k", "float32", adapter="fakes:Float64Only")
    assert 5 == ran.code
    assert "nothing was executed, which is a failure." in ran.output
    assert 5 == run(folder, "-k", "no_such_case").code


def test_ids_select_with_k_and_as_node_ids(folder: Path) -> None:
    ran = run(folder, "-k", "theme/one and float64")
    assert {"theme/one-numpy-float64": "passed"} == ran.results
    node = f"{PACKAGE / 'test_loss.py'}::test_loss[theme/two-numpy-cpu-float32]"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            node,
            "--adapter",
            "numpy",
            "--cases",
            "theme.yaml",
            "-q",
            "-p",
            "no:cacheprovider",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert {"theme/two-numpy-float32": "passed"} == Ran(folder, done).results


def test_require_raises_the_bar(folder: Path) -> None:
    assert 0 == run(folder, "--require", "accurate").code
    ran = run(folder, "--require", "exact")
    assert 1 == ran.code
    assert "see the report" in ran.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--adapter", "tensorfow"], "unknown adapter 'tensorfow'. Known are"),
        (["--adapter", "fakes:Absent"], "has no attribute 'Absent'. Check the module"),
        (["--device", "tpu"], "unknown device 'tpu'. Give cpu, cuda or cuda:N."),
        (["--device", "cuda"], "numpy does not run on cuda. Leave out the device"),
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
        ("    logits: [-3]", "    reduction: NO\n    logits: [-3]", "Invalid enum value 'NO'"),
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


def test_what_a_selection_leaves_out_is_recorded_as_not_run(folder: Path) -> None:
    run(folder, "-k", "theme/one and float64")
    found = read_run(folder / "reports" / "run.jsonl.gz")
    assert [("numpy", "cpu", 5, "not selected in this run")] == [
        (record.adapter, record.device, record.items, record.reason) for record in found.not_run
    ]


def test_a_known_deviation_counts_as_executed(folder: Path) -> None:
    (folder / "mine.py").write_text(
        "from fakes import HalfTheLoss\nclass Mine(HalfTheLoss):\n    name = 'mine'\n",
        encoding="utf-8",
    )
    entry = '[[deviation]]\ncases = "theme/*"\noutputs = ["loss"]\ngrade = "wrong"\n'
    (folder / "mine.deviations.toml").write_text(
        entry + 'issue = "https://x.org"\nreason = "Half of it."\n', encoding="utf-8"
    )
    ran = run(folder, "-k", "theme/one and float32", adapter="mine:Mine")
    assert 0 == ran.code, ran.output


def test_another_page_beside_the_run_is_left_alone(folder: Path) -> None:
    (folder / "web").mkdir()
    (folder / "web" / "index.html").write_text("MINE", encoding="utf-8")
    run(folder, "--report", "--run-file", "web/mine.jsonl.gz")
    assert "MINE" == (folder / "web" / "index.html").read_text(encoding="utf-8")
    assert (folder / "web" / "mine.html").exists()


@pytest.mark.parametrize(
    ("place", "code", "sentence"),
    [
        ("reports", 4, "--run-file reports is a folder. Name a file in it."),
        ("theme.yaml/run.jsonl.gz", 1, "Give a place that can be written to."),
    ],
)
def test_a_run_file_that_cannot_be_written_is_one_sentence(
    folder: Path, place: str, code: int, sentence: str
) -> None:
    (folder / "reports").mkdir()
    ran = run(folder, "--run-file", place)
    assert code == ran.code
    assert sentence in ran.output


def test_a_damaged_run_kept_for_comparison_fails_the_run_and_not_the_report(folder: Path) -> None:
    (folder / "reports" / "reference").mkdir(parents=True)
    (folder / "reports" / "reference" / "old.jsonl.gz").write_text("garbage", encoding="utf-8")
    ran = run(folder, "--report")
    assert 1 == ran.code
    assert "old.jsonl.gz: not gzip, so not a run file." in ran.output
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


def test_a_comparison_without_a_common_question_is_skipped(folder: Path) -> None:
    chosen = "(ignite and one) or (torch and two) or raw_pytorch"
    ran = run(
        folder,
        "-rs",
        "-k",
        f"({chosen}) and float32",
        "--adapter",
        "torch",
        "--adapter",
        "ignite",
        adapter="",
    )
    assert 0 == ran.code
    assert "torch was asked none of these questions" in ran.output


def test_cases_that_ask_for_some_outputs_are_compared_like_others(folder: Path) -> None:
    path = folder / "theme.yaml"
    text = CASES.replace("logits: [-3]", "logits: [-3]\n    outputs: [logits_grad]")
    path.write_text(text, encoding="utf-8")
    fill(path, "theme", load_glossary([folder]))
    assert 0 == run(folder, "--adapter", "torch", "--adapter", "lightning", adapter="").code


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


def test_the_adapter_that_contributing_shows_runs_as_it_stands(folder: Path) -> None:
    text = (TESTS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    example = text.partition("```python\n")[2].partition("```")[0]
    (folder / "my_module.py").write_text(example, encoding="utf-8")
    (folder / "my_framework.py").write_text(
        "import numpy as np\n"
        "from conformance.adapters.numpy import bce_with_logits, check_shapes, reduce\n"
        "def bce(reduction, logits, targets, weight=np.float32(1), pos_weight=np.float32(1)):\n"
        "    check_shapes({'targets': targets}, logits.shape)\n"
        "    found = reduce(bce_with_logits(logits, targets, weight, pos_weight), reduction)\n"
        "    return found['loss'], found['logits_grad']\n",
        encoding="utf-8",
    )
    ran = run(folder, adapter="my_module:MyAdapter")
    assert 0 == ran.code, ran.output
    assert {"passed", "not_run"} == set(ran.results.values())


def test_a_stale_deviation_fails_the_run(folder: Path) -> None:
    (folder / "mine.py").write_text(
        "from conformance.adapters.numpy import NumpyAdapter\n"
        "class Mine(NumpyAdapter):\n    name = 'mine'\n",
        encoding="utf-8",
    )
    ledger = folder / "mine.deviations.toml"
    entry = '[[deviation]]\ncases = "theme/one"\noutputs = ["loss"]\ngrade = "wrong"\n'
    ledger.write_text(entry + 'issue = "https://x.org"\nreason = "R."\n', encoding="utf-8")
    ran = run(folder, adapter="mine:Mine")
    assert 1 == ran.code
    assert "mine.deviations.toml: the entry for theme/one no longer deviates. Remove it." in (
        ran.output
    )


def test_a_known_deviation_is_an_expected_failure(folder: Path) -> None:
    (folder / "mine.py").write_text(
        "from fakes import HalfTheLoss\nclass Mine(HalfTheLoss):\n    name = 'mine'\n",
        encoding="utf-8",
    )
    entry = '[[deviation]]\ncases = "theme/*"\noutputs = ["loss"]\ngrade = "wrong"\n'
    (folder / "mine.deviations.toml").write_text(
        entry + 'issue = "https://x.org"\nreason = "Half of it."\n', encoding="utf-8"
    )
    ran = run(folder, "-rx", adapter="mine:Mine")
    assert 0 == ran.code
    assert "Half of it. https://x.org" in ran.output
    assert "deviates" == ran.results["theme/one-mine-float32"]


def test_the_trainers_are_compared_with_raw_pytorch_and_with_themselves(folder: Path) -> None:
    ran = run(folder, "-vv", "--adapter", "torch", "--adapter", "ignite", adapter="")
    assert 0 == ran.code, ran.output
    for test in ("gives_the_bits_of_raw_pytorch", "gives_the_same_bits_alone_and_in_a_group"):
        assert f"{test}[ignite-cpu-float32] PASSED" in ran.output


def test_xdist_gives_the_results_of_one_process(folder: Path) -> None:
    alone = run(folder, "--adapter", "fakes:HalfTheLoss").results
    (folder / "reports" / "run.jsonl.gz").unlink()
    spread = run(folder, "--report", "-n", "2", "--adapter", "fakes:HalfTheLoss")
    assert 1 == spread.code
    assert alone == spread.results
    assert (folder / "reports" / "index.html").exists()


@pytest.mark.parametrize("arguments", [[], ["-n", "1"]])
def test_the_suite_s_own_cases_are_the_default(folder: Path, arguments: list[str]) -> None:
    ran = run(folder, "-k", "logits/negative_tail and float32", *arguments, cases="")
    assert 0 == ran.code, ran.output
    assert all(key.startswith("logits/negative_tail/") for key in ran.results)


def test_a_question_of_the_factories_is_like_one_of_a_file(folder: Path) -> None:
    case = make_case(logits=[-3.0], targets=[0.0])
    assert case.expected is not None
    (answer,) = case.expected.alternatives
    assert answer.outputs["loss"].values[0] in (folder / "theme.yaml").read_text(encoding="utf-8")
