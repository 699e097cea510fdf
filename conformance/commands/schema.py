"""`schema`: prints the JSON Schema of a case file."""

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
        help="print the JSON Schema of a case file",
        description="Print the JSON Schema of a case file, for an editor or another validator.",
    )
    parser.set_defaults(run=_run)


def _run(_: argparse.Namespace) -> int:
    from conformance.casefile import json_schema  # noqa: PLC0415

    say_json(json_schema())
    return FINE
