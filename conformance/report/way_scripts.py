"""Writes a script that puts the question of a loss to PyTorch in one of its other ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.operations import OPERATIONS, REDUCTIONS
from conformance.report.snippets import (
    IMPORT,
    argument_names,
    call_text,
    derivative_lines,
    loss_line,
    torch_snippet,
)
from conformance.report.way_lines import (
    LOSS,
    PUSHFORWARDS,
    function_lines,
    gradient_lines,
    gradient_names,
    hessian_lines,
    jacobian_lines,
    mapped_lines,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from conformance.model import Case

Change = tuple[str, str]
"""A text of the plain script, and what stands in its place."""


def way_script(case: Case, adapter: str, dtype: str, device: str = "cpu") -> str | None:
    """Source that runs as it stands, and prints each output that the way has above its truth.

    Args:
        case: A loss.
        adapter: Name of the way, such as "torch:inductor".
        dtype: Name of the dtype in which it is asked.
        device: "cpu", "cuda" or "cuda:N".

    Returns:
        None for an unknown way, and for a question that it has no words for.
    """
    changes = way_changes(case, adapter, device)
    if changes is None:
        return None
    script = torch_snippet(case, dtype, device)
    for old, new in changes:
        script = script.replace(old, new)
    return script


def way_changes(case: Case, adapter: str, device: str = "cpu") -> list[Change] | None:
    """What distinguishes the script from that of the functional form, to be changed in order.

    They depend on how the question is put, and not on its numbers: those of many cases are alike.
    """
    write = _WAYS.get(adapter)
    return None if write is None else write(case, device)


def _loss_by(case: Case, lines: Sequence[str], imports: Sequence[str] = (IMPORT,)) -> list[Change]:
    """The loss comes by ``lines``, the derivatives by the same backward passes."""
    return [(f"{IMPORT}\n", _text(imports)), (f"{loss_line(case)}\n", _text(_spaced(lines)))]


def _all_by(
    case: Case,
    lines: Sequence[str],
    imports: Sequence[str] = (IMPORT,),
    *,
    lacks: Sequence[str] = (),
) -> list[Change]:
    """The loss and its derivatives come by ``lines``, of tensors that require no gradient.

    Args:
        case: A loss.
        lines: They end with variables that have the names of the outputs, but ``product``.
        imports: What they need.
        lacks: The outputs that they do not give.
    """
    core = [loss_line(case), *derivative_lines(case)]
    gradients = OPERATIONS[case.operation].gradients
    changes = [
        (f"{IMPORT}\n", _text(imports)),
        (".requires_grad_()", ""),
        (_text(core), _text(_spaced(lines))),
    ]
    for name in case.outputs:
        if name in lacks:
            changes.append((f'print("{name}", ', f'# not offered: print("{name}", '))
        elif name in gradients:
            changes.append((f'print("{name}", {gradients[name]}.grad', f'print("{name}", {name}'))
    return changes


def _spaced(lines: Sequence[str]) -> Sequence[str]:
    return ["", *lines] if lines[0].startswith(("def ", "class ")) else lines


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _module(case: Case, _device: str) -> list[Change]:
    name = {"bce_with_logits": "BCEWithLogitsLoss", "bce": "BCELoss"}[case.operation]
    first, second, *options = argument_names(case)
    arguments = [
        *(f"{option}={option}" for option in options),
        *(f"{option}={value}" for option, value in case.legacy.items()),
        f'reduction="{case.reduction}"',
    ]
    lines = [
        f"criterion = nn.{name}({', '.join(arguments)})",
        f"loss = criterion({first}, {second})",
    ]
    return _loss_by(case, lines, ["from torch import nn"])


def _aten(case: Case, _device: str) -> list[Change] | None:
    if case.legacy or case.reduction not in REDUCTIONS:
        return None
    operator = {
        "bce_with_logits": "binary_cross_entropy_with_logits",
        "bce": "binary_cross_entropy",
    }[case.operation]
    first, second, *options = argument_names(case)
    number = ("none", "mean", "sum").index(case.reduction)
    arguments = ", ".join(
        [first, second, *(f"{name}={name}" for name in options), f"reduction={number}"]
    )
    lines = [
        "# Reductions by number: none, mean, sum.",
        f"loss = torch.ops.aten.{operator}({arguments})",
    ]
    return _loss_by(case, lines, [])


def _compiled(backend: str) -> Callable[[Case, str], list[Change] | None]:
    def write(case: Case, _device: str) -> list[Change] | None:
        if "direction" in case.inputs:
            return None
        arguments = ", ".join(argument_names(case))
        call = f"torch.compile({LOSS}{backend}, fullgraph=True, dynamic=False)"
        return _loss_by(case, [*function_lines(case), f"loss = {call}({arguments})"])

    return write


def _export(case: Case, _device: str) -> list[Change]:
    arguments = ", ".join(argument_names(case))
    lines = [
        "class Loss(torch.nn.Module):",
        f"    def forward(self, {arguments}):",
        f"        return {call_text(case)}",
        "",
        f"program = torch.export.export(Loss(), ({arguments}))",
        f"loss = program.module()({arguments})",
    ]
    return _loss_by(case, lines)


def _autocast(dtype: str) -> Callable[[Case, str], list[Change]]:
    def write(case: Case, device: str) -> list[Change]:
        kind = device.partition(":")[0]
        lines = [f'with torch.autocast("{kind}", dtype=torch.{dtype}):', f"    {loss_line(case)}"]
        return _loss_by(case, lines)

    return write


def _checkpoint(case: Case, _device: str) -> list[Change]:
    arguments = ", ".join(argument_names(case))
    call = f"loss = checkpoint({LOSS}, {arguments}, use_reentrant=False)"
    imports = [IMPORT, "from torch.utils.checkpoint import checkpoint"]
    return _loss_by(case, [*function_lines(case), call], imports)


def _grad(case: Case, _device: str) -> list[Change]:
    return _all_by(case, gradient_lines(case))


def _vmap(case: Case, _device: str) -> list[Change]:
    return _all_by(case, mapped_lines(case))


def _pushforward(kind: str) -> Callable[[Case, str], list[Change]]:
    def write(case: Case, _device: str) -> list[Change]:
        pushforward = PUSHFORWARDS[kind]
        return _all_by(case, pushforward.lines(case), [IMPORT, *pushforward.imports])

    return write


def _jacrev(case: Case, _device: str) -> list[Change]:
    return _all_by(case, jacobian_lines(case), lacks=[OPERATIONS[case.operation].hessian_product])


def _hessian(case: Case, _device: str) -> list[Change] | None:
    if "direction" not in case.inputs:
        return None
    return _all_by(case, hessian_lines(case), lacks=["loss", *gradient_names(case)])


_WAYS: Mapping[str, Callable[[Case, str], list[Change] | None]] = {
    "torch:module": _module,
    "torch:aten": _aten,
    "torch:aot_eager": _compiled(', backend="aot_eager"'),
    "torch:inductor": _compiled(""),
    "torch:export": _export,
    "torch:func.grad": _grad,
    "torch:func.vmap": _vmap,
    "torch:func.jvp": _pushforward("jvp"),
    "torch:func.jacrev": _jacrev,
    "torch:func.hessian": _hessian,
    "torch:forward_ad": _pushforward("forward_ad"),
    "torch:double_backward": _pushforward("double_backward"),
    "torch:autocast_bf16": _autocast("bfloat16"),
    "torch:autocast_fp16": _autocast("float16"),
    "torch:checkpoint": _checkpoint,
}
