"""What ways share that prepare a function before they call it: one for many kinds of questions."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch

from conformance.adapters._torch import Tensors
from conformance.adapters.base import attempt
from conformance.adapters.ways._way import Way

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from conformance.model import Answer, Computed, Question

    Losses = Callable[[Sequence[Tensors]], Sequence[torch.Tensor]]


class Batched(Way):
    """A way whose function is prepared for the dtypes, shapes and strides of its arguments.

    Questions that agree in these are of one kind. A batch of kinds shares one function: of a list
    of tensors, one question of each kind, it returns the list of their losses. It is called for
    round after round of questions. A kind of which none is left has its first asked again.

    Attributes:
        width: How many kinds share a function. Of more, PyTorch takes longer for each.
        checks_values: Whether the function refuses values, such as a probability of 2, and not
            only shapes and dtypes. What it refuses must not spoil a round.
    """

    width: ClassVar[int] = 16
    checks_values: ClassVar[bool] = True

    @abstractmethod
    def prepare(self, examples: Sequence[Tensors]) -> Losses:
        """A function of tensors of the kinds of ``examples``, in their order."""

    def may_be_prepared(self, example: Tensors) -> bool:
        """False where it takes little to find out that the function cannot be prepared."""
        del example
        return True

    def evaluate(self, question: Question) -> Computed:
        """Compute it by a function of its own."""
        tensors = Tensors(question)
        (loss,) = self.prepare([tensors])([tensors])
        return tensors.backward(loss)

    def evaluate_all(self, questions: Sequence[Question]) -> Iterable[Answer]:
        """Compute them in batches, but what is refused for its shapes or dtypes one by one.

        What raw PyTorch refuses for another reason, the function may compute, or refuse when it is
        prepared. It comes into batches of its own, for one that raises costs a preparation.
        """
        answers: dict[int, Answer] = {}
        sound: dict[Hashable, list[int]] = defaultdict(list)
        doubtful: dict[Hashable, list[int]] = defaultdict(list)
        for index, question in enumerate(questions):
            tensors = Tensors(question)
            if not _is_refused(tensors, "cpu"):
                sound[_kind(tensors)].append(index)
            elif self.checks_values or _is_refused(tensors, "meta"):
                answers[index] = attempt(partial(self.evaluate, question))
            else:
                doubtful[_kind(tensors)].append(index)
        for kinds in (sound, doubtful):
            # Kinds of which there are as many stand together, so that few are asked again.
            members = sorted(kinds.values(), key=len, reverse=True)
            for start in range(0, len(members), self.width):
                answers |= self._batch(questions, members[start : start + self.width])
        return [answers[index] for index in range(len(questions))]

    def answers(self, asked: Sequence[Tensors], losses: Sequence[torch.Tensor]) -> list[Answer]:
        """The answers of one round, each by a backward pass of its own."""
        return [
            attempt(partial(tensors.backward, loss))
            for tensors, loss in zip(asked, losses, strict=True)
        ]

    def _batch(
        self, questions: Sequence[Question], kinds: Sequence[Sequence[int]]
    ) -> Mapping[int, Answer]:
        """Answers by the place of their question; a batch that raises is taken apart.

        Those that cannot be prepared leave it, or else it is halved.
        """
        given = attempt(partial(self._rounds, questions, kinds))
        if isinstance(given, dict):
            return given
        if len(kinds) == 1:
            return {i: attempt(partial(self.evaluate, questions[i])) for i in kinds[0]}
        sound: list[Sequence[int]] = []
        others: list[Sequence[int]] = []
        for kind in kinds:
            able = self.may_be_prepared(Tensors(questions[kind[0]]))
            (sound if able else others).append(kind)
        half = len(kinds) // 2
        parts = [sound, *([kind] for kind in others)] if others else [kinds[:half], kinds[half:]]
        answers: dict[int, Answer] = {}
        for part in filter(None, parts):
            answers |= self._batch(questions, part)
        return answers

    def _rounds(
        self, questions: Sequence[Question], kinds: Sequence[Sequence[int]]
    ) -> dict[int, Answer]:
        losses = self.prepare([Tensors(questions[members[0]]) for members in kinds])
        found: dict[int, Answer] = {}
        for turn in range(max(map(len, kinds))):
            places = [members[turn if turn < len(members) else 0] for members in kinds]
            asked = [Tensors(questions[place]) for place in places]
            found |= zip(places, self.answers(asked, losses(asked)), strict=True)
        return found


def _is_refused(tensors: Tensors, device: str) -> bool:
    """Whether raw PyTorch refuses the loss: on the CPU, or on "meta", which has no values.

    On CUDA, a value that is refused would leave the device unusable.
    """
    moved = {name: tensor.to(device) for name, tensor in tensors.given().items()}
    other = tensors.replaced(moved)
    loss = attempt(partial(other.loss, other.input, other.targets))
    return not isinstance(loss, torch.Tensor)


def _kind(tensors: Tensors) -> Hashable:
    """All that a prepared function may depend on."""
    question = tensors.question
    inputs = (tensors.input, tensors.targets, tensors.weight, tensors.pos_weight)
    return (
        question.operation,
        question.reduction,
        tuple(sorted(question.legacy.items())),
        *(
            None if each is None else (each.dtype, each.shape, each.stride(), each.requires_grad)
            for each in inputs
        ),
    )
