"""Lightning Fabric, whose part is the loop: it does whole jobs, and has no loss of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

from conformance.adapters._torch import TorchBased
from conformance.adapters.jobs import fabric

if TYPE_CHECKING:
    from types import ModuleType

    from conformance.model import Question


class FabricAdapter(TorchBased):
    """Does jobs; single losses are declined, since they would be PyTorch's alone."""

    name: ClassVar[str] = "fabric"
    operations: ClassVar[frozenset[str]] = frozenset()
    distributions: ClassVar[tuple[str, ...]] = ("torch", "pytorch-lightning")
    jobs: ClassVar[ModuleType | None] = fabric

    def evaluate(self, question: Question) -> NoReturn:
        """Refuse a single loss, which ``operations`` declines."""
        msg = f"{self.name} has no {question.operation}"
        raise NotImplementedError(msg)
