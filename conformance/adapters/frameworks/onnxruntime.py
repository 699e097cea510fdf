"""ONNX Runtime, with the graphs that PyTorch's exporter writes for the two losses."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import onnxruntime
from onnx import ModelProto, helper, numpy_helper

from conformance.adapters.base import LossAdapter
from conformance.model import Computed, Declined
from conformance.operations import OPERATIONS, REDUCTIONS

if TYPE_CHECKING:
    from conformance.model import Question

_OPSET, _IR = 20, 10
"""Those of the file that PyTorch 2.13 writes."""
_LOGITS = [
    ("Sub", "one targets", "negative"),
    ("Mul", "negative logits", "linear"),
    ("Sigmoid", "logits", "sigmoid"),
    ("Log", "sigmoid", "log_sigmoid"),
]
_PLAIN = [("Sub", "linear log_sigmoid", "elements")]
_POS_WEIGHT = [
    ("Sub", "pos_weight one", "excess"),
    ("Mul", "excess targets", "positive"),
    ("Add", "positive one", "log_weight"),
    ("Mul", "log_weight log_sigmoid", "weighted"),
    ("Sub", "linear weighted", "elements"),
]
_PROBABILITIES = [
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
]
_REDUCE = {"none": "Identity", "mean": "ReduceMean", "sum": "ReduceSum"}


@cache
def session(
    operation: str, reduction: str, dtype: str, given: tuple[str, ...]
) -> onnxruntime.InferenceSession:
    """A session for inputs of any shape, made once for each combination."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    serialized = model(operation, reduction, dtype, given).SerializeToString()
    return onnxruntime.InferenceSession(serialized, options, ["CPUExecutionProvider"])


def model(operation: str, reduction: str, dtype: str, given: tuple[str, ...]) -> ModelProto:
    """The graph of ``torch.onnx.export(dynamo=True)`` with PyTorch 2.13 and onnxscript 0.7.2.

    Of ``torch.nn.functional.binary_cross_entropy_with_logits`` and ``binary_cross_entropy``, for
    any shapes; LogSigmoid becomes the Log of a Sigmoid:
    https://github.com/microsoft/onnxscript/blob/main/onnxscript/function_libs/torch_lib/ops/nn.py
    """
    steps = _PROBABILITIES
    if operation == "bce_with_logits":
        steps = _LOGITS + (_POS_WEIGHT if "pos_weight" in given else _PLAIN)
    last = "elements"
    if "weight" in given:
        steps, last = [*steps, ("Mul", "elements weight", "products")], "products"
    nodes = [helper.make_node(kind, sources.split(), [made]) for kind, sources, made in steps]
    axes = {} if reduction == "none" else {"keepdims": 0}
    nodes.append(helper.make_node(_REDUCE[reduction], [last], ["loss"], **axes))
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    constants = {"one": 1, "floor": -100}
    graph = helper.make_graph(
        nodes,
        operation,
        [helper.make_tensor_value_info(name, element, None) for name in given],
        [helper.make_tensor_value_info("loss", element, None)],
        [numpy_helper.from_array(np.array(value, dtype), at) for at, value in constants.items()],
    )
    opset = helper.make_opsetid("", _OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=_IR)


class Onnxruntime(LossAdapter):
    """Runs ``model`` on the CPU: ONNX has no operator for either loss, but PyTorch exports both.

    There is no gradient, for a session differentiates nothing, and no bfloat16, for which the CPU
    has no kernels. The graph knows nothing of PyTorch's checks, and broadcasts all that it gets.
    """

    name: ClassVar[str] = "onnxruntime"
    outputs: ClassVar[frozenset[str]] = frozenset({"loss"})
    dtypes: ClassVar[frozenset[str]] = frozenset({"float16", "float32", "float64"})
    distributions: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnx")

    def decline(self, question: Question) -> Declined | None:
        """Decline a reduction that is none, for no operator has its name."""
        if question.reduction not in REDUCTIONS:
            return Declined("onnxruntime has no operator for such a reduction")
        return super().decline(question)

    def evaluate(self, question: Question) -> Computed:
        """Run the graph; the gradient that flows in has no part in it."""
        names = OPERATIONS[question.operation].inputs
        inputs = {name: question.inputs[name] for name in names if name in question.inputs}
        run = session(question.operation, question.reduction, question.dtype, tuple(inputs)).run
        (loss,) = run(["loss"], inputs)
        return Computed(loss=loss)
