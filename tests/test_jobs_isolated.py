"""What a job leaves behind in the process in which it was done: nothing."""

from __future__ import annotations

import importlib
import os
import warnings
from typing import Any

import pytest

torch = pytest.importorskip("torch")
for framework in ("ignite", "pytorch_lightning", "accelerate"):
    pytest.importorskip(framework)

from job_questions import ask  # noqa: E402

JOBS: dict[str, tuple[str, dict[str, Any]]] = {
    "train": ("train", {"accumulate": 4}),
    "train mixed": ("train", {"precision": "bf16-mixed"}),
    "train shuffled": ("train", {"shuffle": 1, "validation": 2}),
    "train in float64": ("train", {"precision": "64-true"}),
    "fail": ("train", {"squeeze": "all", "shape": (9, 4), "batches": (8, 1)}),
    "evaluate": ("evaluate", {}),
    "predict": ("predict", {}),
}
TRAINERS = ("torch", "ignite", "lightning", "fabric", "accelerate")
ASKED = [
    (trainer, how)
    for trainer in TRAINERS
    for how in JOBS
    # It has no precision of 64 bits.
    if (trainer, how) != ("accelerate", "train in float64")
]


def state() -> dict[str, Any]:
    """What all code of a process shares."""
    return {
        "generator": torch.random.get_rng_state().tolist(),
        "threads": torch.get_num_threads(),
        "default dtype": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "warnings": list(warnings.filters),
        # pytest writes into it which test runs.
        "environment": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
    }


@pytest.mark.parametrize(("trainer", "how"), ASKED)
def test_a_job_leaves_the_process_as_it_was(trainer: str, how: str) -> None:
    operation, job = JOBS[how]
    module = importlib.import_module(f"conformance.adapters.jobs.{trainer}")
    do, question = getattr(module, operation), ask(operation, **job)
    before = state()

    if how == "fail":
        with pytest.raises(ValueError, match="Target size"):
            do(question)
    else:
        do(question)

    assert before == state()
