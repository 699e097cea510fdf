"""Fails unless the main job has run all that the corpus implies, and left a report of it."""

from __future__ import annotations

import sys
from pathlib import Path

from conformance.adapters import BUILT_IN, load
from conformance.asking import question_of
from conformance.corpus import load_corpus
from conformance.records import read_run

corpus = load_corpus()
run = read_run(Path("reports/run.jsonl.gz"))
report = Path("reports/index.html")

on_cpu, declined = set(), 0
for name in BUILT_IN:
    adapter = load(name)
    for case in corpus.cases:
        if adapter.decline(question_of(case, "cpu", case.dtypes[0])) is not None:
            declined += len(case.dtypes)
        else:
            on_cpu |= {(case.id, case.sha256, name, dtype) for dtype in case.dtypes}
executed = {
    (result.case, result.sha256, result.adapter, result.dtype)
    for result in run.results
    if result.device == "cpu" and result.status in ("passed", "deviates")
}
problems = [
    *(f"not executed: {' '.join(key)}" for key in sorted(on_cpu - executed)[:10]),
    *([] if run.footer else ["the run has no footer"]),
    *([] if report.exists() and report.stat().st_size > 100_000 else [f"no report at {report}"]),
]
print(*problems, sep="\n", file=sys.stderr)  # noqa: T201
print(f"{len(executed)} of {len(on_cpu)} questions executed on the CPU, {declined} declined")  # noqa: T201
sys.exit(bool(problems))
