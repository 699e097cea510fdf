"""What each way to run PyTorch takes for a loss, beside the eager kernels.

    python -m benchmarks.torch_ways [--rounds N] [--adapter NAME ...] [--format json]

It times what the adapters call: the loss that a way makes, then the loss with its gradient. A round
does one way after the other, the eager functional form among them; a way is compared with that of
its own round, and the medians of the ratios are told. These are times of the processor, which other
programs on the machine disturb less than the clock's. What is done once, exporting or compiling, is
told apart, by the clock. A way that takes a question only as a whole, arrays in and arrays out, is
compared with the eager form that is asked the same.

Losses are float32, unreduced unless --reduction says otherwise, for a mean takes forward mode as
many runs as there are elements. Ways that decline so large a question are named, and not timed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import warnings
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from conformance import adapters
from conformance.adapters._torch import Tensors
from conformance.adapters.ways._batches import Batched
from conformance.adapters.ways._pushforward import Pushforward
from conformance.adapters.ways._way import Way
from conformance.errors import ConformanceError
from conformance.model import Question
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from conformance.adapters.base import LossAdapter
    from conformance.adapters.ways._batches import Losses

EAGER = "torch"
SIZES = (1_000, 100_000, 1_000_000)
FORWARD, BOTH, WHOLE = "forward", "forward and gradient", "whole question"
LEAST = 2e-3
"""Seconds that are timed at once, so that the clock does not matter."""

Work = dict[str, "Callable[[], object]"]
"""What there is to time, by FORWARD, BOTH or WHOLE."""


@dataclass
class Timed:
    """The times of one way at one size.

    Attributes:
        once: Seconds until the first answer: it exports, or compiles.
        seconds: What was timed to the seconds of each round.
        declined: Why it was not asked; "" if it was.
    """

    once: float = 0.0
    seconds: dict[str, list[float]] = field(default_factory=dict)
    declined: str = ""


def question_of_size(size: int, operation: str, reduction: str) -> Question:
    random = np.random.default_rng(0)
    logits = random.normal(0, 4, size).astype(np.float32)
    given = logits if operation == "bce_with_logits" else 1 / (1 + np.exp(-logits))
    name = OPERATIONS[operation].inputs[0]
    targets = random.integers(0, 2, size).astype(np.float32)
    return Question(
        id="benchmark",
        operation=operation,
        reduction=reduction,
        dtype="float32",
        device="cpu",
        inputs={name: given, "targets": targets},
        outputs=("loss", f"{name}_grad"),
    )


def work_of(adapter: LossAdapter, question: Question) -> Work:
    """What the adapter does for the question, in the parts in which it can be called."""
    tensors = Tensors(question)
    loss: Callable[[], torch.Tensor]
    if isinstance(adapter, Pushforward):
        at, targets = tensors.input.detach(), tensors.targets
        along = partial(adapter.along, partial(_loss_at, tensors, targets), at, torch.ones_like(at))
        return {BOTH: along} if question.reduction == "none" else {}
    if isinstance(adapter, Batched):
        prepared = adapter.prepare([tensors])
        loss = partial(_first, prepared, tensors)
    elif adapter.name == EAGER:
        loss = partial(tensors.loss, tensors.input, tensors.targets)
    elif isinstance(adapter, Way) and type(adapter).evaluate is Way.evaluate:
        loss = partial(adapter.loss, tensors)
    else:
        return {WHOLE: partial(adapter.evaluate, question)}
    work: Work = {FORWARD: loss, BOTH: partial(_differentiate, tensors, loss)}
    return {**work, WHOLE: partial(adapter.evaluate, question)} if adapter.name == EAGER else work


def _first(losses: Losses, tensors: Tensors) -> torch.Tensor:
    return losses([tensors])[0]


def _loss_at(tensors: Tensors, targets: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    return tensors.loss(at, targets)


def _differentiate(tensors: Tensors, loss: Callable[[], torch.Tensor]) -> None:
    tensors.input.grad = None
    tensors.objective(loss()).backward()  # type: ignore[no-untyped-call]


def seconds_of(work: Callable[[], object], times: int) -> float:
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


def measure(ways: Mapping[str, LossAdapter], question: Question, rounds: int) -> dict[str, Timed]:
    """Time all ways on one question, round after round."""
    found: dict[str, Timed] = {}
    work: dict[str, Work] = {}
    # All are prepared before any is called: preparing one may drop what another has compiled.
    for name, adapter in ways.items():
        start = time.perf_counter()
        declined = adapter.decline(question)
        asked = set(question.outputs) <= adapter.outputs
        work[name] = {} if declined or not asked else work_of(adapter, question)
        found[name] = Timed(once=time.perf_counter() - start)
        if not work[name]:
            reason = declined.reason if declined else f"{name} gives no gradient alone"
            found[name].declined = reason
    times: dict[tuple[str, str], int] = {}
    for name, parts in work.items():
        for part, one in reversed(parts.items()):
            start = time.perf_counter()
            one()
            found[name].once += time.perf_counter() - start
            again = max(seconds_of(one, 1), 1e-6)
            found[name].seconds[part] = []
            times[name, part] = max(1, round(LEAST / again))
    for _ in range(rounds):
        for (name, part), number in times.items():
            found[name].seconds[part].append(seconds_of(work[name][part], number))
    return found


def ratio(mine: Sequence[float], eager: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(mine, eager, strict=True))


def as_record(found: Mapping[str, Timed], size: int) -> dict[str, Any]:
    """Nanoseconds an element, and the ratio to the eager form, of each way."""
    eager = found[EAGER].seconds
    return {
        name: {"declined": timed.declined}
        if timed.declined
        else {
            "once_s": round(timed.once, 3),
            **{
                part: {
                    "ns_per_element": round(statistics.median(seconds) / size * 1e9, 3),
                    "ratio": round(ratio(seconds, eager[part]), 3),
                }
                for part, seconds in timed.seconds.items()
            },
        }
        for name, timed in found.items()
    }


def as_text(study: Mapping[str, Any]) -> str:
    """A table of ratios; of the eager form, the nanoseconds an element."""
    sizes = list(study["sizes"])
    asked = f"{study['operation']} in float32, reduction {study['reduction']}"
    timed = f"{study['threads']} threads, {study['rounds']} rounds, medians"
    lines = [f"torch {study['torch']}, {asked}, {timed}"]
    for part in (FORWARD, BOTH, WHOLE):
        lines += ["", f"{part + ', elements:':32}" + "".join(f"{int(n):>12,}" for n in sizes)]
        for name in study["sizes"][sizes[0]]:
            cells = [study["sizes"][size][name].get(part) for size in sizes]
            if not any(cells):
                continue
            key, unit = ("ns_per_element", " ns") if name == EAGER else ("ratio", "")
            shown = [f"{cell[key]:.2f}{unit}" if cell else "declined" for cell in cells]
            lines.append(f"  {name:30}" + "".join(f"{text:>12}" for text in shown))
    lines += ["", f"{'once, s:':32}" + "".join(f"{int(n):>12,}" for n in sizes)]
    for name in study["sizes"][sizes[0]]:
        once = [study["sizes"][size][name].get("once_s", 0.0) for size in sizes]
        if max(once) >= 0.05:
            lines.append(f"  {name:30}" + "".join(f"{second:12.2f}" for second in once))
    lines += [""]
    for size in sizes:
        for name, record in study["sizes"][size].items():
            if reason := record.get("declined"):
                lines.append(f"not timed at {int(size):,}: {name}: {reason}")
    return "\n".join(lines)


def study_of(options: argparse.Namespace) -> dict[str, Any]:
    names = [EAGER, *(name for name in adapters.expand(options.adapter) if name != EAGER)]
    ways = {name: adapters.load(name) for name in names}
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "operation": options.operation,
        "reduction": options.reduction,
        "rounds": options.rounds,
        "sizes": {
            str(size): as_record(
                measure(
                    ways,
                    question_of_size(size, options.operation, options.reduction),
                    options.rounds,
                ),
                size,
            )
            for size in options.size or SIZES
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 2 where it cannot be done."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.torch_ways", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--adapter", action="append", metavar="NAME", help="default: torch:*")
    parser.add_argument("--size", action="append", type=int, metavar="ELEMENTS")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch; default: 1")
    parser.add_argument("--operation", choices=sorted(OPERATIONS), default="bce_with_logits")
    parser.add_argument("--reduction", choices=("none", "mean", "sum"), default="none")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    options = parser.parse_args(arguments)
    options.adapter = options.adapter or ["torch:*"]
    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    try:
        study = study_of(options)
    except ConformanceError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(study, indent=2) if options.format == "json" else as_text(study))
    return 0


if __name__ == "__main__":
    sys.exit(main())
