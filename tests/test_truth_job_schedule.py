"""Tests of conformance.truth.job_schedule: which batches make which step."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from conformance.jobs import CONVENTIONS, DEFINITION, Convention, Job
from conformance.truth.job_schedule import batches_of, reports_of, rounds_of, validated


def factors(job: Job, convention: Convention, reduction: str = "mean") -> list[Any]:
    """By round, the factor of each process as text; a star where a step follows."""
    rounds = rounds_of(job, convention, reduction, sum(job.batches) or 7)
    return [
        " ".join(str(share.factor) for share in each.shares) + "*" * each.steps for each in rounds
    ]


FIVE = Job(batches=(2, 2, 1), epochs=2, accumulate=2)


@pytest.mark.parametrize(
    ("policy", "reduction", "expected"),
    [
        ("window_by_samples", "mean", ["1/2", "1/2*", "1*", "1/2", "1/2*", "1*"]),
        ("window_by_samples", "sum", ["1", "1*", "1*", "1", "1*", "1*"]),
        ("window_by_batches", "mean", ["1/2", "1/2*", "1*", "1/2", "1/2*", "1*"]),
        ("window_by_length_stepped", "mean", ["1/2", "1/2*", "1/2*", "1/2", "1/2*", "1/2*"]),
        ("window_by_length_carried", "sum", ["1/2", "1/2*", "1/2", "1/2*", "1/2", "1/2*"]),
        ("window_by_length_dropped", "mean", ["1/2", "1/2*", "0", "1/2", "1/2*", "0"]),
        ("window_sum_stepped", "mean", ["1", "1*", "1*", "1", "1*", "1*"]),
    ],
)
def test_a_window_makes_the_steps_of_its_policy(
    policy: str, reduction: str, expected: list[str]
) -> None:
    assert expected == factors(FIVE, CONVENTIONS[policy], reduction)


def test_a_window_of_uneven_batches_counts_samples_batches_or_its_length() -> None:
    job = Job(batches=(3, 3, 1), accumulate=4)
    assert ["3/7", "3/7", "1/7*"] == factors(job, DEFINITION)
    assert ["1/3", "1/3", "1/3*"] == factors(job, CONVENTIONS["window_by_batches"])
    assert ["0", "0", "0"] == factors(job, CONVENTIONS["window_by_length_carried"])


def test_processes_count_by_samples_or_equally() -> None:
    job = Job(shards=((2, 3), (1, 1)), accumulate=2)
    assert ["2/7 1/7", "3/7 1/7*"] == factors(job, DEFINITION)
    assert ["1/5 1/4", "3/10 1/4*"] == factors(job, CONVENTIONS["ranks_equal"])
    assert ["1 1", "1 1*"] == factors(job, DEFINITION, "sum")
    assert ["1/2 1/2", "1/2 1/2*"] == factors(job, CONVENTIONS["ranks_equal"], "sum")


def test_samples_of_a_process_follow_those_of_the_one_before() -> None:
    job = Job(shards=((2, 1), (3,)))
    assert (((0, 1), (2,)), ((3, 4, 5),)) == batches_of(job, "samples", 6)


def test_a_sampler_deals_samples_out_and_pads_from_the_start() -> None:
    job = Job(sampler_batch=2)
    assert (((0, 2), (4, 6)), ((1, 3), (5, 0))) == batches_of(job, "padded", 7)
    assert (((0, 2), (4, 6)), ((1, 3), (5,))) == batches_of(job, "samples", 7)
    assert ["1/2 1/2*", "1/2 1/2*"] == factors(job, CONVENTIONS["ranks_padded"])
    assert ["1/2 1/2*", "2/3 1/3*"] == factors(job, DEFINITION)


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        (DEFINITION, [(["2/9", "1/9"], ["2/3"])] * 2),
        (CONVENTIONS["ranks_equal"], [(["1/3", "1/6"], ["1/2"])] * 2),
        (CONVENTIONS["ranks_own"], [(["2/3", "1/3"], ["0"]), (["0", "0"], ["1"])]),
        (CONVENTIONS["epoch_by_batches"], [(["1/3", "1/3"], ["1/3"])] * 2),
    ],
)
def test_processes_report_an_epoch_by_their_convention(
    convention: Convention, expected: list[Any]
) -> None:
    reports = reports_of([[2, 1], [6]], convention, 2)
    assert expected == [tuple([str(w) for w in own] for own in report) for report in reports]


def test_a_running_average_starts_at_the_first_value() -> None:
    kept = Fraction(0.98)
    (((first, second, third),),) = reports_of([[4, 4, 2]], CONVENTIONS["epoch_running_098"], 1)
    assert (kept**2, kept * (1 - kept), 1 - kept) == (first, second, third)


def test_sanity_batches_and_every_epoch_are_validated() -> None:
    job = replace(FIVE, validation=3)
    assert 6 == validated(job, DEFINITION)
    assert 8 == validated(job, CONVENTIONS["sanity_two_batches"])
    assert 12 == validated(replace(job, refit=True), DEFINITION)
