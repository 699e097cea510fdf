"""Holds trainers to the policies that they are known to follow."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from conformance.errors import one_line
from conformance.ledgers import current_entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from conformance.results import Result


class Following(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry: the policy of an adapter on some cases.

    Attributes:
        cases: Pattern of full case ids; an entry of a file may give a list of them.
        policy: The one that it follows.
        dtypes: Where it does; empty means in all.
        devices: Kinds of device on which it does; empty means on all.
        when: Distribution to the version range that does.
    """

    cases: str
    policy: str
    dtypes: list[str] = []
    devices: list[str] = []
    when: dict[str, str] = {}

    def covers(self, case: str, device: str, dtype: str) -> bool:
        """Tell whether the entry speaks of this question."""
        return (
            fnmatchcase(case, self.cases)
            and (not self.dtypes or dtype in self.dtypes)
            and (not self.devices or device.partition(":")[0] in self.devices)
        )


@dataclass(frozen=True, slots=True)
class Followings:
    """The policies known for the versions installed, each with the file it stands in."""

    entries: tuple[tuple[Path, Following], ...] = ()

    def confirm(self, result: Result) -> Result:
        """``result``, as "failed" where it is right under another policy than the known one."""
        found = {output.policy for output in result.outputs.values()} - {None}
        if result.status != "passed" or not found:
            return result
        for path, entry in self.entries:
            covered = entry.covers(result.case, result.device, result.dtype)
            if covered and found != {entry.policy}:
                reason = (
                    f"follows {', '.join(sorted(map(str, found)))}, and {entry.policy} is known "
                    f"of it. Tell its users what has changed, then mend {path.name}."
                )
                return replace(result, status="failed", reason=reason)
        return result

    def stale(self, planned: Iterable[tuple[str, str, str]]) -> list[str]:
        """Sentences about entries that speak of none of the questions (case, device, dtype)."""
        plan = list(planned)
        return [
            f"{path}: the policy for {one_line(entry.cases)} matches nothing. Remove it."
            for path, entry in self.entries
            if not any(fnmatchcase(case, entry.cases) for case, _, _ in plan)
        ]


def load_followings(paths: Iterable[Path], versions: Mapping[str, str]) -> Followings:
    """Read the files of known policies, leaving out entries for other versions.

    Raises:
        ConformanceError: If a file is malformed, with the file and what to mend.
    """
    found = []
    for path in paths:
        entries = current_entries(path, "follows", Following, versions)
        found += [(path, entry) for entry in entries]
    return Followings(tuple(found))
