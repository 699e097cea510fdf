from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from report_data import WIDE, case, not_run, run
from report_jobs import (
    CARRIED,
    EPOCH,
    FULL,
    MIXED,
    PLAIN,
    SAMPLES,
    SGD,
    SHORT,
    STEPPED,
    WINDOWS,
    follows,
    invented,
    joined,
    scenario,
)
from report_payload import payload
from report_runs import HOSTILE

from conformance.glossary import Explanation, Glossary
from conformance.jobs import CONVENTIONS, Job, Optimizer
from conformance.model import REFUSE
from conformance.report import render_report
from conformance.report.followed import fewest
from conformance.report.job_words import job_words
from conformance.report.moves import first_move, move
from conformance.report.policy_words import policy_words
from conformance.report.trajectories import scenes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Case
    from conformance.results import Result


class Attributes(HTMLParser):
    """Collects the names of all attributes of a page."""

    @classmethod
    def of(cls, page: str) -> set[str]:
        parser = cls()
        parser.names = set()
        parser.feed(page)
        return parser.names

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names |= {name for name, _ in attrs}


def page_of(results: Sequence[Result], cases: Sequence[Case], **words: Explanation) -> str:
    return render_report([run(results)], cases, Glossary(policies=words))


def test_a_cell_names_the_policy_that_each_trainer_followed() -> None:
    results = [follows(SHORT, "ignite", CARRIED), follows(SHORT, "torch", STEPPED)]
    trainers, _ = joined(results, [SHORT])
    [row] = trainers.rows
    assert "Accumulation with a short last window" == row.title
    assert [((CARRIED, 1),), ((STEPPED, 1),)] == [cell.policies for cell in row.cells]
    assert row.differs


def test_a_scenario_on_which_two_policies_are_one_tells_of_no_further_policy() -> None:
    results = [follows(SHORT, "ignite", CARRIED), follows(FULL, "ignite", STEPPED)]
    [row] = joined(results, [SHORT, FULL])[0].rows
    assert ((CARRIED, 2),) == row.cells[0].policies


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        ([({"b"}, "abc"), ({"b", "c"}, "abc")], (("b", 2),)),
        ([({"b"}, "ab"), ({"a"}, "ab"), ({"a"}, "ab")], (("a", 2), ("b", 1))),
        ([({"b"}, "ab"), ({"b"}, "ab"), ({"c"}, "ac")], (("b", 3),)),
        ([({"b"}, "ab"), ({"b"}, "ab"), ({"c"}, "abc")], (("c", 3),)),
        ([({"a", "b"}, "ab")], (("a", 1),)),
        ([], ()),
    ],
)
def test_the_fewest_policies_explain_all_observations(observed: Any, expected: Any) -> None:
    given = [(frozenset(names), tuple(listed)) for names, listed in observed]
    assert expected == fewest(given, "abc")


def test_policies_of_one_truth_are_told_apart_by_their_precision() -> None:
    results = [
        follows(MIXED, "ignite", "computed_in_float32"),
        follows(MIXED, "lightning", "computed_in_bfloat16", off=1e-4),
    ]
    trainers, _ = joined(results, [MIXED])
    [row] = trainers.rows
    assert [("computed_in_float32",), ("computed_in_bfloat16",)] == [
        cell.names for cell in row.cells
    ]
    [scene] = scenes(trainers, row)
    assert "the truth" == scene.less
    assert ("Precision bf16-mixed", "training") == (row.title, row.setting)
    last = [float(curve.values[-1]) for curve in scene.curves]
    assert [pytest.approx(0, abs=1e-7), pytest.approx(1e-4, rel=1e-2)] == last


def test_a_wrong_trainer_is_marked_in_words_with_its_issue() -> None:
    known = {"status": "deviates", "deviation": "lightning#21859", "reason": "It floors."}
    results = [
        follows(SHORT, "ignite", CARRIED),
        follows(SHORT, "lightning", STEPPED, off=0.125, **known),
    ]
    trainers, _ = joined(results, [SHORT])
    assert ("wrong",) == trainers.rows[0].cells[1].names
    [fault] = trainers.rows[0].cells[1].faults
    assert ("It floors.", True, "lightning#21859") == (fault.reason, fault.known, fault.link)
    page = page_of(results, [SHORT])
    assert ", known</span>" in page
    assert "<b>✗ wrong</b>" in page
    assert "It floors." in page
    assert "Lightning-AI/pytorch-lightning/issues/21859" in page


