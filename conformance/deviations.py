"""The known wrong answers of an adapter, each with its issue link."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads the annotations
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec.structs import replace

from conformance.errors import one_line
from conformance.ledgers import current_entries
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
            wrong value than the known one is not excused. Without outputs, what the reason of the
            result contains, such as "raised TypeError".
        since: The day on which the entry was written down. One that lies ahead is taken as it
            stands: which entries hold must not depend on a machine's clock.
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
    since: dt.date
    issue: str
    reason: str

    def __post_init__(self) -> None:
        """Refuse what is left open, as in a proposal that nobody has read."""
        for name in ("issue", "reason"):
            if not getattr(self, name).strip():
                asked = "where the fault is reported" if name == "issue" else "what goes wrong"
                msg = f"its {name} is empty: read the entry, find out {asked}, and write that"
                raise ValueError(msg)

    def covers(self, case: str, device: str, dtype: str) -> bool:
        """Tell whether the entry speaks of this question."""
        return (
            fnmatchcase(case, self.cases)
            and (not self.dtypes or dtype in self.dtypes)
            and (not self.devices or device.partition(":")[0] in self.devices)
        )

    def explains(self, result: Result) -> frozenset[str]:
        """The wrong outputs of ``result`` that are known; "error" for a missing or undue one."""
        if result.fault or not self.covers(result.case, result.device, result.dtype):
            return frozenset()
        if not result.outputs and not self.outputs and result.grade == self.grade:
            known = self.message in (result.reason or "")
            return frozenset({"error"}) if known else frozenset()
        return frozenset(
            name
            for name, output in result.outputs.items()
            if name in self.outputs
            and output.grade == self.grade
            and self.message in (output.message or "")
        )


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
        return replace(
            result,
            status="deviates",
            deviation=used[0].issue,
            since=min(entry.since for entry in used).isoformat(),
            reason=" ".join(dict.fromkeys(entry.reason for entry in used)),
        )

    def stale(
        self, planned: Iterable[Key], results: Iterable[Result], *, whole: bool = True
    ) -> list[str]:
        """Sentences about entries that nothing bears out any more.

        An entry is judged only when all that it covers has come up, and the adapter offers some of
        it; one for a device that was not planned is left alone.

        Args:
            planned: Every question to the adapter, run or not.
            results: Of those that came up; what the adapter has declined bears nothing out.
            whole: False if the suite's own cases were replaced by others: an entry that matches
                none of those is then left alone.
        """
        plan: dict[str, set[Key]] = {}
        for key in planned:
            plan.setdefault(key[0], set()).add(key)
        found = {(result.case, result.device, result.dtype): result for result in results}
        devices = {key[1].partition(":")[0] for keys in plan.values() for key in keys}
        problems = []
        for path, entry in self.entries:
            # Most patterns are the names of cases, of which there are many.
            cases = (
                [entry.cases]
                if entry.cases in plan
                else [case for case in plan if fnmatchcase(case, entry.cases)]
            )
            covered = {key for case in cases for key in plan[case] if entry.covers(*key)}
            elsewhere = (entry.devices and not devices & set(entry.devices)) or not (
                covered or whole
            )
            if elsewhere or not covered <= found.keys():
                continue
            offered = [found[key] for key in covered if _offered(found[key], entry)]
            if covered and not offered:
                continue
            if not any(_bears_out(result, entry) for result in offered):
                problem = "no longer deviates" if covered else "matches nothing"
                pattern = one_line(entry.cases)
                problems.append(f"{path}: the entry for {pattern} {problem}. Remove it.")
        return problems


def _offered(result: Result, entry: Deviation) -> bool:
    """Whether an adapter that gave this result could have deviated as the entry says."""
    kept = not entry.outputs or not set(entry.outputs) <= set(result.declined)
    return result.status != "not_run" and kept


def _bears_out(result: Result, entry: Deviation) -> bool:
    """Whether a result, explained or not, is as the entry says."""
    if result.status == "deviates" and not result.outputs:
        # What was raised, or not, has given way to the reasons of the entries that explain it.
        return not entry.outputs and entry.reason in (result.reason or "")
    return bool(entry.explains(result))


def load_ledger(paths: Iterable[Path], versions: Mapping[str, str]) -> Ledger:
    """Read the files of a ledger, leaving out entries for other versions than those installed.

    Raises:
        ConformanceError: If a file is malformed, with the file, the entry and what to mend.
    """
    found = []
    for path in paths:
        entries = current_entries(path, "deviation", Deviation, versions)
        found += [(path, entry) for entry in entries]
    return Ledger(tuple(found))
