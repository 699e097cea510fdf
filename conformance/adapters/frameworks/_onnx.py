"""What the adapters of ONNX Runtime share: graphs of ONNX operators, and sessions that run them."""

from __future__ import annotations

from abc import abstractmethod
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

Step = tuple[str, str, str]
"""An operator, the names of what it takes with spaces between, and that of what it makes."""

_CONSTANTS = {"one": 1, "floor": -100}
_REDUCE = {"none": "Identity", "mean": "ReduceMean", "sum": "ReduceSum"}
_IR = 10
"""The format of the file that PyTorch 2.13 writes."""


@cache
def session(
    steps: tuple[Step, ...], opset: int, reduction: str, dtype: str, given: tuple[str, ...]
) -> onnxruntime.InferenceSession:
    """A session for inputs of any shape, made once for each combination."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    serialized = model(steps, opset, reduction, dtype, given).SerializeToString()
    return onnxruntime.InferenceSession(serialized, options, ["CPUExecutionProvider"])


def model(
    steps: tuple[Step, ...], opset: int, reduction: str, dtype: str, given: tuple[str, ...]
) -> ModelProto:
    """A graph that makes "loss" of the inputs ``given``.

    Args:
        steps: What makes "elements", the loss before it is weighted and reduced.
        opset: The version of the operators.
        reduction: One of REDUCTIONS.
        dtype: That of all inputs and of the loss.
        given: Names of the inputs; a "weight" multiplies the elements.
    """
    last = "elements"
    if "weight" in given:
        steps, last = (*steps, ("Mul", "elements weight", "products")), "products"
    nodes = [helper.make_node(kind, sources.split(), [made]) for kind, sources, made in steps]
    axes = {} if reduction == "none" else {"keepdims": 0}
    nodes.append(helper.make_node(_REDUCE[reduction], [last], ["loss"], **axes))
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        nodes,
        "binary_cross_entropy",
        [helper.make_tensor_value_info(name, element, None) for name in given],
        [helper.make_tensor_value_info("loss", element, None)],
        [numpy_helper.from_array(np.array(value, dtype), at) for at, value in _CONSTANTS.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=_IR)


class Composed(LossAdapter):
    """Runs the graph of ``steps`` on the CPU, for ONNX has no operator for either loss.

    There is no gradient, for a session differentiates nothing, and no bfloat16, for which the CPU
    has no kernels. A graph checks nothing, and broadcasts all that it gets.

    Attributes:
        opset: The version of the operators that the graph is made of.
    """

    opset: ClassVar[int]
    outputs: ClassVar[frozenset[str]] = frozenset({"loss"})
    dtypes: ClassVar[frozenset[str]] = frozenset({"float16", "float32", "float64"})
    distributions: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnx")

    @abstractmethod
    def steps(self, operation: str, *, pos_weight: bool) -> tuple[Step, ...]:
        """What makes "elements" of the inputs and of the constants "one" and "floor", -100."""

    def decline(self, question: Question) -> Declined | None:
        """Decline a reduction that is none, for no operator has its name."""
        if question.reduction not in REDUCTIONS:
            return Declined("onnxruntime has no operator for such a reduction")
        return super().decline(question)

    def evaluate(self, question: Question) -> Computed:
        """Run the graph; the gradient that flows in has no part in it."""
        names = OPERATIONS[question.operation].inputs
        inputs = {name: question.inputs[name] for name in names if name in question.inputs}
        steps = self.steps(question.operation, pos_weight="pos_weight" in inputs)
        run = session(steps, self.opset, question.reduction, question.dtype, tuple(inputs)).run
        (loss,) = run(["loss"], inputs)
        return Computed(loss=loss)
