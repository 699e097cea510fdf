"""Runs scripts in a fresh process, and reads the numbers that they print."""

from __future__ import annotations

import functools
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.asking import ask_alone, question_of
from conformance.corpus import load_corpus
from conformance.model import Computed, Declined
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from conformance.adapters.base import LossAdapter
    from conformance.model import Answer, Case

OUTPUTS = {name for operation in OPERATIONS.values() for name in operation.outputs}
_RUNNER = """
import runpy, sys, warnings
warnings.simplefilter("ignore")
for path in sys.argv[1:]:
    print("script", path, flush=True)
    try:
        runpy.run_path(path)
    except Exception as error:
        lines = str(error).strip().splitlines()
        print("raised", type(error).__name__, lines[0] if lines else "", flush=True)
"""


@functools.cache
def cases() -> tuple[Case, ...]:
    """The suite's own, loaded once."""
    return load_corpus().cases


@dataclass
class Printed:
    """What a script printed: of each output the values, a row each time; what it raised."""

    values: dict[str, list[list[float]]] = field(default_factory=dict)
    raised: str | None = None


def run_scripts(scripts: Sequence[str], folder: Path) -> list[Printed]:
    """Run scripts one after the other, in one process that has nothing of the suite loaded."""
    paths = [folder / f"script_{index}.py" for index in range(len(scripts))]
    for path, script in zip(paths, scripts, strict=True):
        path.write_text(script, encoding="utf-8")
    command = [sys.executable, "-c", _RUNNER, *map(str, paths)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=240, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    parts = done.stdout.split("script ")[1:]
    assert len(scripts) == len(parts), done.stderr
    return [_read(part.splitlines()[1:]) for part in parts]


def _read(lines: Sequence[str]) -> Printed:
    printed = Printed()
    for line in lines:
        name, _, text = line.partition(" ")
        if name == "raised":
            printed.raised = text
        elif name in OUTPUTS:
            value = eval(text, {"nan": np.nan, "inf": np.inf})
            printed.values.setdefault(name, []).append(np.ravel(np.asarray(value, float)).tolist())
    return printed


def answer_of(adapter: LossAdapter, case: Case, dtype: str) -> Answer:
    """What the adapter answers in a run of its own."""
    return ask_alone(adapter, question_of(case, "cpu", dtype))


def offers(adapter: LossAdapter, case: Case, dtype: str) -> bool:
    """Whether the adapter answers all that the case asks for."""
    if case.job is None and not set(case.outputs) <= adapter.outputs:
        return False
    return not isinstance(adapter.decline(question_of(case, "cpu", dtype)), Declined)


def expected_of(case: Case, answer: Computed, name: str) -> list[float]:
    """The elements of an answer's output that a script prints."""
    values = np.ravel(answer.outputs[name].astype(float))
    assert case.expected is not None
    truths = [item.outputs[name] for item in case.expected.alternatives if name in item.outputs]
    if case.job is None and truths and truths[0].positions is not None:
        values = values[list(truths[0].positions)]
    return values.tolist()


def same_bits(a: Any, b: Any) -> bool:
    """Equal with the signs of zeros; every NaN equals every other."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    signs = np.signbit(a) == np.signbit(b)
    return bool(np.array_equal(a, b, equal_nan=True) and np.all(signs | np.isnan(a)))
