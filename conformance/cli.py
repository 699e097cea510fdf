"""The command `bce-conformance`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from conformance import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

FINE, INVALID, USAGE = 0, 4, 64
INTERRUPTED, UNREAD = 130, 141  # As a shell reports the signals SIGINT and SIGPIPE.


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}. See {self.prog} --help.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 fine, 4 invalid cases, 64 wrong usage.

    130 and 141 mean that it was cut short, by Ctrl-C and by the end of a pipe.
    """
    # Imported late throughout: --help must not wait for frameworks and oracles.
    from conformance.errors import ConformanceError  # noqa: PLC0415

    options = _parser().parse_args(arguments)
    try:
        code = int(options.run(options))
        sys.stdout.flush()
    except ConformanceError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return INVALID
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return UNREAD
    except OSError as error:
        place = error.filename or "the output"
        print(f"{place}: {error.strerror or error}. Mend that, and run again.", file=sys.stderr)  # noqa: T201
        _drop_output()
        return INVALID
    return code


def _drop_output() -> None:
    """Keep what cannot be written from failing a second time, at the interpreter's exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="bce-conformance",
        description="Keep the case files of the suite in order. To run them: pytest conformance.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="find what is wrong with case files")
    check.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="default: all cases")
    check.add_argument("--format", choices=["text", "json"], default="text")
    check.set_defaults(run=_check)

    fill = commands.add_parser("fill", help="write the expected answers, from two oracles")
    fill.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="default: all cases")
    fill.set_defaults(run=_fill)

    schema = commands.add_parser("schema", help="print the JSON Schema of a case file")
    schema.set_defaults(run=_schema)
    return parser


def _check(options: argparse.Namespace) -> int:
    _require_oracles()
    from conformance.check import check  # noqa: PLC0415
    from conformance.corpus import default_root  # noqa: PLC0415

    count, problems = check(options.paths or [default_root()], _show)
    _show("")
    if options.format == "json":
        _say(json.dumps({"cases": count, "problems": problems}))
    else:
        for problem in problems:
            _say(problem)
        _say(f"{count} cases, {len(problems)} problems")
    return INVALID if problems else FINE


def _fill(options: argparse.Namespace) -> int:
    _require_oracles()
    from conformance.corpus import case_files, default_root, load_glossary  # noqa: PLC0415
    from conformance.errors import ConformanceError  # noqa: PLC0415
    from conformance.fill import fill  # noqa: PLC0415

    roots = options.paths or [default_root()]
    glossary = load_glossary(roots)
    failed = False
    for path, group in case_files(roots).items():
        _show(str(path))
        try:
            changed = fill(path, group, glossary)
        except ConformanceError as error:
            _show("")
            print(error, file=sys.stderr)  # noqa: T201
            failed = True
        else:
            _show("")
            _say(f"{'filled' if changed else 'as it was'}: {path}")
    return INVALID if failed else FINE


def _schema(_: argparse.Namespace) -> int:
    from conformance.casefile import json_schema  # noqa: PLC0415

    _say(json.dumps(json_schema(), indent=2))
    return FINE


def _require_oracles() -> None:
    from importlib.util import find_spec  # noqa: PLC0415

    from conformance.errors import ConformanceError  # noqa: PLC0415

    absent = [name for name in ("flint", "mpmath") if find_spec(name) is None]
    if absent:
        msg = f"{', '.join(absent)} is not installed. Run: pip install 'bce-conformance[oracle]'"
        raise ConformanceError(msg)


def _show(text: str) -> None:
    """Progress, on one line of a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text[:100]}", end="", file=sys.stderr, flush=True)  # noqa: T201


def _say(text: str) -> None:
    print(text)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
