"""`badge`: writes what an adapter came to as an endpoint of shields.io."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.commands._common import (
    FINE,
    USAGE,
    add_cases,
    add_runs,
    load_cases,
    load_runs,
    say,
    say_json,
    warn,
)
from conformance.errors import ConformanceError
from conformance.files import replacing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from conformance.commands._common import Commands
    from conformance.report.counts import Counts
    from conformance.report.evidence import Evidence
    from conformance.results import Run

_LABEL = "bce-conformance"
_LONGEST = 60


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "badge",
        help="write badges of what adapters came to",
        description="Write what adapters came to as endpoints of shields.io, over all devices, at"
        " the version that was run last. What was not run is in the second number. Red: something"
        " failed. Yellow: all the rest are known deviations, or were not run. Green: all right.",
    )
    add_runs(parser)
    parser.add_argument("--adapter", metavar="NAME", help="of this adapter only (default: of all)")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="write ADAPTER.json into this folder, instead of printing the one badge",
    )
    add_cases(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    runs = load_runs(options.runs)
    from conformance.report.evidence import gather  # noqa: PLC0415

    badges = badges_of(runs, gather(runs, load_cases(options).cases))
    if options.adapter is not None:
        badges = {name: badge for name, badge in badges.items() if name == options.adapter}
    if not badges:
        which = f"the adapter {options.adapter!r}" if options.adapter else "an adapter"
        warn(f"no run has {which}")
        badges = {options.adapter or "none": _nothing(options.adapter)}
    if options.output is None:
        if len(badges) > 1:
            warn(f"these runs have {len(badges)} adapters. Choose one with --adapter, or give -o.")
            return USAGE
        say_json(*badges.values())
        return FINE
    for path, badge in _places(options.output, badges).items():
        with replacing(path) as file:
            file.write(f"{json.dumps(badge, indent=2)}\n".encode())
        say(f"badge: {path}")
    return FINE


def badges_of(runs: Sequence[Run], evidence: Evidence) -> dict[str, dict[str, Any]]:
    """The badge of each adapter."""
    from conformance.report.counts import Counts, count  # noqa: PLC0415
    from conformance.report.evidence import subjects_of  # noqa: PLC0415

    counts = count(evidence)
    latest: dict[str, tuple[str, str]] = {}
    cut: set[str] = set()
    for run in runs:
        subject_of = subjects_of(run.header)
        for pair in {(result.adapter, result.device) for result in run.results}:
            subject = subject_of(*pair)
            version = run.header.started, subject.version
            latest[subject.adapter] = max(latest.get(subject.adapter, version), version)
            if run.footer is None:
                cut.add(subject.adapter)
    found = {}
    for name in sorted({subject.adapter for subject in evidence.subjects}):
        newest = latest.get(name, ("", None))[1]
        total = sum(
            (
                counts[subject]
                for subject in evidence.subjects
                if subject.adapter == name and newest in (None, subject.version)
            ),
            Counts(),
        )
        found[name] = _badge(" ".join(filter(None, [name, newest])), total, cut=name in cut)
    return found


def _badge(name: str, total: Counts, *, cut: bool) -> dict[str, Any]:
    if total.not_run == total.asked:
        return _nothing(name)
    if cut:
        # Nobody knows how many there would have been.
        message, color = f"{total.passed:,} right, cut short", "orange"
    elif total.passed == total.asked:
        message, color = f"{total.passed:,} of {total.asked:,} right", "brightgreen"
    else:
        message = f"{total.passed:,} of {total.asked:,} right"
        color = "yellow" if total.deviates else "yellowgreen"
    if total.failed:
        message, color = f"{message}, {total.failed:,} failed", "red"
    return _endpoint(name, message, color)


def _nothing(name: str | None) -> dict[str, Any]:
    return _endpoint(name or "", "nothing run", "lightgrey")


def _endpoint(name: str, message: str, color: str) -> dict[str, Any]:
    """The keys are those of https://shields.io/badges/endpoint-badge."""
    label = " ".join(filter(None, [_LABEL, name]))[:_LONGEST]
    return {"schemaVersion": 1, "label": label, "message": message, "color": color}


def _places(folder: Path, badges: Mapping[str, dict[str, Any]]) -> dict[Path, dict[str, Any]]:
    """The file of each badge; a name of an adapter is no path.

    Raises:
        ConformanceError: If two names give one file, or there is a file that is no badge.
    """
    found: dict[str, str] = {}
    places = {}
    for name, badge in badges.items():
        file = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:_LONGEST].strip("-.") or "adapter"
        if (other := found.setdefault(file.lower(), name)) != name:
            msg = f"{folder / file}.json: for {other!r} and {name!r} alike. Choose with --adapter."
            raise ConformanceError(msg)
        path = folder / f"{file}.json"
        _require_badge(path)
        places[path] = badge
    return places


def _require_badge(path: Path) -> None:
    """Refuse to write over what is no badge of ours."""
    if not path.exists():
        return
    try:
        old = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        old = None
    if not isinstance(old, dict) or not str(old.get("label", "")).startswith(_LABEL):
        msg = f"{path}: exists and is no badge. Move it, or give another folder."
        raise ConformanceError(msg)
