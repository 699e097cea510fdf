"""Finds the policy that each trainer follows, wherever trainers differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import groupby, permutations
from typing import TYPE_CHECKING

from conformance.report.followed import add_up, cell_of, executed, policies_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conformance.model import Case
    from conformance.report.evidence import Evidence, Subject
    from conformance.report.followed import Cell
    from conformance.results import Result

THEMES: dict[tuple[str, str], str] = {
    ("window", "train"): "Accumulation with a short last window",
    ("clip", "train"): "Clipping by the norm",
    ("epoch", "train"): "Training loss that is logged for an epoch",
    ("epoch", "evaluate"): "Loss that is reported for an evaluation",
    ("ranks", "train"): "Training by several processes",
    ("ranks", "evaluate"): "Evaluation by several processes",
    ("precision", "train"): "Precision of training",
    ("precision", "evaluate"): "Precision of an evaluation",
    ("precision", "predict"): "Precision of a prediction",
    ("mode", "train"): "A model that was left in evaluation mode",
    ("sanity", "train"): "Validation before training",
    ("refit", "train"): "A trainer that has finished, asked again",
    ("views", "predict"): "A prediction averaged over views",
    ("half", "predict"): "A probability of exactly 0.5",
}
"""What trainers differ on, by family of policies and operation, in the order of the table."""

_FAMILIES = {"computed": "precision", "stored": "precision"}
"""First word of a policy to its family, where that has another name."""

_OF_SIGMOID = " with BCELoss"
"""Follows a precision where the loss is that of probabilities."""

FROM, TO = "ignite", "lightning"
"""The move that is told first, where a run has both."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing on which trainers may differ.

    Attributes:
        anchor: Its place in the page.
        title: What it is, as a heading.
        setting: What is particular about its scenarios; "" for nothing.
        cases: Its scenarios.
        policies: The policies that they accept, in the order of preference.
        cells: One for each trainer.
    """

    anchor: str
    title: str
    setting: str
    cases: tuple[Case, ...]
    policies: tuple[str, ...]
    cells: tuple[Cell, ...]

    @property
    def differs(self) -> bool:
        """Whether trainers that ran it follow different policies, or one follows none."""
        run = {cell.names for cell in self.cells if cell.names}
        return len(run) > 1 or any(cell.faults for cell in self.cells)

    @property
    def name(self) -> str:
        """The title with the setting."""
        return f"{self.title}: {self.setting}" if self.setting else self.title


@dataclass(frozen=True, slots=True)
class Move:
    """What changes between the trainers of two columns, and what cannot be told of."""

    one: int
    other: int
    changes: tuple[int, ...]
    untold: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trainers:
    """Policy by trainer.

    Attributes:
        subjects: The columns.
        rows: In the order of THEMES; rows of one title follow each other.
        agreed: Scenarios with one right answer, which is what every trainer that ran them gave.
        results: Result by case, subject and dtype, for the pictures.
    """

    subjects: tuple[Subject, ...]
    rows: tuple[Row, ...]
    agreed: int
    results: dict[tuple[str, Subject], dict[str, Result]]

    @property
    def several_devices(self) -> bool:
        """Whether a trainer's name alone does not tell its column."""
        return len({subject.device for subject in self.subjects}) > 1

    @property
    def policies(self) -> tuple[str, ...]:
        """Every policy that a row speaks of."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.policies))

    def move(self, one: int, other: int) -> Move:
        """What changes from the trainer of one column to that of another, as indices of rows."""
        changes, untold = [], []
        for index, row in enumerate(self.rows):
            mine, theirs = row.cells[one].names, row.cells[other].names
            if not (mine and theirs):
                untold.append(index)
            elif mine != theirs:
                changes.append(index)
        return Move(one, other, tuple(changes), tuple(untold))

    def first_move(self) -> Move | None:
        """The move that is told first: FROM to TO, or that with the most changes."""
        moves = [self.move(*pair) for pair in permutations(range(len(self.subjects)), 2)]
        return max(moves, key=self._interest, default=None)

    def _interest(self, move: Move) -> tuple[bool, int]:
        names = self.subjects[move.one].adapter, self.subjects[move.other].adapter
        return names == (FROM, TO), len(move.changes)


def compare_trainers(evidence: Evidence) -> Trainers:
    """Reduce the results of scenarios to one cell for each thing and trainer."""
    cases = [case for case in evidence.cases.values() if case.job is not None]
    ids = {case.id for case in cases}
    found: dict[tuple[str, Subject], dict[str, Result]] = defaultdict(dict)
    for subject, result in evidence.results:
        if result.case in ids:
            found[result.case, subject][result.dtype] = result
    ran = {key[1] for key, by_dtype in found.items() if executed(by_dtype)}
    subjects = tuple(subject for subject in evidence.subjects if subject in ran)
    places: defaultdict[tuple[int, str, str], list[Case]] = defaultdict(list)
    for case in cases:
        if any((case.id, subject) in found for subject in subjects):
            places[_place(case)].append(case)
    rows, agreed = [], 0
    for (theme, title, setting), members in sorted(places.items()):
        cells = tuple(
            cell_of([(case, found.get((case.id, subject), {})) for case in members])
            for subject in subjects
        )
        row = Row("", title, setting, tuple(members), policies_of(members), cells)
        if theme < len(THEMES) or row.differs:
            rows.append(row)
        else:
            agreed += len(members)
    return Trainers(subjects, _merged(rows), agreed, dict(found))


def family_of(case: Case) -> str:
    """The family of the policies that a scenario is about; "" where it gives no choice of any."""
    words = (policy.partition("_")[0] for policy in case.policies)
    counts = Counter(_FAMILIES.get(word, word) for word in words)
    known = (name for name, asks in THEMES if asks == case.operation and counts[name] > 1)
    return next(known, "")


def _place(case: Case) -> tuple[int, str, str]:
    """The theme of a case, its title and its setting; with no policy its group is its title."""
    family = family_of(case)
    if not family:
        return len(THEMES), f"One right answer: {case.group}", ""
    key = family, case.operation
    return list(THEMES).index(key), THEMES[key], _setting(case, family)


def _setting(case: Case, family: str) -> str:
    """What of a job may change the policy that a trainer follows."""
    job = case.job
    assert job is not None  # noqa: S101 - only scenarios have a place
    parts = []
    if family == "precision":
        parts.append(f"{job.precision or 'left alone'}{_OF_SIGMOID if job.loss == 'bce' else ''}")
    if family == "ranks":
        parts += [] if job.sync else ["without sync"]
        parts += ["shared out by a sampler"] if job.sampler_batch is not None else []
    if family == "epoch":
        parts += ["outputs laid out [classes, batch]"] if job.classes_first else []
        parts += ["losses that are sums"] if case.reduction == "sum" else []
        parts += ["under accumulation"] if job.accumulate > 1 else []
    return ", ".join(parts)


def _merged(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Rows of one title whose trainers all do the same, as one; each with its anchor."""
    merged: list[Row] = []
    for _, alike in groupby(rows, key=lambda row: row.title):
        by_cells: dict[tuple[tuple[str, ...], ...], list[Row]] = defaultdict(list)
        for row in alike:
            by_cells[tuple(cell.names for cell in row.cells)].append(row)
        for same in by_cells.values():
            merged.append(_joined(same, f"trainers-{len(merged)}"))
    return tuple(merged)


def _joined(rows: Sequence[Row], anchor: str) -> Row:
    cases = tuple(case for row in rows for case in row.cases)
    given = [row.setting for row in rows]
    # What holds for logits as well needs no mention of probabilities.
    settings = [
        text
        for text in given
        if not text.endswith(_OF_SIGMOID) or text.removesuffix(_OF_SIGMOID) not in given
    ]
    return Row(
        anchor,
        rows[0].title,
        "" if "" in settings else ", ".join(settings),
        cases,
        policies_of(cases),
        tuple(add_up(cells) for cells in zip(*(row.cells for row in rows), strict=True)),
    )
