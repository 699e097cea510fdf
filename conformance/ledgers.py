"""Reads the files in which known answers stand: TOML, one array of tables, an entry each."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from conformance.errors import ConformanceError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

MAX_BYTES = 1_000_000
MAX_LINE = 2000  # A dotted key takes tomllib a time that grows with the square of its length.

_REMEDIES = {
    "`since`": "Write the day on which it was written down, such as since = 2026-01-31",
    "`when": 'Write a distribution and a range of its versions, such as { torch = ">=2.0,<3" }',
}


class _Entry(Protocol):
    @property
    def when(self) -> Mapping[str, str]: ...


E = TypeVar("E", bound=_Entry)


def current_entries(path: Path, table: str, kind: type[E], versions: Mapping[str, str]) -> list[E]:
    """The entries of one file that hold for ``versions``, one for each pattern of cases.

    Args:
        path: A TOML file whose entries stand in one array of tables.
        table: The name of the array.
        kind: The structure of an entry; it has ``when``, distribution to range.
        versions: Distribution to the version installed.

    Raises:
        ConformanceError: If the file is malformed, with the file, the line and entry, and what to
            mend; entries for other versions are held to the same.
    """
    text = _read(path)
    raw = _parse(path, text)
    if unknown := raw.keys() - {table}:
        names = one_line(", ".join(sorted(unknown)))
        _refuse(f"{path}: {names}: not known here. Mend the ledger: its entries are [[{table}]].")
    entries = raw.get(table, [])
    if not isinstance(entries, list):
        _refuse(f"{path}: {table} is no list of entries. Mend the ledger: head each [[{table}]].")
    found = []
    for entry, place in zip(entries, _places(path, text, table, entries), strict=True):
        try:
            for single in _one_pattern_each(entry):
                read = msgspec.convert(single, kind)
                if _is_current(read.when, versions):
                    found.append(read)
        except ValueError as error:
            problem = one_line(str(error)).rstrip(".")
            remedies = [remedy for word, remedy in _REMEDIES.items() if word in problem]
            _refuse(f"{place}: {problem}. {remedies[0] if remedies else 'Mend the ledger'}.")
    return found


def _refuse(sentence: str) -> NoReturn:
    raise ConformanceError(sentence) from None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        text = raw.decode("utf-8")
    except OSError as error:
        msg = f"{path}: {error.strerror or error}. Make it readable."
        raise ConformanceError(msg) from None
    except UnicodeDecodeError as error:
        msg = f"{path}: byte {error.start} is not UTF-8. Mend the ledger, and save it as UTF-8."
        raise ConformanceError(msg) from None
    if len(raw) > MAX_BYTES or max(map(len, text.split("\n"))) > MAX_LINE:
        msg = (
            f"{path}: longer than {MAX_BYTES} bytes, or a line of it than {MAX_LINE} characters. "
            "Mend the ledger: patterns with * are shorter."
        )
        raise ConformanceError(msg)
    return text


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except RecursionError:
        problem = "nested too deep"
    except ValueError as error:
        problem = one_line(str(error))
    msg = f"{path}: {problem}. Mend the ledger."
    raise ConformanceError(msg)


def _places(path: Path, text: str, table: str, entries: Sequence[Any]) -> Iterator[str]:
    """Of each entry its file, its line where that can be told, and the cases that it names."""
    header = re.compile(rf"\s*\[\[\s*{table}\s*\]\]")
    lines = [number for number, line in enumerate(text.split("\n"), 1) if header.match(line)]
    for index, entry in enumerate(entries):
        line = f":{lines[index]}" if len(lines) == len(entries) else ""
        cases = entry.get("cases") if isinstance(entry, dict) else None
        first = cases[0] if isinstance(cases, list) and cases else cases
        name = (
            f"the entry for {one_line(first)}" if isinstance(first, str) else f"entry {index + 1}"
        )
        yield f"{path}{line}: {name}"


def _one_pattern_each(entry: Any) -> list[Any]:
    """An entry for each pattern of a list, so that each is judged by itself."""
    cases = entry.get("cases") if isinstance(entry, dict) else None
    if cases == []:
        msg = "its list of cases is empty"
        raise ValueError(msg)
    return [entry | {"cases": each} for each in cases] if isinstance(cases, list) else [entry]


def _is_current(when: Mapping[str, str], versions: Mapping[str, str]) -> bool:
    ranges = {name: _range(name, wanted) for name, wanted in when.items()}
    return all(_holds(wanted, versions.get(name)) for name, wanted in ranges.items())


def _range(name: str, wanted: str) -> SpecifierSet:
    try:
        found = SpecifierSet(wanted)
        found.contains("1.0")  # Only now are its own versions read.
    except (InvalidSpecifier, ValueError):
        msg = f"`when.{name}` is {wanted[:40]!r}"
        raise ValueError(msg) from None
    return found


def _holds(wanted: SpecifierSet, version: str | None) -> bool:
    """Whether a version is in a range; one that cannot be told, as of a build, is in none."""
    try:
        return version is not None and wanted.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False
