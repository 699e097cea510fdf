"""Wrong second derivatives of a right loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conformance.adapters.numpy import bce_with_logits, logistic, times

from .base import SECOND, Logits, Mutant, OtherInputs, Probabilities

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array

    from .base import Arrays, Outputs


class _OtherCurvature(Logits):
    """Base of those that get the second derivative with respect to the logits wrong."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        return {"logits_hvp": np.broadcast_to(self.curvature(x, t, p), np.broadcast(x, p).shape)}

    def curvature(self, x: Array, t: Array, p: Array) -> Array:
        raise NotImplementedError


class CurvatureIgnoresPosWeight(_OtherCurvature):
    """The second derivative is S (1 - S), whatever the pos_weight."""

    def curvature(self, x: Array, t: Array, p: Array) -> Array:
        return logistic(x) * logistic(-x)


class CurvatureTimesPosWeight(_OtherCurvature):
    """The second derivative is p S (1 - S), whatever the target."""

    def curvature(self, x: Array, t: Array, p: Array) -> Array:
        return p * logistic(x) * logistic(-x)


class CurvatureOfPositivesOnly(_OtherCurvature):
    """The second derivative lacks the negative term."""

    def curvature(self, x: Array, t: Array, p: Array) -> Array:
        return p * t * logistic(x) * logistic(-x)


class CurvatureZero(_OtherCurvature):
    """The second derivative is 0: the gradient was cut from the graph."""

    def curvature(self, x: Array, t: Array, p: Array) -> Array:
        return np.zeros_like(x)


class CurvatureIsGradient(_OtherCurvature):
    """The first derivative is returned for the second."""

    def curvature(self, x: Array, t: Array, p: Array) -> Array:
        return bce_with_logits(x, t, p)["logits_grad"]


class CurvatureZeroAtZero(_OtherCurvature):
    """At x = 0 the second derivative is 0, as that of |x| is."""

    def curvature(self, x: Array, t: Array, p: Array) -> Array:
        return np.where(x == 0, 0, bce_with_logits(x, t, p)["logits_hvp"])


class CurvatureOfAbsoluteLogit(_OtherCurvature):
    """The second derivative has the sign of x, as if |x| had been differentiated once only."""

    def curvature(self, x: Array, t: Array, p: Array) -> Array:
        return np.sign(x) * bce_with_logits(x, t, p)["logits_hvp"]


class CurvatureOfSquaredSigmoid(_OtherCurvature):
    """The second derivative has S squared for S (1 - S)."""

    def curvature(self, x: Array, t: Array, p: Array) -> Array:
        return (p * t + 1 - t) * logistic(x) ** 2


class CurvatureOverflows(_OtherCurvature):
    """The second derivative is e / (1 + e)^2 with e = exp -x, infinity over infinity."""

    def curvature(self, x: Array, t: Array, p: Array) -> Array:
        e = np.exp(-x)
        return (p * t + 1 - t) * e / (1 + e) ** 2


class CurvatureCancels(_OtherCurvature):
    """The second derivative is S (1 - S) by a subtraction, and loses the positive tail."""

    kind = "accuracy"

    def curvature(self, x: Array, t: Array, p: Array) -> Array:
        return (p * t + 1 - t) * logistic(x) * (1 - logistic(x))


class _OtherProbabilityCurvature(Probabilities):
    """Base of those that get the second derivative with respect to the probabilities wrong."""

    def change(self, q: Array, t: Array) -> Outputs:
        return {"probabilities_hvp": self.curvature(q, t)}

    def curvature(self, q: Array, t: Array) -> Array:
        raise NotImplementedError


class ProbabilityCurvatureSubtracts(_OtherProbabilityCurvature):
    """The terms of the second derivative are subtracted, as those of the first are."""

    def curvature(self, q: Array, t: Array) -> Array:
        return times(1 - t, 1 / (1 - q) ** 2) - times(t, 1 / q**2)


class ProbabilityCurvatureExpected(_OtherProbabilityCurvature):
    """The second derivative is its expectation 1 / (q (1 - q)), the Fisher information."""

    def curvature(self, q: Array, t: Array) -> Array:
        return 1 / (q * (1 - q))


class ProbabilityCurvatureNotSquared(_OtherProbabilityCurvature):
    """The denominators of the second derivative are not squared."""

    def curvature(self, q: Array, t: Array) -> Array:
        return times(t, 1 / q) + times(1 - t, 1 / (1 - q))


class ProbabilityCurvatureZero(_OtherProbabilityCurvature):
    """The second derivative is 0: the gradient was cut from the graph."""

    def curvature(self, q: Array, t: Array) -> Array:
        return np.zeros_like(q)


class ProbabilityCurvatureBounded(_OtherProbabilityCurvature):
    """The denominators of the second derivative are at least 1e-7."""

    def curvature(self, q: Array, t: Array) -> Array:
        return t / np.maximum(q, 1e-7) ** 2 + (1 - t) / np.maximum(1 - q, 1e-7) ** 2


class _OtherDirection(OtherInputs):
    """The product is that with another direction."""

    wrong = SECOND

    def other(self, arrays: Arrays) -> Arrays:
        v = self.direction(arrays["direction"])
        return {"direction": np.asarray(v, arrays["direction"].dtype)}

    def direction(self, v: Array) -> Array:
        raise NotImplementedError


class DirectionIgnored(_OtherDirection):
    """The diagonal of the Hessian is returned for its product with the direction."""

    def direction(self, v: Array) -> Array:
        return np.ones_like(v)


class DirectionSquared(_OtherDirection):
    """The direction is applied twice."""

    def direction(self, v: Array) -> Array:
        return v * v


class DirectionSummed(_OtherDirection):
    """The Hessian is multiplied as if every element depended on every other."""

    def direction(self, v: Array) -> Array:
        return v.sum()


class DirectionReversed(_OtherDirection):
    """The direction is taken in reverse order."""

    def direction(self, v: Array) -> Array:
        return v[..., ::-1] if v.ndim else v


class UnweightedCurvature(OtherInputs):
    """The second derivative lacks the weight."""

    wrong = SECOND

    def other(self, arrays: Arrays) -> Arrays:
        return {"weight": np.ones_like(arrays["weight"])}


class UndividedCurvature(Mutant):
    """The second derivative of a mean is not divided by the number of elements."""

    def reduce(self, outputs: Outputs, reduction: str) -> Outputs:
        found = super().reduce(outputs, reduction)
        return found | {name: outputs[name] for name in SECOND & outputs.keys()}
