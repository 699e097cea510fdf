"""`run`: puts the questions to the adapters, grades what they answer."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections import Counter
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance import option_help
from conformance.commands._common import (
    FINE,
    INTERRUPTED,
    INVALID,
    NOTHING,
    STALE,
    USAGE,
    WRONG,
    add_format,
    say,
    say_json,
    warn,
)

if TYPE_CHECKING:
    import pytest

    from conformance.commands._common import Commands
    from conformance.commands._progress import Progress
    from conformance.plan import Plan
    from conformance.stash import Ending

_MEANINGS = {
    FINE: "all is well",
    WRONG: "something is wrong",
    STALE: "a known deviation is stale",
    NOTHING: "nothing was executed",
    INVALID: "a case is invalid",
    USAGE: "the command line is wrong",
    INTERRUPTED: "interrupted",
}

_STATUSES = ("passed", "deviates", "failed", "not_run")


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "run",
        help="ask adapters, grade their answers, write a run and its report",
        usage="%(prog)s [options] [-- PYTEST-OPTION ...]",
        description="Ask adapters the questions, grade their answers, write a run file and a"
        " report. This is `pytest --pyargs conformance` without the settings of the folder that"
        " you are in. What follows -- goes to pytest; -v shows what pytest says of it.",
        epilog="With --format json the answer has the keys exit, meaning, complete, run, report,"
        " subjects (adapter, device, asked, passed, deviates, failed, not_run), failed, failures"
        " (the first 20), repeated, varied (case, adapter, device, dtype, outputs), stale,"
        " problems, notes.",
    )
    parser.add_argument(
        "--adapter",
        action="append",
        default=[],
        metavar="NAME",
        help=option_help.ADAPTER,
    )
    parser.add_argument(
        "--device",
        action="append",
        default=[],
        metavar="DEVICE",
        help=option_help.DEVICE,
    )
    parser.add_argument(
        "--require",
        choices=["exact", "faithful", "accurate", "coarse"],
        default="coarse",
        help=option_help.REQUIRE,
    )
    parser.add_argument("--require-cuda", action="store_true", help=option_help.REQUIRE_CUDA)
    parser.add_argument("--repeat", metavar="N", help=option_help.REPEAT)
    parser.add_argument("--isolate", action="store_true", help=option_help.ISOLATE)
    parser.add_argument(
        "--cases",
        action="append",
        default=[],
        metavar="PATH",
        help="a case file, or a folder of them, instead of the suite's own; may be repeated",
    )
    parser.add_argument(
        "--run-file",
        metavar="PATH",
        help="where the results go, NAME.jsonl.gz, the report beside it"
        " (default: reports/run.jsonl.gz, and index.html)",
    )
    parser.add_argument("--no-report", action="store_true", help="write the run, not the report")
    parser.add_argument(
        "-k",
        dest="keyword",
        metavar="EXPR",
        help='only questions whose names fit, such as "negative_tail and float32"',
    )
    parser.add_argument(
        "-n",
        type=_processes,
        dest="processes",
        metavar="N",
        help="spread over N processes, or auto (pytest-xdist; default: this one)",
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show what pytest says, on standard error"
    )
    add_format(parser)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.set_defaults(run=_run)


def _processes(text: str) -> str:
    """A number of processes, as pytest-xdist takes it."""
    if text not in ("auto", "logical") and not (text.isascii() and text.isdigit()):
        msg = f"{text!r} is no number of processes; give one, or auto"
        raise argparse.ArgumentTypeError(msg)
    return text


def _run(options: argparse.Namespace) -> int:
    if options.rest and options.rest[0] != "--":
        warn(
            f"bce-conformance run: {options.rest[0]!r} is no option. Select questions with -k;"
            " what is meant for pytest comes after --."
        )
        return USAGE
    if options.processes and find_spec("xdist") is None:
        warn("-n: pytest-xdist is not installed. Run: pip install pytest-xdist, or leave out -n.")
        return USAGE
    from conformance.commands._progress import Progress  # noqa: PLC0415

    progress = Progress(None if options.verbose else sys.stderr)
    status, talk = _pytest(options, progress)
    progress.close()
    return _conclude(options, progress, status, talk)


def _pytest(options: argparse.Namespace, progress: Progress) -> tuple[int, str]:
    """The exit status of pytest, and what it said unless it was free to say it."""
    import pytest  # noqa: PLC0415

    package = Path(__file__).parents[1]
    arguments = ["-c", str(package / "run.ini"), "--rootdir", str(package), str(package)]
    # In one word each: pytest first reads its command line without knowing our options, takes what
    # follows them for paths, and would import a conftest.py beside one.
    for name in ("adapter", "device", "cases"):
        arguments += [f"--{name}={value}" for value in getattr(options, name)]
    for flag in ("require_cuda", "no_report", "isolate"):
        arguments += [f"--{flag.replace('_', '-')}"] * getattr(options, flag)
    for option, value in {
        "--require": options.require,
        "--run-file": options.run_file,
        "--repeat": options.repeat,
    }.items():
        arguments += [] if value is None else [f"{option}={value}"]
    for option, value in {"-k": options.keyword, "-n": options.processes}.items():
        arguments += [option, value] if value else []
    # These, too, are settings of somebody else's tests.
    os.environ.pop("PYTEST_ADDOPTS", None)
    talk = io.StringIO()
    with ExitStack() as stack:
        if options.verbose:
            stack.enter_context(redirect_stdout(sys.stderr))
        else:
            stack.enter_context(redirect_stdout(talk))
            stack.enter_context(redirect_stderr(talk))
        status = int(pytest.main([*arguments, *options.rest[1:]], plugins=[progress]))
    return status, talk.getvalue()


def _conclude(options: argparse.Namespace, progress: Progress, status: int, talk: str) -> int:
    """Say what came out, and give the exit code."""
    from conformance.stash import ENDING, REFUSAL  # noqa: PLC0415

    stash: pytest.Stash | dict[Any, Any] = progress.config.stash if progress.config else {}
    if refusal := stash.get(REFUSAL, None):
        if not options.verbose:
            warn(refusal.sentence)
        code = INVALID if refusal.of_cases else USAGE
    else:
        code = _code(progress, status, stash.get(ENDING, None))
        # pytest itself is not content: with its options, or with us.
        if code == USAGE or status == 3:
            warn(_complaint(talk))
    ending: Ending | None = stash.get(ENDING, None)
    if options.format == "json":
        say_json(_answer(progress, code, ending))
    elif ending is not None and code != USAGE:
        for line in _lines(progress, code, ending):
            say(line)
    return code


def _complaint(talk: str) -> str:
    """What pytest has against its options, or all that it said where that is not to be told."""
    marked = [line for line in talk.splitlines() if line.startswith("ERROR: ")]
    if not marked or marked[0].startswith("ERROR: usage:"):
        return talk.rstrip()
    return "\n".join(line.removeprefix("ERROR: ") for line in marked)


def _code(progress: Progress, status: int, ending: Ending | None) -> int:
    """The exit code for an exit status of pytest."""
    if progress.interrupted:
        return INTERRUPTED
    if status == 4:
        return USAGE
    if status == 1 and ending and ending.stale and not progress.failed and not ending.problems:
        return STALE
    return {0: FINE if ending else NOTHING, 5: NOTHING}.get(status, WRONG)


def _lines(progress: Progress, code: int, ending: Ending) -> list[str]:
    lines = [
        f"failed: {sentence}" + (f" ({count:,} times)" if count > 1 else "")
        for sentence, count in progress.failures.items()
    ]
    if more := progress.failed - progress.failures.total():
        place = "; the run has all of them" if ending.run else ""
        lines.append(f"failed: and {more:,} more{place}")
    lines += [*ending.lines(), *_plan(progress).absences()]
    subjects = _subjects(progress, ending)
    total = {key: sum(subject[key] for subject in subjects) for key in ("asked", *_STATUSES)}
    said = [f"{total['passed']:,} of {total['asked']:,} right"]
    for key, word in (
        ("deviates", "known to deviate"),
        ("failed", "failed"),
        ("not_run", "not run"),
    ):
        said += [f"{total[key]:,} {word}"] if total[key] else []
    return [*lines, f"{_MEANINGS[code]}: {', '.join(said)}"]


def _plan(progress: Progress) -> Plan:
    from conformance.stash import BENCH  # noqa: PLC0415

    assert progress.config is not None  # noqa: S101 - a run has ended
    return progress.config.stash[BENCH].plan


def _answer(progress: Progress, code: int, ending: Ending | None) -> dict[str, Any]:
    run = ending.run if ending else None
    return {
        "exit": code,
        "meaning": _MEANINGS[code],
        "complete": bool(run and run.footer),
        "run": str(run.path) if run else None,
        "report": str(ending.report) if ending and ending.report else None,
        "subjects": _subjects(progress, ending) if ending else [],
        "failed": progress.failed,
        "failures": list(progress.failures),
        "repeated": ending.repeated if ending else 1,
        "varied": [
            {
                "case": result.case,
                "adapter": result.adapter,
                "device": result.device,
                "dtype": result.dtype,
                "outputs": list(result.varied),
            }
            for result in (ending.varied if ending else [])
        ],
        "stale": list(ending.stale) if ending else [],
        "problems": list(ending.problems) if ending else [],
        "notes": list(ending.notes) if ending else [],
    }


def _subjects(progress: Progress, ending: Ending) -> list[dict[str, Any]]:
    """What each adapter came to on each device, out of what the plan has for it."""
    plan = _plan(progress)
    asked = Counter((item.group.adapter, item.group.device) for item in plan.items)
    for record in plan.not_run:
        asked[record.adapter, record.device] += record.items
    counts: Counter[tuple[str, str, str]] = Counter(
        (one.adapter, one.device, one.status) for one in ending.results
    )
    found = []
    for (adapter, device), items in asked.items():
        row = {status: counts[adapter, device, status] for status in _STATUSES}
        # What never came to be asked was not run either.
        row["not_run"] += items - sum(row.values())
        found.append({"adapter": adapter, "device": device, "asked": items, **row})
    return found
