"""`report`: renders runs as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conformance.commands._common import (
    FINE,
    add_cases,
    add_runs,
    load_cases,
    load_runs,
    say,
    show,
)

if TYPE_CHECKING:
    import argparse

    from conformance.commands._common import Commands


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "report",
        help="render runs as one HTML page",
        description="Render runs, of one machine or several, as one HTML page that needs nothing"
        " but itself. No framework is needed.",
    )
    add_runs(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="where it goes; nothing but a page is ever replaced",
    )
    parser.add_argument(
        "--history",
        type=Path,
        metavar="FILE",
        help="what `summary --append` has gathered, to be drawn as well",
    )
    add_cases(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    runs = load_runs(options.runs)
    show("loading the cases")
    corpus = load_cases(options)
    from conformance.history import read_history  # noqa: PLC0415
    from conformance.report import write_report  # noqa: PLC0415

    history = read_history(options.history) if options.history else []
    show(f"writing {options.output}")
    write_report(runs, corpus.cases, options.output, corpus.glossary, history)
    show("")
    say(f"report: {options.output}")
    return FINE
