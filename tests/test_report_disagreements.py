"""Disagreements: who got what on one question, gathered into rows and told in a sentence."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

import pytest
from report_data import careful, case, not_run, result, run
from report_markup import section_of
from report_runs import devices
from test_report_sections import ONE, THREE, TWO, failing

from conformance.report import render_report
from conformance.report.disagreements import MOST, find_disagreements
from conformance.report.distances import AnswerTable
from conformance.report.evidence import gather
from conformance.results import OutputResult, Result

if TYPE_CHECKING:
    from conformance.report.disagreements import Disagreements
    from conformance.report.evidence import Evidence


def test_disagreements_come_with_the_widest_gap_of_grades_first() -> None:
    results = [result(ONE, "torch"), failing(THREE, "torch")]
    results += [result(item, "numpy", formula=careful) for item in (ONE, THREE)]
    found = disagreements_of(gather([run(results)], [ONE, THREE]))
    assert ["logits/moderate", "logits/negative_tail"] == [row.group for row in found.rows]
    wrong, coarse = found.rows
    assert [("exact", "numpy"), ("wrong", "torch")] == [tuple(camp) for camp in wrong.camps]
    assert (THREE.id, "float32") == wrong.example
    assert "#group=logits/moderate&differs=on&dtype=float32" == wrong.href
    assert ("exact", "coarse") == tuple(camp.grade for camp in coarse.camps)
    assert [(("numpy", "torch"), 2)] == list(found.sides)


def test_equal_grades_disagree_where_one_error_is_over_twice_another() -> None:
    def coarse(adapter: str, ulp: float) -> Result:
        graded = {"loss": OutputResult(grade="coarse", ulp=ulp)}
        return result(ONE, adapter, grade="coarse", outputs=graded)

    results = [coarse("ignite", 10), coarse("numpy", 20), coarse("torch", 1000)]
    found = disagreements_of(gather([run(results)], [ONE]))
    [row] = found.rows
    assert [("coarse", "ignite, numpy"), ("coarse", "torch")] == [tuple(camp) for camp in row.camps]
    assert ("20", "1000") == row.ulps
    assert (0, 1, 1) == (found.by_grade, found.by_error, found.compared)


@pytest.mark.parametrize(
    ("errors", "differ"), [((3, 6), False), ((3, 6.1), True), ((0, 1), False), ((0.1, 1.01), True)]
)
def test_errors_differ_from_over_twice_on_and_below_half_an_ulp_not_at_all(
    errors: tuple[float, float], differ: bool
) -> None:
    results = [
        result(
            ONE, name, grade="accurate", outputs={"loss": OutputResult(grade="accurate", ulp=ulp)}
        )
        for name, ulp in zip(("numpy", "torch"), errors, strict=True)
    ]
    found = disagreements_of(gather([run(results)], [ONE]))
    assert int(differ) == found.by_error
    camps = [(("accurate", "numpy"), ("accurate", "torch"))] if differ else []
    assert camps == [row.camps for row in found.rows]


def test_an_error_that_is_right_is_as_near_as_an_exact_answer() -> None:
    raised = result(ONE, "torch", grade="exact", outputs={}, raised="ValueError: no")
    found = disagreements_of(gather([run([raised, result(ONE, "numpy", formula=careful)])], [ONE]))
    assert (1, []) == (found.compared, list(found.rows))


def test_those_who_did_not_run_a_question_take_no_side() -> None:
    results = [result(ONE, "torch"), not_run(ONE, "numpy", "float32", "declined")]
    found = disagreements_of(gather([run(results)], [ONE]))
    assert (0, []) == (found.compared, list(found.rows))


def test_a_camp_names_devices_only_where_they_are_not_of_one_mind() -> None:
    results = [
        result(item, "torch", device=device, formula=formula)
        for item, device, formula in (
            (ONE, "cpu", careful),
            (ONE, "cuda", None),
            (TWO, "cpu", careful),
            (TWO, "cuda", careful),
        )
        if formula
    ]
    results += [result(ONE, "torch", device="cuda"), failing(TWO, "ignite")]
    found = disagreements_of(gather([run(results)], [ONE, TWO]))
    assert {
        ("torch on cpu", "torch on cuda"),
        ("torch", "ignite"),
    } == {members for members, _ in found.sides}


def test_questions_of_a_group_on_which_the_same_are_furthest_off_are_one_row() -> None:
    near = dataclasses.replace(ONE, id=f"{ONE.group}/near")
    results = [failing(item, "torch") for item in (ONE, near)]
    results += [result(ONE, "numpy", formula=careful), result(near, "numpy")]
    [row] = disagreements_of(gather([run(results)], [ONE, near])).rows
    assert (2, (ONE.id, "float32")) == (row.count, row.example)
    assert [("exact", "numpy"), ("wrong", "torch")] == [tuple(camp) for camp in row.camps]


def test_the_overview_tells_where_adapters_and_devices_disagree() -> None:
    page = section_of(render_report(*devices()), "summary")
    said = " ".join(re.sub(r"<[^>]+>", "", page).split())
    assert "Disagreements: the grades differ on" in said
    assert "torch on cuda came nearer to the truth than torch on cpu." in said
    assert re.search(r"CPU and CUDA: the same bits in [\d.]+ % of the \d+ answers of torch", said)


def test_the_overview_says_where_nobody_disagrees() -> None:
    results = [result(ONE, adapter) for adapter in ("ignite", "torch")]
    page = section_of(render_report([run(results)], [ONE]), "summary")
    said = " ".join(re.sub(r"<[^>]+>", "", page).split())
    assert "Disagreements: no grade differs on 1 question that two or more answered." in said


def test_rows_of_disagreements_are_bounded_and_the_rest_is_counted() -> None:
    cases = [case(f"logits/group_{n:02}/x", logits=[-40], targets=[0]) for n in range(MOST + 5)]
    results = [
        result(item, adapter, formula=careful) if adapter == "numpy" else result(item, adapter)
        for item in cases
        for adapter in ("numpy", "torch")
    ]
    found = disagreements_of(gather([run(results)], cases))
    assert (MOST, (5, 5)) == (len(found.rows), found.hidden)
    assert "And 5 rows more, of 5 questions" in render_report([run(results)], cases)


def disagreements_of(evidence: Evidence) -> Disagreements:
    return find_disagreements(evidence, AnswerTable(evidence))
