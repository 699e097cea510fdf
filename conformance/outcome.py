"""Turns a result into the outcome of its test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conformance.results import Result


def settle(result: Result) -> None:
    """Return where the answer is near enough to the truth.

    Raises:
        pytest.skip.Exception: Where the question was not put.
        pytest.xfail.Exception: Where a known deviation was met.
        pytest.fail.Exception: Where the answer is not right.
    """
    where = f"{result.case} in {result.dtype} by {result.adapter} on {result.device}"
    match result.status:
        case "not_run":
            pytest.skip(result.reason or "")
        case "deviates":
            # As pytest.xfail does, but for the frames that led here, which take long to format.
            msg = f"{result.reason} {result.deviation}"
            raise pytest.xfail.Exception(msg, pytrace=False)
        case "failed":
            pytest.fail(f"{where} is {result.grade}: {result.reason or 'see the report'}", False)
