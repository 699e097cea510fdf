from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
import time
from typing import TYPE_CHECKING

import pytest
from report_data import careful, case, not_run, result, run
from report_payload import details, payload
from report_runs import HOSTILE, hostile, many, realistic

from conformance.errors import ConformanceError
from conformance.model import Expected
from conformance.report import render_report, write_report
from conformance.report.counts import count, policies
from conformance.report.evidence import gather
from conformance.report.known import deviations
from conformance.report.marks import NOT_RUN
from conformance.report.matrix import ALL as ALL_DTYPES
from conformance.report.matrix import build_matrix
from conformance.report.summary import sentences
from conformance.results import NotRun, OutputResult

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.model import Case

ONE = case("logits/negative_tail/x_minus_40", logits=[-40], targets=[0])
TWO = case("logits/moderate/x_1", logits=[1], targets=[1])


def test_a_result_of_a_changed_or_a_lost_case_is_stale() -> None:
    changed = result(ONE, "torch", sha256="0" * 64)
    lost = result(TWO, "torch")
    evidence = gather([run([changed, lost, result(ONE, "torch")])], [ONE])
    assert [2] == list(evidence.stale)
    assert [ONE.sha256] == [found.sha256 for _, found in evidence.results]


def test_the_latest_of_two_runs_is_shown_and_the_other_is_counted() -> None:
    old = run([result(ONE, "torch")], started="2026-01-01T00:00:00Z")
    new = run([result(ONE, "torch", formula=careful)], started="2026-01-02T00:00:00Z")
    evidence = gather([new, old], [ONE])
    assert 1 == evidence.replaced
    assert ["exact"] == [found.grade for _, found in evidence.results]


def test_an_executed_result_goes_before_a_later_one_that_was_not_run() -> None:
    old = run([result(ONE, "torch")], started="2026-01-01T00:00:00Z")
    new = run([not_run(ONE, "torch", "float32", "no time")], started="2026-01-02T00:00:00Z")
    evidence = gather([old, new], [ONE])
    assert ["passed"] == [found.status for _, found in evidence.results]


@pytest.mark.parametrize("selected", [[ONE], [ONE, TWO]])
def test_what_one_run_left_out_and_another_answered_is_not_counted_as_not_run(
    selected: list[Case],
) -> None:
    left = NotRun(adapter="torch", device="cpu", items=1, reason="not selected in this run")
    rest = [] if TWO in selected else [left]
    other = run([result(item, "torch") for item in selected], not_run=rest)
    part = run([result(TWO, "torch")], not_run=[left], started="2026-04-01T00:00:00Z")
    [tally] = count(gather([other, part], [ONE, TWO])).values()
    assert (2, 0) == (tally.asked, tally.not_run)
    assert [(1, 2)] == [
        (tally.not_run, tally.asked) for tally in count(gather([part], [ONE, TWO])).values()
    ]


def test_what_was_not_run_is_summed_over_dtypes_the_most_first() -> None:
    results = [not_run(ONE, "torch", "float64", "rare")]
    results += [not_run(TWO, "torch", dtype, "frequent") for dtype in ("float64", "float32")]
    found = gather([run(results)], [ONE, TWO]).unanswered()
    assert [("frequent", ["float32", "float64"], 2), ("rare", ["float64"], 1)] == [
        (item.reason, item.dtypes, item.items) for item in found
    ]


def test_a_device_that_another_run_has_is_not_counted_as_not_run() -> None:
    absent = NotRun(adapter="torch", device="cuda", items=640, reason="no CUDA device")
    here = run([result(ONE, "torch")], not_run=[absent], versions={"torch": "2.13.0+cpu"})
    there = run([result(ONE, "torch", device="cuda")], versions={"torch": "2.13.0+cu130"})
    assert [] == gather([here, there], [ONE]).unanswered()
    assert [640] == [item.items for item in gather([here], [ONE]).unanswered()]


def test_an_adapter_of_two_versions_is_two_subjects_with_two_names() -> None:
    runs = [
        run([result(ONE, "ignite")], versions={"pytorch-ignite": v}) for v in ("0.5.4", "0.5.5")
    ]
    evidence = gather(runs, [ONE])
    assert ["ignite 0.5.4", "ignite 0.5.5"] == [evidence.named(item) for item in evidence.subjects]


def test_counts_add_up_to_all_that_was_asked() -> None:
    runs, cases = realistic()
    evidence = gather(runs, cases)
    counts = count(evidence)
    assert len(evidence.results) + 612 == sum(tally.asked for tally in counts.values())
    assert all(sum(t.grades) == t.passed + t.deviates + t.failed for t in counts.values())
    assert all(
        0 < sum(getattr(tally, name) for tally in counts.values())
        for name in ("passed", "deviates", "failed", "not_run")
    )


def test_a_sentence_counts_what_was_not_run_in_its_denominator() -> None:
    results = [result(ONE, "torch"), not_run(TWO, "torch", "float32", "declined")]
    evidence = gather([run(results)], [ONE, TWO])
    [sentence] = sentences(evidence, count(evidence))
    assert "torch 2.13.0" == sentence.name
    assert sentence.text.endswith("; ran 1 of 2.")


def test_an_adapter_that_ran_nothing_is_not_called_right() -> None:
    absent = NotRun(adapter="mlx", device="gpu", items=12, reason="not installed")
    evidence = gather([run([], not_run=[absent])], [ONE])
    [sentence] = sentences(evidence, count(evidence))
    assert "ran none of the 12 that it was asked; nothing on gpu: not installed." == sentence.text


