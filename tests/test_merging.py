"""Runs, put together."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from factories import make_case
from run_files import HEADER, header, lines_of, merged, not_run, result, write, write_truncated

from conformance import merging
from conformance.errors import ConformanceError
from conformance.merging import Varying, check_output, find_varying, merge_runs
from conformance.records import read_run
from conformance.results import OutputResult
from conformance.varying import RAISED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from conformance.results import Header, Result, Run

LATER = header("2026-01-02")


def varying(tmp_path: Path, *runs: tuple[Header, Sequence[Result]]) -> tuple[list[Varying], int]:
    read: list[Run] = []
    for index, (head, results) in enumerate(runs):
        read.append(read_run(write(tmp_path / f"{index}.gz", results, head)))
    return find_varying(read)


def test_runs_are_ordered_by_their_start_whatever_the_order_of_the_inputs(tmp_path: Path) -> None:
    starts = ("2026-03", "2026-01", "2026-02", "2026-02")
    paths = [
        write(tmp_path / f"{index}.gz", [result(f"a/{index}")], header(start))
        for index, start in enumerate(starts)
    ]
    orders = {
        tuple(
            bytes(section.text) for section in merge_runs(order, [], allow_truncated=False).sections
        )
        for order in permutations(paths)
    }
    assert 1 == len(orders)
    merge = merge_runs(paths, [], allow_truncated=False)
    assert sorted(starts) == [section.run.header.started for section in merge.sections]
    assert list(starts) == [taken.section.run.header.started for taken in merge.taken]


def test_runs_of_merged_files_are_taken_one_by_one_and_once(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one.gz"), write(tmp_path / "two.gz", head=LATER)
    both = merged(tmp_path / "both.gz", one, two)
    merge = merge_runs([two, both, one], [], allow_truncated=False)
    assert [HEADER, LATER] == [section.run.header for section in merge.sections]
    assert [None, None, two, both] == [taken.same_as for taken in merge.taken]


def test_runs_that_only_begin_alike_are_two(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one.gz"), write(tmp_path / "two.gz", [result("c/d")])
    assert 2 == len(merge_runs([one, two], [], allow_truncated=False).sections)


def test_a_truncated_run_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.gz")
    cut = write_truncated(tmp_path / "cut.gz", [result()] * 3, LATER)
    inside = merged(tmp_path / "inside.gz", cut)
    with pytest.raises(ConformanceError) as caught:
        merge_runs([whole, cut, inside], [], allow_truncated=False)
    assert [
        f"{path}: a run was cut short after 3 results. Give --allow-truncated to merge it as far "
        "as it goes, or leave it out."
        for path in (cut, inside)
    ] == str(caught.value).splitlines()
    merge = merge_runs([whole, cut, inside], [], allow_truncated=True)
    assert [1, 3] == [len(section.run.results) for section in merge.sections]


def test_results_of_changed_and_gone_cases_are_stale_and_kept(tmp_path: Path) -> None:
    case = make_case(logits=[0.5], targets=[1])
    path = write(
        tmp_path / "run.gz",
        [result(case.id, sha256=case.sha256), result(case.id), result("gone", sha256=case.sha256)],
    )
    merge = merge_runs([path], [case], allow_truncated=False)
    assert [2] == [taken.stale for taken in merge.taken]
    assert 3 == len(merge.sections[0].run.results)


@pytest.mark.parametrize("limit", ["MAX_BYTES", "MAX_LINES"])
def test_no_file_is_made_that_could_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    paths = [write(tmp_path / "one.gz"), write(tmp_path / "two.gz", head=LATER)]
    lines = lines_of(merged(tmp_path / "both.gz", *paths))
    sizes = {"MAX_BYTES": sum(map(len, lines)) + 200, "MAX_LINES": len(lines)}
    monkeypatch.setattr(merging, limit, sizes[limit])
    assert 2 == len(merge_runs(paths, [], allow_truncated=False).sections)
    monkeypatch.setattr(merging, limit, len(lines) - 1)
    with pytest.raises(ConformanceError, match=r"more than a run file can hold.*Merge fewer"):
        merge_runs(paths, [], allow_truncated=False)


def test_other_bits_on_one_machine_are_not_deterministic(tmp_path: Path) -> None:
    found = varying(
        tmp_path,
        (HEADER, [result("a"), result("b"), result("c", bits="01")]),
        (LATER, [result("a"), result("b", bits="01"), result("c", bits="02")]),
        (header("2026-01-03"), [result("c", bits="01"), result("d", bits="04")]),
    )
    assert (
        [
            Varying("b", "numpy", "2.1", "cpu", "float32", ("loss",)),
            Varying("c", "numpy", "2.1", "cpu", "float32", ("loss",)),
        ],
        0,
    ) == found


def test_what_is_not_deterministic_is_not_counted_as_another_machine_as_well(
    tmp_path: Path,
) -> None:
    elsewhere = header("2026-01-03", machine={"platform": "y"})
    found = varying(
        tmp_path,
        (HEADER, [result("a"), result("b")]),
        (LATER, [result("a", bits="01"), result("b")]),
        (elsewhere, [result("a", bits="02"), result("b", bits="02")]),
    )
    assert ([Varying("a", "numpy", "2.1", "cpu", "float32", ("loss",))], 1) == found


def test_the_same_question_twice_in_one_run_has_one_answer(tmp_path: Path) -> None:
    found, _ = varying(tmp_path, (HEADER, [result(), result(bits="01")]))
    assert ["a/b"] == [one.case for one in found]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (1, 0)),
        ({"machine": {"platform": "y", "cores": "2"}}, (0, 1)),
        ({"devices": {"cpu": "another cpu"}}, (0, 1)),
        # An adapter that cannot tell more of a device gives its name.
        ({"devices": {"cpu": "cpu"}}, (1, 0)),
        ({"devices": {}}, (1, 0)),
        ({"versions": {"numpy": "2.1+local"}}, (0, 1)),
        ({"versions": {"numpy": "2.2"}}, (0, 0)),
        ({"versions": {"numpy": "2.1", "torch": "2.13"}}, (1, 0)),
        ({"options": {"require": "exact"}, "corpus": "1"}, (1, 0)),
    ],
)
def test_what_the_same_bits_are_due_from(
    tmp_path: Path, changes: dict[str, Any], expected: tuple[int, int]
) -> None:
    other = header("2026-01-02", **changes)
    found, elsewhere = varying(tmp_path, (HEADER, [result()]), (other, [result(bits="01")]))
    assert expected == (len(found), elsewhere)


@pytest.mark.parametrize(
    "changes",
    [
        {"adapter": "torch"},
        {"device": "cuda"},
        {"dtype": "float64"},
        {"sha256": "2"},
        {"case": "c/d"},
        {"ms": 7.0},
    ],
)
def test_answers_to_other_questions_are_not_compared(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    other = result(**{"bits": "00" if "ms" in changes else "01", **changes})
    assert ([], 0) == varying(tmp_path, (HEADER, [result()]), (LATER, [other]))


def test_the_outputs_that_differ_are_named(tmp_path: Path) -> None:
    def answer(**digests: str) -> Result:
        return result(
            outputs={
                name: OutputResult(grade="exact", dtype="float32", shape=[99], digest=digest)
                for name, digest in digests.items()
            }
        )

    one = answer(loss="00", logits_grad="00", targets_grad="00", only_here="00")
    other = answer(loss="01", logits_grad="00", targets_grad="02", only_there="00")
    found, _ = varying(tmp_path, (HEADER, [one]), (LATER, [other]))
    assert [("loss", "targets_grad")] == [one.outputs for one in found]


@pytest.mark.parametrize(
    ("change", "differs"),
    [({"dtype": "float64"}, True), ({"shape": [1, 1]}, True), ({"grade": "coarse"}, False)],
)
def test_dtype_and_shape_belong_to_the_bits(
    tmp_path: Path, change: dict[str, Any], *, differs: bool
) -> None:
    def answer(**given: Any) -> Result:
        plain = {"grade": "exact", "dtype": "float32", "shape": [1], "bits": "00000000"}
        return result(outputs={"loss": OutputResult(**{**plain, **given})})

    found, _ = varying(tmp_path, (HEADER, [answer()]), (LATER, [answer(**change)]))
    assert differs == bool(found)


def test_an_error_differs_from_values_and_not_from_another_error(tmp_path: Path) -> None:
    raised = result(grade="wrong", outputs={}, raised="RuntimeError: at 0x7f")
    again = result(grade="wrong", outputs={}, raised="RuntimeError: at 0x8a")
    assert ([], 0) == varying(tmp_path, (HEADER, [raised]), (LATER, [again]))
    found, _ = varying(tmp_path, (HEADER, [raised]), (LATER, [result()]))
    assert [(RAISED,)] == [one.outputs for one in found]
    assert ([], 0) == varying(tmp_path, (HEADER, [not_run()]), (LATER, [result()]))


def test_only_what_is_no_run_is_kept_from_being_replaced(tmp_path: Path) -> None:
    run, other = write(tmp_path / "run.gz"), write(tmp_path / "other.gz")
    check_output(tmp_path / "new.gz", [run])
    check_output(other, [run, tmp_path / "absent.gz"])
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "link.gz").symlink_to(run)
    for name, problem in (
        ("run.gz", "is one of the runs to be merged. Name another file."),
        ("link.gz", "is one of the runs to be merged. Name another file."),
        ("notes.txt", "exists, and is no run file. Name another file, or remove it first."),
        ("", "is a folder. Name a file."),
    ):
        with pytest.raises(ConformanceError) as caught:
            check_output(tmp_path / name, [run])
        assert f"{tmp_path / name}: {problem}" == str(caught.value)
