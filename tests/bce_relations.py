"""The relations of binary cross-entropy.

Another loss registers in RELATIONS, under the name of its operation, those of COMMON that hold for
it, and its own. COMMON asks of a loss that it is computed element by element, with a weight that
is a factor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from relations import Interval, Relation, Sample, at_most, identical, meet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from relations import Intervals, Values

    from conformance.floats import Format
    from conformance.model import Case


def none_sums_to_sum(s: Sample) -> Relation:
    none, summed = yield [s.case("none"), s.case("sum")]
    return meet("loss", none["loss"].total(), summed["loss"]) or _each(
        meet, s.gradients, none, summed
    )


def mean_is_sum_over_count(s: Sample) -> Relation:
    mean, summed = yield [s.case("mean"), s.case("sum")]
    if not s.size:  # The mean of nothing is a policy.
        return None
    return meet("loss", mean["loss"] * s.size, summed["loss"])


def the_gradient_of_a_mean_is_divided_by_the_count(s: Sample) -> Relation:
    mean, summed = yield [s.case("mean"), s.case("sum")]
    for name in s.gradients:
        exact = summed[name].value / max(1, s.size)
        # Rounded: the gradient of the sum to its dtype, the count's reciprocal, the product with
        # it, the result to its dtype. Underflow takes one more smallest number of each.
        roundings = 4 * s.format.unit_roundoff * (np.abs(exact) + 2 * s.format.smallest_normal)
        problem = meet(name, Interval(mean[name].value), Interval(exact, roundings))
        if problem:
            return problem
    return None


def a_weight_is_a_factor(s: Sample) -> Relation:
    weighted, unweighted = yield [s.case(), s.case(weight=None)]
    scaled = {name: answer * s.inputs["weight"] for name, answer in unweighted.items()}
    return _each(meet, s.outputs, weighted, scaled)


def a_weight_that_is_a_power_of_two_scales_every_bit(s: Sample) -> Relation:
    factor = 2.0**s.power
    weighted, unweighted = yield [s.case(weight=np.full(s.shape, factor)), s.case(weight=None)]
    for name in s.outputs:
        left, right = weighted[name], unweighted[name] * factor
        # A subnormal has lost bits that the other side still has, and overflow has lost all.
        low, high = s.format.smallest_normal * max(1, factor), s.format.max
        whole = (np.abs(right.value) >= low) & (np.abs(right.value) <= high)
        problem = identical(name, left[whole], right[whole])
        if problem:
            return problem
    return None


def an_upstream_gradient_weighs_the_gradients(s: Sample) -> Relation:
    upstream = s.inputs["weight"]
    if s.first == "probabilities":
        # PyTorch computes g (q-t) / (q (1-q)) from left to right; where g (q-t) underflows, it
        # answers 0 or a few bits for a gradient that is a normal number.
        step = upstream * np.abs(s.inputs[s.first] - s.inputs["targets"])
        upstream = np.where(step < s.format.smallest_normal, 1, upstream)
    weighted, passed = yield [s.case(weight=upstream), s.case(weight=None, grad_output=upstream)]
    return _each(meet, s.gradients, weighted, passed)


def a_weight_broadcasts(s: Sample) -> Relation:
    rows = {name: s.inputs[name][:1] for name in s.weights}
    whole = {name: np.broadcast_to(row, s.shape) for name, row in rows.items()}
    narrow, wide = yield [s.case(**rows), s.case(**whole)]
    return _each(identical, s.outputs, narrow, wide)


def the_order_of_elements_does_not_matter(s: Sample) -> Relation:
    # Not to the bit: a vector loop and the scalar loop for its last elements may round otherwise.
    order = list(s.order)
    here, there, summed, shuffled, mean, mixed = yield [
        case(reduction)
        for reduction in ("none", "sum", "mean")
        for case in (s.case, lambda reduction: s.select(order, reduction))
    ]
    moved = {name: answer.flat()[order] for name, answer in here.items()}
    problem = _each(meet, s.outputs, moved, there) or meet("sum", summed["loss"], shuffled["loss"])
    return problem or (meet("mean", mean["loss"], mixed["loss"]) if s.size else None)


def a_batch_is_its_two_parts(s: Sample) -> Relation:
    parts = (slice(None, s.cut), slice(s.cut, None))
    whole, *two, summed, some, rest = yield [
        *(s.case(), *(s.select(part) for part in parts)),
        *(s.case("sum"), *(s.select(part, "sum") for part in parts)),
    ]
    for part, answer in zip(parts, two, strict=True):
        cut_out = {name: interval.flat()[part] for name, interval in whole.items()}
        problem = _each(meet, s.outputs, cut_out, answer)
        if problem:
            return problem
    return meet("sum", summed["loss"], some["loss"] + rest["loss"])


def a_nan_weight_stays_where_it_is(s: Sample) -> Relation:
    return (yield from _a_nan_stays_where_it_is(s, "weight"))


def a_nan_logit_stays_where_it_is(s: Sample) -> Relation:
    return (yield from _a_nan_stays_where_it_is(s, "logits"))


def _a_nan_stays_where_it_is(s: Sample, name: str) -> Relation:
    struck = np.arange(s.size).reshape(s.shape) == s.cut
    values = np.where(struck, np.nan, s.inputs[name])
    clean, dirty = yield [s.case(), s.case(**{name: values})]
    for output in s.outputs:
        if not np.all(np.isnan(dirty[output].value[struck])):
            return f"{output} hides the NaN: {dirty[output].value[struck]}"
    clean, dirty = ({k: a[~struck] for k, a in answer.items()} for answer in (clean, dirty))
    return _each(identical, s.outputs, clean, dirty)


def the_other_class_mirrors_the_loss(s: Sample) -> Relation:
    """L(x, t) = L(-x, 1-t), L(q, t) = L(1-q, 1-t); both gradients change their sign."""
    targets = s.complement(s.inputs["targets"])
    first = s.inputs[s.first]
    if s.first == "probabilities":
        first = np.clip(s.complement(first), *probability_range(s.format))
    mirrored = -first if s.first == "logits" else 1 - first
    one, other = yield [
        s.plain(**{s.first: first}, targets=targets, weight=s.inputs["weight"]),
        s.plain(**{s.first: mirrored}, targets=1 - targets, weight=s.inputs["weight"]),
    ]
    negated = {name: -answer for name, answer in other.items()}
    return meet("loss", one["loss"], other["loss"]) or _each(meet, s.gradients, one, negated)


def a_soft_target_mixes_the_hard_ones(s: Sample) -> Relation:
    """L(., t) = (1-t) L(., 0) + t L(., 1), the same of its slope; d/dt = L(., 1) - L(., 0)."""
    t = s.inputs["targets"]
    soft, one, zero = yield [s.case(), s.case(targets=_ones(s)), s.case(targets=0 * t)]
    for name in ("loss", s.gradients[0]):
        problem = meet(name, soft[name], zero[name] * (1 - t) + one[name] * t)
        if problem:
            return problem
    return meet("targets_grad", soft["targets_grad"], one["loss"] - zero["loss"])


def the_loss_is_monotone(s: Sample) -> Relation:
    """L(., 0) does not decrease and L(., 1) does not increase, element after element."""
    zero, one = yield _rising(s)
    return at_most("loss of 0", zero["loss"][:-1], zero["loss"][1:]) or at_most(
        "loss of 1", one["loss"][1:], one["loss"][:-1]
    )


def the_loss_is_convex(s: Sample) -> Relation:
    """The slope of a chord lies between the gradients at its ends."""
    answers = yield _rising(s)
    steps = np.diff(np.sort(np.ravel(s.inputs[s.first])))
    for target, answer in zip(("0", "1"), answers, strict=True):
        rise = answer["loss"][1:] - answer["loss"][:-1]
        gradient = answer[s.gradients[0]]
        problem = at_most(f"slope before a chord, target {target},", gradient[:-1] * steps, rise)
        problem = problem or at_most(f"chord, target {target},", rise, gradient[1:] * steps)
        if problem:
            return problem
    return None


def the_gradient_of_a_logit_is_bounded(s: Sample) -> Relation:
    """It lies in [-p t w, (1-t) w], the residual of a probability in [0, 1]."""
    (answer,) = yield [s.case()]
    t, w, p = (s.inputs[name] for name in ("targets", "weight", "pos_weight"))
    gradient = answer["logits_grad"]
    return at_most("-p t w", Interval(-p * t * w), gradient) or at_most(
        "logits_grad", gradient, Interval((1 - t) * w)
    )


def a_pos_weight_of_one_is_none(s: Sample) -> Relation:
    ones, absent = yield [s.case(pos_weight=_ones(s)), s.case(pos_weight=None)]
    return _each(meet, s.outputs, ones, absent)


def a_pos_weight_is_a_factor_of_the_positive_class(s: Sample) -> Relation:
    """L(x, 1; p) = p L(x, 1; 1), and L(x, 0; p) = L(x, 0; 1)."""
    one, zero, plain_one, plain_zero = yield [
        s.case(targets=targets, pos_weight=pos_weight)
        for pos_weight in (s.inputs["pos_weight"], None)
        for targets in (_ones(s), 0 * _ones(s))
    ]
    for name in ("loss", "logits_grad"):
        problem = meet(name, one[name], plain_one[name] * s.inputs["pos_weight"])
        problem = problem or meet(name, zero[name], plain_zero[name])
        if problem:
            return problem
    return None


def the_slope_in_the_target_is_minus_the_logit(s: Sample) -> Relation:
    (answer,) = yield [s.plain()]
    return meet("targets_grad", answer["targets_grad"], Interval(-s.inputs["logits"]))


def probability_range(fmt: Format) -> tuple[float, float]:
    """The probabilities, exact, within which a relation holds of every framework.

    Nearer to 0 and 1 PyTorch takes q (1-q) as at least 1e-12 in its gradient, which is a policy,
    and 1/q leaves no room for a weight of 2**(emax // 4) in float16.
    """
    low = max(2.0**-39, 2.0 ** -(fmt.emax - fmt.emax // 4 - 1))
    return low, 1 - max(low, fmt.unit_roundoff)


def _ones(s: Sample) -> Values:
    return np.ones(s.shape)


def _rising(s: Sample) -> list[Case]:
    """Cases of target 0 and of target 1 whose elements rise along one axis."""
    first = np.sort(np.ravel(s.inputs[s.first]))
    return [s.plain(**{s.first: first}, targets=np.full(s.size, t)) for t in (0.0, 1.0)]


def _each(
    compare: Callable[[str, Interval, Interval], str | None],
    names: Sequence[str],
    left: Intervals,
    right: Intervals,
) -> str | None:
    """The first problem among outputs."""
    found = (compare(name, left[name], right[name]) for name in names)
    return next((problem for problem in found if problem), None)


COMMON = (
    none_sums_to_sum,
    mean_is_sum_over_count,
    the_gradient_of_a_mean_is_divided_by_the_count,
    a_weight_is_a_factor,
    a_weight_that_is_a_power_of_two_scales_every_bit,
    an_upstream_gradient_weighs_the_gradients,
    a_weight_broadcasts,
    the_order_of_elements_does_not_matter,
    a_batch_is_its_two_parts,
    a_nan_weight_stays_where_it_is,
)
_OF_TWO_CLASSES = (
    the_other_class_mirrors_the_loss,
    a_soft_target_mixes_the_hard_ones,
    the_loss_is_monotone,
    the_loss_is_convex,
)
RELATIONS: Mapping[str, Sequence[Callable[[Sample], Relation]]] = {
    "bce_with_logits": (
        *COMMON,
        *_OF_TWO_CLASSES,
        a_nan_logit_stays_where_it_is,
        the_gradient_of_a_logit_is_bounded,
        a_pos_weight_of_one_is_none,
        a_pos_weight_is_a_factor_of_the_positive_class,
        the_slope_in_the_target_is_minus_the_logit,
    ),
    "bce": (*COMMON, *_OF_TWO_CLASSES),
}
