"""ONNX Runtime, with the graphs that PyTorch's exporter writes for the two losses."""

from __future__ import annotations

from typing import ClassVar

from conformance.adapters.frameworks._onnx import Composed, Step

_LOGITS: tuple[Step, ...] = (
    ("Sub", "one targets", "negative"),
    ("Mul", "negative logits", "linear"),
    ("Sigmoid", "logits", "sigmoid"),
    ("Log", "sigmoid", "log_sigmoid"),
)
_PLAIN: tuple[Step, ...] = (("Sub", "linear log_sigmoid", "elements"),)
_POS_WEIGHT: tuple[Step, ...] = (
    ("Sub", "pos_weight one", "excess"),
    ("Mul", "excess targets", "positive"),
    ("Add", "positive one", "log_weight"),
    ("Mul", "log_weight log_sigmoid", "weighted"),
    ("Sub", "linear weighted", "elements"),
)
_PROBABILITIES: tuple[Step, ...] = (
    ("Sub", "targets one", "negative"),
    ("Neg", "probabilities", "opposite"),
    ("Add", "opposite one", "rest"),
    ("Log", "rest", "log_rest"),
    ("Max", "log_rest floor", "kept_rest"),
    ("Mul", "negative kept_rest", "of_negatives"),
    ("Log", "probabilities", "log"),
    ("Max", "log floor", "kept"),
    ("Mul", "targets kept", "of_positives"),
    ("Sub", "of_negatives of_positives", "elements"),
)


class Onnxruntime(Composed):
    """The graphs of ``torch.onnx.export(dynamo=True)`` with PyTorch 2.13 and onnxscript 0.7.2.

    Of ``torch.nn.functional.binary_cross_entropy_with_logits`` and ``binary_cross_entropy``, for
    any shapes; none of PyTorch's checks is in them, and LogSigmoid becomes the Log of a Sigmoid:
    https://github.com/microsoft/onnxscript/blob/main/onnxscript/function_libs/torch_lib/ops/nn.py
    """

    name: ClassVar[str] = "onnxruntime"
    opset: ClassVar[int] = 20

    def steps(self, operation: str, *, pos_weight: bool) -> tuple[Step, ...]:
        """As they are exported."""
        if operation == "bce":
            return _PROBABILITIES
        return _LOGITS + (_POS_WEIGHT if pos_weight else _PLAIN)
