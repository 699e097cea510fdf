"""Tells from its results which policy a trainer follows on one thing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.model import REFUSE
from conformance.report.links import link
from conformance.report.matrix import dtype_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conformance.model import Case
    from conformance.results import Result

AS_DEFINED = "as defined"
"""What a trainer follows where a case leaves no room."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A wrong answer: the trainer did what no policy says.

    Attributes:
        known: Whether it is a known deviation.
        link: The name of its issue; "" where there is none.
        href: That issue's address, where it has one.
    """

    case: str
    dtype: str
    reason: str
    known: bool
    link: str
    href: str | None


@dataclass(frozen=True, slots=True)
class Cell:
    """What one trainer does about one thing.

    Attributes:
        policies: Each policy that it follows, with the number of scenarios that show it.
        faults: Its wrong answers, one for each scenario.
        absent: The number of scenarios that it did not run.
        reason: Why not, of the first.
    """

    policies: tuple[tuple[str, int], ...] = ()
    faults: tuple[Fault, ...] = ()
    absent: int = 0
    reason: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What to compare with another trainer: its policies, and whether it is wrong."""
        wrong = ("wrong",) if self.faults else ()
        return tuple(sorted(name for name, _ in self.policies)) + wrong


def policies_of(cases: Iterable[Case]) -> tuple[str, ...]:
    """The policies that any of ``cases`` accepts, in their order of preference."""
    return tuple(dict.fromkeys(policy for case in cases for policy in case.policies))


def widest(by_dtype: Mapping[str, Result]) -> Result | None:
    """The result in the widest dtype that was run, where policies are told apart best."""
    run = [dtype for dtype, result in by_dtype.items() if result.status != "not_run"]
    return by_dtype[max(run, key=dtype_order)] if run else None


def is_wrong(result: Result) -> bool:
    """Whether a result that was run follows no policy, known deviation or not."""
    return result.grade == "wrong" or (result.status == "failed" and not result.outputs)


def followed(case: Case, result: Result) -> frozenset[str]:
    """The policies that a result agrees with: the one it was graded under, and its equals."""
    if result.raised and REFUSE in case.policies:
        return frozenset({REFUSE})
    names = {output.policy for output in result.outputs.values()} - {None}
    known = case.expected.alternatives if case.expected is not None else ()
    truths = [item.outputs for item in known if item.policy in names]
    return frozenset(item.policy for item in known if item.policy and item.outputs in truths)


def cell_of(asked: Sequence[tuple[Case, Mapping[str, Result]]]) -> Cell:
    """What one trainer does, from its results by dtype in each of some scenarios.

    The policy is read off the widest dtype, where truths lie furthest apart in ulp; a wrong
    answer in any dtype is a fault.
    """
    observed: list[frozenset[str]] = []
    faults: list[Fault] = []
    absent = [case for case, by_dtype in asked if widest(by_dtype) is None]
    for case, by_dtype in asked:
        wrong = [
            result
            for result in by_dtype.values()
            if result.status != "not_run" and is_wrong(result)
        ]
        best = widest(by_dtype)
        if wrong:
            faults.append(_fault(max(wrong, key=lambda result: dtype_order(result.dtype))))
        elif best is not None and (names := followed(case, best)):
            observed.append(names)
        elif best is not None:
            observed.append(frozenset({AS_DEFINED}))
    reasons = (
        result.reason for case, found in asked if case in absent for result in found.values()
    )
    order = (*policies_of([case for case, _ in asked]), AS_DEFINED)
    return Cell(
        policies=fewest(observed, order),
        faults=tuple(faults),
        absent=len(absent),
        reason=next(filter(None, reasons), "") if absent else "",
    )


def fewest(observed: Iterable[frozenset[str]], order: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """The fewest policies that explain every observation, with how many each explains.

    Args:
        observed: Of each scenario, the policies that the answer agrees with.
        order: All policies; of equally good ones the first is taken.
    """
    rest = list(observed)
    chosen = []
    while rest:
        counts = Counter(name for names in rest for name in names)
        best = max(order, key=lambda name: counts[name])
        chosen.append((best, counts[best]))
        rest = [names for names in rest if best not in names]
    return tuple(chosen)


def _fault(result: Result) -> Fault:
    messages = (output.message for output in result.outputs.values() if output.message)
    return Fault(
        case=result.case,
        dtype=result.dtype,
        reason=result.reason or next(messages, "") or result.raised or "",
        known=result.status == "deviates",
        link=result.deviation or "",
        href=link(result.deviation or ""),
    )


def add_up(cells: Sequence[Cell]) -> Cell:
    """The cells of one trainer over several sets of scenarios, as one."""
    counts: Counter[str] = Counter()
    for cell in cells:
        counts.update(dict(cell.policies))
    return Cell(
        policies=tuple(counts.most_common()),
        faults=tuple(fault for cell in cells for fault in cell.faults),
        absent=sum(cell.absent for cell in cells),
        reason=next((cell.reason for cell in cells if cell.reason), ""),
    )
