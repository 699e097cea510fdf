"""What the server-side sections of the report say, without a browser."""

from __future__ import annotations

import dataclasses
import html
import re
from typing import TYPE_CHECKING, Any

import pytest
from report_data import careful, case, not_run, result, run
from report_markup import heads, section_of
from report_runs import HOSTILE, devices, hostile, realistic, repeated

from conformance.history import Entry
from conformance.report import render_report
from conformance.report.counts import count
from conformance.report.environment import compare_runs, run_names
from conformance.report.evidence import gather
from conformance.report.summary import sentences, verdict
from conformance.report.trend import MOST as MOST_RUNS
from conformance.report.trend import draw_history
from conformance.results import NotRun, OutputResult, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Case
    from conformance.report.summary import Sentence
    from conformance.results import Run

ONE = case("logits/negative_tail/x_minus_40", logits=[-40], targets=[0], flags=["NegativeTail"])
TWO = case("logits/moderate/x_1", logits=[1], targets=[1], flags=["Everyday"])
THREE = case("logits/moderate/x_2", logits=[2], targets=[1], flags=["Everyday"])


def said(results: Sequence[Result], cases: Sequence[Case], **changes: Any) -> list[Sentence]:
    evidence = gather([run(results, **changes)], cases)
    return sentences(evidence, count(evidence))


def failing(item: Case, adapter: str, **changes: Any) -> Result:
    wrong = {"loss": OutputResult(grade="wrong", message="off")}
    facts = {"status": "failed", "grade": "wrong", "outputs": wrong}
    return result(item, adapter, **{**facts, **changes})


def test_a_sentence_says_how_right_an_adapter_is_and_where_it_loses_accuracy() -> None:
    deviating = result(
        THREE, "torch", status="deviates", grade="wrong", deviation="pytorch#1", formula=careful
    )
    results = [result(ONE, "torch"), result(TWO, "torch"), deviating]
    [sentence] = said(results, [ONE, TWO, THREE])
    assert "torch 2.13.0" == sentence.name
    assert (
        "is right everywhere to coarse, except 1 known deviation; "
        "loses accuracy above all on NegativeTail; ran 3 of 3." == sentence.text
    )
    links = {part.text: part.href for part in sentence.parts if part.href}
    assert {
        "1 known deviation": "#deviations",
        "NegativeTail": "#flag=NegativeTail&adapter=torch&grade=coarse",
    } == links


def test_a_sentence_names_groups_where_no_flag_tells_what_is_lost() -> None:
    plain = dataclasses.replace(ONE, flags=())
    [sentence] = said([result(plain, "torch")], [plain])
    assert "loses accuracy above all on logits/negative_tail;" in sentence.text


def test_a_sentence_names_first_what_loses_the_largest_share() -> None:
    others = [dataclasses.replace(THREE, id=f"logits/moderate/{x}") for x in "ab"]
    results = [result(item, "torch", grade="coarse") for item in (ONE, TWO, THREE)]
    results += [result(item, "torch", grade="exact") for item in others]
    [sentence] = said(results, [ONE, TWO, THREE, *others])
    assert "loses accuracy above all on NegativeTail, Everyday;" in sentence.text


def test_a_sentence_names_no_more_than_three_flags() -> None:
    flagged = [dataclasses.replace(ONE, id=f"{ONE.group}/{flag}", flags=(flag,)) for flag in "DCBA"]
    [sentence] = said([result(item, "torch", grade="coarse") for item in flagged], flagged)
    assert "loses accuracy above all on A, B, C; ran" in sentence.text


def test_a_sentence_begins_with_what_failed_and_such_sentences_come_first() -> None:
    results = [result(TWO, "numpy", formula=careful), failing(ONE, "torch"), result(TWO, "torch")]
    bad, good = said(results, [ONE, TWO])
    assert ("torch 2.13.0", "numpy 2.4.6") == (bad.name, good.name)
    assert (True, False) == (bad.failed, good.failed)
    assert bad.text.startswith("fails 1 of the 2 that it ran, in logits/negative_tail; elsewhere r")
    assert "#adapter=torch&status=failed" == bad.parts[0].href


