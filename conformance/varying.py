"""Tells whether the answers to one question are the same bits, in one run or in several."""

from __future__ import annotations

from functools import cache
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from conformance.results import OutputResult, Result, Run

RAISED = "an error"
"""Stands for the outputs of an answer that is an error in one run and none in another."""


class Difference(NamedTuple):
    """How answers to one question differ.

    Attributes:
        outputs: The names of the outputs that differ, sorted, or RAISED.
        reproducible: False where machine, device, its settings and build are the same, so that
            nothing but chance is left to explain it.
    """

    outputs: tuple[str, ...]
    reproducible: bool


class Comparer:
    """Compares answers to one question, each from one of some runs.

    An answer that varied when its run asked for it again differs from itself. An error is the same
    answer as another error; what was not run is no answer; an output that only one of two answers
    has is not compared. Nor are answers of different versions: those of every distribution that
    both headers name have to be equal, but for a local part such as "+cpu".
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self._kinship = cache(lambda one, other, device: _kinship(runs[one], runs[other], device))

    def difference(self, answers: Iterable[tuple[int, Result]]) -> Difference | None:
        """How the answers differ, each given with the index of its run; None if they do not."""
        seen: dict[str, dict[int, set[Hashable]]] = {}
        by_chance: set[str] = set()
        device = ""
        for index, result in answers:
            if result.status == "not_run":
                continue
            device = result.device
            by_chance.update(result.varied)
            bits = {name: output_bits(output) for name, output in result.outputs.items()}
            for name, value in (*bits.items(), (RAISED, not bits)):
                seen.setdefault(name, {}).setdefault(index, set()).add(value)
        elsewhere: set[str] = set()
        for name, by_run in seen.items():
            if len(set().union(*by_run.values())) == 1:
                continue
            for (one, mine), (other, theirs) in combinations_with_replacement(by_run.items(), 2):
                kin = self._kinship(one, other, device) if len(mine | theirs) > 1 else None
                if kin is not None:
                    (by_chance if kin else elsewhere).add(name)
        if not by_chance and not elsewhere:
            return None
        return Difference(tuple(sorted(by_chance or elsewhere)), reproducible=not by_chance)


def output_bits(output: OutputResult) -> Hashable:
    """What is the same of two outputs if, and only if, they are the same bits."""
    return output.dtype, tuple(output.shape or ()), output.bits, output.digest


def _kinship(one: Run, other: Run, device: str) -> bool | None:
    """True if the same bits are due, False if another machine or setting may explain others.

    None where the versions differ, so that nothing is to be expected.
    """
    versions = [
        (one.header.versions[name], other.header.versions[name])
        for name in one.header.versions.keys() & other.header.versions.keys()
    ]
    if any(mine.split("+")[0] != theirs.split("+")[0] for mine, theirs in versions):
        return None
    names = {run.header.devices.get(device, device) for run in (one, other)}
    # Where no adapter of a run can tell more of a device, its name is the device itself.
    same_device = len(names) == 1 or device in names
    same_build = all(mine == theirs for mine, theirs in versions)
    mine, theirs = (run.header.settings.get(device, {}) for run in (one, other))
    # Likewise, what only one of them can tell explains nothing.
    same_settings = all(mine[name] == theirs[name] for name in mine.keys() & theirs.keys())
    same_machine = one.header.machine == other.header.machine
    return same_device and same_settings and same_build and same_machine
