"""Finds the policy that each trainer follows, wherever trainers differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from conformance.model import REFUSE
from conformance.report.followed import (
    WRONG,
    add_up,
    by_reason,
    cell_of,
    executed,
    policies_of,
    precision_of,
)
from conformance.report.job_parts import dtype_of
from conformance.report.policy_words import policy_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conformance.model import Case
    from conformance.report.evidence import Evidence, Subject
    from conformance.report.followed import Cell, Reason
    from conformance.results import Result

THEMES: dict[tuple[str, str], str] = {
    ("window", "train"): "Accumulation with a short last window",
    ("clip", "train"): "Clipping by the norm",
    ("epoch", "train"): "Training loss that is logged for an epoch",
    ("epoch", "evaluate"): "Loss that is reported for an evaluation",
    ("ranks", "train"): "Training by several processes",
    ("ranks", "evaluate"): "Evaluation by several processes",
    ("precision", "train"): "Precision",
    ("precision", "evaluate"): "Precision",
    ("precision", "predict"): "Precision",
    ("mode", "train"): "A model that was left in evaluation mode",
    ("sanity", "train"): "Validation before training",
    ("refit", "train"): "A trainer that has finished, asked again",
    ("views", "predict"): "A prediction averaged over views",
    ("half", "predict"): "A probability of exactly 0.5",
    (REFUSE, "train"): "A bad input that may be refused",
    (REFUSE, "evaluate"): "A bad input that may be refused",
    (REFUSE, "predict"): "A bad input that may be refused",
}
"""What trainers differ on, by family of policies and operation, in the order of the table."""

_FAMILIES = {"computed": "precision", "stored": "precision"}
"""First word of a policy to its family, where that has another name."""

_OF_SIGMOID = " with BCELoss"
"""Follows a precision where the loss is that of probabilities."""

_DOING = {"train": "training", "evaluate": "evaluation", "predict": "prediction"}

Told = tuple[tuple[str, str], ...]
"""What a trainer does: each policy with words for it."""


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
        family: Of its policies; "" where its scenarios leave no room.
    """

    anchor: str
    title: str
    setting: str
    cases: tuple[Case, ...]
    policies: tuple[str, ...]
    cells: tuple[Cell, ...]
    family: str

    @property
    def asked(self) -> str:
        """The dtype that its scenarios' precision names; "" for none."""
        job = self.cases[0].job
        return dtype_of(job) if job is not None and self.family == "precision" else ""

    def says(self, policy: str) -> str:
        """A few words for a policy, which tell where it is not what was asked for."""
        if self.family == REFUSE and policy != REFUSE:
            return "gives an answer"
        computed = precision_of(policy)
        apart = self.asked and computed and computed != self.asked
        return policy_words(policy) + (f", not in {self.asked}" if apart else "")

    def told(self, column: int) -> Told:
        """What a trainer does: what it follows, else that it is wrong; nothing where not run."""
        cell = self.cells[column]
        names = sorted(name for name, _ in cell.policies) or [WRONG] * bool(cell.faults)
        return tuple((name, self.says(name)) for name in names)

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

    def reasons(self, column: int) -> tuple[Reason, ...]:
        """Why the trainer of a column is wrong, each reason once."""
        return by_reason(fault for row in self.rows for fault in row.cells[column].faults)


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
        family = family_of(members[0])
        row = Row("", title, setting, tuple(members), policies_of(members), cells, family)
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
    return next(known, REFUSE if REFUSE in case.policies and len(case.policies) > 1 else "")


def _place(case: Case) -> tuple[int, str, str]:
    """The theme of a case, its title and its setting; with no policy its group is its setting."""
    family = family_of(case)
    if not family:
        return len(THEMES), "Jobs with one right answer", case.group
    title = THEMES[family, case.operation]
    theme = list(THEMES.values()).index(title)
    if family == "precision" and case.job is not None:
        title += f" {case.job.precision or 'left alone'}"
    return theme, title, _setting(case, family)


def _setting(case: Case, family: str) -> str:
    """What of a job may change the policy that a trainer follows."""
    job = case.job
    assert job is not None  # noqa: S101 - only scenarios have a place
    parts = []
    if family == "precision":
        of_sigmoid = job.loss == "bce" and case.operation != "predict"
        parts.append(f"{_DOING[case.operation]}{_OF_SIGMOID if of_sigmoid else ''}")
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
        "" if "" in settings or {*_DOING.values()} <= {*settings} else ", ".join(settings),
        cases,
        policies_of(cases),
        tuple(add_up(cells) for cells in zip(*(row.cells for row in rows), strict=True)),
        rows[0].family,
    )
