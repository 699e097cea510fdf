"""Writes a few lines of PyTorch that put a case's question again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.floats import FORMATS, to_array
from conformance.layouts import expandable
from conformance.operations import OPERATIONS
from conformance.report.literals import LONG, comment, tensor_text

if TYPE_CHECKING:
    from conformance.model import Case

IMPORT = "import torch.nn.functional as F"
_FUNCTIONS = {
    "bce_with_logits": "binary_cross_entropy_with_logits",
    "bce": "binary_cross_entropy",
}


def torch_snippet(case: Case, dtype: str, device: str = "cpu") -> str:
    """Source that runs as it stands, and prints each output of ``case`` above its truth.

    The snippets of one case differ in nothing but the names of the dtype and the device.

    Args:
        case: A loss.
        dtype: Name of the dtype in which it is asked.
        device: "cpu", "cuda" or "cuda:N".
    """
    operation = OPERATIONS[case.operation]
    lines = [
        comment(case.id),
        "import torch",
        IMPORT,
        "",
        *input_lines(case, dtype, device),
        loss_line(case),
        *derivative_lines(case),
        "",
    ]
    for name in case.outputs:
        source = f"{operation.gradients[name]}.grad" if name in operation.gradients else "loss"
        source = "product" if name == operation.hessian_product else source
        lines += [print_text(case, name, source), *truth_lines(case, name)]
    return "\n".join(lines) + "\n"


def input_lines(case: Case, dtype: str, device: str = "cpu") -> list[str]:
    """Every input as a tensor, with a gradient where one is asked for, and always the first."""
    operation = OPERATIONS[case.operation]
    wanted = {operation.differentiated(name) for name in case.outputs} | {operation.inputs[0]}
    lines = [f"dtype = torch.{dtype}"]
    lines += [] if device == "cpu" else [f'torch.set_default_device("{device}")']
    for name in operation.inputs:
        if name in case.inputs:
            # An integer can have no gradient; the loss says what it thinks of it.
            real = case.input_dtypes.get(name, dtype) in FORMATS
            tail = ".requires_grad_()" if name in wanted and real else ""
            lines.append(f"{name} = {_laid_out(case, name)}{tail}")
    return lines


def argument_names(case: Case) -> list[str]:
    """The inputs that the loss takes, the differentiated one first."""
    factors = ("grad_output", "direction")
    names = OPERATIONS[case.operation].inputs
    return [name for name in names if name in case.inputs and name not in factors]


def call_text(case: Case) -> str:
    """The call of the loss, of tensors that have the names of the inputs."""
    first, second, *options = argument_names(case)
    arguments = [
        first,
        second,
        *(f"{name}={name}" for name in options),
        *(f"{name}={value}" for name, value in case.legacy.items()),
        f'reduction="{case.reduction}"',
    ]
    return f"F.{_FUNCTIONS[case.operation]}({', '.join(arguments)})"


def loss_line(case: Case) -> str:
    """The line that computes the loss."""
    return f"loss = {call_text(case)}"


def objective_text(case: Case, loss: str = "loss") -> str:
    """What is differentiated of ``loss``."""
    return f"({loss} * grad_output).sum()" if "grad_output" in case.inputs else f"{loss}.sum()"


def derivative_lines(case: Case) -> list[str]:
    """Backward passes from ``loss``: one for the gradients, two more where there is a direction."""
    first, objective = OPERATIONS[case.operation].inputs[0], objective_text(case)
    if "direction" not in case.inputs:
        return [f"{objective}.backward()"]
    return [
        f"objective = {objective}",
        "objective.backward(retain_graph=True)",
        f"(slope,) = torch.autograd.grad(objective, {first}, create_graph=True)",
        f"(product,) = torch.autograd.grad(slope, {first}, direction)",
    ]


def _laid_out(case: Case, name: str) -> str:
    """An expression of the tensor, at the places in memory that the case asks for."""
    array = case.inputs[name]
    dtype = f"torch.{case.input_dtypes[name]}" if name in case.input_dtypes else "dtype"
    text = tensor_text(array, dtype)
    match case.layout.get(name):
        case "transposed":
            backwards = ", ".join(str(axis) for axis in reversed(range(len(array.shape))))
            return f"{text}.permute({backwards}).contiguous().permute({backwards})"
        case "strided":
            return f"torch.stack([{text}] * 2, -1)[..., 0]"
        case "expanded":
            return f"{text}[{once_text(case, name)}].clone().expand({array.shape})"
        case "channels_last":
            return f"{text}.contiguous(memory_format=torch.channels_last)"
        case _:  # PyTorch has no negative strides.
            return text


def once_text(case: Case, name: str) -> str:
    """The index of an input's elements without those that repeat others along an axis."""
    array = case.inputs[name]
    once = expandable(to_array(array.values, array.shape, FORMATS["float64"]))
    return ", ".join(":1" if axis in once else ":" for axis in range(len(array.shape)))


def print_text(
    case: Case, name: str, source: str, flat: str = ".detach().flatten()", tail: str = ""
) -> str:
    """The line that prints an output: all of it, or the elements whose truth the case has.

    Args:
        case: The case.
        name: The output.
        source: An expression of it.
        flat: What makes it one-dimensional.
        tail: What converts it to a dtype whose elements Python can list.
    """
    known = case.expected.alternatives if case.expected is not None else ()
    truths = [item.outputs[name] for item in known if name in item.outputs]
    if truths and truths[0].positions is not None:
        source += f"{flat}[{list(truths[0].positions)}]"
    return f'print("{name}", {source}{tail}.tolist())'


def truth_lines(case: Case, name: str) -> list[str]:
    """The truth of an output as comments, one for each policy."""
    known = case.expected.alternatives if case.expected is not None else ()
    lines = []
    for alternative in known:
        if name in alternative.outputs:
            values = alternative.outputs[name].values
            digits = ", ".join(values[:LONG]) + (", ..." if values[LONG:] else "")
            under = f" under {alternative.policy}" if alternative.policy else ""
            lines.append(comment(f"truth{under}: {digits}"))
    if case.expected is not None and case.expected.raises:
        lines.append(comment("expected: an error"))
    if any(alternative.raises for alternative in known):
        lines.append(comment("an error is right, too"))
    return lines
