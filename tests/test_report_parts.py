from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from report_data import ALL, careful, case, result, run

from conformance.floats import FORMATS
from conformance.model import Published
from conformance.report.agreement import compare_subjects
from conformance.report.answers import elements
from conformance.report.distances import AnswerTable
from conformance.report.evidence import gather
from conformance.report.links import link
from conformance.report.marks import NOT_RUN, heat, mark, share_text, steps_text, ulp_text
from conformance.report.published import DIFFERS, NEARLY, REPRODUCES, UNKNOWN, compare_published
from conformance.results import OutputResult

ONE = case("logits/negative_tail/x_minus_40", logits=[-40], targets=[0])
TWO = case("logits/moderate/x_1", logits=[1], targets=[1])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": "deviates"}, "D"),
        ({"status": "not_run"}, NOT_RUN),
        ({"outputs": {}}, "r"),
        ({"status": "failed", "outputs": {}, "grade": "wrong"}, "X"),
        ({"grade": "faithful"}, "f"),
    ],
)
def test_a_mark_tells_the_grade_or_why_there_is_none(changes: Any, expected: str) -> None:
    assert expected == mark(result(TWO, "torch", **changes))


@pytest.mark.parametrize(
    ("grade", "ratio", "expected"),
    [
        ("exact", 0.0, "h0"),
        ("faithful", 0.1, "h1"),
        ("accurate", 0.5, "h2"),
        ("coarse", 1.0, "h3"),
        ("wrong", 1.1, "h4"),
        ("wrong", 11.0, "h5"),
        ("wrong", 1e33, "h6"),
        ("wrong", None, "h6"),
    ],
)
def test_the_colour_goes_by_grade_then_by_distance(
    grade: str, ratio: float | None, expected: str
) -> None:
    outputs = {"loss": OutputResult(grade=grade, ratio=ratio)}
    assert expected == heat(result(TWO, "torch", outputs=outputs))


@pytest.mark.parametrize(
    ("ulp", "expected"),
    [
        (None, ""),
        (0.0, "0"),
        (0.517, "0.52"),
        (9.96, "10"),
        (1234.4, "1234"),
        (1.0e7, "1e7"),
        (1.66e7, "1.7e7"),
        (0.0004, "<0.01"),
        (2.0**1000, "1.1e301"),
    ],
)
def test_an_error_takes_few_characters(ulp: float | None, expected: str) -> None:
    assert expected == ulp_text(ulp)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ({"loss": "0.4532"}, REPRODUCES),
        ({"loss": "0.45320"}, REPRODUCES),
        ({"loss": "0.453206"}, DIFFERS),
        ({"loss": "0.4532..."}, REPRODUCES),
        ({"loss": "4.5E-1"}, REPRODUCES),
        ({"loss": "0.4742"}, DIFFERS),
        ({"loss": "none"}, DIFFERS),
        ({"loss": "0.4532", "logits_grad": [["-0.0771", "0.1106", "-0.1666"]]}, REPRODUCES),
        ({"loss": "0.4532", "logits_grad": [["-0.0772", "0.1106", "-0.1667"]]}, REPRODUCES),
        ({"loss": "0.4532", "logits_grad": [["-0.2315", "0.3318", "-0.2689"]]}, DIFFERS),
        ({"loss": "0.4532", "logits_grad": ["-0.0771", "0.1106"]}, DIFFERS),
        ({"logits_grad": ["-7.72e-2", "0.1106", "-0.1667"]}, REPRODUCES),
        ({"accuracy": "1.0"}, UNKNOWN),
        ({}, UNKNOWN),
    ],
)
def test_a_published_value_reproduces_if_rounding_or_cutting_the_truth_gives_it(
    printed: Any, expected: str
) -> None:
    x = [float(np.float32(value)) for value in (1.2, -0.7, 0.0)]
    example = case(
        "logits/published/guide",
        reduction="mean",
        logits=[x],
        targets=[[1, 0, 1]],
        published=Published(printed, where="a guide"),
    )
    [found] = compare_published([example, ONE])
    assert expected == found.verdict


