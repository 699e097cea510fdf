"""Writes the lines that take the derivatives of a loss as a function without side effects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.operations import OPERATIONS
from conformance.report.snippets import argument_names, call_text, loss_line, objective_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Case

LOSS = "loss_fn"
"""The name of the function that `function_lines` defines."""


def function_lines(case: Case) -> list[str]:
    """A function of all that the loss takes."""
    return [
        f"def {LOSS}({', '.join(argument_names(case))}):",
        f"    return {call_text(case)}",
        "",
    ]


def gradient_names(case: Case) -> list[str]:
    """The gradients that the script takes: always that of the first input, as the ways do."""
    gradients = OPERATIONS[case.operation].gradients
    first = OPERATIONS[case.operation].inputs[0]
    return [name for name, of in gradients.items() if of == first or name in case.outputs]


def gradient_lines(case: Case) -> list[str]:
    """By torch.func.grad; the second derivative forward over reverse."""
    first, names = OPERATIONS[case.operation].inputs[0], gradient_names(case)
    numbers = tuple(range(len(names)))
    lines = [
        f"def objective({first}, targets):",
        f"    {loss_line(case)}",
        f"    return {objective_text(case)}, loss",
        "",
        f"gradient = torch.func.grad(objective, argnums={numbers}, has_aux=True)",
        f"({', '.join(names)}{',' * (len(names) == 1)}), loss = gradient({first}, targets)",
    ]
    if "direction" in case.inputs:
        lines += [
            f"slope = torch.func.grad(lambda {first}: objective({first}, targets)[0])",
            f"_, product = torch.func.jvp(slope, ({first},), (direction,))",
        ]
    return lines


def mapped_lines(case: Case) -> list[str]:
    """The same, mapped by torch.func.vmap over a batch of one question."""
    tensors = ", ".join(name for name in OPERATIONS[case.operation].inputs if name in case.inputs)
    found = ["loss", *gradient_names(case), *(["product"] if "direction" in case.inputs else [])]
    return [
        f"def derivatives({tensors}):",
        *(f"    {line}".rstrip() for line in gradient_lines(case)),
        f"    return {', '.join(found)}",
        "",
        f"batch = [tensor.unsqueeze(0) for tensor in ({tensors})]",
        f"{', '.join(found)} = (each[0] for each in torch.func.vmap(derivatives)(*batch))",
    ]


def jacobian_lines(case: Case) -> list[str]:
    """By torch.func.jacrev, summed over the losses."""
    first, names = OPERATIONS[case.operation].inputs[0], gradient_names(case)
    of = [first, "targets"][: len(names)]
    scaled = "loss * grad_output" if "grad_output" in case.inputs else "loss"
    return [
        f"def scaled({first}, targets):",
        f"    {loss_line(case)}",
        f"    return {scaled}, loss",
        "",
        f"jacobian = torch.func.jacrev(scaled, {tuple(range(len(names)))}, has_aux=True)",
        f"jacobians, loss = jacobian({first}, targets)",
        *(
            f"{name} = jacobians[{index}].reshape(loss.numel(), *{at}.shape).sum(0)"
            for index, (name, at) in enumerate(zip(names, of, strict=True))
        ),
    ]


def hessian_lines(case: Case) -> list[str]:
    """By torch.func.hessian, times the direction."""
    first = OPERATIONS[case.operation].inputs[0]
    axes = len(case.inputs[first].shape)
    rest = tuple(range(axes, 2 * axes))
    product = f"(hessian * direction).sum({rest})" if rest else "hessian * direction"
    return [
        f"def objective({first}):",
        f"    {loss_line(case)}",
        f"    return {objective_text(case)}",
        "",
        f"hessian = torch.func.hessian(objective)({first})",
        f"product = {product}",
    ]


@dataclass(frozen=True, slots=True)
class Pushforward:
    """How a way takes the derivative along a tangent.

    Attributes:
        imports: What it needs.
        along: The body of a function of (function, at, tangent): the loss and its derivative.
        each: The lines, likewise, that give ``loss`` and ``slopes`` for a basis of tangents.
        product: The lines that give ``product``, with names in braces: ``first`` of the input, and
            ``objective`` and ``dual`` for what is differentiated, of a function's argument.
    """

    imports: Sequence[str]
    along: Sequence[str]
    each: Sequence[str]
    product: Sequence[str]

    def lines(self, case: Case) -> list[str]:
        """The loss and its derivatives, a tangent each where the loss is reduced."""
        first = OPERATIONS[case.operation].inputs[0]
        arguments = argument_names(case)
        of_targets = ", ".join("at" if name == "targets" else name for name in arguments)
        of_first = ", ".join("at" if name == first else name for name in arguments)
        lines = [
            *function_lines(case),
            "def along(function, at, tangent):",
            *(f"    {line}" for line in self.along),
            "",
            "def derivative(function, at):",
            *(f"    {line}" for line in self._derivative(case, first)),
            "",
            f"loss, {gradient_names(case)[0]} = derivative(lambda at: {LOSS}({of_first}), {first})",
        ]
        if "targets_grad" in case.outputs:
            lines.append(f"_, targets_grad = derivative(lambda at: {LOSS}({of_targets}), targets)")
        if "direction" in case.inputs:
            of_dual = ", ".join("dual" if name == first else name for name in arguments)
            names = {
                "first": first,
                "loss": f"{LOSS}({of_first})",
                "objective": objective_text(case, f"{LOSS}({of_first})"),
                "dual": objective_text(case, f"{LOSS}({of_dual})"),
            }
            lines += [line.format(**names) for line in self.product]
        return lines

    def _derivative(self, case: Case, first: str) -> list[str]:
        scaled = " * grad_output" if "grad_output" in case.inputs else ""
        if case.reduced == "none":
            return [
                "loss, slope = along(function, at, torch.ones_like(at))",
                f"return loss, slope{scaled}",
            ]
        if not math.prod(case.inputs[first].shape):
            return ["return function(at), torch.empty_like(at)"]
        return [
            "basis = torch.eye(at.numel(), dtype=at.dtype).reshape(-1, *at.shape)",
            *self.each,
            f"return loss, slopes.reshape(at.shape){scaled}",
        ]


_ONE_BY_ONE = (
    "losses, slopes = zip(*(along(function, at, tangent) for tangent in basis))",
    "loss, slopes = losses[0], torch.stack(slopes)",
)
PUSHFORWARDS = {
    "jvp": Pushforward(
        imports=(),
        along=("return torch.func.jvp(function, (at,), (tangent,))",),
        each=(
            "one = lambda tangent: along(function, at, tangent)",
            "loss, slopes = torch.func.vmap(one, out_dims=(None, 0))(basis)",
        ),
        product=(
            "slope = lambda at: derivative(lambda at: {loss}, at)[1]",
            "_, product = torch.func.jvp(slope, ({first},), (direction,))",
        ),
    ),
    "forward_ad": Pushforward(
        imports=("from torch.autograd import forward_ad",),
        along=(
            "with forward_ad.dual_level():",
            "    return forward_ad.unpack_dual(function(forward_ad.make_dual(at, tangent)))",
        ),
        each=_ONE_BY_ONE,
        product=(
            "with forward_ad.dual_level():",
            "    dual = forward_ad.make_dual({first}.requires_grad_(), direction)",
            "    (slope,) = torch.autograd.grad({dual}, dual)",
            "    product = forward_ad.unpack_dual(slope).tangent",
        ),
    ),
    "double_backward": Pushforward(
        imports=("from torch.autograd import functional",),
        along=("return functional.jvp(function, at, tangent, strict=True)",),
        each=_ONE_BY_ONE,
        product=(
            "objective = lambda at: {objective}",
            "_, product = functional.hvp(objective, {first}, direction, strict=True)",
        ),
    ),
}
