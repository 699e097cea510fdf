"""Deliberately wrong implementations, by theme: what the corpus has to catch.

The mutants of another loss go into modules of their own, which are added to THEMES; wrong trainers,
which are put to whole jobs, into modules that are added to TRAINER_THEMES.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import (
    dtypes,
    fast_math,
    formula,
    gradients,
    layout,
    nonfinite,
    old_arguments,
    pos_weight,
    probabilities,
    reductions,
    refusals,
    rounding,
    second,
    stability,
    targets,
    trainers_data,
    trainers_gradients,
    trainers_models,
    trainers_optimizers,
    trainers_policies,
    trainers_predictions,
    trainers_processes,
    trainers_reports,
    trainers_windows,
    upstream,
    weight,
)
from .base import Mutant

if TYPE_CHECKING:
    from types import ModuleType

THEMES: tuple[ModuleType, ...] = (
    pos_weight,
    weight,
    targets,
    formula,
    stability,
    fast_math,
    probabilities,
    gradients,
    upstream,
    second,
    reductions,
    old_arguments,
    refusals,
    nonfinite,
    dtypes,
    rounding,
    layout,
)
TRAINER_THEMES: tuple[ModuleType, ...] = (
    trainers_windows,
    trainers_gradients,
    trainers_optimizers,
    trainers_models,
    trainers_data,
    trainers_reports,
    trainers_processes,
    trainers_predictions,
    trainers_policies,
)


def mutants_of(theme: ModuleType) -> tuple[Mutant, ...]:
    """The mutants that a module defines; a class whose name begins with _ is a base of others."""
    return tuple(
        found()
        for name, found in vars(theme).items()
        if isinstance(found, type)
        and issubclass(found, Mutant)
        and found.__module__ == theme.__name__
        and not name.startswith("_")
    )


MUTANTS: tuple[Mutant, ...] = tuple(mutant for theme in THEMES for mutant in mutants_of(theme))
TRAINERS: tuple[Mutant, ...] = tuple(
    mutant for theme in TRAINER_THEMES for mutant in mutants_of(theme)
)
