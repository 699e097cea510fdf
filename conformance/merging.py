"""Puts runs together, and finds what they say twice or have outlived."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from conformance.errors import ConformanceError
from conformance.records import MAX_BYTES, MAX_LINES, read_sections

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence
    from pathlib import Path

    from conformance.model import Case
    from conformance.records import Section
    from conformance.results import Result, Run

# Bytes of the first line of a merged file, at most.
_HEAD = 200

RAISED = "an error"
"""Stands for the outputs of an answer that is an error in one run and none in another."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one run of an input.

    Attributes:
        section: The run, with its text.
        stale: Its results whose case has changed or is gone; they are kept.
        same_as: The input that has the same run, which was taken from there; or None.
    """

    section: Section
    stale: int
    same_as: Path | None


class Varying(NamedTuple):
    """An answer that is not the same bits each time.

    Attributes:
        outputs: The names of those that differ, or RAISED.
    """

    case: str
    adapter: str
    device: str
    dtype: str
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Merge:
    """Runs put together.

    Attributes:
        taken: Every run of every input, in the order given.
        sections: The different ones, by their start. Their order does not depend on that of the
            inputs.
        nondeterministic: Answers that differ although machine, device and versions are the same.
        elsewhere: Number of answers that differ between machines, devices of one kind, or builds
            of one version.
    """

    taken: Sequence[Taken]
    sections: Sequence[Section]
    nondeterministic: Sequence[Varying]
    elsewhere: int


def merge_runs(paths: Iterable[Path], cases: Iterable[Case], *, allow_truncated: bool) -> Merge:
    """Put together every run of some run files, of which some may be merged already.

    Raises:
        ConformanceError: If one of ``paths`` is no run file, or has a run that was cut short and
            ``allow_truncated`` is false, or if they hold more than a run file can.
    """
    sections = [section for path in paths for section in read_sections(path)]
    if not allow_truncated:
        _refuse_truncated(sections)
    current = {(case.id, case.sha256) for case in cases}
    first: dict[bytes, Section] = {}
    taken = []
    for section in sections:
        # Of the header, the results, and the footer with their digest.
        same = first.setdefault(hashlib.sha256(section.text).digest(), section)
        stale = sum((result.case, result.sha256) not in current for result in section.run.results)
        taken.append(Taken(section, stale, None if same is section else same.run.path))
    ordered = [
        first[digest]
        for digest in sorted(first, key=lambda digest: (first[digest].run.header.started, digest))
    ]
    _refuse_too_much(ordered)
    nondeterministic, elsewhere = find_varying([section.run for section in ordered])
    return Merge(taken, ordered, nondeterministic, elsewhere)


def check_output(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse a place where something else than a run would be lost, or a run that is read.

    Raises:
        ConformanceError: If ``path`` is a folder, one of ``inputs``, or exists and is no run file.
    """
    if not path.exists():
        return
    if any(other.exists() and other.samefile(path) for other in inputs):
        msg = f"{path}: is one of the runs to be merged. Name another file."
        raise ConformanceError(msg)
    if not path.is_file():
        msg = f"{path}: is {'a folder' if path.is_dir() else 'no plain file'}. Name a file."
        raise ConformanceError(msg)
    try:
        read_sections(path)
    except ConformanceError:
        msg = f"{path}: exists, and is no run file. Name another file, or remove it first."
        raise ConformanceError(msg) from None


def find_varying(runs: Sequence[Run]) -> tuple[list[Varying], int]:
    """Find answers to one question that are not the same bits.

    A question is a case with its sha256, an adapter, a device and a dtype. An error is the same
    answer as another error; what was not run is no answer; an output that only one of two answers
    has is not compared. Answers of different versions are not compared: those of every
    distribution that both headers name have to be equal, but for a local part such as "+cpu".

    Returns:
        Those that differ on one machine, with one device and one build, sorted; and the number of
        those that only differ otherwise.
    """
    kinship = cache(lambda one, other, device: _kinship(runs[one], runs[other], device))
    seen: dict[Hashable, list[tuple[int, Mapping[str, Hashable]]]] = {}
    varying: dict[tuple[str, str, str, str], set[str]] = {}
    elsewhere: set[tuple[str, str, str, str]] = set()
    for index, run in enumerate(runs):
        for result in run.results:
            if result.status == "not_run":
                continue
            question = (result.case, result.adapter, result.device, result.dtype)
            answer = _bits(result)
            answers = seen.setdefault((question, result.sha256), [])
            for other, given in answers:
                if given == answer or (kin := kinship(other, index, result.device)) is None:
                    continue
                if differing := _differing(given, answer):
                    if kin:
                        varying.setdefault(question, set()).update(differing)
                    else:
                        elsewhere.add(question)
            answers.append((index, answer))
    found = [Varying(*key, tuple(sorted(names))) for key, names in sorted(varying.items())]
    return found, len(elsewhere - varying.keys())


def _bits(result: Result) -> dict[str, Hashable]:
    """Output name to what is the same of two outputs if, and only if, they are the same bits."""
    return {
        name: (output.dtype, tuple(output.shape or ()), output.bits, output.digest)
        for name, output in result.outputs.items()
    }


def _differing(one: Mapping[str, Hashable], other: Mapping[str, Hashable]) -> list[str]:
    if not one or not other:
        return [RAISED]
    return [name for name in one.keys() & other.keys() if one[name] != other[name]]


def _kinship(one: Run, other: Run, device: str) -> bool | None:
    """True if the same bits are due, False if another machine may explain others.

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
    return same_device and same_build and one.header.machine == other.header.machine


def _refuse_truncated(sections: Iterable[Section]) -> None:
    problems = [
        f"{section.run.path}: a run was cut short after {len(section.run.results):,} results. "
        "Give --allow-truncated to merge it as far as it goes, or leave it out."
        for section in sections
        if section.run.footer is None
    ]
    if problems:
        raise ConformanceError("\n".join(problems))


def _refuse_too_much(sections: Sequence[Section]) -> None:
    size = sum(len(section.text) for section in sections) + _HEAD
    # With a header and a footer each.
    lines = 1 + sum(len(one.run.results) + len(one.run.not_run) + 2 for one in sections)
    if size > MAX_BYTES or lines > MAX_LINES:
        msg = (
            f"{size:,} bytes in {lines:,} lines are more than a run file can hold, {MAX_BYTES:,} "
            f"in {MAX_LINES:,}. Merge fewer runs into one."
        )
        raise ConformanceError(msg)
