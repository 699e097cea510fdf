"""Words the options that `pytest conformance` and `bce-conformance run` share."""

from __future__ import annotations

ADAPTER = (
    "numpy, torch, ignite, lightning, fabric, accelerate, jax or another framework of docs/"
    "frameworks.md, an entry point, package.module:Class, or 'worker:COMMAND'; torch:* is every way"
    " to run PyTorch; may be repeated (default: the first four)"
)
DEVICE = (
    "cpu, cuda, cuda:N, or a kind that an adapter has; may be repeated (default: cpu, and cuda"
    " where present)"
)
REQUIRE = "the worst grade that passes (default: coarse)"
REQUIRE_CUDA = "an absent CUDA device is an error"
REPEAT = (
    "ask every question N times, record whether the bits are the same each time, and grade the"
    " worst (default: 1)"
)
ISOLATE = "ask each adapter in a worker process, which it may crash or hang without harm to the run"
