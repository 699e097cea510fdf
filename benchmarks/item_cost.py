"""What a question costs beside a pytest test that does nothing: the same number, the same run.

    python benchmarks/item_cost.py [ROUNDS]

Prints the time of one of our items over that of an empty parametrized test. Both are whole
processes; each round runs one after the other, and the medians of the rounds are compared. The
imports of the frameworks are measured apart and left out of the ratio, and stated.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EMPTY = """
import pytest

@pytest.mark.parametrize("item", [f"case/{{n}}-adapter-cpu-float32" for n in range({count})])
def test_nothing(item):
    pass
"""
IMPORTS = "import torch, ignite.engine, pytorch_lightning, numpy"


def timed(*command: str, folder: Path) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - start, done.stdout


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pytest = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
        ours = (*pytest, "--pyargs", "conformance")
        _, listing = timed(*ours, "--collect-only", folder=folder)
        count = int(re.findall(r"(\d+) tests collected", listing)[-1])
        (folder / "test_empty.py").write_text(EMPTY.format(count=count), encoding="utf-8")
        columns: dict[str, list[float]] = {"empty": [], "imports": [], "run": [], "with report": []}
        for _ in range(rounds):
            columns["empty"].append(timed(*pytest, "test_empty.py", folder=folder)[0])
            columns["imports"].append(timed("-W", "ignore", "-c", IMPORTS, folder=folder)[0])
            columns["run"].append(timed(*ours, "--no-report", folder=folder)[0])
            columns["with report"].append(timed(*ours, folder=folder)[0])
    median = {name: statistics.median(times) for name, times in columns.items()}
    print(f"{count} items, {rounds} rounds, medians:")
    for name, seconds in median.items():
        print(f"  {name:12} {seconds:7.2f} s  {seconds / count * 1000:6.2f} ms an item")
    for name in ("run", "with report"):
        ratio = (median[name] - median["imports"]) / median["empty"]
        print(f"{name}, less imports, over empty: {ratio:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
