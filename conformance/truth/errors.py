"""The ways in which a case has no truth."""

# ruff: noqa: N818 - each is named after what it says about the case
from __future__ import annotations

from conformance.errors import ConformanceError


class InvalidQuestion(ConformanceError):
    """The question breaks the definition of its loss: a right implementation raises."""


class UndefinedQuestion(ConformanceError):
    """The question is one that the definition leaves open, so no answer can be called right."""


class Disagreement(ConformanceError):
    """The two oracles differ: one of them is wrong."""


class Unproven(ConformanceError):
    """The digits cannot be proven within the largest precision."""
