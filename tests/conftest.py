"""Fixtures of several files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from running import CASES

from conformance.corpus import load_glossary
from conformance.fill import fill

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small case file, filled."""
    (tmp_path / "theme.yaml").write_text(CASES, encoding="utf-8")
    fill(tmp_path / "theme.yaml", "theme", load_glossary([tmp_path]))
    return tmp_path
