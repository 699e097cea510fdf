"""Says what each loss takes and gives, by the names that cases, adapters and oracles share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Reduction = Literal["none", "mean", "sum"]
LossName = Literal["bce_with_logits", "bce"]
JobName = Literal["train", "evaluate", "predict"]
OperationName = Literal[LossName, JobName]

JOBS: frozenset[str] = frozenset(get_args(JobName))
REDUCTIONS: tuple[str, ...] = get_args(Reduction)
FACTORS = ("weight", "grad_output", "direction")
"""Inputs that multiply: the first every output, the second all derivatives, the third the second
ones. What they multiply depends on the other inputs, the arguments of the loss."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What a loss or a job takes and gives: the names that cases, adapters and oracles share.

    Attributes:
        inputs: Names of the arrays, the differentiated argument first.
        optional: Those of ``inputs`` that a case may leave out.
        gradients: Output name to the input that it is the gradient with respect to.
        hessian_product: The output that is the product of ``direction`` with the Hessian with
            respect to the first input; asked for where a direction is given.
        results: Of a job, its outputs; empty for a loss.
        usual: Of a job, the outputs asked for where a case names none.
    """

    inputs: tuple[str, ...]
    optional: frozenset[str]
    gradients: Mapping[str, str] = field(default_factory=dict)
    hessian_product: str = ""
    results: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()

    @property
    def is_job(self) -> bool:
        """Whether it has many steps, and a trainer of its own."""
        return bool(self.results)

    @property
    def arguments(self) -> tuple[str, ...]:
        """The inputs that an element of the loss depends on, for the weight 1."""
        return tuple(name for name in self.inputs if name not in FACTORS)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Every output, of a loss the loss first."""
        return self.results or ("loss", *self.gradients, self.hessian_product)

    def outputs_for(self, inputs: Collection[str]) -> tuple[str, ...]:
        """The outputs that these inputs allow: without a direction, no second derivative."""
        if self.is_job or "direction" in inputs:
            return self.outputs
        return self.outputs[:-1]

    def factors_of(self, output: str) -> tuple[str, ...]:
        """Those of FACTORS that multiply ``output``."""
        if output == "loss":
            return FACTORS[:1]
        return FACTORS if output == self.hessian_product else FACTORS[:2]

    def differentiated(self, output: str) -> str | None:
        """The input that ``output`` is a derivative with respect to; None for the loss."""
        return self.inputs[0] if output == self.hessian_product else self.gradients.get(output)


_JOB_INPUTS = ("features", "targets", "parameters", "weight", "pos_weight")
_JOB_OPTIONAL = frozenset({"weight", "pos_weight"})

OPERATIONS: Mapping[str, Operation] = {
    "bce_with_logits": Operation(
        inputs=("logits", "targets", "weight", "pos_weight", "grad_output", "direction"),
        optional=frozenset({"weight", "pos_weight", "grad_output", "direction"}),
        gradients={"logits_grad": "logits", "targets_grad": "targets"},
        hessian_product="logits_hvp",
    ),
    "bce": Operation(
        inputs=("probabilities", "targets", "weight", "grad_output", "direction"),
        optional=frozenset({"weight", "grad_output", "direction"}),
        gradients={"probabilities_grad": "probabilities", "targets_grad": "targets"},
        hessian_product="probabilities_hvp",
    ),
    "train": Operation(
        inputs=_JOB_INPUTS,
        optional=_JOB_OPTIONAL,
        results=("losses", "parameters", "logged", "validated", "drift"),
        usual=("losses", "parameters"),
    ),
    "evaluate": Operation(
        inputs=_JOB_INPUTS,
        optional=_JOB_OPTIONAL,
        results=("epoch_loss",),
        usual=("epoch_loss",),
    ),
    "predict": Operation(
        inputs=("features", "parameters"),
        optional=frozenset(),
        results=("predicted", "decisions"),
        usual=("predicted",),
    ),
}


def effective_reduction(reduction: str, legacy: Mapping[str, bool]) -> str:
    """The reduction that holds: PyTorch's old arguments override the new one where given.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html.
    """
    if not legacy:
        return reduction
    if not legacy.get("reduce", True):
        return "none"
    return "mean" if legacy.get("size_average", True) else "sum"
