"""Finds the items to which runs give different bits."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from conformance.report.evidence import Subject
    from conformance.results import OutputResult, Result, Run


class Varying(NamedTuple):
    """An item to which runs give different bits.

    Attributes:
        subject: Who was asked.
        reproducible: False where machine, device and versions are the same, so that nothing but
            chance is left to explain it.
        grades: The grades that the answers got, in the order of the runs.
    """

    case: str
    subject: Subject
    dtype: str
    reproducible: bool
    grades: tuple[str, ...]


def output_bits(output: OutputResult) -> Hashable:
    """What is the same of two outputs if, and only if, they are the same bits."""
    return output.dtype, tuple(output.shape or ()), output.bits or output.digest


def varying(
    runs: Sequence[Run],
    repeats: Mapping[tuple[str, Subject, str], Sequence[tuple[int, Result]]],
) -> list[Varying]:
    """Those of ``repeats`` (item to its answers, each with the index of its run) that differ.

    An error is the same answer as another error; what was not run is no answer.
    """

    @cache
    def place(index: int, device: str) -> Hashable:
        """What an answer may depend on: the machine, the device by its name, all versions."""
        header = runs[index].header
        return (
            frozenset(header.machine.items()),
            header.devices.get(device, ""),
            frozenset(header.versions.items()),
        )

    found = []
    for (case, subject, dtype), answers in sorted(repeats.items()):
        by_place: defaultdict[Hashable, set[Hashable]] = defaultdict(set)
        for index, result in answers:
            if result.status != "not_run":
                by_place[place(index, subject.device)].add(_answer_bits(result))
        if len(set(chain.from_iterable(by_place.values()))) > 1:
            alike = all(len(bits) == 1 for bits in by_place.values())
            grades = dict.fromkeys(result.grade for _, result in answers if result.grade)
            found.append(Varying(case, subject, dtype, alike, tuple(grades)))
    return found


def _answer_bits(result: Result) -> Hashable:
    return tuple((name, output_bits(output)) for name, output in sorted(result.outputs.items()))
