"""Reads back what the page's script is given."""

from __future__ import annotations

import json
import math
import struct

import pytest
from msgspec.structs import replace
from report_data import ALL, case, result, run
from report_payload import details, payload

from conformance.model import Array
from conformance.report import render_report
from conformance.report.answers import SHOWN
from conformance.report.columns import Columns, Index, Numbers
from conformance.results import OutputResult

ONE = case("logits/payload/two", dtypes=ALL, logits=[-40, 2], targets=[0, 1])
LARGE = case(
    "logits/payload/large",
    reduction="sum",
    logits=Array((200,), (-1.5, 0.25, 3.0), described=True),
    targets=Array((200,), (0.5,), described=True),
    positions=(0, 1, 199),
)


def page_with(output: OutputResult) -> str:
    """A page of one result whose loss is ``output``."""
    given = replace(result(ONE, "torch"), outputs={"loss": output})
    return render_report([run([given])], [ONE])


def test_columns_are_what_was_added_in_as_few_bytes_as_they_take() -> None:
    columns = Columns()
    added = {"small": [0, 255], "middle": [256, 1], "large": [70_000], "most": [2**32], "none": []}
    for name, numbers in added.items():
        columns.add(name, numbers)
    columns.add_bytes("bits", struct.pack("<2Q", 1, 2**63), 8)
    head, found = payload(f'id="payload">{columns.pack({"key": "value"})}<')
    assert {**added, "bits": [1, 2**63]} == found
    assert "value" == head["key"]
    assert [1, 2, 4, 8, 1, 8] == [width for _, width, _ in head["columns"]]


def test_an_index_numbers_items_as_they_come() -> None:
    index = Index("")
    assert [1, 0, 2, 1] == [index[item] for item in ("b", "", "a", "b")]
    assert ["", "b", "a"] == list(index)


def test_numbers_have_three_digits_and_are_sorted() -> None:
    numbers = Numbers()
    short = [numbers[number] for number in (1234.5, None, 1e-9, 0.5004, 0.5)]
    assert [None, 1e-9, 0.5, 1230.0] == numbers.table()
    assert [3, 0, 1, 2, 2] == numbers.places(short)


@pytest.mark.parametrize("dtype", ALL)
def test_the_bits_of_an_answer_are_those_of_the_run(dtype: str) -> None:
    given = result(ONE, "torch", dtype)
    _, columns = payload(render_report([run([given])], [ONE]))
    width = {"float64": 8, "float32": 4}.get(dtype, 2)
    raw = b"".join(number.to_bytes(width, "little") for number in columns[f"bits{width}"])
    assert "".join(output.bits or "" for output in given.outputs.values()) == raw.hex()


def test_of_a_large_answer_the_places_are_shown_that_the_truth_has() -> None:
    given = result(LARGE, "torch")
    head, columns = payload(render_report([run([given])], [LARGE]))
    kept = [head["texts"][place] for place in columns["answers.kept"]]
    digests = [output.digest for output in given.outputs.values()]
    assert ["", *(f"SHA-256 {digest}" for digest in digests[1:])] == kept
    assert [1, 0, 0] == columns["answers.shown"]


def test_no_more_elements_of_an_answer_are_kept_than_are_shown() -> None:
    many = OutputResult(grade="wrong", dtype="float16", ulps=[1.0] * 64, bits="0000" * 128)
    _, columns = payload(page_with(many))
    assert ([SHOWN], SHOWN) == (columns["answers.shown"], len(columns["bits2"]))
    assert [1 + SHOWN] == columns["answers.errors"]


@pytest.mark.parametrize(
    ("dtype", "bits"), [("complex64", "00" * 8), ("float32", "zz"), ("float32", "00"), (None, "00")]
)
def test_bits_that_cannot_be_read_are_told_as_they_are(dtype: str | None, bits: str) -> None:
    head, columns = payload(page_with(OutputResult(grade="wrong", dtype=dtype, bits=bits)))
    assert [f"bits {bits}"] == [head["texts"][place] for place in columns["answers.kept"]]
    assert [0] == columns["answers.shown"]


def test_errors_of_elements_are_kept_unless_there_is_one_alone() -> None:
    bits = "00" * 8
    alone = OutputResult(grade="wrong", ulp=2.0, ulps=[2.0], dtype="float32", bits=bits)
    several = OutputResult(grade="wrong", ulp=None, ulps=[1.0, None], dtype="float32", bits=bits)
    none = OutputResult(grade="wrong", ulp=None, message="it is missing")
    found = [payload(page_with(output)) for output in (alone, several, none)]
    assert [[0], [3], [1]] == [columns["answers.errors"] for _, columns in found]
    head, columns = found[1]
    assert [1.0, None] == [head["numbers"][place] for place in columns["ulps"]]


def test_the_script_of_a_case_has_gaps_where_its_own_texts_stand() -> None:
    others = [
        case(f"logits/any/x_{index}", logits=[math.sqrt(index + 0.5)], targets=[0])
        for index in range(1, 9)
    ]
    page = render_report([], others)
    head, columns = payload(page)
    assert 1 == len(set(columns["cases.snippet"]))
    [script] = {head["texts"][place] for place in columns["cases.snippet"]}
    assert script.startswith("# \x000\x00\n")
    assert 8 == len(details(page))


def test_equal_reports_have_equal_payloads() -> None:
    page = render_report([run([result(ONE, "torch")])], [ONE])
    assert page == render_report([run([result(ONE, "torch")])], [ONE])
    assert json.dumps(payload(page)[0])
