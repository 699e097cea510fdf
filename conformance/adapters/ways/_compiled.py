"""What the backends of torch.compile share."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from conformance.adapters._torch import TorchBased
from conformance.adapters.base import attempt
from conformance.adapters.ways._batches import Batched
from conformance.errors import ConformanceError
from conformance.model import Declined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from conformance.adapters._torch import Tensors
    from conformance.adapters.ways._batches import Losses
    from conformance.model import Answer, Question


_UNCOMPILED = (
    "PyTorch runs the loss uncompiled. Unset TORCHDYNAMO_DISABLE and TORCH_COMPILE_DISABLE."
)


class Compiled(Batched):
    """Compiles the functional form as ``torch.compile(f, backend=...)`` does by default.

    Every function is compiled for static shapes, as the first call of any compiled function is.

    Attributes:
        backend: As torch.compile calls it.
    """

    outputs: ClassVar[frozenset[str]] = TorchBased.outputs
    backend: ClassVar[str]

    def decline(self, question: Question) -> Declined | None:
        """Second derivatives, which compiled code does not have."""
        if "direction" in question.options:
            return Declined("torch.compile does not support double backward")
        return super().decline(question)

    def evaluate_all(self, questions: Sequence[Question]) -> Iterable[Answer]:
        """Compute them in batches, and drop what was compiled."""
        try:
            return super().evaluate_all(questions)
        finally:
            torch.compiler.reset()
            # To load what Inductor had built made this whole process flush subnormal numbers to
            # zero, its grading too, until https://github.com/pytorch/pytorch/pull/133842.
            torch.set_flush_denormal(False)

    def prepare(self, examples: Sequence[Tensors]) -> Losses:
        """A function that is compiled when it is first called, its gradient likewise.

        Without the reset, PyTorch would count the batches as recompilations of one function, give
        up after a few, and run it as it is.

        Raises:
            ConformanceError: If nothing can be compiled here.
        """
        self._require(_problem(self.backend, examples[0].question.device))
        torch.compiler.reset()
        compiled = torch.compile(_losses, backend=self.backend, fullgraph=True, dynamic=False)

        def losses(batch: Sequence[Tensors]) -> Sequence[torch.Tensor]:
            found, is_compiled = compiled(batch)
            self._require(None if is_compiled else _UNCOMPILED)
            return found

        return losses

    def may_be_prepared(self, example: Tensors) -> bool:
        """Whether the function can be traced, which takes a hundredth of what compiling does."""
        traced = False

        def as_it_is(graph: torch.fx.GraphModule, _: object) -> Callable[..., Any]:
            nonlocal traced
            traced = True
            return graph.forward

        torch.compiler.reset()
        function = torch.compile(_losses, backend=as_it_is, fullgraph=True, dynamic=False)
        # What it is called with may be refused, but once it has been traced.
        attempt(partial(function, [example]))
        return traced

    def _require(self, problem: str | None) -> None:
        if problem:
            msg = f"{self.name}: {problem}"
            raise ConformanceError(msg)

    def answers(self, asked: Sequence[Tensors], losses: Sequence[torch.Tensor]) -> list[Answer]:
        """The answers of one round, by one pass of the one backward function that they share."""
        objectives = [each.objective(loss) for each, loss in zip(asked, losses, strict=True)]
        able = [each.requires_grad and each.is_floating_point() for each in objectives]
        torch.autograd.backward(
            [each for each, is_able in zip(objectives, able, strict=True) if is_able]
        )
        return [
            tensors.answer(loss, tensors.input)
            if is_able
            else attempt(partial(tensors.backward, loss))
            for tensors, loss, is_able in zip(asked, losses, able, strict=True)
        ]


def _losses(batch: Sequence[Tensors]) -> tuple[list[torch.Tensor], bool]:
    """The losses, and a constant: whether the line was compiled or is run."""
    return [each.loss(each.input, each.targets) for each in batch], torch.compiler.is_compiling()


def _doubled(tensor: torch.Tensor) -> tuple[torch.Tensor, bool]:
    return tensor * 2, torch.compiler.is_compiling()


@cache
def _problem(backend: str, device: str) -> str | None:
    """Why nothing can be compiled here, such as a compiler that does not work; or None."""
    compiled = torch.compile(_doubled, backend=backend, fullgraph=True, dynamic=False)
    given = attempt(partial(compiled, torch.ones(3, device=device)))
    if isinstance(given, tuple):
        return None if given[1] else _UNCOMPILED
    return f"nothing can be compiled: {given.message}. Repair the compiler, or leave this out."
