"""What a job costs in each trainer beside the same job in a raw PyTorch loop.

    python benchmarks/job_cost.py [ROUNDS]

Every job of one process that all adapters take, in float32, is done by each adapter in turn, round
after round; the medians are compared. Jobs of several processes are launched once for each trainer,
and their seconds stated: they are mostly the imports of the processes.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from typing import TYPE_CHECKING

from conformance import adapters
from conformance.asking import question_of
from conformance.corpus import load_corpus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conformance.adapters.base import LossAdapter
    from conformance.model import Case, Question

NAMES = ("numpy", "torch", "ignite", "lightning", "fabric", "accelerate")
SHARED = ("torch", "ignite", "lightning")


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def questions(cases: Sequence[Case]) -> list[Question]:
    return [question_of(case, "cpu", "float32") for case in cases]


def perform(adapter: LossAdapter, cases: Sequence[Case]) -> None:
    list(adapter.perform_all(questions(cases)))


def main(rounds: int) -> None:
    warnings.simplefilter("ignore")
    loaded = {name: adapters.load(name) for name in NAMES}
    jobs = [case for case in load_corpus().cases if case.job and "float32" in case.dtypes]
    alone = [
        case
        for case, question in zip(jobs, questions(jobs), strict=True)
        if case.job.processes == 1
        and all(adapter.decline(question) is None for adapter in loaded.values())
    ]
    times: dict[str, list[float]] = {name: [] for name in NAMES}
    for adapter in loaded.values():
        perform(adapter, alone[:5])  # The first of each pays for what is imported late.
    for _ in range(rounds):
        for name, adapter in loaded.items():
            times[name].append(seconds(lambda adapter=adapter: perform(adapter, alone)))
    median = {name: statistics.median(found) for name, found in times.items()}
    print(f"{len(alone)} jobs of one process, {rounds} rounds, medians:")
    for name in NAMES:
        each, ratio = median[name] / len(alone) * 1000, median[name] / median["torch"]
        print(f"  {name:12} {each:7.2f} ms a job  {ratio:6.2f} times torch")
    shared = [case for case in jobs if case.job.processes > 1]
    for name in SHARED:
        took = seconds(lambda name=name: perform(loaded[name], shared))
        print(f"{len(shared)} jobs of two processes in {name}: {took:.1f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
