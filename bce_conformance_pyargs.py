"""Lets `pytest --pyargs conformance` know the options of a run.

pytest looks for options in the conftest.py files of paths, and not of packages named with
--pyargs. This plugin, which is loaded with every pytest, adds the path where the package is named.
It stands outside the package, under a name of its own, so that a project which happens to have a
package `conformance` is left in peace.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Add the package's folder to the paths whose conftest.py is read first."""
    known = early_config.known_args_namespace
    named = {path.partition("::")[0].partition(".")[0] for path in known.file_or_dir}
    if known.pyargs and "conformance" in named and (spec := find_spec("conformance")):
        known.file_or_dir += spec.submodule_search_locations or []
