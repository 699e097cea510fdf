"""`show`: prints one case, and what runs have of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conformance.commands._cases import find_case
from conformance.commands._common import FINE, add_cases, add_format, load_runs, say, say_json

if TYPE_CHECKING:
    import argparse

    from conformance.commands._common import Commands


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "show",
        help="print one case",
        description="Print a case: its question in decimal and in hex, its truth, what its flags"
        " and policies mean, where it comes from; with --run also what was answered. Long arrays"
        " are cut short, except with --format json.",
        epilog="With --format json the answer has the keys id, about, operation, reduction, legacy,"
        " job, dtypes, inputs, inputs_rounded_to, outputs, expected, flags, policies, source,"
        " regression, published, place, sha256, answers (of each run: run, started, complete,"
        " of_another_version_of_the_case, answers).",
    )
    parser.add_argument(
        "id", metavar="ID", help="a full id, its end, or any part that no other id has"
    )
    parser.add_argument(
        "--run",
        action="append",
        default=[],
        type=Path,
        dest="runs",
        metavar="RUN",
        help="a run file whose answers are to be shown; may be repeated",
    )
    add_format(parser)
    add_cases(parser)
    parser.set_defaults(run=_run, parser=parser)


def _run(options: argparse.Namespace) -> int:
    case, glossary = find_case(options)
    runs = load_runs(options.runs)
    from conformance.commands._answers import answers_facts, answers_text  # noqa: PLC0415
    from conformance.commands._case_facts import case_facts  # noqa: PLC0415
    from conformance.commands._case_text import case_text  # noqa: PLC0415

    if options.format == "json":
        say_json(case_facts(case, glossary) | {"answers": answers_facts(case, runs)})
    else:
        for line in [*case_text(case, glossary), *answers_text(case, runs)]:
            say(line)
    return FINE
