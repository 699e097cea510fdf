"""Arrays that know how far any sane arithmetic of some precision may be from them.

This is running error analysis (N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed.,
3.3): beside each value stands a bound of its error, to which every operation adds what its own
rounding may do to what it passes on of the errors of its operands. Bounds alone forget signs: what
two operations do to one error adds up even where it cancels, and over the steps of a training it
grows exponentially. So errors may be named ("tracked"), and are then followed with their signs, as
in affine arithmetic (J. Stolfi and L. de Figueiredo, Self-Validated Numerical Methods, 1997).
Products of two errors are left out: the analysis is of the first order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conformance.floats import Format

Values = np.ndarray[Any, np.dtype[np.float64]]

FUNCTION = 4
"""Roundings of an exponential or a tanh: libraries keep within two ulp, each of up to two u."""
MAX_TRACKED = 1 << 20
"""Most coefficients of tracked errors of one array; what does not fit stays in its bounds."""
MAX_EXPONENT = 700.0
"""From where on an exponential stays as it is: infinity would leave no bound of its inverse."""


class Rounded(NDArrayOperatorsMixin):
    """A float64 array, and what its elements may be off by in another format.

    Each operation is charged u (|result| + tiny), with the unit roundoff u and the smallest normal
    number tiny of the format: the standard model with gradual underflow (Higham, 2.8). A sum of n
    terms is charged ``roundings(n)`` times the sum of their magnitudes, whatever its order.
    Constants of Python that are not whole are charged as well: they may be rounded before they are
    used. NumPy arrays are exact, and so are changes of sign, of shape and of order.

    It has the operators of NumPy's arrays, ``np.exp``, ``tanh``, ``sqrt``, ``minimum`` and
    ``maximum``, comparisons of the values, and ``concatenate`` and ``stack`` along the first axis.

    Attributes:
        value: What exact arithmetic gives, but for the rounding of float64.
        error: In real units, a bound of each element's error apart from that of tracked errors.
        tracked: Of shape (*value.shape, K), what each of K tracked errors, at its largest, adds to
            each element; None where there are none.
        format: Whose roundings are charged.
    """

    def __init__(
        self, value: Any, error: Any, format_: Format, tracked: Values | None = None
    ) -> None:
        self.value: Values = np.asarray(value, np.float64)
        self.error: Values = np.asarray(error, np.float64)
        self.tracked = tracked
        self.format = format_

    @property
    def radius(self) -> Values:
        """The bound of each element's whole error."""
        if self.tracked is None:
            return self.error
        radius: Values = self.error + np.abs(self.tracked).sum(axis=-1)
        return radius

    def track(self) -> Rounded:
        """The same array, of shape (P,), whose errors are tracked from now on."""
        before = 0 if self.tracked is None else self.tracked.shape[-1]
        if self.error.size * (before + self.error.size) > MAX_TRACKED:
            return self
        own = np.diag(self.error)
        tracked = own if self.tracked is None else np.concatenate([self.tracked, own], axis=-1)
        return Rounded(self.value, np.zeros(self.shape), self.format, tracked)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values."""
        shape: tuple[int, ...] = self.value.shape
        return shape

    @property
    def T(self) -> Rounded:  # noqa: N802
        """The transpose."""
        return self.transpose()

    def transpose(self, *axes: int) -> Rounded:
        """The same elements, the axes in another order."""
        return self._rearranged(lambda array: array.transpose(*axes))

    def reshape(self, *shape: Any) -> Rounded:
        """The same elements in another shape."""
        return self._rearranged(lambda array: array.reshape(*shape))

    def __getitem__(self, key: Any) -> Rounded:
        return self._rearranged(lambda array: array[key])

    def __len__(self) -> int:
        return len(self.value)

    def _rearranged(self, rearrange: Callable[[Any], Any]) -> Rounded:
        tracked = self.tracked
        if tracked is not None:
            order = rearrange(np.arange(self.value.size).reshape(self.shape))
            tracked = tracked.reshape(self.value.size, -1)[order]
        return Rounded(rearrange(self.value), rearrange(self.error), self.format, tracked)

    def sum(self, axis: int | tuple[int, ...] | None = None) -> Rounded:
        """The sum over all elements, or over axes counted from the first; in any order."""
        axis = tuple(range(self.value.ndim)) if axis is None else axis
        value = self.value.sum(axis=axis)
        count = roundings(self.value.size // max(1, value.size))
        tracked = None if self.tracked is None else self.tracked.sum(axis=axis)
        total = Rounded(value, self.error.sum(axis=axis), self.format, tracked)
        return total.charged(count * np.abs(self.value).sum(axis=axis) if count else None)

    def charged(self, magnitude: Values | None) -> Rounded:
        """The same with u (magnitude + tiny) more error; None leaves it as it is."""
        if magnitude is None:
            return self
        own = self.format.unit_roundoff * (magnitude + self.format.smallest_normal)
        return Rounded(self.value, self.error + own, self.format, self.tracked)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options:
            return NotImplemented
        operands = [_operand(given, self.format) for given in inputs]
        if ufunc in _COMPARISONS:
            return ufunc(*(operand.value for operand in operands))
        if ufunc not in _RULES:
            return NotImplemented
        result, magnitude = _RULES[ufunc](*operands)
        return result.charged(magnitude)

    def __array_function__(
        self, function: Any, types: Iterable[type], args: Any, options: Any
    ) -> Any:
        if function not in (np.concatenate, np.stack) or len(args) != 1 or options:
            return NotImplemented
        operands = [_operand(given, self.format) for given in args[0]]
        tracked = _as_many([operand.tracked for operand in operands], operands)
        return Rounded(
            function([operand.value for operand in operands]),
            function([operand.error for operand in operands]),
            self.format,
            function(tracked) if tracked else None,
        )


def roundings(count: int) -> float:
    """How many roundings a sum of ``count`` terms is charged, each of the sum of magnitudes.

    One after the other they are count - 1 at worst; but rounding errors are of both signs, and
    are within 2 sqrt(count) with all but vanishing probability (N. Higham and T. Mary, A new
    approach to probabilistic rounding error analysis, SIAM J. Sci. Comput. 41, 2019).
    """
    return min(count - 1, 2 * count**0.5) if count else 0


Ruled = tuple[Rounded, Values | None]
"""A result with the errors that it inherits, and the magnitude that its rounding is charged."""


def _operand(given: Any, format_: Format) -> Rounded:
    if isinstance(given, Rounded):
        return given
    value = np.asarray(given, np.float64)
    inexact = isinstance(given, float) and given % 1 != 0
    error = np.abs(value) * format_.unit_roundoff if inexact else np.zeros(value.shape)
    return Rounded(value, error, format_)


def _as_many(tracked: list[Values | None], operands: list[Rounded]) -> list[Values]:
    """Coefficients of as many tracked errors for each operand; empty where there are none."""
    counts = [0 if each is None else each.shape[-1] for each in tracked]
    most = max(counts)
    if not most:
        return []
    filled = []
    for each, operand, count in zip(tracked, operands, counts, strict=True):
        zeros = np.zeros((*operand.shape, most - count))
        filled.append(zeros if each is None else np.concatenate([each, zeros], axis=-1))
    return filled


def linear(value: Values, error: Values, *terms: tuple[Values, Rounded]) -> Rounded:
    """A result whose tracked errors are those of each operand times its partial derivative."""
    parts: list[Values] = []
    for derivative, operand in terms:
        if operand.tracked is not None:
            parts.append(derivative[..., None] * operand.tracked)
    parts.sort(key=lambda part: part.shape[-1])
    tracked = None
    if parts:
        tracked = np.zeros((*value.shape, parts[-1].shape[-1]))
        for part in parts:
            tracked[..., : part.shape[-1]] += part
    return Rounded(value, error, terms[0][1].format, tracked)


ONE = np.ones(())


def _add(a: Rounded, b: Rounded) -> Ruled:
    value = a.value + b.value
    return linear(value, a.error + b.error, (ONE, a), (ONE, b)), np.abs(value)


def _subtract(a: Rounded, b: Rounded) -> Ruled:
    value = a.value - b.value
    return linear(value, a.error + b.error, (ONE, a), (-ONE, b)), np.abs(value)


def _multiply(a: Rounded, b: Rounded) -> Ruled:
    value = a.value * b.value
    error = np.abs(a.value) * b.error + a.error * np.abs(b.value)
    return linear(value, error, (b.value, a), (a.value, b)), np.abs(value)


def _divide(a: Rounded, b: Rounded) -> Ruled:
    value = a.value / b.value
    error = (a.error + np.abs(value) * b.error) / np.abs(b.value)
    return linear(value, error, (1 / b.value, a), (-value / b.value, b)), np.abs(value)


def _matmul(a: Rounded, b: Rounded) -> Ruled:
    sizes = np.abs(a.value), np.abs(b.value)
    error = sizes[0] @ b.error + a.error @ sizes[1]
    result = Rounded(a.value @ b.value, error, a.format)
    if a.tracked is not None:
        part = (a.tracked.swapaxes(-1, -2) @ b.value).swapaxes(-1, -2)
        result = linear(result.value, result.error, (ONE, _only(part, a)))
    if b.tracked is not None:
        part = np.tensordot(a.value, b.tracked, axes=1)
        result = linear(result.value, result.error, (ONE, result), (ONE, _only(part, b)))
    return result, (1 + roundings(a.shape[-1])) * (sizes[0] @ sizes[1])


def _only(tracked: Values, like: Rounded) -> Rounded:
    zeros = np.zeros(tracked.shape[:-1])
    return Rounded(zeros, zeros, like.format, tracked)


def _negative(a: Rounded) -> Ruled:
    return linear(-a.value, a.error, (-ONE, a)), None


def _exp(a: Rounded) -> Ruled:
    value = np.exp(np.minimum(a.value, MAX_EXPONENT))
    return linear(value, value * a.error, (value, a)), FUNCTION * value


def _tanh(a: Rounded) -> Ruled:
    value = np.tanh(a.value)
    slope = 1 - value**2
    return linear(value, slope * a.error, (slope, a)), FUNCTION * np.abs(value)


def _sqrt(a: Rounded) -> Ruled:
    value = np.sqrt(a.value)
    radius = a.radius
    # Next to 0 the derivative is no guide: a difference of roots is.
    steep = a.value <= 2 * radius
    down = value - np.sqrt(np.maximum(a.value - radius, 0))
    up = np.sqrt(a.value + radius) - value
    slope: Values = np.where(steep, 0, 0.5 / np.where(value == 0, 1, value))
    error = np.where(steep, np.maximum(up, down), slope * (a.error - radius) + down)
    return linear(value, error, (slope, a)), value


def _minimum(a: Rounded, b: Rounded) -> Ruled:
    value = np.minimum(a.value, b.value)
    clear = np.abs(a.value - b.value) > a.radius + b.radius
    first = a.value <= b.value
    error = np.where(clear, np.where(first, a.error, b.error), np.maximum(a.radius, b.radius))
    from_a: Values = np.where(clear & first, 1.0, 0.0)
    from_b: Values = np.where(clear & ~first, 1.0, 0.0)
    return linear(value, error, (from_a, a), (from_b, b)), None


def _maximum(a: Rounded, b: Rounded) -> Ruled:
    smaller, _ = _minimum(_negative(a)[0], _negative(b)[0])
    return _negative(smaller)


_RULES: dict[np.ufunc, Callable[..., Ruled]] = {
    np.add: _add,
    np.subtract: _subtract,
    np.multiply: _multiply,
    np.divide: _divide,
    np.matmul: _matmul,
    np.negative: _negative,
    np.exp: _exp,
    np.tanh: _tanh,
    np.sqrt: _sqrt,
    np.minimum: _minimum,
    np.maximum: _maximum,
}
_COMPARISONS = (np.greater, np.greater_equal, np.less, np.less_equal)
