"""The loss inside torch.autocast, as in training with mixed precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from conformance.adapters.ways._way import Way

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.adapters._torch import Tensors


class _Autocast(Way):
    """Computes the loss inside, and differentiates it outside, as the documentation advises.

    Both losses are among the operators that run in float32, so 16-bit inputs give a loss in
    float32, and gradients in the dtype of their input. It is a matter of the device whether both
    are allowed: on CUDA the loss of probabilities is refused.

    Source: https://docs.pytorch.org/docs/stable/amp.html#cpu-ops-that-autocast-to-float32.

    Attributes:
        autocast_dtype: To which operators are cast that gain by it; these two do not.
        eager: The kernels are those of float32 whatever the inputs, so that what goes wrong in
            those of 16 bits does not show.
    """

    loss_dtypes: ClassVar[Mapping[str, str]] = {"bfloat16": "float32", "float16": "float32"}
    eager: ClassVar[bool] = False
    autocast_dtype: ClassVar[torch.dtype]

    def loss(self, tensors: Tensors) -> torch.Tensor:
        """The loss, of inputs that autocast converts."""
        with torch.autocast(tensors.input.device.type, dtype=self.autocast_dtype):
            return super().loss(tensors)


class Bfloat16(_Autocast):
    """Autocast to bfloat16."""

    name: ClassVar[str] = "torch:autocast_bf16"
    autocast_dtype: ClassVar[torch.dtype] = torch.bfloat16


class Float16(_Autocast):
    """Autocast to float16."""

    name: ClassVar[str] = "torch:autocast_fp16"
    autocast_dtype: ClassVar[torch.dtype] = torch.float16
