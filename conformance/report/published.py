"""Compares published values with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conformance.model import Case, Truth

REPRODUCES = "reproduces"
NEARLY = "reproduces, but for rounding in float32"
DIFFERS = "does not reproduce"
UNKNOWN = "cannot be compared"

_context = Context(prec=2000, traps=[InvalidOperation])


@dataclass(frozen=True, slots=True)
class PublishedElement:
    """One printed number beside the true one, whole and ``rounded`` to the printed digits.

    Attributes:
        agrees: Whether it is the true one, rounded or cut off alike.
        nearly: Whether it is within 8 unit roundoffs of float32, relative.
    """

    printed: str
    rounded: str
    true: str
    agrees: bool
    nearly: bool = False


@dataclass(frozen=True, slots=True)
class PublishedOutput:
    """One published output."""

    name: str
    elements: Sequence[PublishedElement]
    verdict: str


@dataclass(frozen=True, slots=True)
class PublishedExample:
    """A case with published values; ``verdict`` speaks of all its outputs together."""

    case: str
    where: str
    outputs: Sequence[PublishedOutput]
    verdict: str

    @property
    def reproduces(self) -> bool:
        """Whether what is printed is right, be it to the digits of float32."""
        return self.verdict in (REPRODUCES, NEARLY)


def compare_published(cases: Iterable[Case]) -> list[PublishedExample]:
    """Compare each published value with the truth.

    An output reproduces where, under one policy, every printed element equals the true one
    rounded or cut off to the printed digits; an example, where every printed output does. Of
    inputs that are rounded to float32, what a computation in float32 may well print is told apart.
    """
    return [example for case in cases if (example := _compare(case)) is not None]


def _compare(case: Case) -> PublishedExample | None:
    published = case.published
    if published is None:
        return None
    known = case.expected.alternatives if case.expected is not None else ()
    outputs = [
        _output(
            name,
            _flat(value),
            [item.outputs[name] for item in known if name in item.outputs],
            single=case.inputs_rounded_to == "float32",
        )
        for name, value in published.outputs.items()
    ]
    verdicts = {output.verdict for output in outputs} or {UNKNOWN}
    worst = next(
        verdict for verdict in (DIFFERS, UNKNOWN, NEARLY, REPRODUCES) if verdict in verdicts
    )
    return PublishedExample(case.id, published.where, outputs, worst)


def _output(
    name: str, printed: Sequence[str], truths: Sequence[Truth], *, single: bool
) -> PublishedOutput:
    """The output beside the first truth that it reproduces, else beside the first."""
    readings = [_read(printed, truth.values) for truth in truths if truth.positions is None]
    if not readings or not printed:
        elements = [PublishedElement(text, "", "", agrees=False) for text in printed]
        return PublishedOutput(name, elements, UNKNOWN)
    for elements in readings:
        if all(element.agrees for element in elements):
            return PublishedOutput(name, elements, REPRODUCES)
    for elements in readings:
        if single and all(element.agrees or element.nearly for element in elements):
            return PublishedOutput(name, elements, NEARLY)
    return PublishedOutput(name, readings[0], DIFFERS)


def _read(printed: Sequence[str], true: Sequence[str]) -> list[PublishedElement]:
    """The elements side by side; one that only one side has does not agree."""
    return [
        PublishedElement(
            text,
            _rounded(text, exact, ROUND_HALF_EVEN),
            exact,
            _agrees(text, exact),
            _nearly(text, exact),
        )
        for text, exact in zip_longest(printed, true, fillvalue="missing")
    ]


def _flat(value: Any) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in _flat(item)]
    return [str(value)]


def _agrees(printed: str, true: str) -> bool:
    number, exact = _decimal(printed), _decimal(true)
    if number is None or exact is None or not (number.is_finite() and exact.is_finite()):
        return _plain(printed).lower() == true
    return any(
        number == Decimal(_rounded(printed, true, rounding))
        for rounding in (ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_DOWN)
    )


def _nearly(printed: str, true: str) -> bool:
    number, exact = _decimal(printed), _decimal(true)
    if number is None or exact is None or not (number.is_finite() and exact.is_finite()):
        return False
    return _context.abs(_context.subtract(number, exact)) <= _context.abs(exact) / 2**21


def _rounded(printed: str, true: str, rounding: str) -> str:
    """``true`` to as many digits after the point as ``printed`` has."""
    number, exact = _decimal(printed), _decimal(true)
    if number is None or exact is None or not (number.is_finite() and exact.is_finite()):
        return true
    try:
        value = exact.quantize(number, rounding=rounding, context=_context)
        return f"{value:e}" if "e" in printed.lower() else f"{value:f}"
    except InvalidOperation:  # More digits before the point than anybody prints.
        return true


def _plain(printed: str) -> str:
    """``printed`` without the dots that say that digits follow."""
    return printed.strip().removesuffix("…").removesuffix("...")


def _decimal(printed: str) -> Decimal | None:
    try:
        return Decimal(_plain(printed))
    except InvalidOperation:
        return None
