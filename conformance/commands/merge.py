"""`merge`: puts runs into one file, each of them whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.commands._common import (
    FINE,
    WRONG,
    add_cases,
    add_format,
    add_runs,
    load_cases,
    say,
    say_json,
    show,
)
from conformance.errors import one_line
from conformance.wording import count_of

if TYPE_CHECKING:
    import argparse

    from conformance.commands._common import Commands
    from conformance.merging import Merge, Taken

_NAMED = 5


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "merge",
        help="put runs into one file",
        description="Put runs, of one machine or several, into one run file that keeps each of them"
        " whole. Says which results are stale (their case has changed or is gone; they are kept),"
        " and which answers are not the same bits in two runs, or in one that repeats. Exits with 1"
        " if such answers come from one machine, device and version: then something is not"
        " deterministic.",
        epilog="With --format json the answer has the keys output, runs, results, stale, inputs (of"
        " each run: path, started, results, not_run, complete, stale, same_as), irreproducible"
        " (case, adapter, version, device, dtype, outputs), differ_between_machines.",
    )
    add_runs(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="RUN",
        help="where they go; no input, and nothing but a run file is ever replaced",
    )
    parser.add_argument(
        "--allow-truncated",
        action="store_true",
        help="take a run that was cut short, as far as it goes",
    )
    add_cases(parser)
    add_format(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from conformance.merging import check_output, merge_runs  # noqa: PLC0415
    from conformance.writing import write_merged  # noqa: PLC0415

    check_output(options.output, options.runs)
    show("loading the cases")
    cases = load_cases(options).cases
    show("reading the runs")
    merge = merge_runs(options.runs, cases, allow_truncated=options.allow_truncated)
    show(f"writing {options.output}")
    write_merged(options.output, merge.sections)
    show("")
    if options.format == "json":
        say_json(_as_json(merge, options.output))
    else:
        for line in _as_text(merge, options.output):
            say(one_line(line))
    return WRONG if merge.irreproducible else FINE


def _as_json(merge: Merge, output: Path) -> dict[str, Any]:
    """What was merged; every count is one of results."""
    return {
        "output": str(output),
        "runs": len(merge.sections),
        "results": sum(len(section.run.results) for section in merge.sections),
        "stale": sum(taken.stale for taken in merge.taken if taken.same_as is None),
        "inputs": [
            {
                "path": str(taken.section.run.path),
                "started": taken.section.run.header.started,
                "results": len(taken.section.run.results),
                "not_run": _unanswered(taken),
                "complete": taken.section.run.footer is not None,
                "stale": taken.stale,
                "same_as": None if taken.same_as is None else str(taken.same_as),
            }
            for taken in merge.taken
        ],
        "irreproducible": [varying._asdict() for varying in merge.irreproducible],
        "differ_between_machines": merge.elsewhere,
    }


def _as_text(merge: Merge, output: Path) -> list[str]:
    lines = [_input(taken) for taken in merge.taken]
    count = sum(len(section.run.results) for section in merge.sections)
    stale = sum(taken.stale for taken in merge.taken if taken.same_as is None)
    lines.append(f"merged: {output}, {count_of(len(merge.sections), 'run')}, {count:,} results")
    if stale:
        lines.append(f"stale: {stale:,} results, kept: their case has changed or is gone")
    if merge.elsewhere:
        between = "other bits on another machine, device, setting or build of one version"
        lines.append(f"differ between machines: {count_of(merge.elsewhere, 'answer')}, {between}")
    if varying := merge.irreproducible:
        same = "other bits on the same machine, device and version"
        lines.append(f"not reproducible: {count_of(len(varying), 'answer')}, {same}")
        lines += [
            f"  {one.case} by {one.adapter} on {one.device} in {one.dtype}: "
            + ", ".join(one.outputs)
            for one in varying[:_NAMED]
        ]
        if len(varying) > _NAMED:
            lines.append(f"  and {len(varying) - _NAMED:,} more; --format json names all")
    return lines


def _input(taken: Taken) -> str:
    run = taken.section.run
    parts = [
        f"{run.path}: {count_of(len(run.results), 'result')}, started {run.header.started}",
        "complete" if run.footer else "truncated, taken as far as it goes",
    ]
    if absent := _unanswered(taken):
        parts.append(f"{absent:,} not run")
    if taken.stale:
        parts.append(f"{taken.stale:,} stale")
    if taken.same_as is not None:
        parts.append(f"the same run as in {taken.same_as}, taken once")
    return ", ".join(parts)


def _unanswered(taken: Taken) -> int:
    run = taken.section.run
    return sum(result.status == "not_run" for result in run.results) + sum(
        record.items for record in run.not_run
    )
