"""Reads YAML 1.2 or JSON files into plain values whose places in the text are known.

JSON is read by the standard library for speed; its text is read a second time, as YAML, only to
place an error.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from conformance.errors import one_line
from conformance.nodes import (
    MAX_DEPTH,
    DocumentError,
    Node,
    Number,
    read_events,
    read_nodes,
    read_number,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_JSON_ESCAPE = re.compile(
    r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<lone>\\u[dD][89a-fA-F]..)|\\.", re.DOTALL
)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise KeyError
    return result


def _constant(text: str) -> NoReturn:
    raise KeyError(text)


def _is_deep(plain: Any) -> bool:
    """Tell whether lists and mappings are nested deeper than MAX_DEPTH."""
    level = [plain]
    for _ in range(MAX_DEPTH + 1):
        holders = [each for each in level if isinstance(each, (dict, list))]
        level = [
            item
            for holder in holders
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
    return bool(holders)


class Document:
    """A .yaml or .json file: its plain value, and where each part of it stands.

    Attributes:
        path: The file.
        text: All of it.
        plain: Dicts, lists, strings, ints, Numbers, booleans and None.

    Raises:
        DocumentError: With file, line, column and what to mend.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = read_text(path)
        self._nodes: Node | None = None
        self.plain: Any = self._read_json() if path.suffix == ".json" else self.nodes.plain()

    @property
    def nodes(self) -> Node:
        """The same value with places; of JSON, made when first asked for."""
        if self._nodes is None:
            self._nodes = read_nodes(self.path, self.text)
        return self._nodes

    def comments(self) -> dict[int, int]:
        """The column at which the comment of a line of YAML begins, by line, both from 1."""
        masked = ""
        for event in read_events(self.path, self.text):
            kind = type(event)
            # The header of a block scalar may end in a comment: a hash in one counts as such.
            if kind is yaml.ScalarEvent and event.style not in ("|", ">"):
                start, end = event.start_mark.index, event.end_mark.index
                masked += self.text[len(masked) : start] + re.sub(r"\S", " ", self.text[start:end])
        masked += self.text[len(masked) :]
        lines = enumerate(masked.splitlines(), 1)
        return {number: line.index("#") + 1 for number, line in lines if "#" in line}

    def sentence(self, where: Sequence[str | int], problem: str) -> str:
        """``problem`` with file, line, column and the path ``where`` to the value."""
        try:
            node = self.nodes.at(where)
        except DocumentError:
            # JSON allows escapes that YAML does not, such as "\/": then the place is not known.
            if self.path.suffix != ".json":
                raise
            node = Node(None, 1, 1, 1)
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
        told = f"{one_line(place.lstrip('.')) or 'file'}: {one_line(problem)}"
        return f"{self.path}:{node.line}:{node.column}: {told}."

    def _read_json(self) -> Any:
        try:
            plain = json.loads(
                self.text,
                parse_float=Number,
                parse_int=read_number,
                parse_constant=_constant,
                object_pairs_hook=_unique,
            )
        except json.JSONDecodeError as error:
            msg = f"{self.path}:{error.lineno}:{error.colno}: {error.msg}. Mend the JSON here."
            raise DocumentError(msg) from None
        except (KeyError, RecursionError):
            self._refuse_json()
        if _is_deep(plain):
            self._refuse_json()
        self._refuse_lone_surrogates()
        return plain

    def _refuse_json(self) -> NoReturn:
        """Refuse what is valid JSON and no case file, at its place where YAML refuses it too."""
        read_nodes(self.path, self.text)
        msg = f"{self.path}: it cannot be read as JSON. Mend its constants, keys or nesting."
        raise DocumentError(msg)

    def _refuse_lone_surrogates(self) -> None:
        """Refuse halves of a character, which no file can hold; libyaml refuses them in YAML."""
        for escape in _JSON_ESCAPE.finditer(self.text):
            if escape["lone"]:
                line = self.text.count("\n", 0, escape.start()) + 1
                column = escape.start() - self.text.rfind("\n", 0, escape.start())
                msg = (
                    f"{self.path}:{line}:{column}: {escape['lone']} is half of a character. "
                    "Write the whole one."
                )
                raise DocumentError(msg)


def read_text(path: Path) -> str:
    """Read a UTF-8 file.

    Raises:
        DocumentError: If there is no such file or it is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        msg = f"{path}: {error.strerror or error}. Give a case file that can be read."
        raise DocumentError(msg) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        msg = f"{path}:{line}:1: byte {error.start} is not UTF-8. Save the file as UTF-8."
        raise DocumentError(msg) from None