def test_known_deviations_are_grouped_by_issue() -> None:
    runs, cases = realistic()
    found = deviations(gather(runs, cases), runs)
    [item] = found
    assert ["torch"] == [subject.adapter for subject in item.subjects]
    assert ("pytorch#4867", 6) == (item.link, item.items)
    assert ["float32", "float64"] == list(item.dtypes)
    assert 3 == len(item.cases)


def test_policies_are_counted_by_subject() -> None:
    runs, cases = realistic()
    evidence = gather(runs, cases)
    at_infinity = dict(policies(evidence))["nan_at_infinity"]
    assert {"ignite": 8, "lightning": 6, "numpy": 8} == {
        subject.adapter: number
        for subject, number in zip(evidence.active, at_infinity, strict=True)
        if number and subject.adapter != "torch"
    }


def test_a_cell_shows_the_worst_result_and_how_many_were_run() -> None:
    results = [result(ONE, "torch"), result(TWO, "torch"), not_run(ONE, "torch", "float64", "no")]
    cases = [dataclasses.replace(item, group="logits/any") for item in (ONE, TWO)]
    matrix = build_matrix(gather([run(results)], cases))
    [cell] = matrix.views[ALL_DTYPES]
    assert ("c", "1e7", "2/3", False) == (cell.mark, cell.number, cell.part, cell.failed)
    assert "#group=logits/any&adapter=torch&device=cpu" == cell.href


def test_a_cell_of_an_answer_without_distance_shows_no_number_and_the_hottest_colour() -> None:
    lost = {"loss": OutputResult(grade="wrong", message="nan")}
    failed = result(ONE, "torch", status="failed", grade="wrong", outputs=lost)
    [cell] = build_matrix(gather([run([failed])], [ONE])).views["float32"]
    assert ("X", "", "h6", True) == (cell.mark, cell.number, cell.heat, cell.failed)


def test_a_group_that_nobody_ran_shows_a_dash() -> None:
    results = [not_run(ONE, "torch", "float32", "declined"), result(TWO, "torch")]
    cells = build_matrix(gather([run(results)], [ONE, TWO])).views[ALL_DTYPES]
    assert [True, False] == sorted((cell.mark != NOT_RUN for cell in cells), reverse=True)


def test_the_page_allows_its_own_script_and_style_by_digest_alone() -> None:
    page = render_report(*realistic())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    [script] = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    for text in (style, script):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    markup = page.replace(script, "").replace(style, "")
    assert [] == re.findall(r"\s(?:style|on\w+|src)=", markup)


def test_equal_runs_give_equal_pages() -> None:
    assert render_report(*realistic()) == render_report(*realistic())


def test_a_truncated_run_and_stale_results_are_told() -> None:
    page = render_report(*realistic())
    assert "<b>cuda.jsonl.gz</b> was cut short" in page
    assert "<b>1 stale</b> results are left out" in page


def test_a_page_of_no_runs_says_that_nothing_was_tested() -> None:
    assert "nothing was tested" in render_report([], [ONE])


def test_a_page_of_no_cases_is_still_a_page() -> None:
    page = render_report([run([result(ONE, "torch")])], [])
    assert "<b>1 stale</b> results are left out" in page
    assert [] == payload(page)[0]["id"]


def test_hostile_text_stays_text_in_the_markup() -> None:
    page = render_report(*hostile())
    assert "<img" not in page
    assert 'href="javascript' not in page
    assert HOSTILE in payload(page)[0]["texts"]


def test_answers_that_are_the_same_are_stored_once() -> None:
    results = [result(ONE, adapter) for adapter in ("torch", "ignite", "lightning")]
    _, columns = payload(render_report([run(results)], [ONE]))
    assert 3 == len(columns["results.case"])
    assert 3 == len(columns["answers.grade"])  # The loss and two gradients.


def test_the_report_is_written_whole_and_readable(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "index.html"
    write_report([run([result(ONE, "torch")])], [ONE], path)
    assert path.read_text("utf-8").endswith("</html>\n")
    assert [path] == list(path.parent.iterdir())
    assert 0o644 == path.stat().st_mode & 0o777


def test_a_report_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "index.html").mkdir()
    with pytest.raises(ConformanceError, match=r"index\.html: is a folder\. Name a file\."):
        write_report([], [ONE], tmp_path / "index.html")
    assert [tmp_path / "index.html"] == list(tmp_path.iterdir())


def test_twenty_thousand_results_fit_into_a_megabyte_within_seconds(tmp_path: Path) -> None:
    runs, cases = many(20_000)
    path = tmp_path / "index.html"
    start = time.perf_counter()
    write_report(runs, cases, path)
    assert time.perf_counter() - start < 15  # About 2 s where nothing else runs.
    assert path.stat().st_size < 2**20


def test_a_case_without_an_answer_is_shown() -> None:
    unanswered = dataclasses.replace(ONE, expected=None)
    assert [[]] == [detail["truth"] for detail in details(render_report([], [unanswered]))]


def test_a_case_whose_answer_is_an_error_says_so() -> None:
    bad = case(
        "probabilities/bad/two",
        operation="bce",
        probabilities=[2],
        targets=[1],
        expected=Expected(raises=True),
    )
    [detail] = details(render_report([run([result(bad, "torch")])], [bad]))
    assert 2 == detail["raises"]
