"""`schema`: prints the JSON Schema of a case file, or of a worker's protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.commands._common import FINE, say_json

if TYPE_CHECKING:
    import argparse

    from conformance.commands._common import Commands


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "schema",
        help="print the JSON Schema of a case file, or of a worker's protocol",
        description="Print a JSON Schema, for an editor, another validator, or whoever writes a"
        " worker in another language.",
    )
    parser.add_argument(
        "of",
        nargs="?",
        choices=("case", "protocol"),
        default="case",
        help="of a case file, or of a line that a run and a worker write to each other, which"
        " docs/protocol.md explains; default: case",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if options.of == "protocol":
        from conformance.workers.messages import json_schema  # noqa: PLC0415
    else:
        from conformance.casefile import json_schema  # noqa: PLC0415

    say_json(json_schema())
    return FINE
