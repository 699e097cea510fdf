"""What it costs to grade 100,000 elements, beside what it costs PyTorch to compute them.

    python benchmarks/grading_cost.py [ROUNDS]

The truths are prepared once, as a run does for all its adapters; the medians of the rounds are
compared, and a round does one after the other.
"""

from __future__ import annotations

import statistics
import sys
import time
from fractions import Fraction

import numpy as np
import torch

from conformance.bounds import softplus
from conformance.floats import FORMATS
from conformance.grading import grade_elements
from conformance.ulps import Reals

COUNT = 100_000


def main(rounds: int) -> None:
    logits = np.random.default_rng(0).normal(0, 10, COUNT).astype(np.float32)
    answers = softplus(logits.astype(np.float64))
    start = time.perf_counter()
    reals = Reals.prepare(map(Fraction, answers.tolist()), FORMATS["float32"])
    prepared = time.perf_counter() - start
    bounds = np.full(COUNT, 1e-7)
    tensor = torch.from_numpy(logits).requires_grad_()
    targets = torch.zeros(COUNT)
    grading, kernel = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        grade_elements(reals, answers, reals.errors(answers), bounds, bounds)
        grading.append(time.perf_counter() - start)
        start = time.perf_counter()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            tensor, targets, reduction="none"
        )
        loss.sum().backward()  # type: ignore[no-untyped-call]
        kernel.append(time.perf_counter() - start)
    one, other = statistics.median(grading) * 1000, statistics.median(kernel) * 1000
    print(f"{COUNT} elements, {rounds} rounds, medians")
    print(f"  prepare the truths, once    {prepared * 1000:8.1f} ms")
    print(f"  grade                       {one:8.1f} ms")
    print(f"  PyTorch, loss and gradient  {other:8.1f} ms")
    print(f"grading over PyTorch: {one / other:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
