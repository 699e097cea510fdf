"""Searches for worst cases, confirms them, writes them into case files without answers.

The kernels of NumPy and PyTorch differ from CPU to CPU, and so do their worst cases. On one machine
the seed and the budget settle them. Prints a table of the largest errors.
"""

from __future__ import annotations

import argparse
import os
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from conformance import adapters
from conformance.corpus import default_root
from conformance.errors import ConformanceError
from conformance.floats import FORMATS
from conformance.model import DtypeName
from tools.worst_cases.climbing import climb
from tools.worst_cases.confirming import confirm, first_of_each, worth_keeping
from tools.worst_cases.domains import DOMAINS, ranges_of
from tools.worst_cases.files import FOLDERS, table, write
from tools.worst_cases.scoring import Scorer, goals_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.adapters.base import LossAdapter
    from conformance.operations import OperationName
    from tools.worst_cases.confirming import WorstCase

BUDGET = 1_000_000
DTYPES: tuple[DtypeName, ...] = get_args(DtypeName)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 1 where an answer is worse than its adapter's grade allows."""
    parser = argparse.ArgumentParser(prog="python -m tools.worst_cases", description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--budget", type=int, default=BUDGET, help="inputs tried in each search")
    parser.add_argument("--adapter", action="append", metavar="NAME", help="default: numpy, torch")
    parser.add_argument("--cases", type=Path, default=default_root(), help="the folder written to")
    options = parser.parse_args(arguments)
    # Read when PyTorch is imported: for batches of this size a second thread only costs.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        chosen = [adapters.load(name) for name in options.adapter or ("numpy", "torch")]
        found = [
            worst
            for operation in FOLDERS
            for dtype in DTYPES
            for adapter in chosen
            for worst in search(adapter, operation, dtype, options.seed, options.budget)
        ]
    except ConformanceError as error:
        print(error, file=sys.stderr)
        return 2
    generator = f"python -m tools.worst_cases --seed {options.seed}"
    if options.budget != BUDGET:
        generator += f" --budget {options.budget}"
    for operation, folder in FOLDERS.items():
        path = options.cases / folder / "worst_cases.json"
        kept = first_of_each(worth_keeping(w for w in found if w.case.operation == operation))
        if kept:
            write(path, kept, generator)
        print(f"{path}: {len(kept)} cases. Now run bce-conformance fill.", file=sys.stderr)
    print(table(found))
    beyond = [worst for worst in found if not worst.used <= 1]
    for worst in beyond:
        print(f"{worst.name}: beyond {worst.allowed}: {worst.case.inputs}", file=sys.stderr)
    return int(bool(beyond))


def search(
    adapter: LossAdapter, operation: OperationName, dtype: DtypeName, seed: int, budget: int
) -> list[WorstCase]:
    """The worst case of each domain and goal.

    Args:
        adapter: Whose errors are searched for.
        operation: Of which every output is a goal.
        dtype: That of the inputs.
        seed: With what it is asked about, it settles every choice.
        budget: How many inputs are tried in each domain.
    """
    scorer = Scorer(adapter, operation, dtype)
    found = []
    for domain in DOMAINS:
        name = f"{operation} {dtype} {adapter.name} {domain}"
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        ranges = ranges_of(operation, domain, FORMATS[dtype])
        candidates = climb(scorer, ranges, rng, budget)
        for goal in goals_of(operation):
            worst = confirm(scorer, domain, goal, ranges, candidates[goal])
            found.append(worst)
            print(f"{name}: {goal.output} {worst.ulp:.4g} ulp, {worst.used:.3g}", file=sys.stderr)
    return found


if __name__ == "__main__":
    sys.exit(main())
