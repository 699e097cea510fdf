"""Tells from its results which policy a trainer follows on one thing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.jobs import CONVENTIONS
from conformance.model import REFUSE
from conformance.report.links import link
from conformance.report.matrix import dtype_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conformance.model import Case
    from conformance.results import Result

AS_DEFINED = "as defined"
"""What a trainer follows where a case leaves no room."""

WRONG = "wrong"
"""Stands for a policy where a trainer follows none."""

Observation = tuple[frozenset[str], tuple[str, ...]]
"""The policies that an answer agrees with, and all that its case lists."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A wrong answer: the trainer did what no policy says.

    Attributes:
        known: Whether it is a known deviation.
        link: The name of its issue; "" where there is none.
    """

    case: str
    dtype: str
    reason: str
    known: bool
    link: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a trainer is wrong, and where.

    Attributes:
        text: The reason.
        known: Whether it is a known deviation.
        link: The name of its issue; "" where there is none.
        href: That issue's address, where it has one.
        case: The first scenario.
        cases: How many scenarios there are.
        dtypes: Theirs.
    """

    text: str
    known: bool
    link: str
    href: str | None
    case: str
    cases: int
    dtypes: tuple[str, ...]


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
        wrong = (WRONG,) if self.faults else ()
        return tuple(sorted(name for name, _ in self.policies)) + wrong


def by_reason(faults: Iterable[Fault]) -> tuple[Reason, ...]:
    """The reasons of faults, each once."""
    found: dict[tuple[str, bool, str], list[Fault]] = {}
    for fault in faults:
        found.setdefault((fault.reason, fault.known, fault.link), []).append(fault)
    return tuple(
        Reason(
            text=text or "no reason given",
            known=known,
            link=issue,
            href=link(issue),
            case=same[0].case,
            cases=len(same),
            dtypes=tuple(sorted({fault.dtype for fault in same}, key=dtype_order)),
        )
        for (text, known, issue), same in found.items()
    )


def policies_of(cases: Iterable[Case]) -> tuple[str, ...]:
    """The policies that any of ``cases`` accepts, in their order of preference."""
    return tuple(dict.fromkeys(policy for case in cases for policy in case.policies))


def executed(by_dtype: Mapping[str, Result]) -> list[Result]:
    """The results that were run, the widest dtype first: it tells policies apart best."""
    run = [result for result in by_dtype.values() if result.status != "not_run"]
    return sorted(run, key=lambda result: dtype_order(result.dtype), reverse=True)


def is_wrong(result: Result) -> bool:
    """Whether a result that was run follows no policy, known deviation or not."""
    return result.grade == "wrong" or (result.status == "failed" and not result.outputs)


def followed(case: Case, result: Result) -> frozenset[str]:
    """The policies that a result agrees with: the one it was graded under, and its equals.

    Policies are equal in a scenario where they have the same truth, to the same precision.
    """
    if result.raised and REFUSE in case.policies:
        return frozenset({REFUSE})
    names = {output.policy for output in result.outputs.values()} - {None}
    known = case.expected.alternatives if case.expected is not None else ()
    mine = [(item.outputs, precision_of(item.policy)) for item in known if item.policy in names]
    return frozenset(
        item.policy
        for item in known
        if item.policy and (item.outputs, precision_of(item.policy)) in mine
    )


def precision_of(policy: str | None) -> str | None:
    """The dtype whose roundoff a policy has where it is not that of the question."""
    convention = CONVENTIONS.get(policy or "")
    return convention.computed_in if convention else None


def cell_of(asked: Sequence[tuple[Case, Mapping[str, Result]]]) -> Cell:
    """What one trainer does, from its results by dtype in each of some scenarios.

    A scenario that is wrong in one dtype is a fault, and tells of a policy by the others.
    """
    observed: list[Observation] = []
    faults: list[Fault] = []
    absent = [case for case, by_dtype in asked if not executed(by_dtype)]
    for case, by_dtype in asked:
        wrong = [result for result in executed(by_dtype) if is_wrong(result)]
        right = [result for result in executed(by_dtype) if not is_wrong(result)]
        if wrong:
            faults.append(_fault(wrong[0]))
        if right and (names := followed(case, right[0])):
            observed.append((names, case.policies))
        elif right:
            observed.append((frozenset({AS_DEFINED}), (AS_DEFINED,)))
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


def fewest(observed: Sequence[Observation], order: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """The fewest policies that explain every observation, with how many each explains.

    A case lists a policy wherever that has a truth of its own; where it does not list one, nothing
    is seen against it.

    Args:
        observed: Of each scenario, the policies that the answer agrees with, and those it lists.
        order: All policies; of equally good ones the first is taken.
    """
    rest = list(observed)
    chosen = []
    while rest:
        seen = [name for name in order if any(name in names for names, _ in rest)]
        against = {
            name: [(names, listed) for names, listed in rest if name in {*listed} - names]
            for name in seen
        }
        best = min(seen, key=lambda name: len(against[name]))
        chosen.append((best, len(rest) - len(against[best])))
        rest = against[best]
    return tuple(chosen)


def _fault(result: Result) -> Fault:
    messages = (output.message for output in result.outputs.values() if output.message)
    return Fault(
        case=result.case,
        dtype=result.dtype,
        reason=result.reason or next(messages, "") or result.raised or "",
        known=result.status == "deviates",
        link=result.deviation or "",
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
