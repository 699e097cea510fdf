"""A framework on one screen: tensors of float32, reverse-mode gradients, one loss.

Logits are to be finite. Shapes are to be the same; nothing is broadcast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

Array = np.ndarray[Any, np.dtype[Any]]


class Tensor:
    """An array, the gradient that reached it, and what it was computed from."""

    def __init__(self, data: Any, *parents: tuple[Tensor, Callable[[Array], Array]]) -> None:
        self.data: Array = np.array(data, np.float32)
        self.grad: Array = np.zeros_like(self.data)
        self._parents = parents

    def __add__(self, other: Tensor) -> Tensor:
        return Tensor(self.data + other.data, (self, lambda g: g), (other, lambda g: g))

    def __neg__(self) -> Tensor:
        return Tensor(-self.data, (self, lambda g: -g))

    def __mul__(self, other: Tensor) -> Tensor:
        product = self.data * other.data
        return Tensor(product, (self, lambda g: g * other.data), (other, lambda g: g * self.data))

    def softplus(self) -> Tensor:
        """log(1 + exp x), and its slope 1 / (1 + exp -x), without overflow."""
        small = np.exp(-np.abs(self.data))
        value = np.maximum(self.data, 0) + np.log1p(small)
        slope = np.where(self.data >= 0, 1, small) / (1 + small)
        return Tensor(value, (self, lambda g: g * slope))

    def sum(self) -> Tensor:
        """The sum of all elements."""
        return Tensor(self.data.sum(), (self, lambda g: np.broadcast_to(g, self.data.shape)))

    def mean(self) -> Tensor:
        """The mean of all elements; infinite if their sum overflows."""
        size = np.float32(self.data.size)
        value = self.data.sum() / size
        return Tensor(value, (self, lambda g: np.broadcast_to(g / size, self.data.shape)))

    def backward(self) -> None:
        """Add the gradient of this tensor's sum to that of all it was computed from."""
        order: list[Tensor] = []

        def visit(tensor: Tensor) -> None:
            if tensor not in order:
                for parent, _ in tensor._parents:
                    visit(parent)
                order.append(tensor)

        visit(self)
        self.grad = np.ones_like(self.data)
        for tensor in reversed(order):
            for parent, pull_back in tensor._parents:
                parent.grad = parent.grad + pull_back(tensor.grad)


def binary_cross_entropy_with_logits(
    logits: Tensor, targets: Tensor, reduction: str = "mean"
) -> Tensor:
    """The loss t log(1 + exp -x) + (1 - t) log(1 + exp x), reduced.

    Raises:
        ValueError: If the shapes differ, or there is no such reduction.
    """
    if logits.data.shape != targets.data.shape:
        msg = f"shapes differ: {logits.data.shape}, {targets.data.shape}"
        raise ValueError(msg)
    if reduction not in ("none", "mean", "sum"):
        msg = f"no reduction is called {reduction!r}"
        raise ValueError(msg)
    others = Tensor(np.ones_like(targets.data)) + -targets
    loss = targets * (-logits).softplus() + others * logits.softplus()
    reduced: Tensor = loss if reduction == "none" else getattr(loss, reduction)()
    return reduced
