"""What the commands share: exit codes, output, options."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.corpus import Corpus
    from conformance.results import Run

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

FINE, WRONG, STALE, NOTHING, INVALID, USAGE = 0, 1, 2, 3, 4, 64
"""Exit codes: all is well, something is wrong, a deviation is stale, nothing was executed, a case
or run file is invalid, the command line is."""

_COLUMNS = 80  # Of a terminal that does not know its width.

INTERRUPTED, UNREAD = 130, 141  # As a shell reports the signals SIGINT and SIGPIPE.


def say(text: str) -> None:
    """Print a line of the answer."""
    print(text)  # noqa: T201


def say_json(answer: Any) -> None:
    """Print the answer to a program."""
    import json  # noqa: PLC0415

    say(json.dumps(answer, indent=2))


def warn(text: str) -> None:
    """Print a line that is not part of the answer."""
    show("")
    print(text, file=sys.stderr)  # noqa: T201


def show(text: str) -> None:
    """Show progress, on one line of a terminal."""
    if sys.stderr.isatty():
        from conformance.errors import one_line  # noqa: PLC0415

        line = one_line(text)[: room(sys.stderr)]
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)  # noqa: T201


def clear() -> None:
    """Take the line of the progress back."""
    show("")


def room(terminal: TextIO) -> int:
    """Columns of a line that is to be taken back: one that the terminal has broken cannot be.

    Of this terminal: where the standard output goes elsewhere, it has no say.
    """
    return (os.get_terminal_size(terminal.fileno()).columns or _COLUMNS) - 1


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add --format, for a command whose answer a program might read."""
    parser.add_argument(
        "--format",
        choices=["text", "json"],
        default="text",
        help="for a person (the default), or for a program",
    )


def add_cases(parser: argparse.ArgumentParser) -> None:
    """Add --cases, for a command that looks cases up."""
    parser.add_argument(
        "--cases",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        help="a case file, or a folder of them, instead of the suite's own; may be repeated",
    )


def load_cases(options: argparse.Namespace) -> Corpus:
    """The cases that --cases names, or the suite's own."""
    from conformance.corpus import load_corpus  # noqa: PLC0415

    return load_corpus(options.cases)


def add_runs(parser: argparse.ArgumentParser) -> None:
    """Add the run files that a command reads."""
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        action=_Runs,
        metavar="RUN",
        help="a run file, or a folder of them",
    )


class _Runs(argparse.Action):
    """Takes the run files in a folder in its place, those in folders below it included."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002 - as argparse calls it
    ) -> None:
        found: list[Path] = []
        for path in values:
            inside = sorted(path.rglob("*.jsonl.gz")) if path.is_dir() else [path]
            if not inside:
                parser.error(f"{path}: no run file (NAME.jsonl.gz) is in it")
            found += inside
        setattr(namespace, self.dest, found)


def load_runs(paths: Sequence[Path]) -> list[Run]:
    """Every run of some run files, a merged one giving several; warns of those cut short."""
    from conformance.records import read_runs  # noqa: PLC0415
    from conformance.wording import count_of  # noqa: PLC0415

    found = []
    for path in paths:
        show(f"reading {path}")
        found += read_runs(path)
    show("")
    for run in found:
        if run.footer is None:
            warn(f"{run.path}: a run was cut short after {count_of(len(run.results), 'result')}.")
    return found
