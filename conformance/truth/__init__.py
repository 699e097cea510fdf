"""The truth of a case to 40 digits, from two oracles that share no formula.

An operation enters by rows in four tables: ``domains.DOMAINS`` (where it is defined, if not
everywhere), ``limits.LIMITS`` (its ends), ``arb.LOSSES`` for the first oracle, which
differentiates by itself, ``closed_form.FORMULAS`` for the second. A policy enters by a row in
``policies.POLICIES`` beside a row for each formula that it replaces.
"""

from conformance.truth.errors import Disagreement, InvalidQuestion, UndefinedQuestion, Unproven
from conformance.truth.expected import expected_for

__all__ = [
    "Disagreement",
    "InvalidQuestion",
    "UndefinedQuestion",
    "Unproven",
    "expected_for",
]
