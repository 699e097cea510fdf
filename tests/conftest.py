"""Fixtures of several files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from running import CASES

from conformance.corpus import load_glossary
from conformance.fill import fill

# The checkout's own programs, tools/ and benchmarks/; last, so that an installed wheel is tested.
sys.path.append(str(Path(__file__).parents[1]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small case file, filled."""
    (tmp_path / "theme.yaml").write_text(CASES, encoding="utf-8")
    fill(tmp_path / "theme.yaml", "theme", load_glossary([tmp_path]))
    return tmp_path
