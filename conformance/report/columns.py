"""Packs columns of numbers for the page's script.

What the page holds is the base64 of the gzip of
    the length of the head   4 bytes, unsigned, little-endian
    the head                 JSON in UTF-8
    the columns              one after the other
The head's "columns" lists the name, the width in bytes and the length of each column, in order.
A column holds unsigned integers, or the raw bits of floats, in byte planes: the lowest byte of
every number, then the next byte of every number, and so on. Bytes that are alike come together
so, as in the shuffle filter of HDF5, and gzip finds them. `data.js` is the other side.
"""

from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence


class Index(dict[Any, int]):
    """Numbers distinct items in the order in which they come."""

    def __init__(self, *items: Hashable) -> None:
        super().__init__((item, number) for number, item in enumerate(items))

    def __missing__(self, item: Hashable) -> int:
        self[item] = number = len(self)
        return number


class Columns:
    """Named columns in the order in which they are added."""

    def __init__(self) -> None:
        self._columns: dict[str, np.ndarray[Any, Any]] = {}

    def add(self, name: str, numbers: Sequence[int]) -> None:
        """Add natural numbers, in as few bytes each as the largest takes."""
        width = np.min_scalar_type(max(numbers, default=0))
        self._columns[name] = np.array(numbers, width)

    def add_table(self, name: str, table: Mapping[str, Sequence[int]]) -> None:
        """Add the columns of a table, each under "``name``.column"."""
        for column, numbers in table.items():
            self.add(f"{name}.{column}", numbers)

    def add_bytes(self, name: str, raw: bytes | bytearray, width: int = 1) -> None:
        """Add little-endian numbers of ``width`` bytes: 1, 2, 4 or 8."""
        self._columns[name] = np.frombuffer(raw, f"<u{width}")

    def pack(self, head: Mapping[str, Any]) -> str:
        """The payload as text; equal payloads give equal text."""
        listed = [[name, column.itemsize, len(column)] for name, column in self._columns.items()]
        encoded = msgspec.json.encode({**head, "columns": listed})
        parts = [len(encoded).to_bytes(4, "little"), encoded, *map(_planes, self._columns.values())]
        # Level 9 takes three times as long as 6, for one byte in a hundred.
        return base64.b64encode(gzip.compress(b"".join(parts), 6, mtime=0)).decode()


def _planes(column: np.ndarray[Any, Any]) -> bytes:
    little = column.astype(column.dtype.newbyteorder("<"))
    return little.view(np.uint8).reshape(-1, column.itemsize).T.tobytes()


class Numbers(dict[float | None, float | None]):
    """Shortens numbers, or None, to three significant digits: what is shown, and compresses."""

    def __missing__(self, number: float | None) -> float | None:
        self[number] = short = None if number is None else float(f"{number:.3g}")
        return short

    def table(self) -> list[float | None]:
        """None, then the distinct short numbers, sorted: neighbours in size have near places."""
        return [None, *sorted({short for short in self.values() if short is not None})]

    def places(self, shortened: Iterable[float | None]) -> list[int]:
        """Where in the table each of some short numbers is."""
        places = {number: place for place, number in enumerate(self.table())}
        return [places[number] for number in shortened]
