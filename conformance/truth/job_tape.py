"""Differentiates by itself: operations on Arb balls leave their slopes behind.

The method is reverse-mode automatic differentiation: every variable knows those that it came from
and its derivative by each, and the derivatives of the last one are added up on the way back.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from flint import arb

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_numbers = count()


class Variable:
    """A ball, and where it came from.

    Attributes:
        value: The ball.
        number: Later variables have larger ones.
        sources: The variables that it was computed from, each with the derivative by it.
    """

    __slots__ = ("number", "sources", "value")

    def __init__(self, value: arb, sources: Sequence[tuple[Variable, arb]] = ()) -> None:
        self.value = value
        self.sources = sources
        self.number = next(_numbers)

    def __add__(self, other: Variable) -> Variable:
        return Variable(self.value + other.value, ((self, _ONE), (other, _ONE)))

    def __neg__(self) -> Variable:
        return Variable(-self.value, ((self, -_ONE),))

    def times(self, factor: arb) -> Variable:
        """The product with a number."""
        return Variable(self.value * factor, ((self, factor),))

    def plus(self, constant: arb) -> Variable:
        """The sum with a number."""
        return Variable(self.value + constant, ((self, _ONE),))

    def reciprocal(self) -> Variable:
        """1 / x."""
        value = 1 / self.value
        return Variable(value, ((self, -value * value),))

    def exp(self) -> Variable:
        """The exponential of x."""
        value = self.value.exp()
        return Variable(value, ((self, value),))

    def log(self) -> Variable:
        """The natural logarithm."""
        return Variable(self.value.log(), ((self, 1 / self.value),))

    def log1p(self) -> Variable:
        """log(1 + x), which loses nothing of a tiny x."""
        return Variable(self.value.log1p(), ((self, 1 / (1 + self.value)),))

    def tanh(self) -> Variable:
        """The hyperbolic tangent."""
        value = self.value.tanh()
        return Variable(value, ((self, 1 - value * value),))


_ONE = arb(1)


def total(terms: Iterable[Variable]) -> Variable:
    """The sum of variables."""
    sources = [(term, _ONE) for term in terms]
    return Variable(sum((term.value for term, _ in sources), arb(0)), sources)


def affine(weights: Sequence[Variable], numbers: Sequence[arb], bias: Variable) -> Variable:
    """The sum of weight times number, plus a bias."""
    value = bias.value
    for weight, number in zip(weights, numbers, strict=True):
        value += weight.value * number
    return Variable(value, [*zip(weights, numbers, strict=True), (bias, _ONE)])


def bilinear(weights: Sequence[Variable], units: Sequence[Variable], bias: Variable) -> Variable:
    """The sum of weight times unit, both of them variables, plus a bias."""
    value = bias.value
    sources = [(bias, _ONE)]
    for weight, unit in zip(weights, units, strict=True):
        value += weight.value * unit.value
        sources += ((weight, unit.value), (unit, weight.value))
    return Variable(value, sources)


def gradient(result: Variable, by: Sequence[Variable]) -> list[arb]:
    """The derivative of ``result`` by each of some variables."""
    slopes = {result: arb(1)}
    for variable in _latest_first(result):
        slope = slopes[variable]
        for source, derivative in variable.sources:
            change = slope * derivative
            known = slopes.get(source)
            slopes[source] = change if known is None else known + change
    return [slopes.get(variable, arb(0)) for variable in by]


def _latest_first(result: Variable) -> list[Variable]:
    """All variables behind a result, each before those that it came from."""
    found = {result}
    waiting = [result]
    while waiting:
        for source, _ in waiting.pop().sources:
            if source not in found:
                found.add(source)
                waiting.append(source)
    return sorted(found, key=lambda variable: variable.number, reverse=True)
