"""Every question to every adapter, one test each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conformance.results import Result


def test_loss(result: Result) -> None:
    """The answer is near enough to the truth."""
    where = f"{result.case} in {result.dtype} by {result.adapter} on {result.device}"
    match result.status:
        case "not_run":
            pytest.skip(result.reason or "")
        case "deviates":
            pytest.xfail(f"{result.reason} {result.deviation}")
        case "failed":
            pytest.fail(f"{where} is {result.grade}: {result.reason or 'see the report'}", False)
