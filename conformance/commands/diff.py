"""`diff`: says what became better and worse from one run to another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.commands._common import (
    FINE,
    NOTHING,
    WRONG,
    add_format,
    load_runs,
    say,
    say_json,
    warn,
)
from conformance.errors import one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from conformance.commands._common import Commands
    from conformance.comparison import Change, Comparison, Kind, Side
    from conformance.results import Result, Run

_SHOWN = 20
_REASON = 100
_TITLES: dict[Kind, str] = {
    "regressed": "regressed",
    "gone": "gone",
    "new": "new",
    "improved": "improved",
    "changed": "changed, not compared",
}


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "diff",
        help="say what became better and worse between two runs",
        description="Compare the answers of two run files, by case, adapter, device and dtype;"
        " versions may differ. An answer regressed if its grade is worse, or at the same grade its"
        " status, or at the same status an output: its grade, or its error, by a factor of 2 and"
        " more than 1 ulp. An answer that is no longer run regressed; one that is no longer there"
        " is gone; a case that has changed is not compared.",
        epilog="With --format json the answer has the keys old_side, new_side (path, runs,"
        " compared), counts, and regressed, gone, new, improved, changed (of each answer: case,"
        " adapter, device, dtype, by, output, old, new), the worst first.",
    )
    parser.add_argument("old", type=Path, metavar="OLD", help="a run file, of one run or several")
    parser.add_argument("new", type=Path, metavar="NEW", help="a run file, of one run or several")
    parser.add_argument(
        "--fail-on-regression",
        action="store_true",
        help="exit with 1 if an answer regressed or is gone, with 3 if none could be compared",
    )
    parser.add_argument(
        "--allow-gone",
        action="store_true",
        help="with --fail-on-regression: let answers be gone, as where NEW is a selection",
    )
    parser.add_argument("--all", action="store_true", help=f"list all, not {_SHOWN} of each kind")
    add_format(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from conformance.comparison import compare  # noqa: PLC0415

    old, new = load_runs([options.old]), load_runs([options.new])
    comparison = compare(old, new)
    if options.format == "json":
        say_json(_as_json(comparison, old, new))
    else:
        for line in _as_text(comparison, old, new, None if options.all else _SHOWN):
            say(one_line(line))
    return _code(comparison, allow_gone=options.allow_gone) if options.fail_on_regression else FINE


def _code(comparison: Comparison, *, allow_gone: bool) -> int:
    changes = comparison.changes
    if changes["regressed"] or (changes["gone"] and not allow_gone):
        return WRONG
    if not changes["improved"] and not changes["same"]:
        warn("no answer is on both sides, so nothing was compared.")
        return NOTHING
    return FINE


def _as_json(comparison: Comparison, old: Sequence[Run], new: Sequence[Run]) -> dict[str, Any]:
    """Both sides, counts by kind, and every change: of each kind, the worst first.

    "old" and "new" of a change are null where that side has no answer; "by" is "grade", "status" or
    "ulp"; "output" is the output that decided, or null if it was the answer as a whole.
    """
    answers: dict[str, Any] = {
        "old_side": _side_as_json(comparison.old, old),
        "new_side": _side_as_json(comparison.new, new),
        "counts": {kind: len(found) for kind, found in comparison.changes.items()},
    }
    for kind in _TITLES:
        answers[kind] = [
            {
                **change.question._asdict(),
                "by": change.by,
                "output": change.output,
                "old": _result_as_json(change.old),
                "new": _result_as_json(change.new),
            }
            for change in comparison.changes[kind]
        ]
    return answers


def _side_as_json(side: Side, runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "path": str(runs[0].path),
        "runs": [
            {
                "started": run.header.started,
                "complete": run.footer is not None,
                "results": len(run.results),
            }
            for run in runs
        ],
        "compared": [
            {
                "adapter": adapter,
                "device": device,
                "version": version,
                "left_out": list(side.older.get((adapter, device), ())),
            }
            for (adapter, device), version in sorted(side.versions.items())
        ],
    }


def _result_as_json(result: Result | None) -> dict[str, Any] | None:
    if result is None:
        return None
    return {
        "status": result.status,
        "grade": result.grade,
        "reason": result.reason,
        "outputs": {
            name: {"grade": output.grade, "ulp": output.ulp}
            for name, output in result.outputs.items()
        },
    }


def _as_text(
    comparison: Comparison, old: Sequence[Run], new: Sequence[Run], shown: int | None
) -> Iterator[str]:
    from conformance.comparison import reasons  # noqa: PLC0415

    yield from _side("old", comparison.old, old)
    yield from _side("new", comparison.new, new)
    counts = {kind: len(found) for kind, found in comparison.changes.items()}
    yield ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    for kind, title in _TITLES.items():
        if not (changes := comparison.changes[kind]):
            continue
        yield ""
        yield f"{title}: {len(changes):,}"
        if kind == "gone":
            for reason, count in reasons(comparison).most_common():
                yield f"  not run: {count:,} of them, {reason}"
        yield from _table(changes[:shown])
        if shown is not None and len(changes) > shown:
            yield f"  and {len(changes) - shown:,} more; --all lists them"


def _side(name: str, side: Side, runs: Sequence[Run]) -> Iterator[str]:
    cut = sum(run.footer is None for run in runs)
    versions = dict.fromkeys(
        f"{adapter} {version}".rstrip() for (adapter, _), version in side.versions.items()
    )
    answers = sum(result.status != "not_run" for result in side.results.values())
    yield f"{name}: {runs[0].path}, {answers:,} answers by {', '.join(versions) or 'nobody'}"
    if cut:
        yield f"  {cut} of its {len(runs)} runs {'was' if cut == 1 else 'were'} cut short"
    for (adapter, device), older in side.older.items():
        last = f"{side.versions[adapter, device]}, which started last, is compared"
        yield f"  {adapter} on {device}: {last}; not {', '.join(older)}"


def _table(changes: Sequence[Change]) -> Iterator[str]:
    rows = [_row(change) for change in changes]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        yield f"  {'  '.join(cells)}  {row[-1]}".rstrip()


def _row(change: Change) -> tuple[str, ...]:
    return *map(one_line, change.question), _what(change)


def _what(change: Change) -> str:
    """The answer before and after, in a few words."""
    old, new = change.old, change.new
    if change.kind == "changed":
        return ""
    if change.kind == "new" or old is None or new is None:
        return _word(new) if change.kind == "new" else f"was {_word(old)}"
    name = change.output
    place = f"{name}: " if name else ""
    ulps = _ulps(old, new, name)
    if change.by == "ulp":
        return f"{place}{ulps}, {new.grade}"
    if change.by == "status":
        if name:
            return f"{place}{'no longer' if change.kind == 'regressed' else 'now'} returned"
        return f"{_word(old)} -> {_word(new)}"
    grades = (one.outputs[name].grade if name else one.grade for one in (old, new))
    more = ulps or (new.reason or "")[:_REASON]
    return f"{place}{' -> '.join(map(str, grades))}" + (f", {more}" if more else "")


def _word(result: Result | None) -> str:
    if result is None:
        return ""
    if result.status == "not_run":
        return f"not run: {result.reason}"
    return f"{result.status}, {result.grade}"


def _ulps(old: Result, new: Result, name: str | None) -> str:
    """The errors of an output, or the largest of each answer; "" where one cannot be told."""
    found = []
    for result in (old, new):
        outputs = [result.outputs[name]] if name else list(result.outputs.values())
        errors = [output.ulp for output in outputs]
        if not errors or None in errors:
            return ""
        found.append(max(error for error in errors if error is not None))
    return f"{found[0]:.3g} -> {found[1]:.3g} ulp"
