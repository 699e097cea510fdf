"""Puts runs together."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

from conformance.errors import ConformanceError
from conformance.files import require_plain
from conformance.records import MAX_BYTES, MAX_LINES, read_sections
from conformance.results import version_of
from conformance.varying import Comparer
from conformance.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from conformance.model import Case
    from conformance.records import Section
    from conformance.results import Result, Run

# Bytes of the first line of a merged file, at most.
_HEAD = 200


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
        version: Of the framework behind the adapter, without its local part, or "".
        outputs: The names of those that differ, or RAISED.
    """

    case: str
    adapter: str
    version: str
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
        irreproducible: Answers that differ although machine, device and versions are the same, in
            two runs or in one that repeats.
        elsewhere: Number of answers that differ between machines, devices of one kind,
            settings, or builds of one version.
    """

    taken: Sequence[Taken]
    sections: Sequence[Section]
    irreproducible: Sequence[Varying]
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
    return Merge(taken, ordered, *find_varying([section.run for section in ordered]))


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
    require_plain(path)
    try:
        read_sections(path)
    except ConformanceError:
        msg = f"{path}: exists, and is no run file. Name another file, or remove it first."
        raise ConformanceError(msg) from None


def find_varying(runs: Sequence[Run]) -> tuple[list[Varying], int]:
    """Find answers to one question that are not the same bits, as ``varying.Comparer`` has it.

    A question is a case with its sha256, an adapter at a version, a device and a dtype.

    Returns:
        Those that differ on one machine, with one device and one build, sorted; and the number of
        those that only differ otherwise.
    """
    comparer = Comparer(runs)
    answers: dict[tuple[str, ...], list[tuple[int, Result]]] = {}
    for index, run in enumerate(runs):
        named = cache(partial(version_of, run.header))
        for result in run.results:
            place = (result.adapter, named(result.adapter), result.device, result.dtype)
            answers.setdefault((result.case, *place, result.sha256), []).append((index, result))
    found = []
    elsewhere = 0
    for (case, adapter, version, device, dtype, _), given in sorted(answers.items()):
        if (difference := comparer.difference(given)) is None:
            continue
        if difference.reproducible:
            elsewhere += 1
        else:
            found.append(Varying(case, adapter, version, device, dtype, difference.outputs))
    return found, elsewhere


def _refuse_truncated(sections: Iterable[Section]) -> None:
    problems = [
        f"{section.run.path}: a run was cut short after "
        f"{count_of(len(section.run.results), 'result')}. "
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
