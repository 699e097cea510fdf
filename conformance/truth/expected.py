"""Computes what a case expects: every output, under every policy."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING

from conformance.errors import ConformanceError
from conformance.model import DTYPE_POLICIES, REFUSE, Alternative, Case, Expected, Truth
from conformance.operations import OPERATIONS
from conformance.truth.agreement import agreed_text
from conformance.truth.domains import check_domain
from conformance.truth.elements import Elements, Point, elements_of
from conformance.truth.limits import limit_at, product, weighted
from conformance.truth.policies import LIMIT, POLICIES, Quantity
from conformance.truth.sums import WeightedSum

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.truth.limits import Extended


def expected_for(case: Case) -> Expected:
    """Compute the truth of every output of ``case``, under each of its policies.

    Without policies there is one alternative, whose policy is None and whose values are the
    limits. An alternative has those of ``case.outputs`` that its policy covers. Of a case with
    positions or a described input, gradients (and an unreduced loss) hold the values at
    ``case.positions`` only. A gradient is that of the sum of the returned loss.

    Raises:
        InvalidQuestion: If the question breaks the definition, so that a right answer raises.
        UndefinedQuestion: If the definition leaves the question open.
        Disagreement: If the two oracles differ.
        Unproven: If 40 digits cannot be proven.
        ConformanceError: If a policy or a position of the case does not exist.
    """
    if case.job is not None:
        from conformance.truth.jobs import expected_for_job  # noqa: PLC0415

        return expected_for_job(case)
    check_domain(case)
    elements = elements_of(case)
    _check_positions(case, elements)
    if not case.policies:
        outputs = {name: _truth(case, elements, name, LIMIT) for name in case.outputs}
        return Expected(alternatives=(Alternative(None, outputs),))
    return Expected(
        alternatives=tuple(
            Alternative(
                policy,
                {name: _truth(case, elements, name, policy) for name in _covered(case, policy)},
                raises=policy == REFUSE,
            )
            for policy in case.policies
        )
    )


def _covered(case: Case, policy: str) -> list[str]:
    """Those of the case's outputs that ``policy`` settles: at least one, none if it refuses."""
    where = f"{case.path}: {case.id}"
    if policy not in POLICIES:
        msg = f"{where}: there is no policy {policy!r}. Give one of {', '.join(POLICIES)}."
        raise ConformanceError(msg)
    if policy in DTYPE_POLICIES and not case.input_dtypes:
        msg = f"{where}: policy {policy!r} is about inputs of several dtypes. Leave it out."
        raise ConformanceError(msg)
    settled = POLICIES[policy].get(case.operation, frozenset())
    covered = [name for name in case.outputs if name in settled]
    if not covered and policy != REFUSE:
        msg = (
            f"{where}: policy {policy!r} covers none of the outputs {', '.join(case.outputs)} of "
            f"{case.operation}. Leave it out."
        )
        raise ConformanceError(msg)
    return covered


def _check_positions(case: Case, elements: Elements) -> None:
    size = len(elements.which)
    for position in case.positions:
        if not 0 <= position < size:
            msg = (
                f"{case.path}: {case.id}: position {position} lies outside an array "
                f"of {size} elements. Give positions from 0 to {size - 1}."
            )
            raise ConformanceError(msg)


def _truth(case: Case, elements: Elements, output: str, policy: str) -> Truth:
    quantity = Quantity(case.operation, output, policy)
    where = f"{case.path}: {case.id}: {output}"
    size = len(elements.which)
    divisor = size if case.reduced == "mean" else 1
    kept = len(OPERATIONS[case.operation].factors_of(output))
    factors = [product(given[:kept]) for given in elements.factors]
    if output == "loss" and case.reduced != "none":
        if divisor == 0:
            return Truth(shape=(), values=("nan",))
        every = zip(elements.points, factors, elements.counts, strict=True)
        return Truth(shape=(), values=(_text(quantity, every, divisor, where),))
    sampled = bool(case.positions) or any(array.described for array in case.inputs.values())
    positions = case.positions if sampled else tuple(range(size))
    indices = [int(elements.which[position]) for position in positions]
    texts = {
        index: _text(quantity, [(elements.points[index], factors[index], 1)], divisor, where)
        for index in sorted(set(indices))
    }
    return Truth(
        shape=elements.shape,
        values=tuple(texts[index] for index in indices),
        positions=positions if sampled else None,
    )


def _text(
    quantity: Quantity, elements: Iterable[tuple[Point, Extended, int]], divisor: int, where: str
) -> str:
    """The sum over (point, factor, count) of count * factor * quantity, divided by ``divisor``."""
    terms: defaultdict[Point, Fraction] = defaultdict(Fraction)
    constant = Fraction(0)
    # The sum of these decides whether the whole is infinite; float arithmetic knows how.
    unbounded = 0.0
    for point, factor, count in elements:
        limit = limit_at(quantity, point)
        if limit is None and isinstance(factor, Fraction):
            terms[point] += factor * count
            continue
        value = math.nan if limit is None else weighted(limit, factor, quantity.policy)
        if isinstance(value, Fraction):
            constant += value * count
        else:
            unbounded += value
    if unbounded != 0:
        return str(unbounded)
    asked = WeightedSum(
        quantity=quantity,
        terms={point: factor / divisor for point, factor in terms.items() if factor},
        constant=constant / divisor,
    )
    return agreed_text(asked, where)
