"""Draws what runs came to over months."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.history import Entry

MOST = 120
"""Runs that are drawn of each subject, the latest."""

WIDTH, LANE = 270, 26
"""Of a picture, and the height of each of its lanes."""

_EDGE = 4


@dataclass(frozen=True, slots=True)
class Lane:
    """One count over time, drawn on a scale of its own from 0 up.

    Attributes:
        points: Of the line, in the coordinates of the picture.
        base: Where its 0 lies.
        first: Its value in the first run, and ``last`` in the latest.
    """

    name: str
    points: str
    last_point: tuple[float, float]
    base: float
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Trend:
    """What one adapter came to on one device, run by run.

    Attributes:
        entries: The runs drawn, oldest first.
        hidden: Runs before these.
        lanes: What is drawn, from the top.
        height: Of the picture.
        corpora: Places along the axis before which the cases changed.
        versions: Each version of the framework after the first, where it changed.
        words: The picture in a sentence.
    """

    adapter: str
    device: str
    entries: Sequence[Entry]
    hidden: int
    lanes: Sequence[Lane]
    height: int
    corpora: Sequence[float]
    versions: Sequence[str]
    words: str


def draw_history(history: Sequence[Entry]) -> list[Trend]:
    """A picture for each adapter and device, with a place for each run in the order of their dates.

    Places are even: runs are what is compared, and months without one say nothing.
    """

    def subject(entry: Entry) -> tuple[str, str]:
        return entry.adapter, entry.device

    ordered = sorted(history, key=lambda entry: (*subject(entry), entry.started, entry.version))
    return [_draw(list(entries)) for _, entries in groupby(ordered, key=subject)]


def _draw(every: Sequence[Entry]) -> Trend:
    entries = every[-MOST:]
    first, last = entries[0], entries[-1]
    counts = {
        "accurate or better": [entry.exact + entry.faithful + entry.accurate for entry in entries],
        "coarse": [entry.coarse for entry in entries],
        "known deviations": [entry.deviates for entry in entries],
        "failed": [entry.failed for entry in entries],
        "not run": [entry.not_run for entry in entries],
    }
    lanes = [
        _lane(name, values, base=LANE * (number + 1))
        for number, (name, values) in enumerate(counts.items())
    ]
    pairs = list(enumerate(pairwise(entries), start=1))
    between = (_across(1, len(entries)) - _across(0, len(entries))) / 2
    told = ", ".join(f"{lane.name} {lane.first:,} to {lane.last:,}" for lane in lanes)
    return Trend(
        adapter=last.adapter,
        device=last.device,
        entries=entries,
        hidden=len(every) - len(entries),
        lanes=lanes,
        height=LANE * len(lanes) + _EDGE,
        corpora=[
            round(_across(place, len(entries)) - between, 1)
            for place, (before, after) in pairs
            if before.corpus != after.corpus
        ],
        versions=[
            after.version for before, after in pairwise(entries) if before.version != after.version
        ],
        words=f"{last.adapter} on {last.device}, from {first.started} to {last.started}: {told}.",
    )


def _lane(name: str, values: Sequence[int], base: float) -> Lane:
    most = max(1, *values)
    heights = [value / most for value in values]
    points = [
        (_across(place, len(values)), round(base - height * (LANE - 8), 1))
        for place, height in enumerate(heights)
    ]
    drawn = [(_EDGE, points[0][1]), *points] if len(points) == 1 else points
    line = " ".join(f"{x},{y}" for x, y in drawn)
    return Lane(name, line, points[-1], base, values[0], values[-1])


def _across(place: int, count: int) -> float:
    return round(_EDGE + (WIDTH - 2 * _EDGE) * place / max(1, count - 1), 1)
