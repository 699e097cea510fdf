"""Evaluates the groups of a plan, each once, when a result of it is first wanted."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from conformance import adapters
from conformance.adapters.base import attempt
from conformance.deviations import Ledger, load_ledger
from conformance.errors import ConformanceError
from conformance.following import Followings, load_followings
from conformance.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conformance.adapters.base import LossAdapter
    from conformance.model import Answer, Case, Grade
    from conformance.plan import Group, Item, Plan
    from conformance.results import Result


class Bench:
    """Evaluates each group of a plan in bulk, for the items selected of it.

    Attributes:
        plan: The plan.
    """

    def __init__(self, plan: Plan, require: Grade, repeat: int = 1) -> None:
        self.plan = plan
        self._runner = Runner(require, repeat, plan.targets)
        self._selected: Mapping[Group, Sequence[Case]] = {}
        self._adapters: dict[str, LossAdapter] = {}
        self._results: dict[Group, Mapping[str, Result] | ConformanceError] = {}

    def select(self, items: Iterable[Item]) -> None:
        """Restrict evaluation to ``items``; a group with none of them is evaluated whole."""
        selected = defaultdict(list)
        for item in items:
            selected[item.group].append(item.case)
        self._selected = selected

    def adapter(self, name: str) -> LossAdapter:
        """The adapter, imported when it is first wanted."""
        if name not in self._adapters:
            self._adapters[name] = adapters.load(self.plan.targets[name])
        return self._adapters[name]

    def cases(self, group: Group) -> Sequence[Case]:
        """The cases selected of a group."""
        selected = self._selected.get(group)
        return selected or [item.case for item in self.plan.items if item.group == group]

    def at_hand(self, item: Item) -> Result | None:
        """The result of an item whose group has been evaluated, all of it as it should be."""
        found = self._results.get(item.group)
        if found is None or isinstance(found, ConformanceError) or self.broke_off(item.group):
            return None
        return found.get(item.case.id)

    def results(self, group: Group) -> Mapping[str, Result]:
        """Results of a group, by case id.

        Raises:
            ConformanceError: If they cannot be had; the group is not evaluated again.
        """
        if group not in self._results:
            try:
                self._results[group] = {result.case: result for result in self._evaluate(group)}
            except ConformanceError as error:
                self._results[group] = error
        found = self._results[group]
        if isinstance(found, ConformanceError):
            raise ConformanceError(str(found))
        return found

    def _evaluate(self, group: Group) -> Sequence[Result]:
        return self._runner.run(
            self.adapter(group.adapter),
            group.device,
            group.dtype,
            self.cases(group),
            self.ledger(group.adapter),
            known=self.followings(group.adapter),
        )

    def ask_alone(self, group: Group, case: Case) -> Answer:
        """The answer to one question of a group in an evaluation of its own; never graded."""
        adapter = self.adapter(group.adapter)
        return self._runner.asker.ask_alone(adapter, group.device, group.dtype, case)

    def broke_off(self, group: Group) -> str | None:
        """Why the bulk evaluation of a group broke off, once it has been evaluated; or None."""
        return self._runner.asker.broke_off.get((group.adapter, group.device, group.dtype))

    def ledger(self, name: str) -> Ledger:
        """The known deviations of an adapter."""
        return load_ledger(self.adapter(name).ledgers(), self.versions(name))

    def followings(self, name: str) -> Followings:
        """The policies known of an adapter."""
        return load_followings(self.adapter(name).policies(), self.versions(name))

    def versions(self, name: str) -> Mapping[str, str]:
        """The versions behind an adapter; none if it cannot tell them."""
        found = attempt(self.adapter(name).versions)
        return found if isinstance(found, dict) else {}

    def device_facts(self, group: Group) -> str:
        """The name of a group's device, as far as its adapter knows it."""
        found = attempt(partial(self.adapter(group.adapter).device_facts, group.device))
        return found if isinstance(found, str) else group.device

    def device_settings(self, group: Group) -> dict[str, str]:
        """What else may change the numbers of a group's device, as its adapter knows it."""
        found = attempt(partial(self.adapter(group.adapter).device_settings, group.device))
        return found if isinstance(found, dict) else {}
