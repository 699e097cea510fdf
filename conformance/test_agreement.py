"""The trainers against raw PyTorch on the CPU: there, equal means equal to the bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.grading import identity
from conformance.model import Computed, Declined
from conformance.plan import Group
from conformance.runner import ask_alone, question_of

if TYPE_CHECKING:
    from conformance.model import Answer, Result
    from conformance.session import Bench

SAMPLE = 25


def test_trainer_gives_the_bits_of_raw_pytorch(group: Group, bench: Bench) -> None:
    """Every loss, every gradient, and every error, of the cases selected."""
    if group.device != "cpu":
        pytest.skip("on CUDA the order of a sum may differ from one run to the next")
    raw = Group("torch", group.device, group.dtype)
    if raw not in bench.plan.groups:
        pytest.skip("torch is not among the adapters of this run")
    expected = bench.results(raw)
    differing = [
        case
        for case, result in bench.results(group).items()
        if case in expected and _bits(result) != _bits(expected[case])
    ]
    _report(differing, f"{group} differs from torch")


def test_trainer_gives_the_same_bits_alone_and_in_a_group(group: Group, bench: Bench) -> None:
    """A sample of cases, each in a run of its own, as a user would have it."""
    adapter = bench.adapter(group.adapter)
    cases = bench.cases(group)
    sample = cases[:: max(1, len(cases) // SAMPLE)]
    together = bench.results(group)
    differing = []
    for case in sample:
        answer = ask_alone(adapter, question_of(case, group.device, group.dtype))
        if _answer_bits(answer) != _bits(together[case.id]):
            differing.append(case.id)
    _report(differing, f"{group} alone differs from itself in a group")


def _bits(result: Result) -> Any:
    if result.outputs:
        return {name: output.bits or output.digest for name, output in result.outputs.items()}
    return result.raised


def _answer_bits(answer: Answer) -> Any:
    match answer:
        case Computed(outputs):
            found = {name: identity(array) for name, array in outputs.items()}
            return {name: seen.get("bits") or seen.get("digest") for name, seen in found.items()}
        case Declined():
            return None
        case _:
            return f"{answer.type}: {answer.message}"


def _report(differing: list[str], what: str) -> None:
    if differing:
        more = f", and {len(differing) - 5} more" if len(differing) > 5 else ""
        pytest.fail(f"{what} in {', '.join(differing[:5])}{more}", pytrace=False)
