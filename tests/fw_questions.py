"""Questions of a few numbers, put to the adapter of a framework that may not be installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

from conformance.adapters import load, missing
from conformance.model import Computed, Question

if TYPE_CHECKING:
    from conformance.adapters.base import LossAdapter


def installed(name: str) -> LossAdapter:
    """The adapter; where its framework is not installed, the module that asks is skipped."""
    if problem := missing(name):
        pytest.skip(problem, allow_module_level=True)
    return load(name)


def numpy_dtype(name: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml_dtypes, name, name))


def question(
    dtype: str = "float32",
    reduction: str = "none",
    outputs: tuple[str, ...] = ("loss",),
    **inputs: Any,
) -> Question:
    arrays = {name: np.asarray(values, numpy_dtype(dtype)) for name, values in inputs.items()}
    operation = "bce" if "probabilities" in inputs else "bce_with_logits"
    return Question("a/case", operation, reduction, dtype, "cpu", arrays, outputs)


def computed(adapter: LossAdapter, asked: Question) -> dict[str, Any]:
    answer = adapter.evaluate(asked)
    assert isinstance(answer, Computed)
    return dict(answer.outputs)