def test_a_trainer_that_is_wrong_in_one_dtype_follows_a_policy_in_the_other() -> None:
    results = [
        follows(SHORT, "ignite", CARRIED, "float32"),
        follows(SHORT, "ignite", CARRIED, "float64", off=1e-7),
    ]
    [cell] = joined(results, [SHORT])[0].rows[0].cells
    assert (CARRIED, "wrong") == cell.names
    assert ["float64"] == [fault.dtype for fault in cell.faults]


def test_what_was_not_run_is_told_with_its_reason_and_not_compared() -> None:
    reason = "ignite does not offer accumulate"
    results = [
        not_run(SHORT, "ignite", "float32", reason),
        follows(EPOCH, "ignite", "epoch_by_samples"),
        follows(SHORT, "torch", STEPPED),
        follows(EPOCH, "torch", "epoch_by_batches"),
    ]
    trainers, _ = joined(results, [SHORT, EPOCH])
    cell = trainers.rows[0].cells[0]
    assert ((), 1, reason) == (cell.names, cell.absent, cell.reason)
    found = move(trainers, 0, 1)
    assert [(trainers.rows[1],)] == [change.rows for change in found.changes]
    assert (trainers.rows[0],) == found.untold
    assert reason in page_of(results, [SHORT, EPOCH])


def test_the_first_move_told_is_from_ignite_to_lightning() -> None:
    results = [
        follows(SHORT, adapter, policy)
        for adapter, policy in (("ignite", CARRIED), ("lightning", STEPPED), ("numpy", SAMPLES))
    ]
    trainers, _ = joined(results, [SHORT])
    found = first_move(trainers)
    assert found is not None
    assert ("ignite", "lightning") == (
        trainers.subjects[found.one].adapter,
        trainers.subjects[found.other].adapter,
    )
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", page_of(results, [SHORT])))
    assert "changes 1 thing:" in text
    assert f"{policy_words(CARRIED)} → {policy_words(STEPPED)}" in text


def test_a_move_tells_alike_changes_once_and_what_one_alone_has_wrong() -> None:
    other = dataclasses.replace(MIXED, job=dataclasses.replace(MIXED.job, precision="16-mixed"))
    other = dataclasses.replace(other, id="training/precision/half", sha256="1")
    results = [follows(item, "ignite", "computed_in_float32") for item in (MIXED, other)]
    results += [follows(item, "torch", "computed_in_bfloat16", off=1e-4) for item in (MIXED, other)]
    results += [follows(PLAIN, "torch", None), follows(PLAIN, "torch", None, "float64", off=1.0)]
    results += [follows(PLAIN, "ignite", None)]
    trainers, _ = joined(results, [MIXED, other, PLAIN])
    found = move(trainers, 0, 1)
    assert [("Precision 16-mixed: training",), ("Precision bf16-mixed: training",)] == [
        tuple(row.name for row in change.rows) for change in found.changes
    ]
    # What 16-mixed becomes is not float16 with either; bf16-mixed is what it says with one.
    assert "computes in bfloat16, not in float16" == found.changes[0].theirs[0][1]
    assert "computes in bfloat16" == found.changes[1].theirs[0][1]
    [(column, reason)] = found.flaws
    assert (1, PLAIN.id, 1) == (column, reason.case, reason.cases)
    assert () == move(trainers, 1, 1).flaws


def test_the_page_says_plainly_where_a_precision_is_not_what_it_is_called() -> None:
    half = dataclasses.replace(MIXED, job=dataclasses.replace(MIXED.job, precision="16-mixed"))
    results = [
        follows(half, "accelerate", "computed_in_float32"),
        follows(half, "lightning", "computed_in_bfloat16", off=1e-4),
    ]
    page = page_of(results, [half])
    for name, dtype in (("accelerate", "float32"), ("lightning", "bfloat16")):
        assert (
            f"On the CPU, {name} computes in {dtype} where 16-mixed is asked for, not in float16."
        ) in page


def test_every_convention_of_trainers_has_words() -> None:
    assert [] == [name for name in (*CONVENTIONS, REFUSE) if policy_words(name) == name]


