"""Decodes the raw bits of an answer into decimals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.floats import FORMATS

if TYPE_CHECKING:
    from conformance.results import OutputResult


def elements(output: OutputResult) -> np.ndarray[Any, Any] | None:
    """The elements in C order, in their dtype.

    None where the run holds no bits, or bits that are not of the dtype it names.
    """
    if output.bits is None or output.dtype is None:
        return None
    try:
        known = FORMATS.get(output.dtype)
        dtype = np.dtype(np.sctypeDict[output.dtype]) if known is None else known.dtype
        return np.frombuffer(bytes.fromhex(output.bits), dtype.newbyteorder("<"))
    except (KeyError, ValueError):
        return None


def decode(output: OutputResult) -> list[str] | None:
    """Each element as a short decimal that reads back to it in its dtype; None as above."""
    found = elements(output)
    return None if found is None else [str(element) for element in found]
