"""The trainers' jobs against raw PyTorch on the CPU: under one policy, equal to the bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.jobs import convention_of
from conformance.plan import Group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.bench import Bench
    from conformance.model import Case
    from conformance.results import Result

COMPARED = ("losses", "parameters", "predicted", "decisions")
"""Outputs that come of the same kernels; the value of an epoch is a trainer's own arithmetic."""


def test_trainer_does_a_job_with_the_bits_of_raw_pytorch(group: Group, bench: Bench) -> None:
    """Every trajectory and prediction of the cases selected, where both follow one policy."""
    if group.device != "cpu":
        pytest.skip("on CUDA the order of a sum may differ from one run to the next")
    raw = Group("torch", group.device, group.dtype, of_jobs=True)
    if raw not in bench.plan.groups:
        pytest.skip("torch is not among the adapters of this run")
    expected, given = bench.results(raw), bench.results(group)
    compared, differing = 0, []
    for case in bench.cases(group):
        if case.id not in expected:
            continue
        for output in _comparable(case, given[case.id], expected[case.id]):
            compared += 1
            pair = given[case.id].outputs[output], expected[case.id].outputs[output]
            first, second = (output.bits or output.digest for output in pair)
            if first != second:
                differing.append(f"{case.id} ({output})")
    if differing:
        more = f", and {len(differing) - 5} more" if len(differing) > 5 else ""
        pytest.fail(f"{group} differs from torch in {', '.join(differing[:5])}{more}", False)
    if not compared:
        pytest.skip("torch was asked none of these, or follows another policy in all of them")


def _comparable(case: Case, given: Result, expected: Result) -> Iterator[str]:
    """The outputs that both gave, neither wrong, under the same policy."""
    for output in COMPARED:
        pair = given.outputs.get(output), expected.outputs.get(output)
        one, other = pair
        if one is None or other is None or "wrong" in (one.grade, other.grade):
            continue
        # Of two that compute in 16 bits, each has its own places where it rounds.
        exact = convention_of(one.policy).computed_in is None
        if one.policy == other.policy and exact and not _rounded_on_the_way(case, given, output):
            yield output


def _rounded_on_the_way(case: Case, result: Result, output: str) -> bool:
    """Whether a loss comes back as loss / k * k, as Ignite returns it under accumulation."""
    steps = case.job.accumulate if case.job else 1
    return result.adapter == "ignite" and output == "losses" and steps & (steps - 1) != 0
