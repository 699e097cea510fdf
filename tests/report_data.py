"""Builds the runs and cases of which the report's tests make pages.

Truths are computed here in decimal arithmetic and answers with NumPy, so that pages look as those
of real runs do; the grades follow the bounds in outline only.
"""

from __future__ import annotations

import hashlib
import math
from decimal import Context, Decimal, localcontext
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.floats import FORMATS
from conformance.model import (
    OPERATIONS,
    Alternative,
    Array,
    Case,
    Expected,
    Footer,
    Header,
    NotRun,
    OutputResult,
    Published,
    Result,
    Run,
    Truth,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HOSTILE = "</script><img src=x onerror=alert(1)>"
WIDE = ("float32", "float64")
ALL = ("bfloat16", "float16", *WIDE)
GRADES = ("exact", "faithful", "accurate", "coarse", "wrong")


def array(values: Any) -> Array:
    """A listed array of nested numbers."""
    given = np.asarray(values, dtype=float)
    return Array(given.shape, tuple(given.ravel().tolist()))


def _softplus(z: Decimal) -> Decimal:
    return (1 + z.exp()).ln()


def _logistic(z: Decimal) -> Decimal:
    return 1 / (1 + (-z).exp())


def _true_logits(
    x: Decimal, t: Decimal, w: Decimal, p: Decimal
) -> tuple[Decimal, Decimal, Decimal]:
    loss = w * (p * t * _softplus(-x) + (1 - t) * _softplus(x))
    return (
        loss,
        w * ((1 - t) * _logistic(x) - p * t * _logistic(-x)),
        w * (p * _softplus(-x) - _softplus(x)),
    )


def _true_probabilities(
    q: Decimal, t: Decimal, w: Decimal, _: Decimal
) -> tuple[Decimal, Decimal, Decimal]:
    one, other = -q.ln(), -(1 - q).ln()
    loss = w * (t * one + (1 - t) * other)
    return loss, w * ((1 - t) / (1 - q) - t / q), w * (one - other)


def _filled(given: Array | None, shape: tuple[int, ...]) -> list[float]:
    values = np.resize(given.values, given.shape) if given is not None else np.ones(shape)
    return np.broadcast_to(values, shape).ravel().tolist()  # type: ignore[no-any-return]


def digits(value: Decimal) -> str:
    """``value`` to 40 significant digits, as a case writes it."""
    return str(Context(prec=40).plus(value)).lower()


def truths(
    operation: str, reduction: str, inputs: Mapping[str, Array], positions: Sequence[int] = ()
) -> dict[str, Truth]:
    """The truth of every output of finite inputs."""
    first, second = OPERATIONS[operation].inputs[:2]  # type: ignore[index]
    shape = inputs[first].shape
    function = _true_logits if operation == "bce_with_logits" else _true_probabilities
    columns = [_filled(inputs.get(name), shape) for name in (first, second, "weight", "pos_weight")]
    with localcontext() as context:
        context.prec = 140
        cache: dict[tuple[float, ...], tuple[Decimal, Decimal, Decimal]] = {}
        rows = []
        for row in zip(*columns, strict=True):
            if row not in cache:
                cache[row] = function(*map(Decimal, row))
            rows.append(cache[row])
        count = max(1, len(rows))
        share = count if reduction == "mean" else 1
        losses = [row[0] for row in rows]
        loss = losses if reduction == "none" else [sum(losses, Decimal(0)) / share]
        gradients = [[row[index] / share for row in rows] for index in (1, 2)]
    names = OPERATIONS[operation].gradients  # type: ignore[index]
    kept = tuple(positions) or None
    found = {"loss": (loss, shape if reduction == "none" else ())}
    found |= {name: (values, shape) for name, values in zip(names, gradients, strict=True)}
    return {
        name: Truth(
            size,
            tuple(digits(values[at]) for at in (kept or range(len(values))))
            if size
            else tuple(map(digits, values)),
            kept if size else None,
        )
        for name, (values, size) in found.items()
    }


def case(
    id: str,
    *,
    operation: str = "bce_with_logits",
    reduction: str = "none",
    dtypes: Sequence[str] = WIDE,
    alternatives: Sequence[Alternative] | None = None,
    raises: bool = False,
    about: str = "",
    flags: Sequence[str] = (),
    source: Sequence[str] = (),
    published: Published | None = None,
    positions: Sequence[int] = (),
    rounded: str | None = None,
    **inputs: Any,
) -> Case:
    """A case; its truth is computed unless ``alternatives`` give it."""
    arrays = {
        name: value if isinstance(value, Array) else array(value) for name, value in inputs.items()
    }
    if alternatives is None:
        known = () if raises else (Alternative(None, truths(operation, reduction, arrays, positions)),)
        alternatives = known
    return Case(
        id=id,
        group=id.rpartition("/")[0],
        about=about or f"The answer to {id.rpartition('/')[2]}.",
        operation=operation,  # type: ignore[arg-type]
        reduction=reduction,  # type: ignore[arg-type]
        dtypes=tuple(dtypes),  # type: ignore[arg-type]
        inputs=arrays,
        outputs=OPERATIONS[operation].outputs,  # type: ignore[index]
        positions=tuple(positions),
        policies=tuple(item.policy for item in alternatives if item.policy),
        expected=Expected(raises=raises, alternatives=tuple(alternatives)),
        flags=tuple(flags),
        source=tuple(source),
        published=published,
        inputs_rounded_to=rounded,  # type: ignore[arg-type]
        sha256=hashlib.sha256(id.encode()).hexdigest(),
        path=Path("cases") / f"{id.rpartition('/')[0]}.yaml",
        line=7,
    )


def _textbook(operation: str, dtype: str, columns: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Loss and gradients as frameworks compute them, every step in ``dtype``."""
    first, t, w, p = (column.astype(FORMATS[dtype].dtype) for column in columns)
    one = first.dtype.type(1)
    with np.errstate(all="ignore"):
        if operation == "bce":
            low = first.dtype.type(-100)
            log, log1p = np.maximum(np.log(first), low), np.maximum(np.log1p(-first), low)
            gradient = (first - t) / np.maximum((one - first) * first, first.dtype.type(1e-12)) * w
            return [((t - one) * log1p - t * log) * w, gradient, (log1p - log) * w]
        tail = np.log1p(np.exp(-np.abs(first)))
        log_sigmoid = np.minimum(first, one * 0) - tail
        factor = (p - one) * t + one
        gradient = ((p * t + one - t) / (one + np.exp(-first)) - p * t) * w
        other = -np.maximum(first, one * 0) - tail
        return [((one - t) * first - factor * log_sigmoid) * w, gradient, (other - p * log_sigmoid) * w]


def _careful(operation: str, dtype: str, columns: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The same without cancellation, computed wide and rounded once."""
    first, t, w, p = (column.astype(np.float64) for column in columns)
    with np.errstate(all="ignore"):
        if operation == "bce":
            outputs = _textbook(operation, "float64", columns)
        else:
            plus = np.logaddexp(0, first)
            minus = np.logaddexp(0, -first)
            right, left = np.exp(-minus), np.exp(-plus)
            outputs = [
                w * (p * t * minus + (1 - t) * plus),
                w * ((1 - t) * right - p * t * left),
                w * (p * minus - plus),
            ]
        return [output.astype(FORMATS[dtype].dtype) for output in outputs]


FORMULAS = {"careful": _careful, "textbook": _textbook}


def _ulp(true: Decimal, dtype: str) -> Decimal:
    format_ = FORMATS[dtype]
    exponent = format_.emin
    if true:
        with localcontext() as context:
            context.prec = 60
            binary = math.floor((abs(true).ln() / Decimal(2).ln()))
        exponent = max(format_.emin, binary)
    return Decimal(2) ** (exponent - format_.precision + 1)


def _grade(values: np.ndarray, truth: Truth, dtype: str, policy: str | None) -> OutputResult:
    format_ = FORMATS[dtype]
    ulps: list[float | None] = []
    ratio = 0.0
    kept = values.ravel() if truth.positions is None else values.ravel()[list(truth.positions)]
    for answer, text in zip(kept.astype(float).tolist(), truth.values, strict=True):
        true = Decimal(text)
        if not math.isfinite(answer) or not true.is_finite():
            same = str(answer) == text or (math.isnan(answer) and text == "nan")
            ulps.append(0.0 if same else None)
            continue
        error = abs(Decimal(answer) - true)
        ulps.append(float(error / _ulp(true, dtype)))
        allowed = 16 * format_.unit_roundoff * max(1.0, abs(float(true)))
        ratio = max(ratio, float(error) / allowed)
    worst = max((math.inf if ulp is None else ulp for ulp in ulps), default=0.0)
    bounds = ((0.5, "exact"), (1, "faithful"), (4, "accurate"))
    grade = next((name for bound, name in bounds if worst <= bound), "coarse" if ratio <= 1 else "wrong")
    if None in ulps:
        grade = "wrong"
    raw = np.ascontiguousarray(values).tobytes()
    return OutputResult(
        grade=grade,
        ulp=None if None in ulps else worst,
        ratio=None if None in ulps else ratio,
        policy=policy,
        ulps=ulps if len(ulps) <= 64 else (),
        dtype=dtype,
        shape=list(values.shape),
        bits=raw.hex() if len(raw) <= 256 else None,
        digest=None if len(raw) <= 256 else hashlib.sha256(raw).hexdigest(),
        message=f"element 0 is {kept[0]}, {worst:.3g} ulp from the truth" if grade == "wrong" else None,
    )


def outputs(case: Case, dtype: str, formula: str) -> dict[str, OutputResult]:
    """The graded answers that ``formula`` gives in ``dtype``."""
    first, second = OPERATIONS[case.operation].inputs[:2]
    shape = case.inputs[first].shape
    names = (first, second, "weight", "pos_weight")
    columns = [np.array(_filled(case.inputs.get(name), shape)).reshape(shape) for name in names]
    values = FORMULAS[formula](case.operation, dtype, columns)
    if case.reduction != "none":
        values[0] = np.asarray(values[0].sum(dtype=values[0].dtype))
        if case.reduction == "mean":
            share = values[0].dtype.type(columns[0].size)
            values = [value / share for value in values]
    assert case.expected is not None
    best: dict[str, OutputResult] = {}
    for alternative in case.expected.alternatives:
        graded = {
            name: _grade(np.asarray(value), alternative.outputs[name], dtype, alternative.policy)
            for name, value in zip(case.outputs, values, strict=True)
            if name in alternative.outputs
        }
        ranks = [max(GRADES.index(item.grade) for item in g.values()) for g in (graded, best) if g]
        if not best or ranks[0] < ranks[1]:
            best = graded
    return best


def result(
    case: Case,
    adapter: str,
    dtype: str = "float32",
    *,
    device: str = "cpu",
    formula: str = "textbook",
    known: Mapping[str, tuple[str, str]] | None = None,
    **changes: Any,
) -> Result:
    """The result of one item; ``known`` maps a group to the link and reason of its deviation."""
    if case.expected is not None and case.expected.raises:
        facts = {"status": "passed", "grade": "exact", "raised": "RuntimeError: out of range"}
    else:
        graded = outputs(case, dtype, formula)
        grade = max((item.grade for item in graded.values()), key=GRADES.index)
        facts = {"status": "passed", "grade": grade, "outputs": graded}
        if grade == "wrong":
            link, reason = (known or {}).get(case.group, ("", ""))
            facts |= {"status": "deviates", "deviation": link, "reason": reason} if link else {}
            facts |= {} if link else {"status": "failed", "reason": "loss is wrong"}
    base = {"case": case.id, "sha256": case.sha256, "adapter": adapter, "device": device}
    return Result(**{**base, "dtype": dtype, "ms": 0.2, **facts, **changes})


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
        machine={"platform": "Linux x86-64", "processor": "EPYC 9654", "cores": "2", "threads": "1"},
        devices={"cpu": "AVX-512"},
        options={"require": "coarse"},
        corpus=hashlib.sha256(b"corpus").hexdigest(),
        cases=cases,
    )
    footer = None if truncated else Footer(counts={}, digest="")
    return Run(Path("reports") / name, header, results, tuple(not_run), footer)


def corpus() -> list[Case]:
    """A small corpus with every kind of case."""
    grid = (0.125, 0.5, 1, 2, 4, 6, 8, 10, 12, 14, 17, 20, 24, 28, 32, 37, 40, 48, 64, 80, 96, 120)
    halves = (0.0, 1.0, 0.25)
    cases = [
        case(
            f"logits/{group}/{'minus' if sign < 0 else 'plus'}_{str(x).replace('.', '_')}_t{index}",
            about=f"The tail at {sign * x}, target {halves[index]}.",
            dtypes=ALL,
            flags=["NegativeTail"] if sign < 0 else [],
            source=["pytorch#195529"],
            logits=[sign * x],
            targets=[halves[index]],
        )
        for group, sign in (("negative_tail", -1), ("positive_tail", 1))
        for x, index in product(grid, range(3))
    ]
    moderate = np.round(np.linspace(-5, 5, 8) * 16) / 16
    for index, (reduction, group) in enumerate(
        product(("none", "mean", "sum"), ("moderate", "weights", "pos_weight", "soft_targets"))
    ):
        options: dict[str, Any] = {}
        if group == "weights":
            options["weight"] = [0.5, 2, 1, 0, 4, 1, 1, 8]
        if group == "pos_weight":
            options["pos_weight"] = [100.0] * 8
        target = 0.375 if group == "soft_targets" else 1.0
        cases.append(
            case(
                f"logits/{group}/{reduction}",
                reduction=reduction,
                dtypes=ALL if index % 2 else WIDE,
                logits=moderate,
                targets=[0, target] * 4,
                **options,
            )
        )
    cases += [
        case("logits/shape/scalar", logits=0.5, targets=1, source=["ignite#41", "a book, p. 3"]),
        case("logits/shape/matrix", logits=[[0.5, -1], [2, 40]], targets=[[1, 0], [0.5, 0]]),
        case("logits/shape/empty", logits=Array((0,), ()), targets=Array((0,), ())),
        case(
            "logits/large/sum",
            reduction="sum",
            logits=Array((2000,), (-1.5, 0.25, 3.0), described=True),
            targets=Array((2000,), (0.5,), described=True),
            positions=(0, 1, 1999),
        ),
        case("logits/bad/bool_targets", logits=[0.5], targets=[2], raises=True),
    ]
    nan, inf = Truth((1,), ("nan",)), Truth((1,), ("inf",))
    for name, x, target, limit in (("plus_t1", math.inf, 1, "0"), ("minus_t0", -math.inf, 0, "0")):
        one = {"logits_grad": Truth((1,), ("0",)), "targets_grad": Truth((1,), (str(-x),))}
        cases.append(
            case(
                f"logits/infinite/{name}",
                about="The definition leaves 0 times infinity open.",
                dtypes=ALL,
                logits=[x],
                targets=[target],
                alternatives=[
                    Alternative("limit", {"loss": Truth((1,), (limit,)), **one}),
                    Alternative("nan", {"loss": nan, **one}),
                ],
            )
        )
    for q, t in product((1e-30, 2.0**-20, 0.25, 0.5, 0.875, 1 - 2.0**-10), (0, 1, 0.25)):
        group = "extreme" if q < 1e-20 else "inside"
        name = f"q_{FORMATS['float32'].dtype.type(q):.6g}_t_{t}"
        cases.append(
            case(
                f"probabilities/{group}/{name.replace('.', '_').replace('-', 'm').replace('+', '')}",
                operation="bce",
                rounded="float32",
                probabilities=[float(np.float32(q))],
                targets=[t],
            )
        )
    clamp = {"probabilities_grad": Truth((1,), ("-inf",)), "targets_grad": inf}
    cases.append(
        case(
            "probabilities/zero/t_1",
            operation="bce",
            probabilities=[0],
            targets=[1],
            alternatives=[
                Alternative("infinite", {"loss": inf, **clamp}),
                Alternative("clamp_100", {"loss": Truth((1,), ("100",))}),
            ],
        )
    )
    x = [float(np.float32(value)) for value in (1.2, 0.7, 0.0)]
    tables = [
        ("wrong_guide", {"loss": "0.4742", "logits_grad": [["-0.2315", "0.3318", "-0.2689"]]}),
        ("right_guide", {"loss": "0.4532"}),
    ]
    cases += [
        case(
            f"logits/published/{name}",
            about="An example that a guide prints.",
            reduction="mean",
            rounded="float32",
            logits=[x],
            targets=[[1, 0, 1]],
            published=Published(outputs=printed, where="https://example.org/guide.html"),
            source=["https://example.org/guide.html"],
        )
        for name, printed in tables
    ]
    return cases


KNOWN = {
    "logits/pos_weight": ("pytorch#138454", "The factor of pos_weight is rounded before it is used."),
    "probabilities/extreme": ("https://github.com/pytorch/pytorch/issues/4867", "Clamped on purpose."),
}


def answers(
    cases: Iterable[Case], adapter: str, device: str = "cpu", formula: str = "textbook"
) -> list[Result]:
    """Results of every case in every dtype; the textbook formula has its known deviations."""
    known = KNOWN if formula == "textbook" else {}
    return [
        result(case, adapter, dtype, device=device, formula=formula, known=known)
        for case in cases
        for dtype in case.dtypes
    ]


def realistic() -> tuple[list[Run], list[Case]]:
    """Two runs, on CPU and CUDA: known deviations, failures, things not run, stale results."""
    cases = corpus()
    half = [case for case in cases if case.operation == "bce_with_logits"]
    results = answers(cases, "torch") + answers(half, "ignite")
    for case in half:
        for dtype in case.dtypes:
            if dtype == "float16":
                results.append(not_run(case, "lightning", dtype, "Trainer(precision=16-true) has no CPU kernel"))
            else:
                results.append(result(case, "lightning", dtype, known=KNOWN))
    results += answers(cases, "numpy", formula="careful")
    stale = result(cases[0], "torch", sha256="0" * 64)
    gone = [NotRun(adapter="torch", device="cuda", items=612, reason="no CUDA device here")]
    gone += [NotRun(adapter="mlx", device="gpu", items=612, reason="mlx is not installed")]
    first = run([*results, stale], not_run=gone, cases=len(cases))
    cuda = run(
        answers(cases[: len(cases) // 2], "torch", device="cuda"),
        name="cuda.jsonl.gz",
        truncated=True,
        started="2026-02-01T10:00:00Z",
        versions={"bce-conformance": "0.1.0", "torch": "2.13.0+cu130"},
        cases=len(cases),
    )
    return [first, cuda], cases


def many(count: int) -> tuple[list[Run], list[Case]]:
    """A run of ``count`` results of four adapters, three of which agree."""
    random = np.random.default_rng(0)
    cases = []
    for index in range(count // 8):
        x = float(np.float32(random.normal() * 20))
        target = float(np.float32(random.choice([0, 1, 0.25])))
        identity = f"logits/group_{index % 30:02}/x_{index:05}"
        cases.append(case(identity, logits=[x], targets=[target], source=["pytorch#195529"]))
    results = [
        item
        for adapter in ("torch", "ignite", "lightning")
        for item in answers(cases, adapter)
    ]
    results += answers(cases, "numpy", formula="careful")
    return [run(results, cases=len(cases))], cases


def hostile() -> tuple[list[Run], list[Case]]:
    """Every text that comes from outside tries to be markup."""
    cases = [
        case(
            f"logits/{HOSTILE}/{HOSTILE}",
            about=HOSTILE,
            flags=[HOSTILE],
            source=["javascript:alert(1)", HOSTILE],
            published=Published({HOSTILE: HOSTILE}, where="javascript:alert(1)"),
            logits=[-40],
            targets=[0],
        )
    ]
    bad = outputs(cases[0], "float32", "textbook")
    results = [
        Result(
            case=cases[0].id,
            sha256=cases[0].sha256,
            adapter=HOSTILE,
            device=HOSTILE,
            dtype=HOSTILE,
            status="deviates",
            grade="wrong",
            deviation="javascript:alert(1)",
            reason=HOSTILE,
            raised=HOSTILE,
            outputs={**bad, HOSTILE: OutputResult(grade=HOSTILE, policy=HOSTILE, message=HOSTILE)},
        )
    ]
    absent = [NotRun(adapter=HOSTILE + "2", device=HOSTILE, items=1, reason=HOSTILE)]
    runs = [run(results, name=HOSTILE.replace("/", "_"), not_run=absent, versions={HOSTILE: HOSTILE})]
    return runs, cases
