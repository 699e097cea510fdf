"""Tells what changes when a project moves from one trainer to another."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

from conformance.report.followed import WRONG, by_reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.report.evidence import Evidence
    from conformance.report.followed import Fault, Reason
    from conformance.report.trainers import Row, Told, Trainers

FROM, TO = "ignite", "lightning"
"""The move that is told first, where a run has both."""


@dataclass(frozen=True, slots=True)
class Change:
    """What both trainers do otherwise in the same way, on one thing or several.

    Attributes:
        rows: The things.
        mine: What the one does, told in names and words.
        theirs: What the other does.
        reasons: Column and reason, where one of them does nothing but wrong.
    """

    rows: tuple[Row, ...]
    mine: Told
    theirs: Told
    reasons: tuple[tuple[int, Reason], ...]


@dataclass(frozen=True, slots=True)
class Move:
    """What changes between the trainers of two columns.

    Attributes:
        changes: Other policies, or none at all.
        flaws: Column and reason of wrong answers of one alone, of which no change tells.
        untold: What cannot be compared, as one of them did not run it.
    """

    one: int
    other: int
    changes: tuple[Change, ...]
    flaws: tuple[tuple[int, Reason], ...]
    untold: tuple[Row, ...]


def move(trainers: Trainers, one: int, other: int) -> Move:
    """What changes from the trainer of one column to that of another."""
    found = {column: trainers.reasons(column) for column in (one, other)}
    untold = []
    alike: dict[tuple[Any, ...], list[Row]] = {}
    for row in trainers.rows:
        mine, theirs = row.told(one), row.told(other)
        if not (mine and theirs):
            untold.append(row)
        elif mine != theirs:
            key = mine, theirs, *(_texts(by_reason(_alone(row, column))) for column in (one, other))
            alike.setdefault(key, []).append(row)
    changes = tuple(
        Change(
            tuple(rows),
            rows[0].told(one),
            rows[0].told(other),
            tuple(
                (column, reason)
                for column in (one, other)
                for reason in found[column]
                if reason.text in _texts(by_reason(_alone(rows[0], column)))
            ),
        )
        for rows in alike.values()
    )
    told = {(column, reason.text) for change in changes for column, reason in change.reasons}
    flaws = [
        (column, reason)
        for column, against in ((one, other), (other, one))
        for reason in found[column]
        if reason.text not in _texts(found[against]) and (column, reason.text) not in told
    ]
    return Move(one, other, changes, tuple(flaws), tuple(untold))


def first_move(trainers: Trainers) -> Move | None:
    """The move that is told first: FROM to TO, or that with the most changes."""
    columns = range(len(trainers.subjects))

    def interest(found: Move) -> tuple[bool, int]:
        names = tuple(trainers.subjects[column].adapter for column in (found.one, found.other))
        return names == (FROM, TO), len(found.changes)

    moves = (move(trainers, *pair) for pair in permutations(columns, 2))
    return max(moves, key=interest, default=None)


def moves_payload(trainers: Trainers, evidence: Evidence) -> dict[str, Any]:
    """From which the page's script tells any move; a reason is named by its place in a list."""
    columns = range(len(trainers.subjects))
    reasons: dict[str, tuple[int, list[Any]]] = {}
    for column in columns:
        for reason in trainers.reasons(column):
            entry = [reason.text, reason.link, reason.href]
            reasons.setdefault(reason.text, (len(reasons), entry))
    return {
        "names": [evidence.named(subject) for subject in trainers.subjects],
        "reasons": [entry for _, entry in reasons.values()],
        "wrong": [
            [[reasons[reason.text][0], reason.cases] for reason in trainers.reasons(column)]
            for column in columns
        ],
        "rows": [
            [
                row.name,
                row.anchor,
                [row.told(column) for column in columns],
                [
                    [reasons[reason.text][0] for reason in by_reason(_alone(row, column))]
                    for column in columns
                ],
            ]
            for row in trainers.rows
        ],
    }


def _alone(row: Row, column: int) -> Sequence[Fault]:
    """The faults of a trainer that follows no policy in any scenario of a row."""
    return row.cells[column].faults if WRONG in dict(row.told(column)) else ()


def _texts(reasons: Sequence[Reason]) -> frozenset[str]:
    return frozenset(reason.text for reason in reasons)
