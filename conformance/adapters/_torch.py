"""What the adapters on PyTorch share: arrays to tensors and back, and the loss itself."""

from __future__ import annotations

from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import ml_dtypes
import numpy as np
import torch
from torch.nn import functional

from conformance.adapters import _devices
from conformance.adapters.base import LossAdapter
from conformance.model import Computed
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.model import Question


def to_tensor(array: np.ndarray[Any, Any], device: str) -> torch.Tensor:
    """A copy on ``device``, as it lies in memory; PyTorch has no negative strides."""
    if array.flags.c_contiguous or any(stride < 0 for stride in array.strides):
        return _contiguous(np.ascontiguousarray(array).reshape(array.shape), device)
    strides = [stride // array.itemsize for stride in array.strides]
    extent = 1 + sum(stride * (size - 1) for stride, size in zip(strides, array.shape, strict=True))
    memory = np.lib.stride_tricks.as_strided(array, (extent,), (array.itemsize,))
    return _contiguous(memory, device).as_strided(array.shape, strides)


def _contiguous(array: np.ndarray[Any, Any], device: str) -> torch.Tensor:
    """A copy; PyTorch and ml_dtypes share only the bits of bfloat16."""
    if array.dtype == ml_dtypes.bfloat16:
        return torch.tensor(array.view(np.int16), device=device).view(torch.bfloat16)
    return torch.tensor(array, device=device)


def to_array(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """A copy as a NumPy array."""
    host = tensor.detach().cpu().contiguous()
    if host.dtype == torch.bfloat16:
        bits: np.ndarray[Any, Any] = host.view(torch.int16).numpy()
        return np.array(bits.view(ml_dtypes.bfloat16))
    array: np.ndarray[Any, Any] = host.numpy()
    return np.array(array)


class Tensors:
    """A question as tensors: the differentiated input, the targets, the rest.

    Attributes:
        question: Where they came from.
        functional: PyTorch's functional form of the loss, with the question's reduction.
        input: Logits or probabilities; a leaf that requires its gradient.
        targets: A leaf that requires its gradient where the question asks for it.
        weight: None where it is not given; likewise the others.
        pos_weight: Of the positive targets.
        grad_output: What the loss is multiplied by before it is summed and differentiated.
        direction: What the Hessian is multiplied by.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        functional_form: Any = functional.binary_cross_entropy
        if question.operation == "bce_with_logits":
            functional_form = functional.binary_cross_entropy_with_logits
        self.functional = partial(functional_form, reduction=question.reduction, **question.legacy)
        tensors = {name: to_tensor(a, question.device) for name, a in question.inputs.items()}
        self.input = tensors.pop(OPERATIONS[question.operation].inputs[0])
        # An integer can have no gradient; the loss says what it thinks of it.
        self.input.requires_grad_(self.input.is_floating_point())
        self.targets = tensors.pop("targets")
        self.targets.requires_grad_("targets_grad" in question.outputs)
        self.direction = tensors.get("direction")
        self.weight = tensors.get("weight")
        self.pos_weight = tensors.get("pos_weight")
        self.grad_output = tensors.get("grad_output")

    def given(self) -> dict[str, torch.Tensor]:
        """The tensors that are given, without their history, by the names of these attributes."""
        given = {name: each for name, each in vars(self).items() if isinstance(each, torch.Tensor)}
        return {name: tensor.detach() for name, tensor in given.items()}

    def replaced(self, tensors: Mapping[str, torch.Tensor]) -> Tensors:
        """The same with other tensors, as a function has them while it is transformed."""
        other = copy(self)
        vars(other).update(tensors)
        return other

    def loss(self, input_: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of PyTorch's functional form, with the question's weights and reduction."""
        only_of_logits = {} if self.pos_weight is None else {"pos_weight": self.pos_weight}
        loss: torch.Tensor = self.functional(input_, targets, weight=self.weight, **only_of_logits)
        return loss

    def scaled(self, loss: torch.Tensor) -> torch.Tensor:
        """The loss, multiplied by grad_output where that is given."""
        return loss if self.grad_output is None else loss * self.grad_output

    def objective(self, loss: torch.Tensor) -> torch.Tensor:
        """What is differentiated: the sum of the loss, or of its products with grad_output."""
        return self.scaled(loss).sum()

    def backward(self, loss: torch.Tensor) -> Computed:
        """The answer by a backward pass, and where there is a direction by a second one."""
        objective = self.objective(loss)
        objective.backward(retain_graph=self.direction is not None)  # type: ignore[no-untyped-call]
        if self.direction is None:
            return self.answer(loss, self.input)
        gradients = self.input.grad, self.targets.grad
        (slope,) = torch.autograd.grad(objective, self.input, create_graph=True)
        (product,) = torch.autograd.grad(slope, self.input, self.direction)
        return self.computed(loss, *gradients, product)

    def answer(self, loss: torch.Tensor, input_: torch.Tensor) -> Computed:
        """The answer after the backward pass, the gradient read off ``input_``."""
        return self.computed(loss, input_.grad, self.targets.grad)

    def computed(
        self,
        loss: torch.Tensor | None,
        input_grad: torch.Tensor | None = None,
        targets_grad: torch.Tensor | None = None,
        product: torch.Tensor | None = None,
    ) -> Computed:
        """The answer made of these, as far as they are asked for and are not None."""
        operation = OPERATIONS[self.question.operation]
        found = {"loss": loss, operation.hessian_product: product}
        for name, of in operation.gradients.items():
            found[name] = targets_grad if of == "targets" else input_grad
        outputs = {
            name: to_array(tensor)
            for name, tensor in found.items()
            if tensor is not None and name in self.question.outputs
        }
        return Computed(**outputs)


class TorchBased(LossAdapter):
    """An adapter whose numbers PyTorch computes, on the CPU or on CUDA."""

    options: ClassVar[frozenset[str]] = LossAdapter.options | {
        "grad_output",
        "input_dtypes",
        "legacy",
    }
    devices: ClassVar[frozenset[str]] = frozenset({"cpu", "cuda"})

    def device_problem(self, device: str) -> str | None:
        """None if PyTorch can use ``device``."""
        return super().device_problem(device) or _devices.problem(device)

    def device_facts(self, device: str) -> str:
        """The name of the GPU with its driver and libraries; of the CPU, its capability."""
        return _devices.facts(device)

    def device_settings(self, device: str) -> dict[str, str]:
        """Its flags and libraries, as PyTorch tells them."""
        return _devices.settings(device)

    def may_ruin(self, question: Question) -> bool:
        """True on CUDA for a loss of probabilities where one, or a target, is not in [0, 1].

        There the kernel asserts it: https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
        """
        loss = question.job.loss if question.job else question.operation
        if loss != "bce" or not question.device.startswith("cuda"):
            return False
        given = [question.inputs.get(name) for name in ("probabilities", "targets")]
        with np.errstate(invalid="ignore"):
            return not all(((a >= 0) & (a <= 1)).all() for a in given if a is not None)

    def is_ruined(self, device: str) -> bool:
        """Whether CUDA has failed on ``device``, which it then does for all that comes."""
        if not device.startswith("cuda"):
            return False
        try:
            torch.cuda.synchronize(device)
        except (AssertionError, RuntimeError):  # The former where PyTorch knows no CUDA.
            return True
        return False
