"""Hugging Face Accelerate, whose part is the loop: it does whole jobs, and has no loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

from conformance.adapters._torch import TorchBased
from conformance.adapters.jobs import accelerate
from conformance.model import Declined

if TYPE_CHECKING:
    from types import ModuleType

    from conformance.model import Question


class AccelerateAdapter(TorchBased):
    """Does jobs; single losses are declined, since they would be PyTorch's alone."""

    name: ClassVar[str] = "accelerate"
    operations: ClassVar[frozenset[str]] = frozenset()
    distributions: ClassVar[tuple[str, ...]] = ("torch", "accelerate")
    jobs: ClassVar[ModuleType | None] = accelerate

    def evaluate(self, question: Question) -> NoReturn:
        """Refuse a single loss, which ``operations`` declines."""
        msg = f"{self.name} has no {question.operation}"
        raise NotImplementedError(msg)

    def decline(self, question: Question) -> Declined | None:
        """Decline also the precisions that it does not have."""
        precision = question.job.precision if question.job else None
        if precision not in accelerate.MIXED_PRECISION:
            return Declined(f"{self.name} does not offer the precision {precision}")
        return super().decline(question)

    def device_problem(self, device: str) -> str | None:
        """None if it is the CPU or the first GPU, the one that an Accelerator takes."""
        if device.partition(":")[2] not in ("", "0"):
            return f"{self.name} takes the first GPU, not {device}"
        return super().device_problem(device)
