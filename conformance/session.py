"""One run: evaluates groups when a result is first wanted, and records the results."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections import defaultdict
from importlib import metadata
from typing import TYPE_CHECKING

from conformance import __version__, adapters
from conformance.deviations import Ledger, load_ledger
from conformance.model import Header, Result
from conformance.records import RUN_FORMAT, RunWriter, read_run
from conformance.report import write_report
from conformance.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from conformance.adapters.base import LossAdapter
    from conformance.corpus import Corpus
    from conformance.model import Case, Grade, Run
    from conformance.plan import Group, Item, Plan


class Bench:
    """Evaluates each group of a plan once, in bulk, for the items selected of it."""

    def __init__(self, plan: Plan, require: Grade) -> None:
        self.plan = plan
        self._runner = Runner(require)
        self._selected: Mapping[Group, Sequence[Case]] = {}
        self._adapters: dict[str, LossAdapter] = {}
        self._results: dict[Group, dict[str, Result]] = {}

    def select(self, items: Iterable[Item]) -> None:
        """Restrict evaluation to ``items``; a group with none of them is evaluated whole."""
        selected = defaultdict(list)
        for item in items:
            selected[item.group].append(item.case)
        self._selected = selected

    def adapter(self, name: str) -> LossAdapter:
        """The adapter, imported when it is first wanted."""
        if name not in self._adapters:
            self._adapters[name] = adapters.load(name)
        return self._adapters[name]

    def cases(self, group: Group) -> Sequence[Case]:
        """The cases selected of a group."""
        selected = self._selected.get(group)
        return selected or [item.case for item in self.plan.items if item.group == group]

    def results(self, group: Group) -> Mapping[str, Result]:
        """Results of a group, by case id."""
        if group not in self._results:
            adapter = self.adapter(group.adapter)
            ledger = self.ledger(group.adapter)
            found = self._runner.run(adapter, group.device, group.dtype, self.cases(group), ledger)
            self._results[group] = {result.case: result for result in found}
        return self._results[group]

    def ledger(self, name: str) -> Ledger:
        """The known deviations of an adapter."""
        adapter = self.adapter(name)
        return load_ledger(adapter.ledgers(), adapter.versions())


class Recorder:
    """Writes the results of a run as they come, and knows what they add up to."""

    def __init__(
        self, path: Path, bench: Bench, corpus: Corpus, options: Mapping[str, str]
    ) -> None:
        self.path = path
        self.results: list[Result] = []
        self._bench = bench
        self._corpus = corpus
        self._options = options
        self._writer: RunWriter | None = None

    def add(self, result: Result) -> None:
        """Record one result."""
        if self._writer is None:
            self._writer = RunWriter(self.path, self._header())
        self.results.append(result)
        self._writer.add(result)

    @property
    def executed(self) -> int:
        """How many questions were answered."""
        return sum(result.status != "not_run" for result in self.results)

    def finish(self, *, complete: bool) -> Run | None:
        """Close the run, and read it back; without a footer unless it is complete."""
        if self._writer is None:
            return None
        for record in self._bench.plan.not_run:
            self._writer.add(record)
        if complete:
            self._writer.close()
            return read_run(self.path)
        return read_run(self._writer.abandon())

    def report(self) -> Path:
        """Write the report beside the run, merged with the runs kept in reference/ there."""
        folder = self.path.parent
        kept = sorted((folder / "reference").glob("*.jsonl.gz"))
        own = self.path if self.path.exists() else self.path.with_name(self.path.name + ".partial")
        path = folder / "index.html"
        runs = [read_run(run) for run in (own, *kept)]
        write_report(runs, self._corpus.cases, path, self._corpus.glossary)
        return path

    def stale(self) -> list[str]:
        """Sentences about deviations that nothing bears out any more."""
        problems = []
        for name in dict.fromkeys(group.adapter for group in self._bench.plan.groups):
            planned = [
                (item.case.id, item.group.device, item.group.dtype)
                for item in self._bench.plan.items
                if item.group.adapter == name
            ]
            own = self._bench.adapter(name).name
            results = [result for result in self.results if result.adapter == own]
            whole = "cases" not in self._options
            problems += self._bench.ledger(name).stale(planned, results, whole=whole)
        return problems

    def _header(self) -> Header:
        versions = {"bce-conformance": __version__, "numpy": metadata.version("numpy")}
        devices: dict[str, str] = {}
        for group in self._bench.plan.groups:
            adapter = self._bench.adapter(group.adapter)
            versions |= adapter.versions()
            devices[group.device] = max(
                devices.get(group.device, ""), adapter.device_facts(group.device), key=len
            )
        return Header(
            format=RUN_FORMAT,
            started=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            versions=versions,
            machine={
                "platform": platform.platform(),
                "machine": platform.machine(),
                "python": platform.python_version(),
                "cores": str(os.cpu_count()),
            },
            devices=devices,
            options=self._options,
            corpus=self._corpus.sha256,
            cases=len(self._corpus.cases),
        )
