"""Builds whole runs of which the report's tests make pages."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from itertools import product
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from report_data import ALL, WIDE, array, careful, case, not_run, result, run, textbook

from conformance.model import Alternative, Array, Case, Expected, Published, Truth
from conformance.operations import OPERATIONS
from conformance.results import NotRun, OutputResult, Result, Run

if TYPE_CHECKING:
    from collections.abc import Sequence

HOSTILE = "</script><img src=x onerror=alert(1)>"


@functools.cache
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
        case(
            "probabilities/bad/beyond_one",
            operation="bce",
            probabilities=[2],
            targets=[1],
            expected=Expected(raises=True),
        ),
    ]
    cases += [
        case(
            f"logits/infinite/{name}",
            about="The definition leaves 0 times infinity open.",
            dtypes=ALL,
            policies=("limit", "nan_at_infinity"),
            logits=[x],
            targets=[target],
        )
        for name, x, target in (("plus_t1", np.inf, 1), ("minus_t0", -np.inf, 0))
    ]
    probabilities = (("extreme", 1e-30), ("inside", 2.0**-20), ("inside", 0.25), ("inside", 0.875))
    cases += [
        case(
            f"probabilities/{group}/q{index}_t{int(100 * t)}",
            operation="bce",
            rounded="float32",
            probabilities=[float(np.float32(q))],
            targets=[t],
        )
        for (index, (group, q)), t in product(enumerate(probabilities), (0, 1, 0.25))
    ]
    cases.append(
        case(
            "probabilities/zero/t_1",
            operation="bce",
            policies=("limit", "clamp_log_100", "denominator_eps_1e_12"),
            probabilities=[0],
            targets=[1],
        )
    )
    x = [float(np.float32(value)) for value in (1.2, -0.7, 0.0)]
    tables = [
        ("wrong_guide", {"loss": "0.4742", "logits_grad": [["-0.2315", "0.3318", "-0.2689"]]}),
        ("right_guide", {"loss": "0.4532"}),
    ]
    cases += [
        case(
            f"logits/published_examples/an_id_as_long_as_ids_become_{name}",
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


def answers(
    cases: Sequence[Case], adapter: str, device: str = "cpu", formula: Any = textbook
) -> list[Result]:
    """Results of every case in every dtype."""
    return [
        result(item, adapter, dtype, device=device, formula=formula)
        for item in cases
        for dtype in item.dtypes
    ]


@functools.cache
def realistic() -> tuple[list[Run], list[Case]]:
    """Two runs, on CPU and CUDA: known deviations, failures, things not run, stale results."""
    cases = corpus()
    half = [item for item in cases if item.operation == "bce_with_logits"]
    results = answers(cases, "torch") + answers(half, "ignite")
    results += [
        not_run(item, "lightning", dtype, "no float16 on CPU")
        if dtype == "float16"
        else result(item, "lightning", dtype)
        for item in half
        for dtype in item.dtypes
    ]
    results += answers(cases, "numpy", formula=careful)
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


@functools.cache
def devices() -> tuple[list[Run], list[Case]]:
    """One adapter on CPU and, from another machine, on CUDA; on some cases their grades differ."""
    cases = [item for item in corpus() if item.operation == "bce_with_logits"]
    tail = [item.group == "logits/negative_tail" for item in cases]
    there = [
        result(item, "torch", dtype, device="cuda", formula=careful if near else textbook)
        for item, near in zip(cases, tail, strict=True)
        for dtype in item.dtypes
    ]
    cuda = run(
        there,
        name="cuda.jsonl.gz",
        versions={"bce-conformance": "0.1.0", "torch": "2.13.0+cu130"},
        cases=len(cases),
    )
    header = msgspec.structs.replace(cuda.header, devices={"cuda": "NVIDIA H200, driver 580.95"})
    return [run(answers(cases, "torch")), dataclasses.replace(cuda, header=header)], cases


@functools.cache
def repeated() -> tuple[list[Run], list[Case]]:
    """One machine asked twice, which gives other bits to the first case the second time."""
    cases = [item for item in corpus() if item.id.startswith("logits/negative_tail/minus_40_")]
    first = [result(item, "torch") for item in cases]
    changed = result(cases[0], "torch", formula=careful)
    return [
        run(first),
        run([changed, *first[1:]], name="again.jsonl.gz", started="2026-03-01T12:00:00Z"),
    ], cases


def many(count: int) -> tuple[list[Run], list[Case]]:
    """A run of ``count`` invented results of four adapters, three of which agree.

    Every digit is random, so that nothing compresses better than in a real run.
    """
    random = np.random.default_rng(0)
    base = case("logits/any/any", logits=[1], targets=[0], source=["pytorch#195529"])
    cases, results = [], []
    for index in range(count // 8):
        identity = f"logits/group_{index % 30:02}/x_{index:05}"
        truth = {
            name: Truth((1,), (f"{random.uniform()}{random.integers(10**18, 10**19, dtype='u8')}",))
            for name in base.outputs
        }
        changed = dataclasses.replace(
            base,
            id=identity,
            group=identity.rpartition("/")[0],
            inputs={"logits": array([np.float32(random.normal() * 20)]), "targets": array([0])},
            expected=Expected(alternatives=(Alternative(None, truth),)),
            sha256=hashlib.sha256(identity.encode()).hexdigest(),
        )
        cases.append(changed)
        for dtype in WIDE:
            given = [_invented(random, dtype) for _ in range(2)]
            results += [
                Result(
                    case=identity,
                    sha256=changed.sha256,
                    adapter=adapter,
                    device="cpu",
                    dtype=dtype,
                    status="passed",
                    grade="coarse",
                    outputs=given[adapter == "numpy"],
                )
                for adapter in ("torch", "ignite", "lightning", "numpy")
            ]
    return [run(results, cases=len(cases))], cases


def _invented(random: np.random.Generator, dtype: str) -> dict[str, OutputResult]:
    found = {}
    for name in ("loss", *OPERATIONS["bce_with_logits"].gradients):
        ulp = float(10 ** random.uniform(-2, 8))
        found[name] = OutputResult(
            grade="coarse",
            ulp=ulp,
            ratio=float(random.uniform()),
            ulps=[ulp],
            dtype=dtype,
            shape=[1],
            bits=np.array([random.normal()], dtype).tobytes().hex(),
        )
    return found


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
    bad = result(cases[0], HOSTILE).outputs
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
    runs = [
        run(results, name=HOSTILE.replace("/", "_"), not_run=absent, versions={HOSTILE: HOSTILE})
    ]
    return runs, cases
