"""What the transforms of torch.func share."""

from __future__ import annotations

from typing import ClassVar

from conformance.adapters.ways._way import Way


class Func(Way):
    """A transform of the loss as a function without side effects.

    Under every one of them PyTorch replaces binary_cross_entropy_with_logits, whose kernel works
    in place, by a composition of other operators: one with another formula, and without the checks
    of the shapes of the weights.

    Source: aten/src/ATen/functorch/PyTorchOperatorHacks.cpp of PyTorch.
    """

    eager: ClassVar[bool] = False
