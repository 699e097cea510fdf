"""Many questions in one call, by torch.func.vmap of torch.func.grad."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch

from conformance.adapters._torch import Tensors
from conformance.adapters.base import attempt
from conformance.adapters.ways._reverse import Reverse, derivatives

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from conformance.model import Answer, Computed, Question


class Vmap(Reverse):
    """Maps the loss with its gradients over the questions that differ in nothing but numbers.

    A question that raises, a probability out of range say, raises for the batch that it is in;
    the batch is then halved, until that question is alone.
    """

    name: ClassVar[str] = "torch:func.vmap"

    def evaluate(self, question: Question) -> Computed:
        """Compute a batch of one."""
        return _mapped([question])[0]

    def evaluate_all(self, questions: Sequence[Question]) -> Iterable[Answer]:
        """Compute a batch for each signature."""
        batches: dict[Hashable, list[int]] = {}
        for index, question in enumerate(questions):
            batches.setdefault(_signature(question) or index, []).append(index)
        answers: dict[int, Answer] = {}
        for indices in batches.values():
            batch = [questions[index] for index in indices]
            answers.update(zip(indices, _answers(batch), strict=True))
        return [answers[index] for index in range(len(questions))]


def _signature(question: Question) -> Hashable:
    """What the questions of a batch share; None where memory has gaps, which stacking closes."""
    if not all(array.flags.c_contiguous for array in question.inputs.values()):
        return None
    arrays = tuple((name, a.shape, a.dtype.name) for name, a in question.inputs.items())
    legacy = tuple(question.legacy.items())
    return question.operation, question.reduction, legacy, question.outputs, arrays


def _answers(questions: Sequence[Question]) -> list[Answer]:
    given = attempt(partial(_mapped, questions))
    if isinstance(given, list):
        return list(given)
    if len(questions) == 1:
        return [given]
    half = len(questions) // 2
    return _answers(questions[:half]) + _answers(questions[half:])


def _mapped(questions: Sequence[Question]) -> list[Computed]:
    """The answers of one call.

    Raises:
        Exception: Whatever PyTorch raises of any of them.
    """
    batch = [Tensors(question) for question in questions]
    first = batch[0]

    def of_one(given: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return derivatives(first.replaced(given))

    all_given = [tensors.given() for tensors in batch]
    stacked = {name: _stacked([given[name] for given in all_given]) for name in first.given()}
    found = torch.func.vmap(of_one)(stacked)
    return [
        tensors.computed(**{name: values[index] for name, values in found.items()})
        for index, tensors in enumerate(batch)
    ]


def _stacked(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """A batch; one alone keeps its strides."""
    return torch.stack(list(tensors)) if len(tensors) > 1 else tensors[0].unsqueeze(0)
