"""Puts beside each difference of trainers the pictures and the code that show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.report.pictures import Picture, draw
from conformance.report.trainer_snippets import Snippet, trainer_snippet
from conformance.report.trainers import family_of
from conformance.report.trajectories import scenes

if TYPE_CHECKING:
    from conformance.report.evidence import Evidence
    from conformance.report.trainers import Row, Trainers
    from conformance.report.trajectories import Scene


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing on which trainers differ, shown.

    Attributes:
        row: What the table says of it.
        pictures: The clearest first, then those of wrong answers.
        snippets: Trainer to the script that shows it, of the first picture's scenario.
    """

    row: Row
    pictures: tuple[Picture, ...]
    snippets: tuple[tuple[str, Snippet], ...]


def show_differences(trainers: Trainers, evidence: Evidence) -> list[Difference]:
    """One for each row of the table on which trainers differ, or one of them is wrong."""
    found = []
    for row in trainers.rows:
        if not row.differs:
            continue
        shown = scenes(trainers, row)
        found.append(
            Difference(
                row,
                tuple(draw(scene, evidence) for scene in shown),
                _snippets(trainers, row, shown[0] if shown else None),
            )
        )
    return found


def _snippets(trainers: Trainers, row: Row, scene: Scene | None) -> tuple[tuple[str, Snippet], ...]:
    case = row.cases[0] if scene is None else scene.case
    dtype = case.dtypes[0] if scene is None else scene.dtype
    found: dict[str, Snippet] = {}
    for subject, cell in zip(trainers.subjects, row.cells, strict=True):
        # Of a trainer on several devices, or of several versions, the script is one.
        if cell.names and subject.adapter not in found:
            snippet = trainer_snippet(case, subject.adapter, dtype, family_of(case))
            if snippet is not None:
                found[subject.adapter] = snippet
    return tuple(found.items())