def test_a_sentence_counts_what_was_not_run_and_leads_to_the_reason() -> None:
    absent = NotRun(adapter="torch", device="cuda", items=640, reason="no CUDA device")
    results = [result(TWO, "torch", formula=careful)]
    [sentence] = said(results, [TWO], not_run=[absent])
    assert sentence.text.endswith("; ran 1 of 641; nothing on cuda.")
    assert "#unanswered" == sentence.parts[-2].href


def test_of_a_run_that_was_cut_short_nobody_knows_how_much_was_asked() -> None:
    cut = run([result(TWO, "torch", formula=careful)], truncated=True)
    evidence = gather([run([result(TWO, "numpy", formula=careful)]), cut], [TWO])
    whole, short = sentences(evidence, count(evidence))
    assert whole.text.endswith("; ran 1 of 1.")
    assert short.text.endswith("; was cut short after 1 of at least 1.")
    found = verdict(evidence, count(evidence))
    assert ("Nothing failed", "in the 2 of at least 2 questions that were run.") == (
        found.name,
        found.text,
    )


def test_an_adapter_with_nothing_but_deviations_is_nowhere_right() -> None:
    [sentence] = said([failing(ONE, "torch", status="deviates", deviation="pytorch#1")], [ONE])
    assert "is nowhere right: 1 known deviation; ran 1 of 1." == sentence.text


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([], "Nothing was run, so nothing was tested."),
        ([result(TWO, "torch")], "Nothing failed in the 1 of 1 questions that were run."),
        (
            [result(TWO, "torch"), not_run(ONE, "torch", "float32", "no")],
            "Nothing failed in the 1 of 2 questions that were run.",
        ),
        (
            [failing(ONE, "torch"), failing(ONE, "ignite"), failing(TWO, "torch")],
            "3 failed of the 3 questions that were run: torch 2.13.0 (2), ignite 0.5.5 (1).",
        ),
    ],
)
def test_the_verdict_is_one_line_for_all(results: list[Result], expected: str) -> None:
    evidence = gather([run(results)], [ONE, TWO])
    found = verdict(evidence, count(evidence))
    assert expected == f"{found.name} {found.text}"


def entry(**changes: Any) -> Entry:
    facts: dict[str, Any] = {
        "started": "2026-03-01T10:00:00Z",
        "suite": "0.1.0",
        "corpus": "a" * 64,
        "adapter": "torch",
        "version": "2.13.0",
        "device": "cpu",
        **dict.fromkeys(("asked", "passed"), 10),
        **dict.fromkeys(("deviates", "failed", "not_run", "exact", "faithful", "accurate"), 0),
        "coarse": 10,
        "wrong": 0,
    }
    return Entry(**{**facts, **changes})


def test_history_is_drawn_in_the_order_of_dates_with_labelled_ends() -> None:
    history = [
        entry(started="2026-03-02T10:00:00Z", coarse=4, exact=6, version="2.14.0"),
        entry(corpus="b" * 64),
        entry(started="2026-03-03T10:00:00Z", coarse=4, exact=6, version="2.15.0"),
    ]
    [trend] = draw_history(history)
    [coarse] = [lane for lane in trend.lanes if lane.name == "coarse"]
    assert (10, 4) == (coarse.first, coarse.last)
    assert (["2.14.0", "2.15.0"], 1) == (list(trend.versions), len(trend.corpora))
    assert "coarse 10 to 4" in trend.words
    heights = [float(point.split(",")[1]) for point in coarse.points.split()]
    assert heights[0] < heights[1] < coarse.base


def test_a_history_of_one_run_is_drawn_too() -> None:
    [trend] = draw_history([entry()])
    assert all(2 == len(lane.points.split()) for lane in trend.lanes)
    assert "<svg" in section_of(render_report([], [], history=[entry()]), "history")


