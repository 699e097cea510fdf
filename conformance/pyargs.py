"""Lets `pytest --pyargs conformance` know the options of a run.

pytest looks for options in the conftest.py files of paths, and not of packages named with
--pyargs. This plugin, which is loaded with every pytest, adds the path where the package is named.
"""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Add this folder to the paths whose conftest.py is read first."""
    known = early_config.known_args_namespace
    named = {path.partition("::")[0].partition(".")[0] for path in known.file_or_dir}
    if known.pyargs and "conformance" in named:
        known.file_or_dir.append(str(Path(__file__).parent))
