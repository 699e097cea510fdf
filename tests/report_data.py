"""Builds single cases, results, runs for the tests of the report."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.floats import FORMATS
from conformance.grading import Grader
from conformance.model import Array, Case, Computed, Expected, Published, Raised
from conformance.operations import OPERATIONS
from conformance.results import Footer, Header, NotRun, Result, Run
from conformance.truth import expected_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDE = ("float32", "float64")
ALL = ("bfloat16", "float16", *WIDE)

Columns = list[np.ndarray[Any, Any]]

KNOWN = {
    "probabilities/extreme": ("pytorch#4867", "The gradient is bounded on purpose."),
}


def array(values: Any) -> Array:
    """A listed array of nested numbers."""
    given = np.asarray(values, dtype=float)
    return Array(given.shape, tuple(given.ravel().tolist()))


def case(
    identity: str,
    *,
    operation: str = "bce_with_logits",
    reduction: str = "none",
    dtypes: Sequence[str] = WIDE,
    policies: Sequence[str] = (),
    expected: Expected | None = None,
    about: str = "",
    flags: Sequence[str] = (),
    source: Sequence[str] = (),
    published: Published | None = None,
    positions: Sequence[int] = (),
    rounded: str | None = None,
    put: Mapping[str, Any] | None = None,
    outputs: Sequence[str] = (),
    **inputs: Any,
) -> Case:
    """A case; the oracle answers it unless ``expected`` is given."""
    group, _, name = identity.rpartition("/")
    asked = Case(
        id=identity,
        group=group,
        about=about or f"The answer to {name}.",
        operation=operation,  # type: ignore[arg-type]
        reduction=reduction,  # type: ignore[arg-type]
        dtypes=tuple(dtypes),  # type: ignore[arg-type]
        inputs={
            name: value if isinstance(value, Array) else array(value)
            for name, value in inputs.items()
        },
        outputs=tuple(outputs) or OPERATIONS[operation].outputs_for(inputs),  # type: ignore[index]
        positions=tuple(positions),
        policies=tuple(policies),
        expected=expected,
        flags=tuple(flags),
        source=tuple(source),
        published=published,
        inputs_rounded_to=rounded,  # type: ignore[arg-type]
        sha256=hashlib.sha256(identity.encode()).hexdigest(),
        path=Path("cases") / f"{group}.yaml",
        **(put or {}),
    )
    return asked if expected else dataclasses.replace(asked, expected=expected_for(asked))


def textbook(operation: str, x: Any, t: Any, w: Any, p: Any) -> Columns:
    """Loss and gradients as frameworks compute them, every step in the dtype of the inputs."""
    one, zero = x.dtype.type(1), x.dtype.type(0)
    if operation == "bce":
        low = x.dtype.type(-100)
        log, log1p = np.maximum(np.log(x), low), np.maximum(np.log1p(-x), low)
        gradient = (x - t) / np.maximum((one - x) * x, x.dtype.type(1e-12)) * w
        return [((t - one) * log1p - t * log) * w, gradient, (np.log1p(-x) - np.log(x)) * w]
    tail = np.log1p(np.exp(-np.abs(x)))
    right, left = np.minimum(x, zero) - tail, -np.maximum(x, zero) - tail
    loss = ((one - t) * x - ((p - one) * t + one) * right) * w
    gradient = ((p * t + one - t) / (one + np.exp(-x)) - p * t) * w
    return [loss, gradient, (left - p * right) * w]


def careful(operation: str, x: Any, t: Any, w: Any, p: Any) -> Columns:
    """The same without cancellation, computed wide and rounded once."""
    dtype = x.dtype
    x, t, w, p = (column.astype(np.float64) for column in (x, t, w, p))
    if operation == "bce":
        found = textbook(operation, x, t, w, p)
    else:
        plus, minus = np.logaddexp(0, x), np.logaddexp(0, -x)
        found = [
            w * (p * t * minus + (1 - t) * plus),
            w * ((1 - t) * np.exp(-minus) - p * t * np.exp(-plus)),
            w * (p * minus - plus),
        ]
    return [values.astype(dtype) for values in found]


def compute(case: Case, dtype: str, formula: Any) -> Computed:
    """The answer that ``formula`` gives in ``dtype``."""
    names = (*OPERATIONS[case.operation].inputs[:2], "weight", "pos_weight")
    shape = case.inputs[names[0]].shape
    absent = Array((), (1.0,))
    arrays = [case.inputs.get(name, absent) for name in names]
    columns = [
        np.broadcast_to(np.resize(item.values, item.shape), shape).astype(FORMATS[dtype].dtype)
        for item in arrays
    ]
    with np.errstate(all="ignore"):
        values = [np.asarray(value) for value in formula(case.operation, *columns)]
        if case.reduction != "none":
            values[0] = np.asarray(values[0].sum(dtype=values[0].dtype))
        if case.reduction == "mean":
            share = columns[0].dtype.type(columns[0].size)
            values = [np.asarray(value / share) for value in values]
    return Computed(**dict(zip(case.outputs, values, strict=True)))


GRADERS = {dtype: Grader(dtype) for dtype in ALL}


def result(
    case: Case,
    adapter: str,
    dtype: str = "float32",
    *,
    device: str = "cpu",
    formula: Any = textbook,
    **changes: Any,
) -> Result:
    """The result of one item; the textbook formula has its known deviations."""
    assert case.expected is not None
    raised = Raised("RuntimeError", "out of range") if case.expected.raises else None
    answer = raised or compute(case, dtype, formula)
    verdict = GRADERS[dtype].grade([(case, answer)])[0]
    facts: dict[str, Any] = {"status": "passed", "reason": verdict.reason}
    if verdict.grade.name == "wrong":
        facts["status"] = "failed"
        if formula is textbook and case.group in KNOWN:
            link, reason = KNOWN[case.group]
            facts = {"status": "deviates", "deviation": link, "reason": reason}
    if raised:
        facts["raised"] = f"{raised.type}: {raised.message}"
    base = {"case": case.id, "sha256": case.sha256, "adapter": adapter, "device": device}
    graded = {"grade": verdict.grade.name, "outputs": verdict.outputs, "dtype": dtype, "ms": 0.2}
    return Result(**{**base, **graded, **facts, **changes})


def not_run(case: Case, adapter: str, dtype: str, reason: str, device: str = "cpu") -> Result:
    """An item that was not run."""
    return Result(
        case=case.id,
        sha256=case.sha256,
        adapter=adapter,
        device=device,
        dtype=dtype,
        status="not_run",
        reason=reason,
    )


def run(
    results: Sequence[Result],
    *,
    name: str = "run.jsonl.gz",
    not_run: Sequence[NotRun] = (),
    truncated: bool = False,
    started: str = "2026-03-01T10:00:00Z",
    versions: Mapping[str, str] | None = None,
    cases: int = 0,
) -> Run:
    """A run of ``results``."""
    header = Header(
        format="bce-conformance-run/1",
        started=started,
        versions=versions
        or {
            "bce-conformance": "0.1.0",
            "numpy": "2.4.6",
            "pytorch-ignite": "0.5.5",
            "pytorch-lightning": "2.6.6",
            "torch": "2.13.0+cpu",
        },
        machine={
            "platform": "Linux x86-64",
            "processor": "EPYC 9654",
            "cores": "2",
            "threads": "1",
        },
        devices={"cpu": "AVX-512"},
        options={"require": "coarse"},
        corpus=hashlib.sha256(b"corpus").hexdigest(),
        cases=cases,
    )
    footer = None if truncated else Footer(counts={}, digest="")
    return Run(Path("reports") / name, header, results, tuple(not_run), footer)
