"""What loops of PyTorch use of the coarse bound of their jobs, on random data.

    python benchmarks/job_bounds.py [SEEDS]

For each seed every model but dropout (conv for every fourth seed) is trained for three epochs of
three batches with every optimizer, in float32, and throughout in bfloat16 and float16 (the latter
without Adam, whose eps is 0 there). Prints the largest ratio of each dtype, and the median.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from job_loops import MODELS, OPTIMIZERS, scenario
from test_job_bounds import KEPT_IN, SOUND, used

FIRST_SEED = 100


def main(seeds: int) -> None:
    ratios: dict[str, list[float]] = defaultdict(list)
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        for model, job in MODELS.items():
            if model == "conv" and seed % 4:
                continue
            for dtype, optimizer in SOUND:
                settings = replace(job, epochs=3, optimizer=OPTIMIZERS[optimizer])
                ratios[dtype].append(used(scenario(settings, seed=seed), dtype, KEPT_IN[dtype]))
        print(f"\r{seed - FIRST_SEED + 1} of {seeds} seeds", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    count = sum(map(len, ratios.values()))
    print(f"{count} trainings of 9 steps, {seeds} seeds; parts of the coarse bound:")
    for dtype, found in ratios.items():
        print(f"  {dtype:9} largest {max(found):.2f}  median {np.median(found):.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
