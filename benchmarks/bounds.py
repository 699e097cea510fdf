"""How much of what the grades allow is used: the reference of "accurate", PyTorch of "coarse".

    python benchmarks/bounds.py [POINTS] [SEED]

Draws random elements, has the oracles answer them, and prints for each output and dtype the
largest error of the NumPy reference in units of u M, and of PyTorch in units of u C: what
docs/grading.md calls M and C, before the factor 8 of the grades. Points at which PyTorch overflows
on the way to a finite truth are counted apart.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance import adapters
from conformance.asking import ask_alone, question_of
from conformance.bounds import bounds_of
from conformance.floats import FORMATS, parse, round_to
from conformance.model import Array, Case, Computed
from conformance.operations import OPERATIONS
from conformance.truth import expected_for
from conformance.ulps import Reals

if TYPE_CHECKING:
    from conformance.floats import Format

Values = np.ndarray[Any, np.dtype[np.float64]]


def draw(operation: str, fmt: Format, count: int, rng: np.random.Generator) -> dict[str, Values]:
    """Elements over the whole range where no policy applies and no truth overflows."""
    kind = rng.integers(0, 6, count)
    targets = np.select(
        [kind == 0, kind == 1, kind == 2, kind == 3],
        [np.zeros(count), np.ones(count), rng.random(count), 10 ** rng.uniform(-8, 0, count)],
        1 - 10 ** rng.uniform(-8, 0, count),
    )
    if operation == "bce":
        edge = max(4 * fmt.unit_roundoff, 2e-12)
        low = 10 ** rng.uniform(np.log10(edge), 0, count)
        first = np.clip(np.where(rng.random(count) < 0.5, low, 1 - low), edge, 1 - edge)
        inputs = {"probabilities": first}
    else:
        largest = np.log10(min(3e4, fmt.max / 4))
        first = rng.choice([-1, 1], count) * 10 ** rng.uniform(-12, largest, count)
        inputs = {"logits": first, "pos_weight": 10 ** rng.uniform(-8, 4, count)}
    inputs["targets"] = targets
    inputs["direction"] = np.ones(count)
    return {
        name: np.array([round_to(float(value), fmt) for value in values])
        for name, values in inputs.items()
    }


def make_case(operation: str, dtype: Any, inputs: dict[str, Values]) -> Case:
    return Case(
        id="draw",
        group="draw",
        about="",
        operation=operation,  # type: ignore[arg-type]
        reduction="none",
        dtypes=(dtype,),
        inputs={name: Array(v.shape, tuple(map(float, v))) for name, v in inputs.items()},
        outputs=OPERATIONS[operation].outputs,
        positions=(),
        policies=(),
        expected=None,
        flags=(),
        source=(),
        published=None,
        inputs_rounded_to=None,
        sha256="",
        path=Path("draw"),
    )


def main(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    print(f"{count} points each, seed {seed}; largest error, and overflows on the way")
    print(
        f"{'operation':16}{'output':20}{'dtype':10}{'numpy, u M':>12}{'torch, u C':>12}{'over':>6}"
    )
    for operation in OPERATIONS:
        for dtype, fmt in FORMATS.items():
            case = make_case(operation, dtype, draw(operation, fmt, count, rng))
            question = question_of(case, "cpu", dtype)
            (truths,) = expected_for(case).alternatives
            bounds = bounds_of(case, fmt, None)
            answers = {
                name: ask_alone(adapters.load(name), question) for name in ("numpy", "torch")
            }
            for output, truth in truths.outputs.items():
                reals = Reals.prepare(map(parse, truth.values), fmt)
                inside = np.isfinite(reals.rounded)
                cells, over = [], 0
                for name, bound in (
                    ("numpy", bounds[output].accurate),
                    ("torch", bounds[output].coarse),
                ):
                    answer = answers[name]
                    if not isinstance(answer, Computed):
                        sys.exit(f"{name}: {answer}")
                    values = np.asarray(answer.outputs[output]).astype(np.float64)
                    with np.errstate(all="ignore"):
                        errors = np.ldexp(reals.errors(values), reals.exponent)
                        used = 8 * errors / bound
                    lost = inside & ~np.isfinite(values)
                    over = max(over, int(lost.sum()))
                    cells.append(np.nanmax(np.where(inside & ~lost, used, 0)))
                print(
                    f"{operation:16}{output:20}{dtype:10}{cells[0]:12.2f}{cells[1]:12.4g}{over:6}"
                )


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    main(*(arguments + [2000, 0][len(arguments) :]))
