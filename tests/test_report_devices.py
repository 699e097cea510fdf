"""What the report says of answers that are compared bit by bit."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from msgspec.structs import replace
from report_data import case, result, run
from report_markup import heads, section_of
from report_runs import devices, repeated

from conformance.floats import FORMATS
from conformance.report import render_report
from conformance.report.agreement import compare_subjects
from conformance.report.devices import compare_devices, in_short
from conformance.report.distances import AnswerTable
from conformance.report.evidence import gather
from conformance.results import OutputResult, Result

if TYPE_CHECKING:
    from conformance.report.devices import Devices

ONE = case("logits/negative_tail/x_minus_40", logits=[-40], targets=[0])
TWO = case("logits/moderate/x_1", logits=[1], targets=[1])
ONE_REPEATED = "logits/negative_tail/minus_40_t0"


def with_bits(item: Result, fmt: str, *values: float, **changes: Any) -> Result:
    """The result with one output of these values."""
    bits = np.array(values, FORMATS[fmt].dtype).tobytes().hex()
    facts = {"grade": "exact", "dtype": fmt, "shape": [len(values)], "bits": bits}
    output = OutputResult(**{**facts, **changes})
    return replace(item, dtype=fmt, outputs={"loss": output}, grade="exact", status="passed")


def compared(*pairs: tuple[Result, Result]) -> list[Devices]:
    """CPU against CUDA; each pair of results is of one case of its own."""
    cases = [
        case(f"logits/any/x_{number}", logits=[1], targets=[1]) for number in range(len(pairs))
    ]
    results = [
        replace(item, case=of.id, sha256=of.sha256, device=device)
        for of, pair in zip(cases, pairs, strict=True)
        for item, device in zip(pair, ("cpu", "cuda"), strict=True)
    ]
    evidence = gather([run(results)], cases)
    return compare_devices(evidence, AnswerTable(evidence))


@pytest.mark.parametrize("dtype", FORMATS)
def test_devices_are_compared_in_steps_of_the_dtype(dtype: str) -> None:
    base = result(TWO, "torch")
    ulp = 2.0 ** (1 - FORMATS[dtype].precision)
    one = with_bits(base, dtype, 1.0, 1.0)
    apart = [with_bits(base, dtype, 1.0, 1.0 + steps * ulp) for steps in (0, 1, 2, 4, 5, 64, 65)]
    [row] = compared(*((one, other) for other in apart))
    assert (7, 1, (1, 2, 2, 1), 0, 0) == (
        row.compared,
        row.same,
        row.steps,
        row.other,
        row.unmeasured,
    )
    assert (65, "logits/any/x_6") == (row.largest, row.example)


def test_zeros_of_unlike_sign_differ_by_no_step_but_not_as_the_same_bits() -> None:
    base = result(TWO, "torch")
    [row] = compared((with_bits(base, "float32", 0.0), with_bits(base, "float32", -0.0)))
    assert (0, (1, 0, 0, 0), 0) == (row.same, row.steps, row.largest)


@pytest.mark.parametrize(
    "changes",
    [
        {"values": (np.nan,)},
        {"values": (1.0, 1.0)},
        {"values": (2.0,), "shape": [1, 1]},
        {"values": (1.0,), "dtype": "float64"},
        {"values": (2.0,), "bits": "zz"},
        {"values": (2.0,), "bits": "0000"},
    ],
)
def test_what_no_number_of_steps_tells_is_counted_apart(changes: dict[str, Any]) -> None:
    base = result(TWO, "torch")
    values = changes.pop("values")
    other = with_bits(base, "float32", *values, **changes)
    [row] = compared((with_bits(base, "float32", 1.0), replace(other, dtype="float32")))
    assert (0, 1, "logits/any/x_0") == (row.same, row.other, row.example)


def test_an_error_on_both_devices_is_the_same_and_on_one_is_not() -> None:
    base = with_bits(result(TWO, "torch"), "float32", 1.0)
    raised = replace(base, outputs={}, raised="RuntimeError: no")
    [row] = compared((raised, raised), (base, raised))
    assert (2, 1, 1) == (row.compared, row.same, row.other)


def test_of_large_outputs_only_sameness_is_told() -> None:
    base = result(TWO, "torch")
    outputs = [
        {"loss": OutputResult(grade="exact", dtype="float32", shape=[99], digest=digest)}
        for digest in ("a" * 64, "b" * 64)
    ]
    one, other = (replace(base, outputs=output) for output in outputs)
    [row] = compared((one, one), (one, other))
    assert (2, 1, 1, 0) == (row.compared, row.same, row.unmeasured, row.largest)


def test_where_one_output_has_no_distance_that_of_another_is_not_told() -> None:
    base = with_bits(result(TWO, "torch"), "float32", 1.0)
    far, lost = (with_bits(base, "float32", value).outputs["loss"] for value in (2.0, np.nan))
    one = replace(base, outputs={"loss": base.outputs["loss"], "logits_grad": far})
    other = replace(base, outputs={"loss": far, "logits_grad": lost})
    [row] = compared((one, other))
    assert ((0, 0, 0, 0), 1, 0) == (row.steps, row.other, row.largest)


def test_only_one_version_of_an_adapter_is_compared_with_itself() -> None:
    runs = [
        run([result(ONE, "torch", device=device)], versions={"torch": version})
        for device, version in (("cpu", "2.12.0"), ("cuda", "2.13.0+cu130"))
    ]
    evidence = gather(runs, [ONE])
    assert [] == compare_devices(evidence, AnswerTable(evidence))
    assert "No adapter was run at one version on two devices (cpu, cuda)" in render_report(
        runs, [ONE]
    )


def test_grades_that_differ_between_devices_are_counted_and_linked() -> None:
    runs, cases = devices()
    evidence = gather(runs, cases)
    rows = compare_devices(evidence, AnswerTable(evidence))
    float32 = next(row for row in rows if row.dtype == "float32")
    assert 0 < float32.grades < float32.compared
    assert "#adapter=torch&dtype=float32&differs=on" == float32.href
    [short] = in_short(evidence, rows)
    assert sum(row.compared for row in rows) == short.compared
    assert sum(row.grades for row in rows) == short.grades


def test_the_machines_behind_the_devices_stand_side_by_side() -> None:
    section = section_of(render_report(*devices()), "devices")
    assert ["fact", "cpu run.jsonl.gz", "cuda cuda.jsonl.gz"] == heads(section)
    assert "2.13.0+cpu" in section
    assert "2.13.0+cu130" in section
    assert "NVIDIA H200, driver 580.95" in section


def test_one_device_alone_is_said_to_be_alone() -> None:
    section = section_of(render_report([run([result(ONE, "torch")])], [ONE]), "devices")
    assert "Only the CPU was run: merge a run from a CUDA machine" in section


def test_agreement_tells_the_largest_distance() -> None:
    base = with_bits(result(TWO, "torch"), "float32", 1.0)
    results = [base, replace(with_bits(base, "float32", 1.0 + 2.0**-21), adapter="ignite")]
    evidence = gather([run(results)], [TWO])
    [pair] = compare_subjects(AnswerTable(evidence), evidence.active)
    assert (0, 1, 4, 0, TWO.id) == (
        pair.same,
        pair.common,
        pair.largest,
        pair.without,
        pair.example,
    )


def test_where_no_distance_can_be_told_the_first_difference_is_the_example() -> None:
    same, differs = (with_bits(result(item, "torch"), "float32", 1.0) for item in (ONE, TWO))
    lost = with_bits(differs, "float32", np.nan)
    results = [same, differs, *(replace(item, adapter="ignite") for item in (same, lost))]
    # In the order of the cases, the one that differs is the first; then it is the last.
    for first in (TWO.id, "logits/z/last"):
        renamed = dataclasses.replace(TWO, id=first)
        mine = [replace(one, case=first) if one.case == TWO.id else one for one in results]
        evidence = gather([run(mine)], [ONE, renamed])
        [pair] = compare_subjects(AnswerTable(evidence), evidence.active)
        assert (1, 2, 0, 1, first) == (
            pair.same,
            pair.common,
            pair.largest,
            pair.without,
            pair.example,
        )


def test_other_bits_from_the_same_machine_are_not_reproducible() -> None:
    runs, cases = repeated()
    evidence = gather(runs, cases)
    assert [(ONE_REPEATED, False)] == [(item.case, item.reproducible) for item in evidence.varying]
    page = render_report(runs, cases)
    assert "1 answer is not reproducible" in page
    assert ONE_REPEATED in section_of(page, "repeats")


@pytest.mark.parametrize(
    "change", [{"machine": {"platform": "new"}}, {"devices": {"cpu": "new"}}, {"versions": {}}]
)
def test_other_bits_from_another_machine_only_differ(change: dict[str, dict[str, str]]) -> None:
    runs, cases = repeated()
    builds = {name: f"{version}+new" for name, version in runs[1].header.versions.items()}
    [(field, value)] = change.items()
    header = replace(runs[1].header, **{field: value or builds})
    evidence = gather([runs[0], dataclasses.replace(runs[1], header=header)], cases)
    assert [True] == [item.reproducible for item in evidence.varying]
    assert "not reproducible" not in section_of(render_report(runs[:1], cases), "summary")


def test_two_equal_machines_are_told_apart_from_a_third_between_them() -> None:
    runs, cases = repeated()
    other = replace(runs[0].header, machine={"platform": "another"}, started="2026-03-01T11:00:00Z")
    between = dataclasses.replace(runs[0], header=other)
    evidence = gather([runs[0], between, runs[1]], cases)
    assert [False] == [item.reproducible for item in evidence.varying]


def test_the_same_bits_in_two_runs_do_not_vary() -> None:
    runs, cases = repeated()
    assert [] == list(gather([runs[0], runs[0]], cases).varying)
