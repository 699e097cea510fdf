"""Questions that are asked several times, and what is said of answers that change."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fakes
import pytest
from factories import make_case
from msgspec.structs import replace
from report_data import case as report_case
from report_data import result as report_result
from report_data import run as report_run
from report_markup import section_of
from run_files import HEADER, header, result, write
from running import run
from test_cli import command
from test_commands_run import answer
from test_commands_run import run as ask_for_run

from conformance.adapters import load
from conformance.corpus import default_root, load_file, load_glossary
from conformance.deviations import Deviation, Ledger
from conformance.fill import fill
from conformance.merging import find_varying
from conformance.model import Computed, Grade
from conformance.records import read_run
from conformance.report import render_report
from conformance.report.evidence import gather
from conformance.report.markdown import render
from conformance.runner import Runner
from conformance.varying import RAISED

if TYPE_CHECKING:
    from conformance.adapters.base import LossAdapter
    from conformance.model import Question
    from conformance.results import Result

CASES = [
    make_case(id="g/each", logits=[1.0, -2.0], targets=[1.0, 0.5]),
    make_case(id="g/sum", logits=[1.0, -2.0], targets=[1.0, 0.5], reduction="sum"),
]


def repeat(adapter: LossAdapter, times: int, require: Grade = Grade.coarse) -> list[Result]:
    return Runner(require, times).run(adapter, "cpu", "float32", CASES, Ledger())


@pytest.mark.parametrize(
    ("times", "varied"), [(1, [[], []]), (2, [[], ["loss"]]), (5, [[], ["loss"]])]
)
def test_the_outputs_whose_bits_change_are_named(times: int, varied: list[list[str]]) -> None:
    results = repeat(fakes.SumsByTurns(), times)
    assert varied == [list(one.varied) for one in results]
    assert {times if times > 1 else None} == {one.repeated for one in results}
    assert {"passed"} == {one.status for one in results}


def test_an_error_that_comes_only_at_times_fails_and_is_named_as_such() -> None:
    for one in repeat(fakes.RaisesByTurns(), 3):
        assert ("failed", "wrong", [RAISED]) == (one.status, one.grade, list(one.varied))
        assert "RuntimeError: not this time" == one.raised


@pytest.mark.parametrize("adapter", [fakes.Raises(), fakes.Lists()], ids=["raised", "broken"])
def test_an_error_that_comes_each_time_does_not_vary(adapter: LossAdapter) -> None:
    for one in repeat(adapter, 3):
        assert ("failed", []) == (one.status, list(one.varied))


def test_a_fault_is_told_though_a_known_deviation_is_as_bad() -> None:
    class NewlyWrongByTurns(fakes.ByTurns):
        """Its gradient is always half; the loss is at times wrong too, by less."""

        name = "newly-wrong-by-turns"

        def evaluate(self, question: Question) -> Computed:
            outputs = dict(super().evaluate(question).outputs)
            return Computed(**outputs | {"logits_grad": -outputs["logits_grad"]})

        def otherwise(self, answer: Computed) -> Computed:
            loss = answer.outputs["loss"]
            return Computed(**answer.outputs | {"loss": loss * loss.dtype.type(1.001)})

    known = Deviation(
        cases="g/*",
        outputs=["logits_grad"],
        grade="wrong",
        since=dt.date(2026, 1, 1),
        issue="https://example.org/1",
        reason="The gradient has the other sign.",
    )
    ledger = Ledger(((Path("known.toml"), known),))
    once, twice = (
        Runner(repeat=times).run(NewlyWrongByTurns(), "cpu", "float32", CASES, ledger)
        for times in (1, 2)
    )
    assert ["deviates"] * 2 == [one.status for one in once]
    assert [("failed", ["loss"])] * 2 == [(one.status, list(one.varied)) for one in twice]


def test_the_worst_of_the_answers_counts_wherever_it_comes() -> None:
    assert ["passed"] * 2 == [one.status for one in repeat(fakes.WrongByTurns(), 1)]
    for times in (2, 3):
        found = repeat(fakes.WrongByTurns(), times)
        assert ["failed"] * 2 == [one.status for one in found]
        assert ["wrong"] * 2 == [one.grade for one in found]
    least = repeat(fakes.SumsByTurns(), 1, Grade.exact)[1].outputs["loss"].ulp
    most = repeat(fakes.SumsByTurns(), 2, Grade.exact)[1].outputs["loss"].ulp
    assert least is not None
    assert most is not None
    assert least < most


def test_what_is_declined_is_declined_once_and_for_all() -> None:
    for one in repeat(fakes.Float64Only(), 2):
        assert ("not_run", None, []) == (one.status, one.repeated, list(one.varied))


def test_a_bulk_that_breaks_off_only_later_is_remembered() -> None:
    class BreaksOffLater(fakes.Right):
        name = "breaks-off-later"
        bulks = 0

        def evaluate_all(self, questions: Any) -> Any:
            self.bulks += 1
            if self.bulks == 2:
                msg = "the second time"
                raise ValueError(msg)
            return [self.evaluate(question) for question in questions]

    runner = Runner(repeat=3)
    results = runner.run(BreaksOffLater(), "cpu", "float32", CASES, Ledger())
    assert [[], []] == [list(one.varied) for one in results]
    assert ["ValueError: the second time"] == list(runner.asker.broke_off.values())


def test_pytorch_gives_the_same_bits_again_in_jobs_of_several_processes_too() -> None:
    root = default_root()
    path = root / "training" / "processes.yaml"
    cases = [
        case
        for case in load_file(path, "training/processes", load_glossary([root]))
        if "float32" in case.dtypes
    ]
    [one] = Runner(repeat=2).run(load("torch"), "cpu", "float32", cases[:1], Ledger())
    assert ("passed", 2, []) == (one.status, one.repeated, list(one.varied))


SUMMED = """\
format: bce-conformance/1
about: Two cases.
defaults: {operation: bce_with_logits, dtypes: [float32]}
cases:
  - id: each
    about: Element by element.
    reduction: none
    logits: [0.5, 20]
    targets: [1, 0]
  - id: summed
    about: A sum.
    reduction: sum
    logits: [0.5, -2]
    targets: [1, 0]
