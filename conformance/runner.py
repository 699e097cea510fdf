"""Puts cases to adapters and returns graded results."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from conformance.apart import Apart
from conformance.asking import Asker
from conformance.errors import ConformanceError
from conformance.grading import Grader, identity
from conformance.model import (
    Answer,
    Broken,
    Case,
    Computed,
    Crashed,
    Declined,
    Grade,
    Raised,
    TimedOut,
)
from conformance.results import Result
from conformance.varying import RAISED

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from conformance.adapters.base import LossAdapter
    from conformance.deviations import Ledger
    from conformance.following import Followings
    from conformance.results import Fault, Status

FAULTS: dict[type[object], Fault] = {
    Broken: "broken",
    Crashed: "crashed",
    TimedOut: "timed_out",
}
_STATUSES: Sequence[Status] = ("not_run", "passed", "deviates", "failed")
"""From the best to the worst."""


class Runner:
    """Evaluates groups: one adapter, device and dtype, many cases.

    Attributes:
        require: The worst grade that passes.
        repeat: How often each group is asked; of different answers, the worst one counts,
            and one that no deviation excuses is worse than one that is known.
        asker: Who asks.

    Args:
        require: As above.
        repeat: As above.
        targets: Adapter name to what ``adapters.load`` takes, for what is asked in a process of
            its own; of an adapter that is not among them it is the name of its class.
    """

    def __init__(
        self,
        require: Grade = Grade.coarse,
        repeat: int = 1,
        targets: Mapping[str, str] | None = None,
    ) -> None:
        self.require = require
        self.repeat = repeat
        self.asker = Asker(Apart(targets or {}))
        self._graders: dict[Hashable, Grader] = {}

    def run(
        self,
        adapter: LossAdapter,
        device: str,
        dtype: str,
        cases: Sequence[Case],
        ledger: Ledger,
        *,
        known: Followings | None = None,
    ) -> list[Result]:
        """The result of each case, in order.

        Args:
            adapter: Who is asked.
            device: Where.
            dtype: In which dtype.
            cases: Filled.
            ledger: The deviations known of the adapter.
            known: The policies known of it; None where any will do.

        Raises:
            ConformanceError: If a case has no expected answer yet.
        """
        for case in cases:
            if case.expected is None:
                msg = f"{case.path}: {case.id} has no expected answer. Run `bce-conformance fill`."
                raise ConformanceError(msg)
        asked = [_offered(case, adapter) for case in cases]
        rounds = [
            self._round(adapter, device, dtype, cases, asked) for _ in range(max(1, self.repeat))
        ]
        results = []
        for tries in zip(*rounds, strict=True):
            judged = [ledger.explain(result, self.require) for result, _ in tries]
            if known:
                judged = [known.confirm(result) for result in judged]
            found = max(judged, key=_severity)
            if self.repeat > 1 and found.status != "not_run":
                varied = _varied([bits for _, bits in tries])
                found = msgspec.structs.replace(found, repeated=self.repeat, varied=varied)
            results.append(found)
        return results

    def _round(
        self,
        adapter: LossAdapter,
        device: str,
        dtype: str,
        cases: Sequence[Case],
        asked: Sequence[Case],
    ) -> list[tuple[Result, Mapping[str, Hashable]]]:
        """The result of each case before any deviation is looked up, and the bits that came."""
        told = self.asker.ask(adapter, device, dtype, asked)
        answers = [each.answer for each in told]
        graded = [i for i, answer in enumerate(answers) if not isinstance(answer, Declined)]
        key = (dtype, frozenset(adapter.loss_dtypes.items()))
        grader = self._graders.setdefault(key, Grader(dtype, adapter.loss_dtypes))
        verdicts = dict(
            zip(graded, grader.grade([(asked[i], answers[i]) for i in graded]), strict=True)
        )
        found: list[tuple[Result, Mapping[str, Hashable]]] = []
        for index, (case, answer) in enumerate(zip(cases, answers, strict=True)):
            result = partial(
                Result,
                case=case.id,
                sha256=case.sha256,
                adapter=adapter.name,
                device=device,
                dtype=dtype,
            )
            if isinstance(answer, Declined):
                found.append((result(status="not_run", reason=answer.reason), {}))
                continue
            verdict = verdicts[index]
            made = result(
                status="passed" if verdict.grade <= self.require else "failed",
                grade=verdict.grade.name,
                outputs=verdict.outputs,
                raised=str(answer) if isinstance(answer, Raised) else None,
                fault=FAULTS.get(type(answer)),
                reason=verdict.reason,
                declined=[name for name in case.outputs if name not in asked[index].outputs],
                ms=float(f"{told[index].ms:.4g}"),
            )
            found.append((made, _bits(answer) if self.repeat > 1 else {}))
        return found


def _offered(case: Case, adapter: LossAdapter) -> Case:
    """The case, asking for no output that the adapter does not offer."""
    if case.job is not None:
        return case
    return replace(case, outputs=tuple(name for name in case.outputs if name in adapter.outputs))


def _severity(result: Result) -> tuple[int, int, float]:
    """Sorts the results of one question, the worst last: what nothing excuses is worse than that.

    Of several results that are as bad, the one with the largest error is the worst.
    """
    errors = [
        float("inf") if output.ulp is None else output.ulp for output in result.outputs.values()
    ]
    grade = Grade[result.grade] if result.grade else -1
    return _STATUSES.index(result.status), grade, max(errors, default=0.0)


def _bits(answer: Answer) -> dict[str, Hashable]:
    """Output name to what is the same if, and only if, the bits are; RAISED to the lack of any."""
    if not isinstance(answer, Computed):
        return {RAISED: type(answer).__name__}
    outputs = {name: tuple(identity(value).values()) for name, value in answer.outputs.items()}
    return {RAISED: None, **outputs}


def _varied(rounds: Sequence[Mapping[str, Hashable]]) -> list[str]:
    """The outputs that are not the same bits in all rounds that have them."""
    seen: defaultdict[str, set[Hashable]] = defaultdict(set)
    for each in rounds:
        for name, bits in each.items():
            seen[name].add(bits)
    return sorted(name for name, values in seen.items() if len(values) > 1)
