"""Reads the arrays of a case: numbers and described arrays of a question, digits of a truth."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

from conformance.casefile import DIGITS_TEXT, INPUT_TEXT
from conformance.floats import (
    FORMATS,
    Format,
    decimal_text,
    hex_text,
    is_exact,
    parse,
    round_to,
)
from conformance.model import Array
from conformance.nodes import Number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.floats import Real

MAX_AXES = 32
MAX_ELEMENTS = 10_000_000
MAX_SPACED = 100_000  # Each element of a linspace is a Fraction first.

Path = tuple[str | int, ...]
_input_text = re.compile(INPUT_TEXT)
_digits_text = re.compile(DIGITS_TEXT)


class ArrayError(ValueError):
    """A value that an array cannot have, with its path inside the array."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(problem)
        self.path = path


def _real(raw: Any, path: Path, rounding: Format | None) -> float:
    if isinstance(raw, bool) or not isinstance(raw, (int, str, Number)):
        raise ArrayError(path, f"expected a number, got {_kind(raw)}")
    text = raw.text if isinstance(raw, Number) else str(raw)
    if isinstance(raw, str) and not _input_text.fullmatch(raw):
        raise ArrayError(
            path,
            f'{raw!r} is not a number: write decimals without quotes, and in quotes "nan", '
            '"inf", "-inf", "-0.0" or a hex float such as "0x1.8p-3"',
        )
    value = _parse(text, path)
    if isinstance(raw, Number) and value == 0 and text.startswith("-"):
        raise ArrayError(path, 'write negative zero as "-0.0": readers of numbers drop its sign')
    widest = FORMATS["float64"]
    nearest = round_to(value, rounding or widest)
    if rounding is None and not is_exact(value, widest):
        raise ArrayError(path, inexact(text, nearest, "any of the four dtypes"))
    return nearest


def _parse(text: str, path: Path) -> Real:
    try:
        return parse(text)
    except ValueError as error:
        raise ArrayError(path, str(error).rstrip(".")) from None


def inexact(text: str, nearest: float, where: str) -> str:
    """The sentence about an input that a dtype cannot hold."""
    return (
        f"{text} is not exact in {where}; the nearest value that is: "
        f"{decimal_text(nearest)} = {hex_text(nearest)}. Write that one, or set inputs_rounded_to"
    )


def _kind(raw: Any) -> str:
    names = {dict: "a mapping", list: "a list", bool: "a truth value", type(None): "nothing"}
    return names.get(type(raw), type(raw).__name__)


def _flatten(raw: Any, path: Path, shape: list[int], depth: int) -> Iterator[tuple[Any, Path]]:
    """The leaves in C order; ``shape`` grows on the way down the first branch."""
    if not isinstance(raw, list):
        if depth < len(shape):
            raise ArrayError(path, "the lists are ragged: expected a list, as before")
        yield raw, path
        return
    if depth == MAX_AXES:
        raise ArrayError(path, f"the lists are nested deeper than {MAX_AXES} axes")
    if depth == len(shape):
        shape.append(len(raw))
    if len(raw) != shape[depth]:
        raise ArrayError(
            path, f"the lists are ragged: {len(raw)} elements here, {shape[depth]} before"
        )
    for index, item in enumerate(raw):
        yield from _flatten(item, (*path, index), shape, depth + 1)


def _leaves(raw: Any) -> tuple[tuple[int, ...], list[tuple[Any, Path]]]:
    shape: list[int] = []
    found: list[tuple[Any, Path]] = []
    for leaf, path in _flatten(raw, (), shape, 0):
        if found and len(path) != len(found[0][1]):
            raise ArrayError(path, "the lists are ragged: they differ in depth")
        found.append((leaf, path))
    return tuple(shape), found


def read_values(raw: Any, rounding: Format | None) -> Array:
    """Read an input: a number, nested lists, ``{repeat, shape}`` or ``{linspace, shape}``.

    Args:
        raw: As the document gives it.
        rounding: The format to which decimals are rounded once; None where they must be exact.

    Raises:
        ArrayError: With the path inside the array.
    """
    if isinstance(raw, dict):
        return _read_description(raw, rounding)
    shape, leaves = _leaves(raw)
    return Array(shape, tuple(_real(leaf, path, rounding) for leaf, path in leaves))


def _read_description(raw: dict[str, Any], rounding: Format | None) -> Array:
    kinds = sorted(raw.keys() - {"shape"})
    if kinds not in (["repeat"], ["linspace"]) or "shape" not in raw:
        raise ArrayError((), "describe an array as {repeat, shape} or {linspace, shape}")
    shape = raw["shape"]
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise ArrayError(("shape",), "a shape is a list of whole numbers")
    if len(shape) > MAX_AXES:
        raise ArrayError(("shape",), f"{len(shape)} axes; an array has at most {MAX_AXES}")
    for axis, length in enumerate(shape):
        if length > MAX_ELEMENTS:
            raise ArrayError(("shape", axis), f"an axis has at most {MAX_ELEMENTS} elements")
    size = math.prod(shape)
    if size > MAX_ELEMENTS:
        raise ArrayError(("shape",), f"{size} elements; a case has at most {MAX_ELEMENTS}")
    kind = kinds[0]
    _, leaves = _leaves(raw[kind])
    values = tuple(_real(leaf, (kind, *path), rounding) for leaf, path in leaves)
    if kind == "linspace":
        values = _linspace(values, size)
    elif not values and size:
        raise ArrayError(("repeat",), "give at least one value to repeat")
    return Array(tuple(shape), values, described=True)


def _linspace(ends: tuple[float, ...], count: int) -> tuple[float, ...]:
    if len(ends) != 2 or count < 2 or not all(map(math.isfinite, ends)):
        raise ArrayError(("linspace",), "give two finite ends, and a shape of at least 2 elements")
    if count > MAX_SPACED:
        raise ArrayError(("shape",), f"{count} elements; a linspace has at most {MAX_SPACED}")
    first, last = map(Fraction, ends)
    step = (last - first) / (count - 1)
    points = [first + index * step for index in range(count)]
    values = tuple(map(float, points))
    for point, value in zip(points, values, strict=True):
        if Fraction(value) != point:
            raise ArrayError(("linspace",), inexact(str(point), value, "float64"))
    return values


def read_digits(raw: Any) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Read the texts of a truth: their shape, and the texts in C order.

    Raises:
        ArrayError: With the path inside the array.
    """
    shape, leaves = _leaves(raw)
    for leaf, path in leaves:
        if not isinstance(leaf, str) or not _digits_text.fullmatch(leaf):
            raise ArrayError(path, f"{leaf!r} is not a number written in quotes, as `fill` does")
        _parse(leaf, path)
    return shape, tuple(cast("str", leaf) for leaf, _ in leaves)
