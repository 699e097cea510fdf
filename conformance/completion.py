"""Prepares the command's parser for shtab, which makes a shell's completions of it."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.cli import build_parser

if TYPE_CHECKING:
    from collections.abc import Iterator


def parser() -> argparse.ArgumentParser:
    """The parser, whose paths are completed as names of files.

    For ``shtab --shell=bash conformance.completion.parser``; only shtab calls it, so that it is
    no dependency of this package. Source: https://docs.iterative.ai/shtab/use/#main-usage.
    """
    files = import_module("shtab").FILE
    whole = build_parser()
    for action in _actions(whole):
        if action.type is Path:
            action.complete = files  # type: ignore[attr-defined]
    return whole


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a parser and of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in dict.fromkeys(action.choices.values()):
                yield from _actions(command)
        else:
            yield action
