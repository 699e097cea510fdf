"""The trainers against raw PyTorch on the CPU: there, equal means equal to the bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.grading import identity
from conformance.model import Computed, Raised
from conformance.plan import Group

if TYPE_CHECKING:
    from conformance.bench import Bench
    from conformance.model import Answer
    from conformance.results import Result

SAMPLE = 25


def test_trainer_answers_a_group_in_one_run(group: Group, bench: Bench) -> None:
    """No question had to be asked again by itself."""
    bench.results(group)
    if (reason := bench.broke_off(group)) is not None:
        pytest.fail(f"{group} broke off: {reason}", pytrace=False)


def test_trainer_gives_the_bits_of_raw_pytorch(group: Group, bench: Bench) -> None:
    """Every loss, every gradient, and every error, of the cases selected."""
    if group.device != "cpu":
        pytest.skip("on CUDA the order of a sum may differ from one run to the next")
    raw = Group("torch", group.device, group.dtype)
    if raw not in bench.plan.groups:
        pytest.skip("torch is not among the adapters of this run")
    expected, given = bench.results(raw), bench.results(group)
    common = {case for case in given.keys() & expected.keys() if given[case].status != "not_run"}
    if not common:
        pytest.skip("torch was asked none of these questions")
    _report(
        [case for case in sorted(common) if _bits(given[case]) != _bits(expected[case])],
        f"{group} differs from torch",
    )


def test_trainer_gives_the_same_bits_alone_and_in_a_group(group: Group, bench: Bench) -> None:
    """A sample of cases, each in a run of its own, as a user would have it."""
    cases = bench.cases(group)
    sample = cases[:: max(1, len(cases) // SAMPLE)]
    together = bench.results(group)
    differing = []
    for case in sample:
        if together[case.id].raised is None and not together[case.id].outputs:
            continue  # Declined, or values where an error is due, which are not kept.
        answer = bench.ask_alone(group, case)
        if _answer_bits(answer, case.outputs) != _bits(together[case.id]):
            differing.append(case.id)
    _report(differing, f"{group} alone differs from itself in a group")


def _bits(result: Result) -> Any:
    if result.outputs:
        return {name: output.bits or output.digest for name, output in result.outputs.items()}
    return result.raised


def _answer_bits(answer: Answer, asked: tuple[str, ...]) -> Any:
    match answer:
        case Computed(outputs):
            found = {name: identity(outputs[name]) for name in asked if name in outputs}
            return {name: seen.get("bits") or seen.get("digest") for name, seen in found.items()}
        case Raised():
            return str(answer)
        case _:
            return None


def _report(differing: list[str], what: str) -> None:
    if differing:
        more = f", and {len(differing) - 5} more" if len(differing) > 5 else ""
        pytest.fail(f"{what} in {', '.join(differing[:5])}{more}", pytrace=False)
