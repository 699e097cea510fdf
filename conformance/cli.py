"""The command `bce-conformance`."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from conformance import __version__
from conformance.commands import (
    badge,
    check,
    deviations,
    diff,
    fill,
    listing,
    merge,
    report,
    repro,
    run,
    schema,
    show,
    smoke,
    summary,
    worker,
)
from conformance.commands._common import INTERRUPTED, INVALID, UNREAD, USAGE, clear, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

# In the order in which --help lists them.
_COMMANDS = (
    run,
    smoke,
    report,
    listing,
    show,
    repro,
    merge,
    diff,
    summary,
    badge,
    check,
    fill,
    schema,
    deviations,
    worker,
)


class _Parser(argparse.ArgumentParser):
    def parse_known_args(  # type: ignore[override] # of which argparse has two overloads
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        # What a command does not know is for the command to refuse, by its own name.
        known, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return known, rest

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}. See {self.prog} --help.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code, one of those of ``build_parser``'s help."""
    # Imported late: --help must not wait for it.
    from conformance.errors import ConformanceError, one_line  # noqa: PLC0415

    options = build_parser().parse_args(arguments)
    try:
        code = int(options.run(options))
        sys.stdout.flush()
    except ConformanceError as error:
        # Errors quote from files that anybody may have written.
        for sentence in str(error).split("\n"):
            warn(one_line(sentence))
        return INVALID
    except KeyboardInterrupt:
        clear()
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return UNREAD
    except OSError as error:
        place = error.filename or "the output"
        warn(f"{place}: {error.strerror or error}. Mend that, and run again.")
        _drop_output()
        return INVALID
    return code


def _drop_output() -> None:
    """Keep what cannot be written from failing a second time, at the interpreter's exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line, also for programs that make shell completions of it."""
    parser = _Parser(
        prog="bce-conformance",
        description="Ask frameworks what a loss is, compare what they answer with the truth.",
        epilog="Exit codes: 0 all is well, 1 something is wrong, 2 a known deviation is stale,"
        " 3 nothing was executed, 4 a case or run file is invalid, 64 the command line is wrong,"
        " 130 it was interrupted.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
