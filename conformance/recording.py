"""Records the results of a run as they come, then closes its run file and makes its report."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from conformance import __version__
from conformance.errors import ConformanceError
from conformance.model import Grade
from conformance.records import RUN_FORMAT, read_run, read_runs
from conformance.report import write_report
from conformance.results import Header, NotRun, Result
from conformance.wording import some_of
from conformance.writing import RunWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.bench import Bench
    from conformance.corpus import Corpus
    from conformance.results import Run


class Recorder:
    """Writes the results of one run, and knows what they add up to.

    Attributes:
        path: Of the run file; once finished, the one that it has come to.
        results: Those recorded.
        problems: What went wrong with the recording itself, a sentence each.
        notes: What a person should know of it and is no fault, a sentence each.
    """

    def __init__(
        self, path: Path, bench: Bench, corpus: Corpus, options: Mapping[str, str]
    ) -> None:
        self.path = path
        self.results: list[Result] = []
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._bench = bench
        self._corpus = corpus
        self._options = options
        self._writer: RunWriter | None = None

    def add(self, result: Result) -> None:
        """Record one result; once the file cannot be written, only remember it."""
        self.results.append(result)
        if self.problems:
            return
        try:
            if self._writer is None:
                self._writer = RunWriter(self.path, self._header())
            self._writer.add(result)
        except ConformanceError as error:
            self.problems.append(str(error))

    def finish(self, *, complete: bool) -> Run | None:
        """Close the run and read it back; it has no footer unless it is complete."""
        if self._writer is None or self.problems:
            return None
        try:
            if not complete:
                self._writer.abandon()
                return read_run(self._writer.partial)
            for record in (*self._bench.plan.not_run, *self._unselected()):
                self._writer.add(record)
            wanted, self.path = self.path, self._writer.close()
            if self.path != wanted:
                note = f"{wanted}: another run has been written there since this one began, and is "
                self.notes.append(f"{note}kept; this one is {self.path}.")
            return read_run(self.path)
        except ConformanceError as error:
            self.problems.append(str(error))
            return None

    def report(self, run: Run) -> Path | None:
        """Write the report of ``run``, merged with the runs kept in reference/ beside it.

        Returns:
            Its path: index.html beside run.jsonl.gz, NAME.html beside any other NAME.jsonl.gz.
        """
        folder = self.path.parent
        name = self.path.name.removesuffix(".gz").removesuffix(".jsonl")
        path = folder / ("index.html" if name == "run" else f"{name}.html")
        runs = [run]
        for kept in sorted((folder / "reference").glob("*.jsonl.gz")):
            try:
                runs += read_runs(kept)
            except ConformanceError as error:
                self.problems.append(str(error))
        try:
            write_report(runs, self._corpus.cases, path, self._corpus.glossary)
        except ConformanceError as error:
            self.problems.append(str(error))
            return None
        return path

    def stale(self) -> list[str]:
        """Sentences about deviations that nothing bears out any more."""
        problems = []
        whole = "cases" not in self._options
        for name in dict.fromkeys(group.adapter for group in self._bench.plan.groups):
            planned = [
                (item.case.id, item.group.device, item.group.dtype)
                for item in self._bench.plan.items
                if item.group.adapter == name
            ]
            results = [result for result in self.results if result.adapter == name]
            if results:
                problems += self._bench.ledger(name).stale(planned, results, whole=whole)
                problems += self._bench.followings(name).stale(planned) if whole else []
        return problems

    def table(self) -> list[str]:
        """Answers by adapter and grade, a line each."""
        grades = [grade.name for grade in Grade]
        titles = [*grades, "deviates", "not run"]
        rows: list[list[object]] = [["", *titles]]
        for name in dict.fromkeys(result.adapter for result in self.results):
            mine = [result for result in self.results if result.adapter == name]
            count = Counter(result.grade for result in mine if result.status != "deviates")
            deviates = sum(result.status == "deviates" for result in mine)
            rows.append([name, *(count[grade] for grade in grades), deviates, count[None]])
        widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
        return [
            f"{row[0]:{widths[0]}}"
            + "".join(
                f"{cell!s:>{width + 2}}" for cell, width in zip(row[1:], widths[1:], strict=True)
            )
            for row in rows
        ]

    def deviations(self) -> list[str]:
        """Known deviations by reason, a line each, with the number of their results."""
        known = Counter(
            (result.adapter, f"{result.reason} {result.deviation}")
            for result in self.results
            if result.status == "deviates"
        )
        adapters: dict[str, list[str]] = {}
        for adapter, reason in known:
            adapters.setdefault(reason, []).append(adapter)
        lines = []
        for reason, names in adapters.items():
            count = sum(known[name, reason] for name in names)
            lines.append(f"deviates: {count} by {some_of(names)}: {reason}")
        return lines

    def _unselected(self) -> list[NotRun]:
        """What the plan has and -k, a node id or the like has left out."""
        planned = Counter(
            (item.group.adapter, item.group.device) for item in self._bench.plan.items
        )
        planned.subtract((result.adapter, result.device) for result in self.results)
        return [
            NotRun(adapter=adapter, device=device, items=count, reason="not selected in this run")
            for (adapter, device), count in planned.items()
            if count > 0
        ]

    def _header(self) -> Header:
        versions = {"bce-conformance": __version__, "numpy": metadata.version("numpy")}
        devices: dict[str, str] = {}
        settings: dict[str, dict[str, str]] = {}
        for group in self._bench.plan.groups:
            try:
                versions |= self._bench.versions(group.adapter)
                facts = self._bench.device_facts(group)
                known = self._bench.device_settings(group)
            except ConformanceError:
                continue  # It cannot be imported; each of its questions says so.
            if devices.get(group.device, group.device) == group.device:
                devices[group.device] = facts
            settings.setdefault(group.device, {}).update(known)
        return Header(
            format=RUN_FORMAT,
            started=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            versions=versions,
            machine={
                "platform": platform.platform(),
                "processor": _processor(),
                "cores": str(os.cpu_count()),
                "python": platform.python_version(),
            },
            devices=devices,
            settings={device: known for device, known in settings.items() if known},
            options=self._options,
            corpus=self._corpus.sha256,
            cases=len(self._corpus.cases),
        )


def _processor() -> str:
    """The processor's name, where the system tells it; its architecture otherwise."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
