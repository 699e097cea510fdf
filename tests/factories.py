"""Makes cases without files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from conformance.model import Array, Case
from conformance.operations import OPERATIONS
from conformance.truth import expected_for


def array(values: Any) -> Array:
    """What NumPy makes of nested numbers; an Array as it is."""
    if isinstance(values, Array):
        return values
    found = np.asarray(values, np.float64)
    return Array(found.shape, tuple(map(float, found.reshape(-1))))


def make_case(*, filled: bool = True, **given: Any) -> Case:
    """A case of the inputs given by name; other keywords are fields of Case."""
    operation = "bce" if "probabilities" in given else "bce_with_logits"
    names = OPERATIONS[operation].inputs
    inputs = {name: array(given.pop(name)) for name in names if name in given}
    case = Case(
        **{
            "id": "group/case",
            "group": "group",
            "about": "A case.",
            "operation": operation,
            "reduction": "none",
            "dtypes": ("float32",),
            "inputs": inputs,
            "outputs": OPERATIONS[operation].outputs_for(inputs),
            "positions": (),
            "policies": (),
            "expected": None,
            "flags": (),
            "source": (),
            "published": None,
            "inputs_rounded_to": None,
            "sha256": "0" * 64,
            "path": Path("group.yaml"),
            **given,
        }
    )
    return replace(case, expected=expected_for(case)) if filled else case
