"""Compares published values with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conformance.model import Case, Truth

REPRODUCES = "reproduces"
DIFFERS = "does not reproduce"
UNKNOWN = "cannot be compared"

_context = Context(prec=2000, traps=[InvalidOperation])


@dataclass(frozen=True, slots=True)
class PublishedOutput:
    """One published output: texts of the printed, the true, and the truly rounded elements."""

    name: str
    printed: Sequence[str]
    true: Sequence[str]
    rounded: Sequence[str]
    verdict: str


@dataclass(frozen=True, slots=True)
class PublishedExample:
    """A case with published values; ``verdict`` speaks of all its outputs together."""

    case: str
    where: str
    outputs: Sequence[PublishedOutput]
    verdict: str


def compare_published(cases: Iterable[Case]) -> list[PublishedExample]:
    """Compare each published value with the truth.

    An example reproduces where, under one policy, every printed element equals the true one
    rounded or cut off to the printed digits.
    """
    return [example for case in cases if (example := _compare(case)) is not None]


def _compare(case: Case) -> PublishedExample | None:
    published = case.published
    if published is None:
        return None
    known = case.expected.alternatives if case.expected is not None else ()
    readings = [_read(published.outputs, alternative.outputs) for alternative in known]
    verdicts = [_together(outputs) for outputs in readings]
    best = verdicts.index(REPRODUCES) if REPRODUCES in verdicts else 0
    outputs = readings[best] if readings else _read(published.outputs, {})
    return PublishedExample(case.id, published.where, outputs, _together(outputs))


def _together(outputs: Sequence[PublishedOutput]) -> str:
    verdicts = {output.verdict for output in outputs}
    if DIFFERS in verdicts:
        return DIFFERS
    return UNKNOWN if UNKNOWN in verdicts else REPRODUCES


def _read(printed: Mapping[str, Any], truths: Mapping[str, Truth]) -> list[PublishedOutput]:
    return [_output(name, _flat(value), truths.get(name)) for name, value in printed.items()]


def _output(name: str, printed: Sequence[str], truth: Truth | None) -> PublishedOutput:
    if truth is None or truth.positions is not None:
        return PublishedOutput(name, printed, (), (), UNKNOWN)
    true = truth.values
    if len(printed) != len(true):
        return PublishedOutput(name, printed, true, true, DIFFERS)
    pairs = list(zip(printed, true, strict=True))
    rounded = [_rounded(text, exact, ROUND_HALF_EVEN) for text, exact in pairs]
    verdict = REPRODUCES if all(_agrees(text, exact) for text, exact in pairs) else DIFFERS
    return PublishedOutput(name, printed, true, rounded, verdict)


def _flat(value: Any) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in _flat(item)]
    return [str(value)]


def _agrees(printed: str, true: str) -> bool:
    number = _decimal(printed)
    if number is None or not number.is_finite() or not Decimal(true).is_finite():
        return _plain(printed).lower() == true
    return any(
        number == Decimal(_rounded(printed, true, rounding))
        for rounding in (ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_DOWN)
    )


def _rounded(printed: str, true: str, rounding: str) -> str:
    """``true`` to as many digits after the point as ``printed`` has."""
    number, exact = _decimal(printed), Decimal(true)
    if number is None or not number.is_finite() or not exact.is_finite():
        return true
    try:
        return str(exact.quantize(number, rounding=rounding, context=_context))
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
