"""`check`: finds what is wrong with case files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conformance.commands._common import FINE, INVALID, add_format, say, say_json, show

if TYPE_CHECKING:
    import argparse

    from conformance.commands._common import Commands


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "check",
        help="find what is wrong with case files",
        description="Find what is wrong with case files: their form, their words, and each expected"
        " answer, which two oracles compute again. Exits with 4 if something is.",
        epilog="With --format json the answer has the keys cases (how many), problems (a sentence"
        " each).",
    )
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="a case file, or a folder of them; a folder's flags.yaml, policies.yaml or schema.json"
        " (default: all cases)",
    )
    add_format(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from conformance.commands.fill import require_oracles  # noqa: PLC0415

    require_oracles()
    from conformance.check import check  # noqa: PLC0415
    from conformance.corpus import default_root  # noqa: PLC0415

    count, problems = check(options.paths or [default_root()], show)
    show("")
    if options.format == "json":
        say_json({"cases": count, "problems": problems})
    else:
        for problem in problems:
            say(problem)
        say(f"{count} cases, {len(problems)} problems")
    return INVALID if problems else FINE
