"""Fails unless a run has executed all that the corpus implies, and left a report of it.

Usage: expect_run.py RUN REPORT DTYPE [ADAPTER ...]. The dtype may be "all". Adapters are given as
the run was asked for them, by name or pattern; none stands for the built-in ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

from conformance.adapters import BUILT_IN, expand, load
from conformance.asking import question_of
from conformance.corpus import load_corpus
from conformance.records import read_run

path, report, dtype, *names = sys.argv[1:]
corpus = load_corpus()
run = read_run(Path(path))

on_cpu, declined = set(), 0
for name in expand(names) or BUILT_IN:
    adapter = load(name)
    for case in corpus.cases:
        dtypes = [each for each in case.dtypes if dtype in (each, "all")]
        offered = case.job is not None or adapter.outputs & set(case.outputs)
        if not offered or adapter.decline(question_of(case, "cpu", case.dtypes[0])) is not None:
            declined += len(dtypes)
        else:
            on_cpu |= {(case.id, case.sha256, name, each) for each in dtypes}
executed = {
    (result.case, result.sha256, result.adapter, result.dtype)
    for result in run.results
    if result.device == "cpu" and result.status in ("passed", "deviates")
}
problems = [
    *(f"not executed: {' '.join(key)}" for key in sorted(on_cpu - executed)[:10]),
    *([] if run.footer else ["the run has no footer"]),
    *([] if Path(report).exists() and Path(report).stat().st_size > 100_000 else ["no report"]),
]
print(*problems, sep="\n", file=sys.stderr)  # noqa: T201
print(f"{len(executed)} of {len(on_cpu)} questions executed on the CPU, {declined} declined")  # noqa: T201
sys.exit(bool(problems))