def test_a_published_value_may_follow_any_right_policy() -> None:
    example = case(
        "probabilities/published/zero",
        operation="bce",
        policies=("limit", "clamp_log_100"),
        probabilities=[0],
        targets=[1],
        published=Published({"loss": ["100."]}, where="a guide"),
    )
    assert [REPRODUCES] == [found.verdict for found in compare_published([example])]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("pytorch#195529", "https://github.com/pytorch/pytorch/issues/195529"),
        ("lightning#7", "https://github.com/Lightning-AI/pytorch-lightning/issues/7"),
        ("https://example.org/a?b=c", "https://example.org/a?b=c"),
        ("javascript:alert(1)", None),
        ("unknown#1", None),
        ("pytorch#1 <b>", None),
    ],
)
def test_only_known_issues_and_https_addresses_are_links(source: str, expected: Any) -> None:
    assert expected == link(source)


@pytest.mark.parametrize("dtype", ALL)
def test_bits_are_read_in_their_dtype(dtype: str) -> None:
    values = np.array([0.1, -0.0, np.inf, np.nan, 4.25e-18], FORMATS[dtype].dtype)
    found = elements(OutputResult(grade="exact", dtype=dtype, bits=values.tobytes().hex()))
    assert found is not None
    assert values.tobytes() == found.tobytes()


@pytest.mark.parametrize(("dtype", "bits"), [("object", "00" * 8), ("no", "00"), ("float32", "zz")])
def test_bits_that_are_no_numbers_are_not_read(dtype: str, bits: str) -> None:
    assert elements(OutputResult(grade="wrong", dtype=dtype, bits=bits)) is None


def test_agreement_counts_equal_bits_and_names_the_first_difference() -> None:
    results = [result(item, "torch") for item in (ONE, TWO)]
    results += [result(item, "ignite") for item in (ONE, TWO)]
    results += [result(ONE, "numpy", formula=careful)]
    evidence = gather([run(results)], [ONE, TWO])
    found = compare_subjects(AnswerTable(evidence), evidence.active)
    assert [("ignite", "numpy", 0, 1), ("ignite", "torch", 2, 2), ("numpy", "torch", 0, 1)] == [
        (item.one.adapter, item.other.adapter, item.same, item.common) for item in found
    ]
    assert [ONE.id, None, ONE.id] == [item.example for item in found]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ((("torch", "cpu"), ("torch", "cuda")), []),
        ((("torch", "cpu"), ("ignite", "cuda")), ["ignite cuda torch cpu"]),
        (
            (("torch", "cpu"), ("torch", "cuda"), ("ignite", "cuda")),
            ["ignite cuda torch cuda"],
        ),
    ],
)
def test_agreement_is_of_adapters_on_one_device_where_they_share_one(
    places: Any, expected: list[str]
) -> None:
    results = [result(ONE, adapter, device=device) for adapter, device in places]
    evidence = gather([run(results)], [ONE])
    assert expected == [
        f"{pair.one.adapter} {pair.one.device} {pair.other.adapter} {pair.other.device}"
        for pair in compare_subjects(AnswerTable(evidence), evidence.active)
    ]


@pytest.mark.parametrize(
    ("printed", "rounded", "expected"),
    [
        ("0.31326172", "float32", NEARLY),
        ("0.31326172", None, DIFFERS),
        ("0.3132626", "float32", DIFFERS),
    ],
)
def test_the_last_digits_of_a_computation_in_float32_are_told_apart(
    printed: str, rounded: Any, expected: str
) -> None:
    example = dataclasses.replace(
        TWO, published=Published({"loss": printed}, where="a guide"), inputs_rounded_to=rounded
    )
    assert [expected] == [found.verdict for found in compare_published([example])]


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (0, 0, "0 %"),
        (1, 3, "33.3 %"),
        (1999, 2000, "99.9 %"),
        (99_999, 100_000, "99.9 %"),
        (5, 5, "100 %"),
    ],
)
def test_a_share_is_cut_off_so_that_only_all_is_all(part: int, whole: int, expected: str) -> None:
    assert expected == share_text(part, whole)


@pytest.mark.parametrize(
    ("steps", "expected"), [(0, "·"), (1, "1"), (9999, "9,999"), (10_000, "1e4"), (2**63, "9.2e18")]
)
def test_a_distance_is_short(steps: int, expected: str) -> None:
    assert expected == steps_text(steps)
