"""Deliberately wrong implementations of the losses, by theme: what the corpus has to catch.

The mutants of another loss go into modules of their own, which are added to THEMES.
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
