"""Confirms candidates with the oracles, each as a question of one element."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from conformance.bounds import bounds_of
from conformance.floats import FORMATS, parse
from conformance.grading import Grader
from conformance.model import Grade
from conformance.truth import expected_for
from conformance.ulps import ulp

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from conformance.model import Case
    from tools.worst_cases.climbing import Candidate
    from tools.worst_cases.scoring import Goal, Scorer

MARGIN = 1.1
"""How much worse an error is than those of simpler domains to be worth a case of its own."""

_NAMES = {"numpy": "NumPy", "torch": "PyTorch"}


@dataclass(frozen=True, slots=True)
class WorstCase:
    """An input with a large error, confirmed.

    Attributes:
        case: The question of one element and one output, with its expected answer.
        adapter: Name of the adapter.
        framework: The framework with its version, for sentences.
        domain: The domain in which it was found.
        goal: What was searched for.
        ulp: The error in ulp of the truth; infinite where the answer has none.
        used: The error in units of the largest that ``allowed`` allows; likewise.
        allowed: The grade that is expected of the adapter.
        grade: The grade that the answer has.
    """

    case: Case
    adapter: str
    framework: str
    domain: str
    goal: Goal
    ulp: float
    used: float
    allowed: str
    grade: Grade

    @property
    def score(self) -> float:
        """The error in the unit of its goal, as Goal has it."""
        if self.goal.unit == "bound":
            return self.used
        return min(self.ulp, 2.0 ** FORMATS[self.case.dtypes[0]].precision)

    @property
    def name(self) -> str:
        """What was searched for where, in the form of an id; domains share it."""
        words = "_".join((*self.case.dtypes, self.adapter, *self.goal))
        return re.sub("[^a-z0-9]", "_", words.lower())


def confirm(
    scorer: Scorer,
    domain: str,
    goal: Goal,
    names: Collection[str],
    candidates: Iterable[Candidate],
) -> WorstCase:
    """Ask for each candidate alone, and grade the worst answer against the oracles.

    In an array an answer may be another: a kernel takes whole vectors one way and what is left
    over another.

    Args:
        scorer: Asks its adapter.
        domain: Where the candidates were found.
        goal: By which the worst is chosen; of equals, the first.
        names: Those of the inputs.
        candidates: Their values, at least one candidate.
    """
    alone = (
        {name: np.array([value]) for name, value in zip(names, candidate, strict=True)}
        for candidate in candidates
    )
    inputs = max(alone, key=lambda inputs: scorer.scores(inputs)[goal][0])
    case = scorer.case(inputs, [goal.output])
    case = replace(case, expected=expected_for(case))
    (verdict,) = Grader(scorer.format.name).grade([(case, scorer.ask(case))])
    graded = verdict.outputs.get(goal.output)
    error = np.inf if graded is None or graded.ulp is None else graded.ulp
    allowed = float(scorer.allowed(bounds_of(case, scorer.format, None)[goal.output])[0])
    adapter = scorer.adapter
    versions = {_NAMES.get(name, name): v for name, v in adapter.versions().items()}
    return WorstCase(
        case=case,
        adapter=adapter.name,
        framework=" with ".join(f"{name} {v.partition('+')[0]}" for name, v in versions.items()),
        domain=domain,
        goal=goal,
        ulp=error,
        used=error / max(allowed / _unit(case, goal.output, scorer), 4),
        allowed=scorer.grade,
        grade=verdict.grade,
    )


def _unit(case: Case, output: str, scorer: Scorer) -> float:
    assert case.expected is not None  # noqa: S101 - the only caller has computed it
    (alternative,) = case.expected.alternatives
    (text,) = alternative.outputs[output].values
    return float(ulp(parse(text), scorer.format))


def worth_keeping(found: Iterable[WorstCase]) -> dict[str, WorstCase]:
    """By id, those that are not exact, and clearly worse than those of all simpler domains.

    Args:
        found: Of each name one for each domain, the simplest domain first.
    """
    kept: defaultdict[str, list[WorstCase]] = defaultdict(list)
    for worst in found:
        simpler = kept[worst.name]
        if worst.grade > Grade.exact and all(worst.score > MARGIN * s.score for s in simpler):
            simpler.append(worst)
    return {
        f"{name}_{number}": worst
        for name, cases in kept.items()
        for number, worst in enumerate(cases, start=1)
    }


def first_of_each(worst_cases: Mapping[str, WorstCase]) -> dict[str, WorstCase]:
    """Each question once, under the first of its ids."""
    first: dict[object, str] = {}
    for id_, worst in worst_cases.items():
        case = worst.case
        first.setdefault((case.dtypes, case.outputs, *case.inputs.items()), id_)
    return {id_: worst_cases[id_] for id_ in first.values()}
