"""The one exception that carries a sentence for the user."""

from __future__ import annotations


class ConformanceError(Exception):
    """Bad input, described in one sentence with its place and its remedy.

    Entry points print the sentence and exit non-zero; nobody sees a traceback.
    """


_LONGEST = 600


def one_line(text: str) -> str:
    """``text`` made fit for a sentence: shortened in its middle, what cannot be printed escaped."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
