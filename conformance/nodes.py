"""Reads YAML 1.2 text into nodes that know where in the text they stand.

It is read from libyaml's event stream, so that nesting is bounded before anything is built,
duplicate keys are refused, and the 1.2 core schema decides what a plain scalar means (PyYAML's own
schema is 1.1: it reads ``1e-7`` as a string and ``NO`` as False).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from conformance.errors import ConformanceError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAX_DEPTH = 32

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NON_FINITE = re.compile(r"[-+]?\.?(nan|inf|infinity)", re.IGNORECASE)
_WORDS = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is not a plain integer, as it is written: nothing is rounded here."""

    text: str


@dataclass(slots=True)
class Node:
    """One value and where it stands.

    Attributes:
        value: A dict or list of Node, or a scalar.
        line: Of its first character, counted from 1.
        column: Of its first character, counted from 1.
        end_line: The last line that it stands on.
        flow: True for a collection in brackets or braces.
        key_line: For a value of a mapping, the line that its key stands on.
    """

    value: Any
    line: int
    column: int
    end_line: int
    flow: bool = False
    key_line: int = 0

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def at(self, path: Sequence[str | int]) -> Node:
        """The node at ``path``, or the nearest one above it that exists."""
        node = self
        for step in path:
            children = node.value
            try:
                node = children[step]
            except (KeyError, IndexError, TypeError):
                break
            if not isinstance(node, Node):
                break
        return node


class DocumentError(ConformanceError):
    """A text that cannot be read, with its place."""


def _scalar(path: Path, event: Any) -> Any:
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _NON_FINITE.fullmatch(text):
        word = text.lower().replace(".", "").replace("infinity", "inf").replace("+", "")
        _refuse(path, event.start_mark, f'write {text} as a string: "{word}".')
    return read_number(text) if _FLOAT.fullmatch(text) else text


def read_number(text: str) -> int | Number:
    """A plain number: an int where nothing of how it is written would be lost."""
    if _INT.fullmatch(text) and len(text) < 16 and not text.startswith("-0"):
        return int(text)
    return Number(text)


def _refuse(path: Path, mark: Any, problem: str) -> NoReturn:
    msg = f"{path}:{mark.line + 1}:{mark.column + 1}: {one_line(problem)}"
    raise DocumentError(msg)


def read_events(path: Path, text: str) -> Iterator[Any]:
    """The events of libyaml.

    Raises:
        DocumentError: Where the text is not YAML.
    """
    try:
        yield from yaml.parse(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _refuse(path, mark, f"{error.problem or error.context}. Mend the YAML here.")
    except yaml.YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        problem = getattr(error, "reason", None) or "it cannot be read as YAML"
        msg = f"{path}:{line}:1: {problem}. Save the file as plain UTF-8 text."
        raise DocumentError(msg) from None


class _Builder:
    """Puts the nodes of one document together, event by event, without recursion."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root: Node | None = None
        self._open: list[Node] = []
        self._keys: list[Node | None] = []

    def feed(self, event: Any) -> None:
        """Take the next event; those of stream and document carry nothing."""
        mark = event.start_mark
        if getattr(event, "anchor", None) or getattr(event, "tag", None) not in (None, "!"):
            self._refuse(mark, "anchors, aliases and tags are not part of the format. Remove it.")
        kind = type(event)
        if kind is yaml.ScalarEvent:
            # The end mark of a block scalar is the start of the line after it.
            folded = event.style in ("|", ">") and event.end_mark.column == 0
            end_line = event.end_mark.line + (0 if folded else 1)
            value = _scalar(self.path, event)
            self._place(Node(value, mark.line + 1, mark.column + 1, end_line), mark)
        elif kind in (yaml.MappingStartEvent, yaml.SequenceStartEvent):
            self._enter(event, mark)
        elif kind in (yaml.MappingEndEvent, yaml.SequenceEndEvent):
            node = self._open.pop()
            self._keys.pop()
            if node.flow:
                node.end_line = event.end_mark.line + 1
            self._place(node, mark)

    def _enter(self, event: Any, mark: Any) -> None:
        if len(self._open) == MAX_DEPTH:
            self._refuse(mark, f"nested deeper than {MAX_DEPTH} levels. No case needs that.")
        if self._open and isinstance(self._open[-1].value, dict) and self._keys[-1] is None:
            self._refuse(mark, "a key must be a word. Quote it if it is meant as one.")
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        line = mark.line + 1
        self._open.append(Node(value, line, mark.column + 1, line, event.flow_style))
        self._keys.append(None)

    def _place(self, node: Node, mark: Any) -> None:
        if not self._open:
            if self.root is not None:
                msg = f"{self.path}:{node.line}:1: a second document starts here. Keep one a file."
                raise DocumentError(msg)
            self.root = node
            return
        parent = self._open[-1]
        parent.end_line = max(parent.end_line, node.end_line)
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif (key := self._keys[-1]) is not None:
            parent.value[key.value] = node
            node.key_line = key.line
            self._keys[-1] = None
        elif not isinstance(node.value, str):
            self._refuse(mark, "a key must be a word. Quote it if it is meant as one.")
        elif node.value in parent.value:
            self._refuse(mark, f"the key {node.value!r} stands here a second time. Keep one.")
        else:
            self._keys[-1] = node

    def _refuse(self, mark: Any, problem: str) -> NoReturn:
        _refuse(self.path, mark, problem)


def read_nodes(path: Path, text: str) -> Node:
    """Read one YAML document (JSON is one, too) as nodes.

    Raises:
        DocumentError: With file, line, column and what to mend.
    """
    builder = _Builder(path)
    for event in read_events(path, text):
        builder.feed(event)
    if builder.root is None:
        msg = f"{path}:1:1: the file is empty. Write a case file, or remove it."
        raise DocumentError(msg)
    return builder.root
