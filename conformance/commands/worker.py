"""`worker`: answers the questions of a host that runs elsewhere, or in another environment."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from conformance.commands._common import Commands


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "worker",
        help="serve an adapter of this environment to a run in another one",
        description="Serve an adapter of this environment: questions come on standard input,"
        " answers go to standard output, a line of JSON each. A run starts it by itself:"
        " bce-conformance run --adapter 'worker:OTHER/bin/bce-conformance worker --adapter NAME'."
        " docs/protocol.md explains the lines, for a worker in another language.",
    )
    parser.add_argument(
        "--adapter",
        required=True,
        metavar="NAME",
        help="an adapter of this environment, as run has it",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from conformance.workers.serve import serve  # noqa: PLC0415

    # Where a run finds a user's adapter, its worker finds it too.
    sys.path.append("")
    return serve(options.adapter)
