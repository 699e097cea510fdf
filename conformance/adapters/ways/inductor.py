"""torch.compile as it is by default: code that Inductor generates."""

from __future__ import annotations

from typing import ClassVar

from conformance.adapters.ways._compiled import Compiled


class Inductor(Compiled):
    """The loss by the formulas of PyTorch's decompositions, fused: C++ on the CPU, Triton on CUDA.

    On the CPU these check no values.
    """

    name: ClassVar[str] = "torch:inductor"
    backend: ClassVar[str] = "inductor"
    eager: ClassVar[bool] = False
    width: ClassVar[int] = 64  # The C++ compiler takes long to start.
    checks_values: ClassVar[bool] = False
