"""Approximations of exp and log1p that are fast before they are right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conformance.adapters.numpy import bce_with_logits

from .base import Logits, TwoLogarithms

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array

    from .base import Outputs


class _Approximation(TwoLogarithms):
    """Base of those that compute the softplus from another exp or log1p."""

    kind = "accuracy"

    def minus_log(self, z: Array) -> Array:
        return np.maximum(-z, 0) + self.log1p(self.exp(-np.abs(z)))

    def exp(self, z: Array) -> Array:
        return np.exp(z)

    def log1p(self, e: Array) -> Array:
        return np.log1p(e)


class ExponentialByPowerOfTwo(_Approximation):
    """The exponential is exp2(z log2 e), whose argument is rounded."""

    def exp(self, z: Array) -> Array:
        return np.exp2(z * np.log2(np.e, dtype=z.dtype))


class ExponentialInFloat32(_Approximation):
    """The exponential is that of float32, even for float64."""

    def exp(self, z: Array) -> Array:
        return np.exp(z.astype(np.float32)).astype(z.dtype)


class ExponentialInFloat16(_Approximation):
    """The exponential is that of float16, in whatever dtype."""

    def exp(self, z: Array) -> Array:
        return np.exp(z.astype(np.float16)).astype(z.dtype)


class ExponentialByBits(_Approximation):
    """The exponential is read off the bits of a float32, which is 6 % off (Schraudolph, 1999)."""

    kind = "semantic"

    def exp(self, z: Array) -> Array:
        scaled = np.clip(np.nan_to_num(z, neginf=-88), -87, 0).astype(np.float32)
        bits = (scaled * np.float32(2**23 / np.log(2)) + np.float32(127 * 2**23)).astype(np.int32)
        return np.where(np.isnan(z), z, bits.view(np.float32)).astype(z.dtype)


class ExponentialByLimit(_Approximation):
    """The exponential is (1 + z/1024)^1024."""

    kind = "semantic"

    def exp(self, z: Array) -> Array:
        return np.maximum(1 + z / 1024, 0) ** 1024


class Log1pLinear(_Approximation):
    """Below 1e-3 log1p(e) is e."""

    def log1p(self, e: Array) -> Array:
        return np.where(e < 1e-3, e, np.log1p(e))


class Log1pQuadratic(_Approximation):
    """Below 1e-2 log1p(e) is e - e^2/2."""

    def log1p(self, e: Array) -> Array:
        return np.where(e < 1e-2, e - e * e / 2, np.log1p(e))


class Log1pByPolynomial(_Approximation):
    """The log1p is a polynomial of degree 5, off by up to 1e-5 (Abramowitz and Stegun, 4.1.43)."""

    def log1p(self, e: Array) -> Array:
        coefficients = (0.03215845, -0.13606275, 0.28947478, -0.49190896, 0.99949556, 0)
        return np.polyval(np.asarray(coefficients, e.dtype), e)


class SoftplusFromTable(TwoLogarithms):
    """The softplus is read from a table of 4096 values in [-8, 8], and is linear beyond."""

    kind = "semantic"

    def minus_log(self, z: Array) -> Array:
        grid = np.linspace(-8, 8, 4097)
        inside = np.interp(-z, grid, np.log1p(np.exp(grid)))
        return np.where(np.abs(z) > 8, np.maximum(-z, 0), inside).astype(z.dtype)


class GradientBySoftsign(Logits):
    """The sigmoid of the gradient is (1 + x / (1 + |x|)) / 2."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        up = (1 + x / (1 + np.abs(x))) / 2
        return {"logits_grad": (1 - t) * up - p * t * (1 - up)}


class GradientByDifference(Logits):
    """The gradient is a difference quotient of the loss, of step 1e-3."""

    def change(self, x: Array, t: Array, p: Array) -> Outputs:
        h = x.dtype.type(1e-3)
        ahead, behind = (bce_with_logits(x + step, t, p)["loss"] for step in (h, -h))
        return {"logits_grad": (ahead - behind) / (2 * h)}
