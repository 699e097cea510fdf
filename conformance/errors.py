"""The one exception that carries a sentence for the user."""

from __future__ import annotations


class ConformanceError(Exception):
    """Bad input, described in one sentence with its place and its remedy.

    Entry points print the sentence and exit non-zero; nobody sees a traceback.
    """