def test_a_long_history_is_drawn_as_far_as_it_can_be_read() -> None:
    days = [f"{2000 + n:05}-01-01" for n in range(MOST_RUNS + 3)]
    [trend] = draw_history([entry(started=day) for day in days])
    assert (MOST_RUNS, 3) == (len(trend.entries), trend.hidden)
    assert days[-1] == trend.entries[-1].started


@pytest.mark.parametrize("number", [0, 10**400])
def test_a_history_of_any_counts_is_drawn_within_its_picture(number: int) -> None:
    [trend] = draw_history([entry(failed=number), entry(failed=3, started="never")])
    for lane in trend.lanes:
        for point in lane.points.split():
            assert 0 <= float(point.split(",")[1]) <= trend.height


def test_hostile_text_of_a_history_stays_text() -> None:
    hostile_entry = entry(
        started=HOSTILE, adapter=HOSTILE, version=HOSTILE, device=HOSTILE, corpus=HOSTILE
    )
    page = render_report([], [], history=[hostile_entry, entry()])
    assert "<img" not in page
    assert html.escape(HOSTILE, quote=False) in section_of(page, "history").replace("&#34;", '"')


def test_no_history_is_no_section() -> None:
    assert 'id="history"' not in render_report(*realistic())


def test_runs_of_one_file_have_names_of_their_own() -> None:
    def of(path: str) -> Run:
        named = run([])
        return dataclasses.replace(named, path=named.path.parent / path)

    assert ["a.gz", "cpu/b.gz", "cuda/b.gz, 1 of 2", "cuda/b.gz, 2 of 2"] == run_names(
        [of("a.gz"), of("cpu/b.gz"), of("cuda/b.gz"), of("cuda/b.gz")]
    )


def test_what_differs_between_runs_is_marked() -> None:
    facts = {fact.name: fact for fact in compare_runs(devices()[0], [0, 0])}
    assert facts["torch"].differs
    assert ("2.13.0+cpu", "2.13.0+cu130") == facts["torch"].values
    assert ("2.4.6", None) == facts["numpy"].values
    assert not facts["platform"].differs
    # Two runs are never of one moment: that is no difference to be marked.
    started = compare_runs(repeated()[0], [0, 0])[0]
    assert ("started", 2, False) == (started.name, len(set(started.values)), started.differs)


@pytest.mark.parametrize("count", [1, 6])
def test_the_environment_has_a_column_for_each_run(count: int) -> None:
    page = render_report([run([], name=f"{n}.gz") for n in range(count)], [])
    section = section_of(page, "environment")
    assert ["fact", *(f"{n}.gz" for n in range(count))] == heads(section)
    assert ("≠" in section) is (count > 1)  # In the note alone: these runs are alike.


def nothing() -> tuple[list[Run], list[Case]]:
    return [], []


@pytest.mark.parametrize("runs", [realistic, hostile, devices, repeated, nothing])
def test_each_entry_of_the_contents_leads_to_the_section_of_that_title(runs: Any) -> None:
    page = render_report(*runs())
    nav = re.search(r'<nav aria-label="Contents">(.*?)</nav>', page, re.DOTALL)
    assert nav is not None
    listed = re.findall(r'href="#([a-z]+)">([^<]+)<', nav[1])
    section = r'<section id="([a-z]+)"(?: class="scripted")?>\s*<h2[^>]*>([^<]+)</h2>'
    assert re.findall(section, page) == listed
    assert ("summary", "Overview") == listed[0]
    assert '<a class="skip" href="#main">' in page
    assert '<main id="main"' in page


def test_every_id_of_a_page_is_its_own() -> None:
    page = render_report(*devices(), history=[entry(), entry(device="cuda")])
    found = re.findall(
        r'\sid="([^"]*)"', re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    )
    assert sorted(set(found)) == sorted(found)
