"""Names several subjects together in few words."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conformance.report.evidence import Evidence, Subject

MANY = 3
"""From so many ways to run one framework on, they are named together."""

_FEW = 5
"""All ways but so many are named by those that are missing."""


class Names:
    """Names subjects: an adapter where all its versions and devices are meant, so many ways as one.

    "torch on cuda, numpy", or "all ways of torch (but torch:aten)".
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._known: dict[tuple[tuple[Subject, ...], tuple[Subject, ...]], str] = {}

    def of(self, members: Iterable[Subject], everybody: Iterable[Subject]) -> str:
        """The name of ``members`` among ``everybody`` who could be one; both are sorted."""
        key = tuple(members), tuple(everybody)
        if key not in self._known:
            self._known[key] = ", ".join(self._words(*key))
        return self._known[key]

    def _words(self, members: Sequence[Subject], everybody: Sequence[Subject]) -> Iterator[str]:
        for framework, found in groupby(members, key=lambda subject: subject.framework):
            peers = [subject for subject in everybody if subject.framework == framework]
            mine = list(found)
            yield from self._together(mine, peers) or self._each(mine, peers)

    def _together(self, members: Sequence[Subject], peers: Sequence[Subject]) -> list[str]:
        """Ways as one, or as one in each place; nothing where they are too few for that."""
        if len({subject.adapter for subject in peers}) < MANY:
            return []
        if words := self._all_but(members, peers, peers):
            return [words]
        found: list[str] = []
        told = False
        for place in sorted({subject[1:] for subject in peers}):
            mine = [subject for subject in members if subject[1:] == place]
            here = [subject for subject in peers if subject[1:] == place]
            if mine:
                words = self._all_but(mine, here, peers)
                told |= bool(words)
                found += [words] if words else self._each(mine, peers)
        return found if told else []

    def _all_but(
        self, members: Sequence[Subject], peers: Sequence[Subject], everywhere: Sequence[Subject]
    ) -> str:
        """All ``peers``, those of one or of all places, but for a few; "" where that is not so."""
        if len({subject.adapter for subject in members}) < MANY:
            return ""
        missing = list(self._each([one for one in peers if one not in members], peers))
        if len(missing) > _FEW or 2 * len(missing) > len(members):
            return ""
        framework = peers[0].framework
        missing = ["the plain form" if name == framework else name for name in missing]
        words = f"all ways of {framework}"
        if len(peers) < len(everywhere):
            versions = {subject.version for subject in everywhere}
            devices = {subject.device for subject in everywhere}
            words += f" {peers[0].version}" if len(versions) > 1 else ""
            words += f" on {peers[0].device}" if len(devices) > 1 else ""
        return f"{words} (but {', '.join(missing)})" if missing else words

    def _each(self, members: Sequence[Subject], peers: Sequence[Subject]) -> Iterator[str]:
        for adapter, subjects in groupby(members, key=lambda subject: subject.adapter):
            mine = list(subjects)
            others = [subject for subject in peers if subject.adapter == adapter]
            if len(mine) == len(others):
                yield adapter
                continue
            several = len({subject.device for subject in others}) > 1
            for subject in mine:
                name = self._evidence.named(subject)
                yield f"{name} on {subject.device}" if several else name


def by_framework(subjects: Iterable[Subject]) -> list[list[Subject]]:
    """Neighbours that are ways to run one framework together, every other subject by itself."""
    groups: list[list[Subject]] = []
    for _, found in groupby(subjects, key=lambda subject: subject.framework):
        alike = list(found)
        groups += [alike] if any(subject.way for subject in alike) else [[one] for one in alike]
    return groups
