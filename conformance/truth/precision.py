"""How precisely the oracles compute."""

from __future__ import annotations

PRECISIONS = [2**power for power in range(8, 16)]
"""Bits, tried in turn; float64 extremes need 2048, close calls in rounding any number."""

ACCURATE_BITS = 150
"""The oracles agree within 2**-150, relative: 45 digits, five more than are written."""
