"""What the adapters on trainers share: a model that holds a question, and the answers of a run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from conformance.adapters._torch import Tensors, TorchBased
from conformance.adapters.base import attempt
from conformance.model import Computed, Declined

if TYPE_CHECKING:
    from conformance.model import Answer, Broken, Question, Raised


class Holder(torch.nn.Module):
    """A model whose only parameter, and whose prediction, is the input of a question.

    So the parameter's gradient, which the trainer's backward pass leaves, is the answer.

    Attributes:
        value: The parameter.
        optimizer: Of the parameter; without momentum, so that no step reaches into the next.
    """

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.value = parameter(Tensors(question))
        self.optimizer = torch.optim.SGD([self.value], lr=0.1)

    def load(self, question: Question) -> Tensors:
        """Take the next question."""
        tensors = Tensors(question)
        # A new parameter: autograd keeps the shape of the old one while any of its graph lives.
        self.value = parameter(tensors)
        self.optimizer.param_groups[0]["params"] = [self.value]
        return tensors

    def forward(self, _: None = None) -> torch.Tensor:
        """The prediction."""
        return self.value


def parameter(tensors: Tensors) -> torch.nn.Parameter:
    """The input as a parameter; where elements share their memory, it gets memory of its own.

    An optimizer writes to its parameters, and cannot write to what is expanded.
    """
    value = tensors.input.detach()
    return torch.nn.Parameter(value.clone() if 0 in value.stride() else value)


class TrainerBased(TorchBased):
    """An adapter whose model has one parameter, the question's input."""

    def decline(self, question: Question) -> Declined | None:
        """Decline also what cannot be a parameter."""
        first, *_ = question.inputs.values()
        if first.dtype.kind in "iubc":
            return Declined(f"a parameter is of a floating-point dtype, not {first.dtype}")
        return super().decline(question)


class Steps:
    """The steps of one run: each is begun, put through the criterion, and finished.

    Attributes:
        answers: Of the steps finished, in order.
        keep_going: True to note what a loss raises and go on with a step of zero gradient; False
            to let it end the run.
    """

    def __init__(self, *, keep_going: bool) -> None:
        self.answers: list[Answer] = []
        self.keep_going = keep_going
        self._tensors: Tensors
        self._loss: torch.Tensor | Raised | Broken

    def begin(self, tensors: Tensors) -> torch.Tensor:
        """Start a step; returns its targets."""
        self._tensors = tensors
        return tensors.targets

    def criterion(self, prediction: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The sum of the loss, which is the loss itself once it is reduced."""
        compute = partial(self._tensors.loss, prediction, targets)
        self._loss = attempt(compute) if self.keep_going else compute()
        if not isinstance(self._loss, torch.Tensor):
            return torch.zeros_like(prediction).mul(prediction).sum()
        return self._tensors.objective(self._loss)

    def finish(self, parameter: torch.nn.Parameter) -> None:
        """End a step after its backward pass, and before the next gradient replaces its own."""
        if isinstance(self._loss, torch.Tensor):
            self.answers.append(self._tensors.answer(self._loss, parameter))
        else:
            self.answers.append(self._loss)

    def check_count(self, trainer: str, steps: int, questions: int) -> None:
        """Refuse a run that took another number of steps than it had questions.

        Raises:
            RuntimeError: A run of zero steps must not look like one without errors.
        """
        if not steps == len(self.answers) == questions:
            msg = f"{trainer} took {steps} steps, {len(self.answers)} whole, of {questions}"
            raise RuntimeError(msg)

    def only(self) -> Computed:
        """The answer of a run of one step that did not keep going, hence one computed."""
        (answer,) = self.answers
        assert isinstance(answer, Computed)  # noqa: S101 - the criterion has raised otherwise
        return answer
