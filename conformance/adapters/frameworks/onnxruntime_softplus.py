"""ONNX Runtime, with the loss of logits composed of the operator Softplus."""

from __future__ import annotations

from typing import ClassVar

from conformance.adapters.frameworks._onnx import Composed, Step

_SOFTPLUS: tuple[Step, ...] = (
    ("Sub", "one targets", "negative"),
    ("Softplus", "logits", "loss_of_negative"),
    ("Mul", "negative loss_of_negative", "of_negatives"),
    ("Neg", "logits", "opposite"),
    ("Softplus", "opposite", "loss_of_positive"),
    ("Mul", "targets loss_of_positive", "of_positives"),
)
_PLAIN: tuple[Step, ...] = (("Add", "of_positives of_negatives", "elements"),)
_POS_WEIGHT: tuple[Step, ...] = (
    ("Mul", "pos_weight of_positives", "weighted"),
    ("Add", "weighted of_negatives", "elements"),
)


class OnnxruntimeSoftplus(Composed):
    """t Softplus(-x) + (1 - t) Softplus(x), at the opset in which Softplus runs in every dtype.

    The CPU has a kernel of Softplus for float32 alone. Without one, ONNX Runtime expands the
    function that is the operator's definition, log(exp(x) + 1), which overflows where exp does.
    ONNX gives that function as of opset 18, and as of opset 19 a newer version of CastLike and of
    Constant, of which it is made; a function of outdated operators is not expanded. So in opset 18
    float64 and float16 are expanded, the latter with its operators in float32; in every other
    opset float64 is refused, and float16 cast to float32 and given to the kernel.

    Sources: https://onnx.ai/onnx/operators/onnx__Softplus.html and
    https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/providers/cpu/activation/activations.cc.
    """

    name: ClassVar[str] = "onnxruntime:softplus"
    operations: ClassVar[frozenset[str]] = frozenset({"bce_with_logits"})
    opset: ClassVar[int] = 18

    def steps(self, operation: str, *, pos_weight: bool) -> tuple[Step, ...]:  # noqa: ARG002
        """Those of the logits, the only loss that it has."""
        return _SOFTPLUS + (_POS_WEIGHT if pos_weight else _PLAIN)
