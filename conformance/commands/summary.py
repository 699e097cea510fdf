"""`summary`: says in Markdown what runs came to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.commands._common import (
    FINE,
    USAGE,
    add_cases,
    add_format,
    add_runs,
    load_cases,
    load_runs,
    say,
    say_json,
    warn,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from conformance.commands._common import Commands
    from conformance.report.evidence import Evidence
    from conformance.results import Run

_SUMMARY = "GITHUB_STEP_SUMMARY"


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "summary",
        help="say in Markdown what runs came to",
        description="Say in Markdown what runs came to: a sentence for each adapter, a table of"
        " counts, what failed. It reports, and exits with 0 whatever the runs hold.",
        epilog="With --format json the answer has the keys runs (path, started, complete, results,"
        " stale), subjects (adapter, version, device, asked, passed, deviates, failed, not_run,"
        " grades), failures (adapter, version, device, group, failed, results, example), replaced,"
        " irreproducible, differ_between_machines.",
    )
    add_runs(parser)
    parser.add_argument(
        "--github",
        action="store_true",
        help=f"append it to the file that {_SUMMARY} names, instead of printing it",
    )
    parser.add_argument(
        "--annotations",
        action="store_true",
        help="print failures as annotations of GitHub Actions, one for each adapter and group",
    )
    parser.add_argument(
        "--append",
        type=Path,
        metavar="FILE",
        help="add a line for each run, adapter and device to this history (JSON Lines), once",
    )
    add_cases(parser)
    add_format(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    place = os.environ.get(_SUMMARY)
    if options.github and not place:
        warn(f"--github: {_SUMMARY} is not set. Leave it out; the summary is then printed.")
        return USAGE
    if options.annotations and options.format == "json":
        warn("--annotations is for GitHub, --format json for other programs. Leave out one.")
        return USAGE
    runs = load_runs(options.runs)
    if options.append:
        _append(options.append, runs)
    from conformance.report.annotations import annotate  # noqa: PLC0415
    from conformance.report.evidence import gather  # noqa: PLC0415
    from conformance.report.failures import failures  # noqa: PLC0415
    from conformance.report.markdown import render  # noqa: PLC0415

    evidence = gather(runs, load_cases(options).cases)
    if options.github and place:
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(render(evidence, runs))
    if options.format == "json":
        say_json(_answer(evidence, runs))
    elif not options.github:
        say(render(evidence, runs))
    if options.annotations:
        for line in annotate(failures(evidence)):
            say(line)
    return FINE


def _append(path: Path, runs: Sequence[Run]) -> None:
    from conformance.history import append_history  # noqa: PLC0415
    from conformance.report.entries import entries_of  # noqa: PLC0415
    from conformance.wording import count_of  # noqa: PLC0415

    if any(run.footer is None for run in runs):
        warn(f"{path}: gets no line of a run that was cut short.")
    added = append_history(path, [entry for run in runs for entry in entries_of(run)])
    warn(f"{path}: {count_of(added, 'line')} added")


def _answer(evidence: Evidence, runs: Sequence[Run]) -> dict[str, Any]:
    from conformance.report.counts import GRADES, count  # noqa: PLC0415
    from conformance.report.failures import failures  # noqa: PLC0415

    return {
        "runs": [
            {
                "path": str(run.path),
                "started": run.header.started,
                "complete": run.footer is not None,
                "results": len(run.results),
                "stale": stale,
            }
            for run, stale in zip(runs, evidence.stale, strict=True)
        ],
        "subjects": [
            {
                **subject._asdict(),
                "asked": total.asked,
                "passed": total.passed,
                "deviates": total.deviates,
                "failed": total.failed,
                "not_run": total.not_run,
                "grades": dict(zip(GRADES, total.grades, strict=True)),
            }
            for subject, total in count(evidence).items()
        ],
        "failures": [
            {
                **one.subject._asdict(),
                "group": one.group,
                "failed": one.failed,
                "results": one.results,
                "example": one.sentence,
            }
            for one in failures(evidence)
        ],
        "replaced": evidence.replaced,
        "irreproducible": sum(not item.reproducible for item in evidence.varying),
        "differ_between_machines": sum(item.reproducible for item in evidence.varying),
    }
