"""Climbs to the largest errors by changing bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.worst_cases.domains import decode, encode, rounded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.worst_cases.domains import Bits, Range, Values
    from tools.worst_cases.scoring import Goal, Scorer

CLIMBERS = 128
"""Climbers for each goal."""
PATIENCE = 50
"""Moves in vain after which a climber starts anew."""
KEPT = 100
"""Candidates that are returned for each goal."""

Candidate = tuple[float, ...]
"""One value for each input, in the order of the ranges."""


class Finds:
    """The best candidates so far for each goal; of equals, those nearest to zero are better."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._scores: dict[Goal, dict[Candidate, float]] = {goal: {} for goal in scorer.goals}

    def score(self, places: Mapping[str, Values]) -> Mapping[Goal, Values]:
        """The scores of inputs, the best of which are remembered."""
        scores = self._scorer.scores(places)
        size = np.abs(next(iter(places.values())))
        for goal, known in self._scores.items():
            best = np.lexsort((size, -scores[goal]))[0]
            known[tuple(float(v[best]) for v in places.values())] = float(scores[goal][best])
        return scores

    def best(self) -> dict[Goal, list[Candidate]]:
        """For each goal the KEPT best, best first."""
        return {
            goal: sorted(known, key=lambda c: (-known[c], abs(c[0]), c))[:KEPT]
            for goal, known in self._scores.items()
        }


def climb(
    scorer: Scorer, ranges: Mapping[str, Range], rng: np.random.Generator, budget: int
) -> dict[Goal, list[Candidate]]:
    """Search for the inputs with the largest scores.

    A quarter of the budget is a random sample, the best of which start to climb, all at once: each
    moves one input at random and stays there unless its score falls. Whoever climbs in vain starts
    anew from a random place.

    Args:
        scorer: Gives the scores.
        ranges: The range of each input.
        rng: Every choice comes from it.
        budget: About how many inputs are tried, two for each climber at least.

    Returns:
        For each goal the KEPT best candidates that were found, best first.
    """
    count = CLIMBERS * len(scorer.goals)
    finds = Finds(scorer)
    sample = {name: range_.draw(rng, max(budget // 4, count)) for name, range_ in ranges.items()}
    scores = finds.score(sample)
    chosen = {goal: np.argsort(-scores[goal], kind="stable")[:CLIMBERS] for goal in scorer.goals}
    heights = np.concatenate([scores[goal][places] for goal, places in chosen.items()])
    order = np.concatenate(list(chosen.values()))
    places = {name: values[order] for name, values in sample.items()}
    in_vain = np.zeros(count, np.int64)
    for _ in range(budget * 3 // 4 // count):
        tired = in_vain > PATIENCE
        moved = move(rng, places, ranges)
        tried = {
            name: np.where(tired, ranges[name].draw(rng, count), values)
            for name, values in moved.items()
        }
        scores = finds.score(tried)
        reached = np.concatenate(
            [
                scores[goal][CLIMBERS * index : CLIMBERS * (index + 1)]
                for index, goal in enumerate(scorer.goals)
            ]
        )
        in_vain = np.where(tired | (reached > heights), 0, in_vain + 1)
        stays = tired | (reached >= heights)
        heights = np.where(stays, reached, heights)
        places = {name: np.where(stays, tried[name], places[name]) for name in places}
    return finds.best()


def move(
    rng: np.random.Generator, places: Mapping[str, Values], ranges: Mapping[str, Range]
) -> dict[str, Values]:
    """Move one input of each climber; one that would stay, or leave its range, is drawn anew."""
    count = len(next(iter(places.values())))
    which = rng.integers(len(places), size=count)
    moved = {}
    for index, (name, values) in enumerate(places.items()):
        new = _moved(rng, values, ranges[name])
        new = np.where(
            ranges[name].contains(new) & (new != values), new, ranges[name].draw(rng, count)
        )
        moved[name] = np.where(which == index, new, values)
    return moved


def _moved(rng: np.random.Generator, values: Values, range_: Range) -> Values:
    """Each value after a move, every kind of which is as likely."""
    format_ = range_.format
    count = len(values)
    bits = encode(values, format_)
    powers: Bits = np.left_shift(
        np.ones(count, format_.uint),
        rng.integers(format_.bits, size=count, dtype=format_.uint.type),
    )
    moves = [
        decode(bits ^ powers, format_),
        decode(bits + powers, format_),
        decode(bits - powers, format_),
        rng.permutation(values),
        -values,
        rounded(1 - values, format_),
        np.round(values),
    ]
    moved: Values = np.choose(rng.integers(len(moves), size=count), moves)
    return moved
