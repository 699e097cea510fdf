"""Rounded arrays against real arithmetic in narrow formats, and against moved operands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from conformance.floats import FORMATS
from conformance.rounding import Rounded, roundings

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT = FORMATS["float32"]
FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "matmul": lambda a, b: a @ b.T,
    "batched_matmul": lambda a, b: a.reshape(2, 10, 10) @ b[:10],
    "exp": lambda a, b: np.exp(a),
    "tanh": lambda a, b: np.tanh(a),
    "sqrt": lambda a, b: np.sqrt(a * a),
    "minimum": np.minimum,
    "maximum": lambda a, b: np.maximum(a, 0.1),
    "sum": lambda a, b: a.sum(axis=0) - b.sum(axis=(1,)).sum(),
    "constants": lambda a, b: 0.98 * a + (1 - 0.98) * (3 - b),
    "logistic": lambda a, b: 1 / (1 + np.exp(-a)),
    "mixed": lambda a, b: np.tanh(a @ b.T / 7).sum(axis=1)[:, None] / (1 + np.exp(-a)) * b,
    "joined": lambda a, b: np.concatenate([a[:3], b]) * np.stack([a[0], b[1]]).T[4, 1],
}


def operands(seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, 20, 10)).astype(np.float32).astype(np.float64)
    return a, b


def exact(values: Any) -> Rounded:
    return Rounded(values, np.zeros(np.shape(values)), FORMAT)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_stays_within_what_is_charged(name: str) -> None:
    for seed in range(20):
        a, b = operands(seed)
        found = FUNCTIONS[name](exact(a), exact(b))
        right = FUNCTIONS[name](a, b)
        answer = FUNCTIONS[name](a.astype(np.float32), b.astype(np.float32))
        assert np.float32 == answer.dtype
        np.testing.assert_array_equal(found.value, right)
        assert np.all(np.abs(answer - right) <= found.radius)
        # Nothing is charged more than the worst that a few roundings can do.
        size = np.maximum(np.abs(right).max(), 1)
        assert found.radius.max() <= 1000 * FORMAT.unit_roundoff * size**2


@pytest.mark.parametrize("tracking", [False, True], ids=["plain", "tracked"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_moving_the_operands_moves_the_result_within_the_bound(name: str, tracking: bool) -> None:
    rng = np.random.default_rng(1)
    a, b = operands(0)
    size = 1e-7
    flat = Rounded(np.concatenate([a, b]).reshape(-1), np.full(400, size), FORMAT)
    flat = flat.track() if tracking else flat
    assert tracking == (flat.tracked is not None)
    joined = flat.reshape(40, 10)
    found = FUNCTIONS[name](joined[:20], joined[20:])
    right = FUNCTIONS[name](a, b)
    for _ in range(20):
        moved = size * rng.choice([-1, 1], (2, 20, 10))
        change = np.abs(FUNCTIONS[name](a + moved[0], b + moved[1]) - right)
        # The second order is left out, and float64 rounds as well.
        assert np.all(change <= found.radius * (1 + 1e-5) + 1e-14)


def test_tracked_errors_cancel_where_bounds_add_up() -> None:
    p = Rounded(np.ones(3), np.full(3, 1e-3), FORMAT)
    shrunk = [given - 0.5 * given for given in (p, p.track())]
    np.testing.assert_allclose([1.5e-3, 0.5e-3], [each.radius[0] for each in shrunk], rtol=1e-3)
    # Over many steps the one explodes, and the other settles.
    bound, tracked = shrunk
    for _ in range(20):
        bound, tracked = bound - 1.5 * bound, (tracked - 1.5 * tracked).track()
    assert bound.radius[0] > 1e4
    assert tracked.radius[0] < 1e-6


def test_errors_of_later_steps_are_tracked_beside_earlier_ones() -> None:
    p = Rounded(np.ones(2), np.array([1e-3, 2e-3]), FORMAT).track()
    later = Rounded(p.value, np.full(2, 1e-4), FORMAT, p.tracked).track()
    assert later.tracked is not None
    np.testing.assert_array_equal([[1e-3, 0, 1e-4, 0], [0, 2e-3, 0, 1e-4]], later.tracked)
    both = later * p
    np.testing.assert_allclose([2e-3 + 1e-4, 4e-3 + 1e-4], both.radius, rtol=1e-3)


def test_too_many_errors_stay_bounds() -> None:
    p = Rounded(np.ones(2000), np.full(2000, 1e-3), FORMAT).track()
    assert p.tracked is None
    np.testing.assert_array_equal(np.full(2000, 1e-3), p.radius)


def test_the_root_of_an_error_around_zero_is_finite() -> None:
    (root,) = np.sqrt(Rounded([0.0], [1e-6], FORMAT)).radius
    assert root == pytest.approx(1e-3)
    (root,) = np.sqrt(Rounded([1.0], [1e-6], FORMAT)).radius
    assert root == pytest.approx(5e-7 + FORMAT.unit_roundoff, rel=1e-2)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
def test_a_sum_one_after_the_other_stays_within_what_is_charged(name: str) -> None:
    format_ = FORMATS[name]
    for seed in range(20):
        values = np.random.default_rng(seed).random(200).astype(format_.dtype)
        total = np.zeros((), format_.dtype)
        for value in values:
            total = (total + value).astype(format_.dtype)
        found = Rounded(values.astype(np.float64), np.zeros(200), format_).sum()
        assert np.abs(float(total) - found.value) <= found.radius


def test_the_smallest_normal_number_is_charged_for_underflow() -> None:
    tiny = FORMAT.smallest_normal
    product = exact([tiny]) * exact([0.3])
    answer = float(np.float32(tiny) * np.float32(0.3))
    error = np.abs(answer - tiny * 0.3)
    assert FORMAT.unit_roundoff * answer < error <= product.radius[0]


def test_where_two_are_alike_either_may_be_the_smaller() -> None:
    near = np.minimum(Rounded([1.0], [1e-3], FORMAT), 1)
    far = np.minimum(Rounded([1.1], [1e-3], FORMAT), 1)
    assert [1e-3, 0] == [near.radius[0], far.radius[0]]


def test_comparisons_are_of_the_values() -> None:
    assert [True, False] == (Rounded([0.6, 0.5], [1, 1], FORMAT) > 0.5).tolist()


def test_what_has_no_rule_is_refused() -> None:
    with pytest.raises(TypeError):
        np.sin(exact([1.0]))
    with pytest.raises(TypeError):
        np.median(exact([1.0]))


def test_few_terms_are_charged_the_worst_order() -> None:
    assert [0, 0, 1, 4, 20] == [roundings(count) for count in (0, 1, 2, 5, 100)]
