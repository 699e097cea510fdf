"""The known wrong answers of an adapter, each with its issue link."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec.structs import replace
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from conformance.errors import ConformanceError
from conformance.model import Grade

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from conformance.results import Result


class Deviation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry of a ledger.

    Attributes:
        cases: Pattern of full case ids, with ``*`` for any characters. An entry of a file may
            give a list of them, and is then one deviation for each.
        outputs: The outputs that are wrong; empty where an error is missing or undue.
        dtypes: Where it shows; empty means in all.
        devices: Kinds of device on which it shows; empty means on all.
        when: Distribution to the version range that has it, such as ``torch = ">=2.0"``.
        grade: The grade that is known.
        message: What the message of each such output contains, such as "got nan"; so that another
            wrong value than the known one is not excused.
        issue: Link to the report of it, or to where it is explained.
        reason: One sentence.
    """

    cases: str
    outputs: list[str] = []
    dtypes: list[str] = []
    devices: list[str] = []
    when: dict[str, str] = {}
    grade: Literal["coarse", "wrong"]
    message: str = ""
    issue: str
    reason: str

    def covers(self, case: str, device: str, dtype: str) -> bool:
        """Tell whether the entry speaks of this question."""
        return (
            fnmatchcase(case, self.cases)
            and (not self.dtypes or dtype in self.dtypes)
            and (not self.devices or device.partition(":")[0] in self.devices)
        )

    def explains(self, result: Result) -> frozenset[str]:
        """The wrong outputs of ``result`` that are known; "error" for a missing or undue one."""
        if not self.covers(result.case, result.device, result.dtype):
            return frozenset()
        if not result.outputs and not self.outputs and result.grade == self.grade:
            return frozenset({"error"})
        return frozenset(
            name
            for name, output in result.outputs.items()
            if name in self.outputs
            and output.grade == self.grade
            and self.message in (output.message or "")
        )


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    deviation: list[Deviation] = []


Key = tuple[str, str, str]
"""A case id, a device and a dtype."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The deviations that hold for the versions installed, each with the file it stands in."""

    entries: tuple[tuple[Path, Deviation], ...] = ()

    def explain(self, result: Result, require: Grade) -> Result:
        """``result``, as "deviates" where entries account for all that fails in it."""
        if result.status != "failed":
            return result
        failing = {name for name, out in result.outputs.items() if Grade[out.grade] > require}
        failing = failing or {"error"}
        used = [entry for _, entry in self.entries if failing & entry.explains(result)]
        if not failing <= {name for entry in used for name in entry.explains(result)}:
            return result
        reasons = " ".join(dict.fromkeys(entry.reason for entry in used))
        return replace(result, status="deviates", deviation=used[0].issue, reason=reasons)

    def stale(
        self, planned: Iterable[Key], results: Iterable[Result], *, whole: bool = True
    ) -> list[str]:
        """Sentences about entries that nothing bears out any more.

        An entry is judged only when all that it covers has been run; one for a device that was
        not planned is left alone.

        Args:
            planned: Every question to the adapter, run or not.
            results: Of those that were run.
            whole: False if the suite's own cases were replaced by others: an entry that matches
                none of those is then left alone.
        """
        plan = set(planned)
        found = {(result.case, result.device, result.dtype): result for result in results}
        devices = {device.partition(":")[0] for _, device, _ in plan}
        problems = []
        for path, entry in self.entries:
            covered = {key for key in plan if entry.covers(*key)}
            elsewhere = (entry.devices and not devices & set(entry.devices)) or not (
                covered or whole
            )
            if elsewhere or not covered <= found.keys():
                continue
            if not any(entry.explains(found[key]) for key in covered):
                problem = "no longer deviates" if covered else "matches nothing"
                problems.append(f"{path}: the entry for {entry.cases} {problem}. Remove it.")
        return problems


def load_ledger(paths: Iterable[Path], versions: Mapping[str, str]) -> Ledger:
    """Read the files of a ledger, leaving out entries for other versions than those installed.

    Raises:
        ConformanceError: If a file is malformed, with the file and what to mend.
    """
    found = []
    for path in paths:
        entries = current_entries(path, "deviation", _File, versions)
        found += [(path, entry) for entry in entries]
    return Ledger(tuple(found))


def current_entries(path: Path, table: str, kind: type[Any], versions: Mapping[str, str]) -> Any:
    """The entries of one file that hold for ``versions``, one for each pattern of cases.

    Args:
        path: A TOML file whose entries stand in one array of tables.
        table: The name of the array, and of the attribute of ``kind`` that holds them.
        kind: The structure of the file; its entries have ``when``, distribution to range.
        versions: Distribution to the version installed.

    Raises:
        ConformanceError: If the file is malformed, with the file and what to mend.
    """
    try:
        with path.open("rb") as file:
            raw: Any = tomllib.load(file)
        entries = getattr(msgspec.convert(_one_pattern_each(raw, table), kind), table)
        return [entry for entry in entries if _is_current(entry.when, versions)]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        msg = f"{path}: {error}. Mend the ledger."
        raise ConformanceError(msg) from None
    except InvalidSpecifier as error:
        msg = f"{path}: {error}. Write a version range such as '>=2.0,<3'."
        raise ConformanceError(msg) from None


def _one_pattern_each(raw: dict[str, Any], table: str) -> dict[str, Any]:
    """The file with an entry for each pattern of a list, so that each is judged by itself."""
    entries = raw.get(table)
    if not isinstance(entries, list):
        return raw
    single = []
    for entry in entries:
        cases = entry.get("cases") if isinstance(entry, dict) else None
        single += (
            [entry | {"cases": each} for each in cases] if isinstance(cases, list) else [entry]
        )
    return raw | {table: single}


def _is_current(when: Mapping[str, str], versions: Mapping[str, str]) -> bool:
    return all(
        name in versions and SpecifierSet(wanted).contains(versions[name], prereleases=True)
        for name, wanted in when.items()
    )
