"""`pytest conformance`, run for real: what it selects, grades and leaves behind."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from factories import make_case
from running import CASES, PACKAGE, Ran, run

from conformance.corpus import load_glossary
from conformance.fill import fill
from conformance.records import read_run

if TYPE_CHECKING:
    from pathlib import Path


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


def test_what_a_selection_leaves_out_is_recorded_as_not_run(folder: Path) -> None:
    run(folder, "-k", "theme/one and float64")
    found = read_run(folder / "reports" / "run.jsonl.gz")
    assert [("numpy", "cpu", 5, "not selected in this run")] == [
        (record.adapter, record.device, record.items, record.reason) for record in found.not_run
    ]


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


def test_xdist_is_given_what_has_to_be_compiled_first(folder: Path) -> None:
    # Of the order in which they are named, eager code would come first.
    adapters = ("--adapter", "torch", "--adapter", "torch:inductor")
    ran = run(folder, "-n", "1", "-vv", "-k", "theme/one", *adapters, adapter="")
    assert 0 == ran.code, ran.output
    names = re.findall(r"PASSED .*theme/one-(torch\S*)-cpu-", ran.output)
    assert ["torch:inductor", "torch"] == list(dict.fromkeys(names)), ran.output


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
