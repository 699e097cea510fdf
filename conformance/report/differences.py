"""Puts beside each difference of trainers the pictures and the code that show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.model import REFUSE
from conformance.report.followed import by_reason, precision_of
from conformance.report.pictures import Picture, draw
from conformance.report.trainer_snippets import Snippet, trainer_snippet
from conformance.report.trajectories import scenes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.report.evidence import Evidence, Subject
    from conformance.report.followed import Reason
    from conformance.report.trainers import Row, Trainers
    from conformance.report.trajectories import Scene


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on which trainers differ, shown.

    Attributes:
        row: What the table says of it.
        remarks: Sentences about who does not compute in the precision that was asked for.
        reasons: Each reason why trainers are wrong, with those that it holds for.
        pictures: The clearest first, then those of wrong answers.
        snippets: Scripts of the first picture's scenario by trainer; those whose lines that
            matter are the same, together.
        unscripted: Trainers that ran it and of which there is no script.
    """

    row: Row
    remarks: tuple[str, ...]
    reasons: tuple[tuple[tuple[Subject, ...], Reason], ...]
    pictures: tuple[Picture, ...]
    snippets: tuple[tuple[tuple[str, Snippet], ...], ...]
    unscripted: tuple[str, ...]


def show_differences(trainers: Trainers, evidence: Evidence) -> list[Difference]:
    """One for each row of the table on which trainers differ, or one of them is wrong."""
    found = []
    for row in trainers.rows:
        if not row.differs:
            continue
        # An error beside a number gives nothing to draw.
        shown = scenes(trainers, row) if row.family != REFUSE else []
        snippets = _snippets(trainers, row, shown[0] if shown else None)
        ran = (
            subject.adapter
            for subject, cell in zip(trainers.subjects, row.cells, strict=True)
            if cell.names
        )
        found.append(
            Difference(
                row=row,
                remarks=tuple(_remarks(trainers, row, evidence)),
                reasons=_reasons(trainers, row),
                pictures=tuple(draw(scene, evidence) for scene in shown),
                snippets=tuple(_alike(snippets)),
                unscripted=tuple(name for name in dict.fromkeys(ran) if name not in snippets),
            )
        )
    return found


def _reasons(trainers: Trainers, row: Row) -> tuple[tuple[tuple[Subject, ...], Reason], ...]:
    found: dict[Reason, list[Subject]] = {}
    for subject, cell in zip(trainers.subjects, row.cells, strict=True):
        for reason in by_reason(cell.faults):
            found.setdefault(reason, []).append(subject)
    return tuple((tuple(subjects), reason) for reason, subjects in found.items())


def _remarks(trainers: Trainers, row: Row, evidence: Evidence) -> Iterator[str]:
    """A precision's name may promise what a device does not do: one sentence for each that runs."""
    job = row.cases[0].job
    if not row.asked or job is None:
        return
    found: dict[tuple[str, str], list[str]] = {}
    for subject, cell in zip(trainers.subjects, row.cells, strict=True):
        for dtype in {precision_of(name) for name, _ in cell.policies} - {None, row.asked}:
            found.setdefault((subject.device, str(dtype)), []).append(evidence.named(subject))
    for (device, dtype), names in sorted(found.items()):
        where = "the CPU" if device == "cpu" else device
        yield (
            f"On {where}, {' and '.join(names)} compute{'s' if len(names) == 1 else ''} in "
            f"{dtype} where {job.precision} is asked for, not in {row.asked}."
        )


def _snippets(trainers: Trainers, row: Row, scene: Scene | None) -> dict[str, Snippet]:
    case = row.cases[0] if scene is None else scene.case
    dtype = case.dtypes[0] if scene is None else scene.dtype
    family = "" if row.family == REFUSE else row.family
    found: dict[str, Snippet] = {}
    for subject, cell in zip(trainers.subjects, row.cells, strict=True):
        # Of a trainer on several devices, or of several versions, the script is one.
        if cell.names and subject.adapter not in found:
            snippet = trainer_snippet(case, subject.adapter, dtype, family)
            if snippet is not None:
                found[subject.adapter] = snippet
    return found


def _alike(snippets: dict[str, Snippet]) -> Iterator[tuple[tuple[str, Snippet], ...]]:
    for key in dict.fromkeys(snippet.key for snippet in snippets.values()):
        yield tuple(pair for pair in snippets.items() if pair[1].key == key)
