"""Spreads the questions of a run over the workers of pytest-xdist, group by group."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

from xdist.scheduler import LoadScopeScheduling

from conformance import adapters

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    import pytest

    from conformance.plan import Group


def preferred(waiting: Sequence[Group], mine: AbstractSet[str], others: AbstractSet[str]) -> Group:
    """Which of the groups to give to a worker.

    Args:
        waiting: The groups, one at least.
        mine: The dtypes in which the worker has been given groups.
        others: Those of the other workers.
    """

    def rank(group: Group) -> tuple[bool, bool, bool]:
        return not _compiles(group), group.dtype not in mine, group.dtype in others

    return min(waiting, key=rank)


class ByGroup(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Keeps a group on one worker, so that it is evaluated once.

    What takes longest is given out first, so that nobody waits for it at the end, and then what is
    of a dtype for which the worker has the truths ready. And where xdist would search a list for
    every test, and count all that a worker was ever given for every test that ends, this looks up
    and forgets: of a hundred thousand questions that was minutes.
    """

    def __init__(self, config: pytest.Config, log: Any, groups: Sequence[Group]) -> None:
        super().__init__(config, log)
        # A longer name may end like a shorter one.
        names = sorted(map(str, groups), key=len, reverse=True)

        @cache
        def group_of(id_: str) -> str | None:
            return next((name for name in names if id_.endswith(name)), None)

        self._group_of = group_of
        self._groups = {str(group): group for group in groups}
        self._dtypes: dict[Any, set[str]] = defaultdict(set)

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        """Take the tests that a worker has found, so that each can be found by its id."""
        super().add_node_collection(node, collection)
        if node in self.registered_collections:
            self.registered_collections[node] = _Tests(collection)

    def _split_scope(self, nodeid: str) -> str:
        # "...[logits/zero/plain-torch-cpu-float32]", or "...[ignite-cpu-float32]" of a group.
        return self._group_of(nodeid.partition("[")[2].rstrip("]")) or nodeid

    def _assign_work_unit(self, node: Any) -> None:
        mine = self._dtypes[node]
        others = set[str]().union(*(self._dtypes[each] for each in self._dtypes if each != node))
        waiting = [self._groups[name] for name in self.workqueue if name in self._groups]
        if waiting:
            group = preferred(waiting, mine, others)
            mine.add(group.dtype)
            self.workqueue.move_to_end(str(group), last=False)
        super()._assign_work_unit(node)

    def _pending_of(self, workload: dict[str, dict[str, bool]]) -> int:
        pending = 0
        for name, tests in list(workload.items()):
            left = list(tests.values()).count(False)
            pending += left
            if not left:
                del workload[name]
        return pending


class _Tests(list[str]):
    """Ids of tests, each of which knows its place."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(ids)
        self._places = {id_: place for place, id_ in enumerate(ids)}

    def index(self, id_: str, *_: Any) -> int:
        return self._places[id_]


def _compiles(group: Group) -> bool:
    return group.adapter in adapters.OURS and adapters.OURS[group.adapter].compiles