"""


@pytest.fixture
def summed(tmp_path: Path) -> Path:
    """A folder with a sum, filled."""
    (tmp_path / "theme.yaml").write_text(SUMMED, encoding="utf-8")
    fill(tmp_path / "theme.yaml", "theme", load_glossary([tmp_path]))
    return tmp_path


def test_a_run_says_how_many_answers_changed(summed: Path) -> None:
    lines = ask_for_run(summed, "--repeat", "3", adapter="fakes:SumsByTurns").stdout.splitlines()
    at = lines.index("repeated 3 times: the bits of 1 answer changed")
    assert "  theme/summed by sums-by-turns on cpu in float32: loss" == lines[at + 1]
    assert "all is well: 2 of 2 right" == lines[-1]
    assert "3" == read_run(summed / "reports" / "run.jsonl.gz").header.options["repeat"]
    lines = ask_for_run(summed, "--repeat", "1000").stdout.splitlines()
    assert "repeated 1,000 times: the bits of no answer changed" in lines


def test_json_says_which_answers_changed_in_other_processes_too(summed: Path) -> None:
    options = ("--repeat=2", "--format=json", "-n", "2")
    found = answer(ask_for_run(summed, *options, adapter="fakes:RaisesByTurns"))
    assert (1, 2) == (found["exit"], found["repeated"])
    assert [
        {
            "case": f"theme/{name}",
            "adapter": "raises-by-turns",
            "device": "cpu",
            "dtype": "float32",
            "outputs": [RAISED],
        }
        for name in ("each", "summed")
    ] == sorted(found["varied"], key=lambda one: one["case"])  # type: ignore[call-overload]


@pytest.mark.parametrize("times", ["0", "1001", "", "two\nlines"])
def test_what_is_no_number_of_times_is_refused_in_a_sentence(summed: Path, times: str) -> None:
    done = ask_for_run(summed, f"--repeat={times}")
    assert (64, "") == (done.returncode, done.stdout)
    assert f"--repeat {times!r}: give a number from 1 to 1000." == done.stderr.strip()


def test_pytest_refuses_it_too(summed: Path) -> None:
    ran = run(summed, "--repeat", "0")
    assert 4 == ran.code
    assert "ERROR: --repeat '0': give a number from 1 to 1000." in ran.output


def test_trainers_agree_with_raw_pytorch_when_asked_again(summed: Path) -> None:
    ran = run(summed, "--adapter", "torch", "--repeat", "2", adapter="ignite")
    assert 0 == ran.code, ran.output
    assert "repeated 2 times: the bits of no answer changed" in ran.output
    # Two questions each; of the trainer three comparisons besides.
    assert "7 passed" in ran.summary


def test_an_answer_that_varies_within_one_run_is_not_reproducible(tmp_path: Path) -> None:
    steady, shaky = result("a", repeated=2), result("b", repeated=2, varied=["loss"])
    path = write(tmp_path / "run.gz", [steady, shaky])
    found, elsewhere = find_varying([read_run(path)])
    assert ([("b", ("loss",))], 0) == ([(one.case, one.outputs) for one in found], elsewhere)


def test_what_varies_within_a_run_is_not_counted_as_another_machine_as_well(
    tmp_path: Path,
) -> None:
    there = header("2026-01-02", machine={"platform": "y"})
    one = write(tmp_path / "one.gz", [result("b", repeated=2, varied=["loss"])])
    two = write(tmp_path / "two.gz", [result("b", bits="01")], there)
    found, elsewhere = find_varying([read_run(one), read_run(two)])
    assert ([("loss",)], 0) == ([each.outputs for each in found], elsewhere)


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ({}, {}, (1, 0)),
        ({"threads": "1"}, {"threads": "1"}, (1, 0)),
        ({"threads": "1"}, {"threads": "2"}, (0, 1)),
        ({"threads": "1", "driver": "580"}, {"threads": "1", "driver": "590"}, (0, 1)),
        # What only one can tell explains nothing.
        ({"threads": "1"}, {}, (1, 0)),
        ({"threads": "1"}, {"driver": "580"}, (1, 0)),
    ],
)
def test_another_setting_of_the_device_explains_other_bits(
    tmp_path: Path, mine: dict[str, str], theirs: dict[str, str], expected: tuple[int, int]
) -> None:
    runs = [
        read_run(
            write(
                tmp_path / f"{index}.gz",
                [result(bits=f"0{index}")],
                header(f"2026-01-0{index}", settings={"cpu": own, "cuda": {"threads": str(index)}}),
            )
        )
        for index, own in enumerate((mine, theirs), 1)
    ]
    found, elsewhere = find_varying(runs)
    assert expected == (len(found), elsewhere)


def test_merge_and_summary_count_it_in_the_same_words(tmp_path: Path) -> None:
    few = default_root() / "logits" / "nan.yaml"
    case = load_file(few, "logits/nan", load_glossary([default_root()]))[0]
    shaky = result(case.id, sha256=case.sha256, repeated=3, varied=["loss", "logits_grad"])
    path = write(tmp_path / "run.gz", [shaky], HEADER)
    target = ("--cases", str(few))
    done = command("merge", str(path), "-o", str(tmp_path / "all.gz"), *target)
    assert 1 == done.returncode
    words = "1 answer, other bits on the same machine, device and version"
    assert f"not reproducible: {words}" in done.stdout
    assert f"  {case.id} by numpy on cpu in float32: logits_grad, loss" in done.stdout
    assert f"**Not reproducible**: {words}." in command("summary", str(path), *target).stdout
    told = json.loads(command("summary", str(path), "--format", "json", *target).stdout)
    assert (1, 0) == (told["irreproducible"], told["differ_between_machines"])


def test_the_report_has_what_varies_within_one_run_with_the_outputs() -> None:
    asked = [report_case(f"logits/a/{name}", logits=[1.0], targets=[0.0]) for name in "bc"]
    results = [
        report_result(asked[0], "torch", repeated=2, varied=["logits_grad", "loss"]),
        report_result(asked[1], "torch", repeated=2),
    ]
    runs = [report_run(results)]
    evidence = gather(runs, asked)
    assert [(asked[0].id, False, ("logits_grad", "loss"))] == [
        (one.case, one.reproducible, one.outputs) for one in evidence.varying
    ]
    page = render_report(runs, asked)
    assert "1 answer is not reproducible" in page
    section = section_of(page, "repeats")
    assert asked[0].id in section
    assert "<td>logits_grad, loss</td>" in section
    assert asked[1].id not in section
    assert "1 answer, other bits on the same machine" in render(evidence, runs)


def test_settings_stand_side_by_side_in_the_report() -> None:
    asked = [report_case("logits/a/b", logits=[1.0], targets=[0.0])]
    run_ = report_run([report_result(asked[0], "torch")])
    runs = [
        dataclasses.replace(
            run_,
            path=Path(f"{threads}.jsonl.gz"),
            header=replace(
                run_.header, settings={"cpu": {"threads": threads, "capability": "AVX512"}}
            ),
        )
        for threads in ("1", "2")
    ]
    section = section_of(render_report(runs, asked), "environment")
    assert "settings of cpu" in section
    assert section.index('threads <abbr title="differs">') > section.index("settings of cpu")
    assert "<td>AVX512</td><td>AVX512</td>" in section
