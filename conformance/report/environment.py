"""Puts what runs were made with side by side."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from conformance.report.evidence import Evidence
    from conformance.results import Run

Facts = dict[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: what kind it is of, its name, its value in each column; None where it is absent."""

    kind: str
    name: str
    values: tuple[str | None, ...]

    @property
    def differs(self) -> bool:
        """Whether it is not the same in all columns; what is a run's own, its date, never is."""
        return self.kind != "run" and len(set(self.values)) > 1


def run_names(runs: Sequence[Run]) -> list[str]:
    """A name for each run, unlike all others: its file's, with as much more as it takes."""
    names = [run.path.name for run in runs]
    many = Counter(names)
    names = [
        f"{run.path.parent.name}/{name}" if many[name] > 1 and run.path.parent.name else name
        for run, name in zip(runs, names, strict=True)
    ]
    many, seen = Counter(names), Counter[str]()
    found = []
    for name in names:
        seen[name] += 1
        found.append(f"{name}, {seen[name]} of {many[name]}" if many[name] > 1 else name)
    return found


def compare_runs(runs: Sequence[Run], stale: Sequence[int]) -> list[Fact]:
    """Every fact of every run; a column is a run."""
    columns: list[Facts] = []
    for run, lost in zip(runs, stale, strict=True):
        header = run.header
        columns.append(
            {
                ("run", "started"): header.started,
                ("run", "state"): "cut short" if run.footer is None else "complete",
                ("run", "results"): f"{len(run.results):,}",
                **({("run", "stale results"): f"{lost:,}"} if lost else {}),
                ("corpus", "cases"): f"{header.cases:,}",
                ("corpus", "digest"): header.corpus[:16],
                **_facts("version", header.versions),
                **_facts("machine", header.machine),
                **_facts("device", header.devices),
                **{
                    key: value
                    for device, known in sorted(header.settings.items())
                    for key, value in _facts(f"settings of {device}", known).items()
                },
                **_facts("option", header.options),
            }
        )
    return _side_by_side(columns)


def compare_places(
    runs: Sequence[Run], evidence: Evidence, devices: Collection[str]
) -> tuple[list[tuple[str, int]], list[Fact]]:
    """What the answers of each of ``devices`` come from.

    Returns:
        A device and the index of a run for each column; the facts.
    """
    indexes = {id(run): index for index, run in enumerate(runs)}
    heads = sorted(
        {
            (subject.device, indexes[id(run)])
            for subject in evidence.active
            if subject.device in devices
            for run in evidence.sources[subject]
        }
    )
    columns: list[Facts] = []
    for device, index in heads:
        header = runs[index].header
        columns.append(
            {
                ("device", "name"): header.devices.get(device, "not told"),
                **_facts("setting", header.settings.get(device, {})),
                **_facts("machine", header.machine),
                **_facts("version", header.versions),
            }
        )
    return heads, _side_by_side(columns)


def _facts(kind: str, mapping: Mapping[str, str]) -> Facts:
    return {(kind, name): value for name, value in sorted(mapping.items())}


def _side_by_side(columns: Sequence[Facts]) -> list[Fact]:
    """Kinds in the order in which they first come, and names within them likewise."""
    keys = dict.fromkeys(key for column in columns for key in column)
    kinds = {kind: number for number, kind in enumerate(dict.fromkeys(kind for kind, _ in keys))}
    return [
        Fact(*key, tuple(column.get(key) for column in columns))
        for key in sorted(keys, key=lambda key: kinds[key[0]])
    ]
