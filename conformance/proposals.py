"""Proposes the entries of a ledger that would excuse exactly what failed in some runs."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from packaging.version import InvalidVersion, Version

from conformance.errors import ConformanceError, one_line
from conformance.model import Grade

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from conformance.results import Result, Run

EXCUSABLE = ("coarse", "wrong")
"""The grades that an entry of a ledger can have."""

_ERROR = ""  # In the place of an output's name: an error that is missing or undue.
# What of a message says how an answer is wrong, and not by how much.
_MESSAGE = re.compile(
    r"got nan\b|got -?inf\b|not returned|its shape is|its dtype is|ulp away"
    r"|^raised \w+|^returned values where an error is due"
)

When = tuple[tuple[str, str], ...]
"""Each distribution with the range of its versions, sorted."""


class Place(NamedTuple):
    """Where a result belongs: its case, its kind of device, its dtype."""

    case: str
    device: str
    dtype: str


class Kind(NamedTuple):
    """How some results are wrong alike.

    Attributes:
        outputs: The outputs that are wrong; none where an error is missing or undue.
        grade: Theirs, one of EXCUSABLE.
        message: What is said of each, such as "got nan"; "" where that is not known to be alike.
        when: The versions from which on it is so.
    """

    outputs: tuple[str, ...]
    grade: str
    message: str
    when: When


class _Fault(NamedTuple):
    """One wrong output; ``output`` is _ERROR for a missing or undue one."""

    place: Place
    output: str
    grade: str
    message: str


class _Sight(NamedTuple):
    """When a fault was first seen: versions, day, and a few words."""

    when: When
    day: dt.date
    words: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A proposed entry, without what is left to a person: its issue and its reason.

    Attributes:
        cases: Ids, or patterns of them.
        dtypes: Where it shows.
        devices: Kinds of device on which it shows.
        kind: How it shows.
        since: The first day on which it did.
        results: How many results it is made of.
        example: One of them, in words.
    """

    cases: tuple[str, ...]
    dtypes: tuple[str, ...]
    devices: tuple[str, ...]
    kind: Kind
    since: dt.date
    results: int
    example: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would excuse the failures of an adapter, and those that no entry can excuse, and why."""

    adapter: str
    entries: Sequence[Entry]
    left_out: Mapping[Place, str]


def propose(runs: Iterable[Run], adapter: str, distributions: Collection[str]) -> Proposal:
    """What would excuse the results of ``adapter`` that failed in ``runs``, and no others.

    A pattern such as ``logits/large/*`` stands for ids only where every question of that group was
    put, and in these dtypes, on these devices, each answer is wrong in this way.

    Args:
        runs: Of any machines and versions.
        adapter: Its name in the results.
        distributions: Those whose versions the adapter tells; an entry holds from the lowest
            versions on with which its results were wrong.

    Raises:
        ConformanceError: If a run with failures does not tell the day on which it was started.
    """
    asked: set[Place] = set()
    partial: set[str] = set()
    faults: dict[_Fault, _Sight] = {}
    left_out: dict[Place, str] = {}
    for run in sorted(runs, key=lambda run: _versions(run, distributions)):
        results = [
            (Place(result.case, _device(result.device), result.dtype), result)
            for result in run.results
            if result.adapter == adapter and result.status != "not_run"
        ]
        asked |= {place for place, _ in results}
        partial |= {_device(each.device) for each in run.not_run if each.adapter == adapter}
        partial |= {place.device for place, _ in results} if run.footer is None else set()
        for place, result in results:
            if result.status == "failed":
                try:
                    found = _faults(place, result, run)
                except ValueError as error:
                    left_out[place] = str(error)
                    continue
                for fault in found:
                    faults.setdefault(fault, _sight(result, run, distributions))
    return Proposal(adapter, _entries(faults, asked, partial), dict(sorted(left_out.items())))


def _versions(run: Run, distributions: Collection[str]) -> list[tuple[str, Version]]:
    """The versions of a run that can be compared, by distribution."""
    found = []
    for name in sorted(distributions):
        try:
            found.append((name, Version(run.header.versions.get(name, ""))))
        except (InvalidVersion, ValueError):
            continue
    return found


def _device(name: str) -> str:
    return name.partition(":")[0]


def _faults(place: Place, result: Result, run: Run) -> list[_Fault]:
    """All that fails in a result.

    Raises:
        ValueError: If no entry can excuse it, with why.
    """
    if result.fault:
        msg = f"no entry excuses what is no answer: {result.reason}"
        raise ValueError(msg)
    if not result.outputs:
        graded = {_ERROR: (result.grade or "", result.reason)}
    else:
        required = Grade.__members__.get(run.header.options.get("require", ""), Grade.coarse)
        worse = {grade.name for grade in Grade if grade > required}
        graded = {
            name: (output.grade, output.message)
            for name, output in result.outputs.items()
            if output.grade in worse
        }
    if not graded:
        msg = "it follows another policy than the known one, which its .policies.toml is to say"
        raise ValueError(msg)
    if any(grade not in EXCUSABLE for grade, _ in graded.values()):
        msg = f"only {' and '.join(EXCUSABLE)} answers are written down as deviations"
        raise ValueError(msg)
    return [
        _Fault(place, name, grade, _kind(message or ""))
        for name, (grade, message) in graded.items()
    ]


def _kind(message: str) -> str:
    found = _MESSAGE.search(message)
    return found[0] if found else ""


def _sight(result: Result, run: Run, distributions: Collection[str]) -> _Sight:
    when = tuple((name, f">={version.public}") for name, version in _versions(run, distributions))
    try:
        day = dt.datetime.fromisoformat(run.header.started).date()
    except ValueError:
        msg = (
            f"{run.path}: it was started {one_line(run.header.started)!r}, which is no date. "
            "Give a run file as a run has written it."
        )
        raise ConformanceError(msg) from None
    words = f"{result.case} in {result.dtype} on {result.device}: {result.reason or result.grade}"
    return _Sight(when, day, one_line(words)[:200])


def _entries(
    faults: Mapping[_Fault, _Sight], asked: Collection[Place], partial: Collection[str]
) -> list[Entry]:
    alike: defaultdict[tuple[Place, str, str, When], set[str]] = defaultdict(set)
    for fault, sight in faults.items():
        alike[fault.place, fault.grade, fault.message, sight.when].add(fault.output)
    places: defaultdict[Kind, set[Place]] = defaultdict(set)
    for (place, grade, message, when), outputs in alike.items():
        places[Kind(tuple(sorted(outputs - {_ERROR})), grade, message, when)].add(place)
    found = []
    for kind, wrong in places.items():
        for (cases, dtypes), covered in _grouped(wrong, asked, partial).items():
            sights = [
                faults[_Fault(place, output, kind.grade, kind.message)]
                for place in covered
                for output in kind.outputs or (_ERROR,)
            ]
            found.append(
                Entry(
                    cases=cases,
                    dtypes=dtypes,
                    devices=tuple(sorted({place.device for place in covered})),
                    kind=kind,
                    since=min(sight.day for sight in sights),
                    results=len(covered),
                    example=min(sight.words for sight in sights),
                )
            )
    return sorted(found, key=lambda entry: (entry.cases, entry.dtypes, entry.devices, entry.kind))


def _grouped(
    wrong: Collection[Place], asked: Collection[Place], partial: Collection[str]
) -> dict[tuple[tuple[str, ...], tuple[str, ...]], list[Place]]:
    """Patterns and dtypes, each with the places that an entry of them covers."""
    entries: defaultdict[tuple[str, tuple[str, ...]], dict[str, list[Place]]] = defaultdict(dict)
    for device in sorted({place.device for place in wrong}):
        here = [place for place in wrong if place.device == device]
        there = [] if device in partial else [place for place in asked if place.device == device]
        for pattern, covered in _patterns(here, there):
            dtypes = tuple(sorted({place.dtype for place in covered}))
            entries[device, dtypes][pattern] = covered
    grouped: defaultdict[tuple[tuple[str, ...], tuple[str, ...]], list[Place]] = defaultdict(list)
    for (_, dtypes), patterns in entries.items():
        for covered in patterns.values():
            grouped[tuple(sorted(patterns)), dtypes] += covered
    return grouped


def _patterns(
    wrong: Collection[Place], asked: Collection[Place]
) -> Iterator[tuple[str, list[Place]]]:
    """Patterns of groups that are wrong as a whole, ids of the other cases; with their places.

    Args:
        wrong: On one device.
        asked: All that is known of the device; nothing where that is not enough to go by.
    """
    groups: defaultdict[str, defaultdict[str, list[Place]]] = defaultdict(lambda: defaultdict(list))
    for place in wrong:
        groups[place.case.rpartition("/")[0]][place.case].append(place)
    for group, cases in groups.items():
        pattern = f"{_literal(group)}/*"
        places = [place for each in cases.values() for place in each]
        dtypes = {place.dtype for place in places}
        within = f"{group}/"
        caught = {
            place for place in asked if place.dtype in dtypes and place.case.startswith(within)
        }
        if len(cases) > 1 and caught == set(places):
            yield pattern, places
        else:
            yield from ((_literal(case), own) for case, own in cases.items())


def _literal(case: str) -> str:
    """A pattern that matches nothing else."""
    return re.sub(r"[*?\[]", r"[\g<0>]", case)
