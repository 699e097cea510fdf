"""Many ways to run one framework in one report: beside the plain form, and named in few words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from report_data import careful, case, not_run, result, run
from report_markup import heads, section_of

from conformance import adapters
from conformance.corpus import default_root, load_corpus
from conformance.deviations import Ledger
from conformance.report import render_report
from conformance.report.agreement import compare_subjects
from conformance.report.counts import count, rows_of
from conformance.report.distances import AnswerTable
from conformance.report.evidence import Subject, gather
from conformance.report.markdown import render
from conformance.report.names import Names, by_framework
from conformance.report.summary import sentences
from conformance.report.unanswered import together
from conformance.report.ways import compare_ways
from conformance.results import NotRun
from conformance.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.report.evidence import Evidence
    from conformance.report.ways import Way, Ways
    from conformance.results import Result

ONE = case("logits/negative_tail/one", logits=[-20], targets=[0])
TWO = case("logits/moderate/two", logits=[1.5], targets=[1])
WAYS = ("module", "aten", "func.grad", "checkpoint")
NAMES = ("torch", *(f"torch:{way}" for way in WAYS))


def of(adapter: str, device: str = "cpu", version: str = "2.13.0") -> Subject:
    return Subject(adapter, version, device)


def evidence_of(results: Sequence[Result], **facts: Sequence[NotRun]) -> Evidence:
    return gather([run(results, **facts)], [ONE, TWO])  # type: ignore[arg-type]


def ways_of(evidence: Evidence) -> list[Ways]:
    return compare_ways(evidence, AnswerTable(evidence), count(evidence))


ALIKE = [result(item, name) for name in NAMES for item in (ONE, TWO)]


# The ways beside the plain form.


REAL = (
    "logits/bad_inputs/target_size_differs",
    "logits/moderate/zeros",
    "logits/sixteen_bit",
    "probabilities/mixed_dtypes/float32_probabilities_float16_targets",
)


@pytest.fixture(name="real", scope="module")
def the_ways_of_a_real_run() -> dict[str, Way]:
    """The plain form, the module and autocast, over a few cases that tell them apart."""
    pytest.importorskip("torch")
    corpus = load_corpus([default_root()])
    cases = [one for one in corpus.cases if one.id.startswith(REAL) or one.group == REAL[2]]
    runner = Runner()
    found: list[Result] = []
    for name in ("torch", "torch:module", "torch:autocast_bf16"):
        adapter = adapters.load(name)
        for dtype in ("float16", "float32"):
            asked = [one for one in cases if dtype in one.dtypes]
            found += runner.run(adapter, "cpu", dtype, asked, Ledger())
    [group] = ways_of(gather([run(found)], cases))
    assert of("torch") == group.plain
    return {row.subject.way: row for row in group.rows}


def test_the_module_gives_the_bits_of_the_functional_form(real: dict[str, Way]) -> None:
    module = real["module"]
    assert 10 < module.common == module.same
    assert (0, 0, 0, None) == (module.better, module.worse, module.lost_items, module.furthest)


def test_autocast_is_better_in_sixteen_bits_and_loses_a_check_of_dtypes(
    real: dict[str, Way],
) -> None:
    autocast = real["autocast_bf16"]
    assert autocast.same < autocast.common
    assert autocast.better > 0
    assert [REAL[3]] == list(autocast.lost)


# Invented answers.


def test_a_way_that_ends_has_lost_no_error() -> None:
    due: dict[str, Any] = {"outputs": {}, "grade": "exact", "status": "passed"}
    failed = {**due, "grade": "wrong", "status": "failed"}
    results = [
        result(ONE, "torch", **due, raised="RuntimeError: out of range"),
        result(ONE, "torch:aten", **failed, reason="returned values where an error is due"),
        result(ONE, "torch:module", **failed, fault="crashed", reason="crashed: it ended"),
    ]
    [group] = ways_of(evidence_of(results))
    assert {"aten": 1, "module": 0} == {row.subject.way: row.lost_items for row in group.rows}
    assert [0, 0] == [row.same for row in group.rows]


def test_a_way_is_counted_beside_the_plain_form() -> None:
    evidence = evidence_of(
        [
            *(result(item, "torch") for item in (ONE, TWO)),
            result(ONE, "torch:module"),
            result(TWO, "torch:module"),
            result(ONE, "torch:aten", formula=careful),
            not_run(TWO, "torch:aten", "float32", "torch:aten does not offer weight"),
        ]
    )
    [group] = ways_of(evidence)
    aten, module = group.rows
    assert (1, 0, 1, 0) == (aten.common, aten.same, aten.better, aten.worse)
    assert (2, 1) == (aten.counts.asked, aten.counts.not_run)
    assert ONE.id == aten.furthest
    assert aten.largest > 1000
    assert (2, 2, None, 0) == (module.common, module.same, module.furthest, module.largest)
    assert (1, 0) == (group.alike, group.losing)


def test_an_error_that_only_the_plain_form_raises_is_lost() -> None:
    due = {"outputs": {}, "grade": "exact", "raised": "RuntimeError: no"}
    silent = {"outputs": {}, "grade": "wrong", "status": "deviates", "deviation": "pytorch#1"}
    evidence = evidence_of(
        [
            result(ONE, "torch", **due),
            result(ONE, "torch:module", **due),
            result(ONE, "torch:aten", **silent),
        ]
    )
    [group] = ways_of(evidence)
    aten, module = group.rows
    assert ([ONE.id], 1, 0, 1) == (list(aten.lost), aten.lost_items, aten.same, aten.worse)
    assert ([], 0, 1) == (list(module.lost), module.lost_items, module.same)
    [pair] = compare_subjects(AnswerTable(evidence), [of("torch"), of("torch:aten")])
    assert (0, 1, 1) == (pair.same, pair.common, pair.without)


def test_ways_are_compared_on_a_device_only_where_the_plain_form_ran() -> None:
    elsewhere = [result(ONE, name, device="cuda") for name in NAMES[1:]]
    [group] = ways_of(evidence_of([*ALIKE, *elsewhere]))
    assert "cpu" == group.plain.device
    assert [] == ways_of(evidence_of([one for one in ALIKE if one.adapter != "torch"]))
    assert [] == ways_of(evidence_of([one for one in ALIKE if one.adapter == "torch"]))


def test_a_way_that_ran_nothing_has_its_row() -> None:
    absent = NotRun(adapter="torch:inductor", device="cpu", items=4, reason="no C++ compiler")
    [group] = ways_of(evidence_of(ALIKE, not_run=[absent]))
    rows = {row.subject.way: row for row in group.rows}
    assert (4, 0) == (rows["inductor"].counts.not_run, rows["inductor"].common)
    assert group.alike == len(WAYS)


# Names of many.


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (NAMES, "all ways of torch"),
        (NAMES[1:], "all ways of torch (but the plain form)"),
        (("ignite", *NAMES[:4]), "ignite, all ways of torch (but torch:checkpoint)"),
        (("numpy", "torch", "torch:aten"), "numpy, torch, torch:aten"),
    ],
)
def test_many_ways_are_named_together(members: Sequence[str], words: str) -> None:
    everybody = sorted(of(name) for name in ("ignite", "numpy", *NAMES))
    chosen = [subject for subject in everybody if subject.adapter in members]
    assert words == Names(evidence_of(ALIKE)).of(chosen, everybody)


def test_ways_of_two_devices_are_named_together_on_each() -> None:
    both = [result(ONE, name, device=device) for name in NAMES for device in ("cpu", "cuda")]
    evidence = evidence_of(both)
    names = Names(evidence)
    cuda = [subject for subject in evidence.active if subject.device == "cuda"]
    assert "all ways of torch" == names.of(evidence.active, evidence.active)
    assert "all ways of torch on cuda" == names.of(cuda, evidence.active)
    some = [subject for subject in cuda if subject.adapter in NAMES[:2]]
    assert "torch on cuda, torch:module on cuda" == names.of(some, evidence.active)
    some = [subject for subject in evidence.active if subject.adapter in NAMES[:2]]
    assert "torch, torch:module" == names.of(some, evidence.active)


def test_the_overview_adds_up_the_devices_of_many_ways() -> None:
    both = [result(ONE, name, device=device) for name in NAMES for device in ("cpu", "cuda")]
    both[-1] = result(ONE, NAMES[-1], formula=careful, device="cuda")
    page = section_of(render_report([run(both)], [ONE]), "summary")
    said = " ".join(re.sub(r"<[^>]+>", "", page).split())
    told = "the same bits in 80 % of the 5 answers of 5 adapters, least often (0 %) in those of"
    assert f"CPU and CUDA: {told} torch:checkpoint" in said


def test_two_ways_are_told_by_their_names() -> None:
    found = sorted(of(name, device) for name in NAMES[:2] for device in ("cpu", "cuda"))
    assert "torch, torch:module" == Names(evidence_of(ALIKE)).of(found, found)


def test_only_ways_share_a_head() -> None:
    plain = [of("torch", "cpu"), of("torch", "cuda")]
    assert [[plain[0]], [plain[1]]] == by_framework(plain)
    assert [[of("ignite")], [of("torch"), of("torch:aten")]] == by_framework(
        [of("ignite"), of("torch"), of("torch:aten")]
    )


# What the page makes of them.


def test_ways_that_do_not_fail_have_one_sentence_together() -> None:
    bad = result(TWO, "torch:aten", status="failed", grade="wrong")
    evidence = evidence_of([*(one for one in ALIKE if one.adapter != "torch:aten"), bad])
    said = {one.name: one for one in sentences(evidence, count(evidence))}
    assert ["torch:aten 2.13.0", "torch 2.13.0", "torch 2.13.0 in 3 other ways"] == [*said]
    assert "is right everywhere to coarse; ran 6 of 6." == said["torch 2.13.0 in 3 other ways"].text
    assert said["torch:aten 2.13.0"].failed


def test_what_many_ways_did_not_run_is_told_once() -> None:
    absent = [NotRun(adapter=name, device="cuda", items=2, reason="no driver") for name in NAMES]
    declined = [
        not_run(ONE, name, "float64", f"{name} does not offer direction") for name in NAMES[1:]
    ]
    evidence = evidence_of([*ALIKE, *declined], not_run=absent)
    found = {item.reason: item for item in together(evidence)}
    assert {"no driver": 10, "does not offer direction": 4} == {
        reason: item.items for reason, item in found.items()
    }
    idle = [(name, counts.asked) for subject, name, counts in rows_of(evidence, count(evidence))
            if subject.device == "cuda"]  # fmt: skip
    assert [("torch", 2), ("torch in 4 ways", 8)] == idle
    markdown = render(evidence, [run(ALIKE)])
    assert "| `all ways of torch on cpu (but the plain form)` | 4 | does not offer" in markdown


def test_the_ways_share_a_head_above_the_matrix_and_the_page_links_to_them() -> None:
    page = render_report([run([*ALIKE, result(ONE, "numpy", formula=careful)])], [ONE, TWO])
    matrix = section_of(page, "matrix")
    assert f'colspan="{len(NAMES)}" class="ways"><span class="name">torch</span>' in matrix
    assert [
        "group",
        "numpy cpu",
        "torch",
        "plain cpu",
        *(f"{way} cpu" for way in sorted(WAYS)),
    ] == [text.strip() for text in heads(matrix)]
    assert '<a href="#ways">4 of 4</a> give the bits of the plain form' in section_of(
        page, "summary"
    )
    hrefs = re.findall(r'href="#(adapter=torch[^"]*)"', section_of(page, "ways"))
    assert "adapter=torch%3Afunc.grad&amp;device=cpu" in hrefs


def test_one_way_beside_the_plain_form_is_named_in_the_overview() -> None:
    plain, same = (result(ONE, name) for name in ("torch", "torch:aten"))
    other = result(ONE, "torch:aten", formula=careful)
    for answers, said in [
        ([plain, same], "aten</a> gives the bits of the plain form"),
        ([plain, other], "aten</a> does not give the bits of the plain form"),
    ]:
        assert said in section_of(render_report([run(answers)], [ONE]), "summary")


def test_a_report_without_ways_has_no_section_on_them() -> None:
    page = render_report([run([result(ONE, "torch"), result(ONE, "numpy")])], [ONE])
    assert 'id="ways"' not in page
    assert 'href="#ways"' not in page
    assert "rowspan" not in section_of(page, "matrix")
