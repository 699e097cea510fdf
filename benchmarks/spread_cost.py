"""What it costs to spread a run over processes: the same run by two workers and by one process.

    python benchmarks/spread_cost.py [ROUNDS]

Both are whole runs of PyTorch's eager ways, without a report; each round runs one after the other,
and the medians of the rounds are compared, by the clock and in processor time of all processes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ADAPTERS = ("torch", "torch:module", "torch:aten", "torch:checkpoint", "torch:double_backward")


def timed(*options: str, folder: Path) -> tuple[float, float, str]:
    """Seconds by the clock, seconds of processors, and the last line of what was said."""
    adapters = [part for name in ADAPTERS for part in ("--adapter", name)]
    command = ["run", *adapters, "--device", "cpu", "--no-report", *options]
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "conformance.cli", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    after, end = os.times(), time.perf_counter()
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    return end - start, used, done.stdout.splitlines()[-1]


def main(rounds: int) -> None:
    clock: dict[str, list[float]] = {"one process": [], "-n 2": []}
    processor: dict[str, list[float]] = {"one process": [], "-n 2": []}
    with tempfile.TemporaryDirectory() as name:
        for _ in range(rounds):
            said = set()
            for way, options in (("one process", ()), ("-n 2", ("-n", "2"))):
                seconds, used, last = timed(*options, folder=Path(name))
                clock[way].append(seconds)
                processor[way].append(used)
                said.add(last)
            if len(said) != 1:
                sys.exit(f"the two runs ended differently: {said}")
    print(f"{last}; {rounds} rounds, medians:")
    for way, column in clock.items():
        times = statistics.median(column), statistics.median(processor[way])
        print(f"  {way:12} {times[0]:7.1f} s by the clock  {times[1]:7.1f} s of processors")
    for name, columns in (("by the clock", clock), ("of processors", processor)):
        ratios = [
            two / one for one, two in zip(columns["one process"], columns["-n 2"], strict=True)
        ]
        print(f"-n 2 over one process, {name}: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