def test_things_on_which_all_trainers_do_the_same_are_one_row() -> None:
    others = [
        scenario(
            f"evaluation/epoch/{name}",
            Job(batches=(3, 3, 1), **options),
            operation="evaluate",
            reduction=reduction,
            policies=("epoch_by_samples", "epoch_by_batches"),
        )
        for name, reduction, options in (
            ("transposed", "mean", {"classes_first": True}),
            ("sum", "sum", {}),
        )
    ]
    cases = [EPOCH, *others]
    results = [follows(case, "torch", "epoch_by_batches") for case in cases]
    results += [follows(case, "ignite", "epoch_by_samples") for case in cases[:2]]
    results += [follows(cases[2], "ignite", "epoch_by_batches")]
    trainers, _ = joined(results, cases)
    assert ["", "losses that are sums"] == [row.setting for row in trainers.rows]
    assert [2, 1] == [len(row.cases) for row in trainers.rows]


def test_scenarios_of_one_right_answer_are_counted_until_somebody_is_wrong() -> None:
    right = follows(PLAIN, "torch", None)
    assert (1, ()) == ((found := joined([right], [PLAIN])[0]).agreed, found.rows)
    wrong = follows(PLAIN, "ignite", None, off=0.5)
    [row] = joined([right, wrong], [PLAIN])[0].rows
    assert [("wrong",), ("as defined",)] == [cell.names for cell in row.cells]


def test_a_scenario_is_told_in_words() -> None:
    job = Job(
        model="mlp",
        hidden=4,
        batches=(4, 3),
        accumulate=2,
        epochs=2,
        clip_norm=0.5,
        optimizer=Optimizer(name="adamw", lr=0.1, weight_decay=0.01),
    )
    words = dict(job_words(scenario("training/any/any", job, parameters=[0.5] * 17)))
    assert {
        "job": "trains a model: linear to 4, tanh, linear; 1 output",
        "loss": "bce_with_logits, mean",
        "batches": "4 + 3 samples",
        "epochs": "2",
        "optimizer": "adamw, lr 0.1, weight_decay 0.01",
        "accumulate": "2",
        "clip norm": "0.5",
    } == words
    assert [] == job_words(case("logits/any/any", logits=[1], targets=[0]))


def test_a_page_of_losses_alone_has_no_trainers() -> None:
    loss = case("logits/any/any", logits=[1], targets=[0])
    assert 'id="trainers"' not in page_of([not_run(loss, "torch", "float32", "no")], [loss])


def test_text_from_outside_stays_text_in_the_table_of_trainers() -> None:
    job = Job(batches=(4, 3), optimizer=SGD, trainer_arguments={HOSTILE: HOSTILE})
    evil = {"id": f"training/{HOSTILE}/x", "group": f"training/{HOSTILE}", "about": HOSTILE}
    bad = dataclasses.replace(PLAIN, job=job, **evil)
    facts = {"status": "deviates", "reason": HOSTILE, "deviation": "javascript:alert(1)"}
    results = [
        follows(bad, HOSTILE, None, off=1.0, **facts),
        not_run(SHORT, HOSTILE, "float32", HOSTILE),
        follows(SHORT, "lightning", CARRIED),
        follows(bad, "lightning", None),
    ]
    page = page_of(results, [bad, SHORT], **{CARRIED: Explanation(HOSTILE, HOSTILE)})
    assert 'id="trainers"' in page
    assert HOSTILE not in page
    assert 'href="javascript' not in page
    names = Attributes.of(page)
    assert "aria-label" in names
    assert set() == {name for name in names if name.startswith("on")} | (names & {"style", "src"})


def test_fifty_scenarios_add_less_than_160_kilobytes() -> None:
    random = np.random.default_rng(0)
    cases = [invented(index, random) for index in range(50)]
    results = [
        follows(item, adapter, policy, dtype)
        for item in cases
        # As they mostly do, two of four trainers follow the same policy.
        for adapter, policy in zip("abcd", (*WINDOWS, STEPPED), strict=True)
        for dtype in WIDE
    ]
    assert 160_000 > len(page_of(results, cases)) - len(page_of([], []))


def test_the_payload_tells_the_ratio_of_jobs_alone() -> None:
    page = page_of([follows(SHORT, "torch", STEPPED, off=1e-7)], [SHORT])
    head, columns = payload(page)
    assert all(head["numbers"][place] > 0 for place in columns["answers.ratio"])
    title = "Accumulation with a short last window"
    assert [[title, "trainers-0", [[[STEPPED, policy_words(STEPPED)]]], [[]]]] == (
        head["trainers"]["rows"]
    )
