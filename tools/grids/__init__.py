"""Generates the questions of the case files that programs write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.grids import (
    extremes,
    grad_outputs,
    hessians,
    layouts,
    pos_weights,
    probabilities,
    reductions,
    soft_targets,
    target_slopes,
    weights,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.grids.grid import Grid

GRIDS: Mapping[str, Grid] = {
    grid.name: grid
    for module in (
        extremes,
        grad_outputs,
        hessians,
        layouts,
        pos_weights,
        soft_targets,
        weights,
        reductions,
        target_slopes,
        probabilities,
        hessians,
        layouts,
        grad_outputs,
    )
    for grid in module.grids()
}
"""Every grid by its name, which is the path of its file below cases/ without the suffix."""
