"""`deviations`: proposes what to write down of answers that are known to be wrong."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.commands._common import (
    FINE,
    add_format,
    add_runs,
    load_runs,
    say,
    say_json,
    warn,
)
from conformance.errors import ConformanceError, one_line
from conformance.files import replacing

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from conformance.commands._common import Commands
    from conformance.proposals import Entry, Proposal
    from conformance.results import Run

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_FILE_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = commands.add_parser("deviations", help="propose what to write down as deviations")
    actions = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    propose = actions.add_parser(
        "propose",
        help="print the entries that would excuse what failed",
        description="Print, for each adapter, the ledger that would excuse exactly what failed in"
        " some runs. An entry is refused until a person has written its issue and its reason.",
        epilog='With --format json: {"adapters": [{"adapter", "file", "entries": [{"cases",'
        ' "outputs", "dtypes", "devices", "when", "grade", "message", "since", "results",'
        ' "example"}], "left_out": [{"case", "device", "dtype", "reason"}]}]}.',
    )
    add_runs(propose)
    propose.add_argument(
        "--adapter",
        metavar="NAME",
        help="only this one; of an adapter that is not installed by name, package.module:Class",
    )
    propose.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FOLDER",
        help="write NAME.deviations.toml for each adapter there, never over another file",
    )
    add_format(propose)
    propose.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    runs = load_runs(options.runs)
    proposals = _proposals(runs, options.adapter)
    files = {}
    if options.output is not None:
        files = _write(options.output, [each for each in proposals if each.entries])
    if options.format == "json":
        say_json({"adapters": [_plain(each, files.get(each.adapter)) for each in proposals]})
        return FINE
    if not proposals:
        say("Nothing failed, so there is nothing to write down.")
    for proposal in proposals:
        if proposal.adapter in files:
            say(f"{len(proposal.entries)} entries: {files[proposal.adapter]}")
        elif proposal.entries:
            say(ledger_text(proposal))
        for reason, count in Counter(proposal.left_out.values()).items():
            warn(f"{proposal.adapter}: {count} results are left out: {reason}.")
    return FINE


def _proposals(runs: Sequence[Run], wanted: str | None) -> list[Proposal]:
    """A proposal for each adapter of which a result failed."""
    from conformance.proposals import propose  # noqa: PLC0415

    found = sorted({result.adapter for run in runs for result in run.results})
    failed = {result.adapter for run in runs for result in run.results if result.status == "failed"}
    if wanted is None:
        return [
            propose(runs, name, _distributions(name)[1] if _may_be_looked_up(name) else ())
            for name in found
            if name in failed
        ]
    name, distributions = _distributions(wanted)
    if name not in found:
        known = one_line(", ".join(found)) or "none"
        msg = f"--adapter {wanted}: no run has results of {name}. The adapters there are: {known}."
        raise ConformanceError(msg)
    return [propose(runs, name, distributions)] if name in failed else []


def _may_be_looked_up(name: str) -> bool:
    """Whether a name out of a run file is no module's: a file must not choose what is imported."""
    from conformance import adapters  # noqa: PLC0415

    return ":" not in name or name in adapters.OURS


def _distributions(wanted: str) -> tuple[str, Sequence[str]]:
    """An adapter's own name, and the distributions whose versions it tells; none if absent."""
    from conformance import adapters  # noqa: PLC0415
    from conformance.adapters.base import attempt  # noqa: PLC0415

    # Where `python -m` finds a user's adapter, the installed command finds it too.
    sys.path.append(str(Path.cwd()))
    try:
        adapter = adapters.load(wanted)
    except (adapters.UnknownAdapterError, adapters.MissingFrameworkError):
        warn(
            f"{one_line(wanted)}: not installed here, so its entries will say nothing of versions. "
            "Name its class: --adapter package.module:Class."
        )
        return wanted, ()
    versions = attempt(adapter.versions)
    return adapter.name, sorted(versions) if isinstance(versions, dict) else ()


def _write(folder: Path, proposals: Iterable[Proposal]) -> dict[str, Path]:
    """Write a file for each adapter; none of them if one exists."""
    # Not every system has files with a colon in their name.
    stems = {each.adapter: each.adapter.replace(":", "-") for each in proposals}
    files = {name: folder / f"{stem}.deviations.toml" for name, stem in stems.items()}
    for name, path in files.items():
        if not _FILE_NAME.fullmatch(stems[name]):
            msg = f"{one_line(name)}: an adapter's name that no file can have. Leave out --output."
            raise ConformanceError(msg)
        if path.exists():
            msg = f"{path}: is there already. Give an empty folder, and merge the two by hand."
            raise ConformanceError(msg)
    for proposal in proposals:
        with replacing(files[proposal.adapter]) as file:
            file.write(ledger_text(proposal).encode())
    return files


def ledger_text(proposal: Proposal) -> str:
    """The file of the entries; it is refused until each has an issue and a reason."""
    lines = [
        f"# Proposed for {one_line(proposal.adapter)}. Read each entry, write its issue and its",
        "# reason, and put it into the .deviations.toml beside the module of the adapter.",
    ]
    for entry in proposal.entries:
        lines += ["", *_entry_lines(entry)]
    return "\n".join(lines)


def _entry_lines(entry: Entry) -> list[str]:
    kind = entry.kind
    many = f"{entry.results} results, such as " if entry.results > 1 else ""
    when = ", ".join(f"{_key(name)} = {_quoted(wanted)}" for name, wanted in kind.when)
    cases = [_quoted(case) for case in entry.cases]
    return [
        f"# {many}{entry.example}",
        "[[deviation]]",
        *(["cases = [", *(f"    {case}," for case in cases), "]"] if len(cases) > 1 else []),
        *([f"cases = {cases[0]}"] if len(cases) == 1 else []),
        *([f"outputs = {_list(kind.outputs)}"] if kind.outputs else []),
        f"dtypes = {_list(entry.dtypes)}",
        f"devices = {_list(entry.devices)}",
        *([f"when = {{ {when} }}"] if when else []),
        f"grade = {_quoted(kind.grade)}",
        *([f"message = {_quoted(kind.message)}"] if kind.message else []),
        f"since = {entry.since.isoformat()}",
        'issue = ""',
        'reason = ""',
    ]


def _list(words: Iterable[str]) -> str:
    return f"[{', '.join(map(_quoted, words))}]"


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _quoted(name)


def _quoted(word: str) -> str:
    """A basic string of TOML, which is that of JSON but for the character DEL."""
    return json.dumps(word, ensure_ascii=False).replace("\x7f", "\\u007f")


def _plain(proposal: Proposal, file: Path | None) -> dict[str, Any]:
    """The proposal as JSON has it."""
    return {
        "adapter": proposal.adapter,
        "file": str(file) if file else None,
        "entries": [
            {
                "cases": entry.cases,
                "outputs": entry.kind.outputs,
                "dtypes": entry.dtypes,
                "devices": entry.devices,
                "when": dict(entry.kind.when),
                "grade": entry.kind.grade,
                "message": entry.kind.message,
                "since": entry.since.isoformat(),
                "results": entry.results,
                "example": entry.example,
            }
            for entry in proposal.entries
        ],
        "left_out": [
            {**place._asdict(), "reason": reason} for place, reason in proposal.left_out.items()
        ],
    }
