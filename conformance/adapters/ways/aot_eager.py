"""torch.compile with the backend "aot_eager": loss and gradient are traced, then run eagerly."""

from __future__ import annotations

from typing import ClassVar

from conformance.adapters.ways._compiled import Compiled


class AotEager(Compiled):
    """What TorchDynamo and AOTAutograd make of the loss, without a code generator."""

    name: ClassVar[str] = "torch:aot_eager"
    backend: ClassVar[str] = "aot_eager"
