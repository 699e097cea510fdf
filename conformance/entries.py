"""Makes a Case of one entry of a case file."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from conformance import arrays
from conformance.casefile import CASE_ID, CaseEntry, Defaults, ExpectedEntry, Outputs
from conformance.floats import FORMATS, Format, decimal_text, is_exact, round_to
from conformance.model import (
    OPERATIONS,
    Alternative,
    Array,
    Case,
    Expected,
    Operation,
    Published,
    Truth,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from conformance.glossary import Explanation
    from conformance.model import DtypeName

Place = tuple[str | int, ...]
_case_id = re.compile(CASE_ID)


class EntryError(Exception):
    """Something wrong in an entry, with the path to it."""

    def __init__(self, path: Place, problem: str) -> None:
        super().__init__(problem)
        self.path = path


class CaseBuilder:
    """Makes one Case of an entry, with the file's defaults."""

    def __init__(self, entry: CaseEntry, defaults: Defaults) -> None:
        self._entry = entry
        self._defaults = defaults

    def _get(self, name: str, otherwise: Any = None) -> Any:
        for source in (self._entry, self._defaults):
            value = getattr(source, name, UNSET)
            if value is not UNSET:
                return value
        return otherwise

    def _require(self, name: str) -> Any:
        value = self._get(name)
        if value is None:
            raise EntryError((), f"no {name}; write it in the case or in the file's defaults")
        return value

    def check_known(self, kind: str, known: Mapping[str, Explanation]) -> None:
        """Refuse flags or policies that their file does not explain."""
        for index, name in enumerate(self._get(kind, ())):
            if name not in known:
                raise EntryError((kind, index), f"{name!r} is not explained in {kind}.yaml")

    def build(self, path: Path, group: str, source: tuple[str, ...]) -> Case:
        """The case; ``source`` is what the file says of all its cases.

        Raises:
            EntryError: With the path inside the entry.
        """
        entry = self._entry
        if not _case_id.fullmatch(entry.id):
            raise EntryError(("id",), f"{entry.id!r} has a line break; remove it")
        name = self._require("operation")
        operation = OPERATIONS[name]
        dtypes: tuple[DtypeName, ...] = tuple(self._require("dtypes"))
        if len(set(dtypes)) != len(dtypes):
            raise EntryError(("dtypes",), "a dtype stands here twice")
        inputs = dict(self._inputs(name, operation, dtypes))
        outputs = tuple(self._get("outputs", operation.outputs))
        for index, output in enumerate(outputs):
            if output not in operation.outputs or output in outputs[:index]:
                known = ", ".join(operation.outputs)
                raise EntryError(("outputs", index), f"{output!r} should be one of {known}, once")
        reduction = self._get("reduction", "mean")
        positions = tuple(self._get("positions", ()))
        self._check_positions(positions, inputs)
        policies = tuple(self._get("policies", ()))
        case = Case(
            id=f"{group}/{entry.id}",
            group=group,
            about=entry.about,
            operation=name,
            reduction=reduction,
            dtypes=dtypes,
            inputs=inputs,
            outputs=outputs,
            positions=positions,
            policies=policies,
            expected=None,
            flags=tuple(self._get("flags", ())),
            source=tuple(self._get("source", source)),
            published=self._published(operation),
            inputs_rounded_to=self._get("inputs_rounded_to"),
            sha256=_digest(name, reduction, inputs, outputs, positions),
            path=path,
        )
        if entry.expected is UNSET:
            return case
        return replace(case, expected=_expected(entry.expected, case))

    def _inputs(
        self, name: str, operation: Operation, dtypes: tuple[DtypeName, ...]
    ) -> Iterator[tuple[str, Array]]:
        rounding = self._get("inputs_rounded_to")
        for other in ("logits", "probabilities", "weight", "pos_weight"):
            if other not in operation.inputs and getattr(self._entry, other) is not UNSET:
                raise EntryError((other,), f"the operation {name} takes no {other}")
        for key in operation.inputs:
            values = getattr(self._entry, key)
            if values is UNSET:
                if key not in operation.optional:
                    raise EntryError((), f"no {key}; the operation {name} needs it")
                continue
            try:
                array = arrays.read_values(values.raw, FORMATS[rounding] if rounding else None)
                for dtype in dtypes:
                    _check_exact(array, FORMATS[dtype])
            except arrays.ArrayError as error:
                raise EntryError((key, *error.path), str(error)) from None
            yield key, array

    def _check_positions(self, positions: tuple[int, ...], inputs: Mapping[str, Array]) -> None:
        shape = next(iter(inputs.values())).shape
        size = math.prod(shape)
        if any(position >= size for position in positions):
            raise EntryError(("positions",), f"a position is beyond the {size} elements")
        if len(set(positions)) != len(positions):
            raise EntryError(("positions",), "a position stands here twice")
        described = any(array.described for array in inputs.values())
        if described and size and not positions:
            raise EntryError((), "arrays are described, so list the positions to compare")

    def _published(self, operation: Operation) -> Published | None:
        entry = self._entry.published
        if entry is UNSET:
            return None
        for name, digits in entry.value.items():
            if name not in operation.outputs:
                raise EntryError(("published", "value", name), f"{name!r} is not an output")
            _read_digits(digits.raw, ("published", "value", name))
        return Published({name: digits.raw for name, digits in entry.value.items()}, entry.where)


def _check_exact(array: Array, format_: Format) -> None:
    for index, value in enumerate(array.values):
        if not is_exact(value, format_):
            nearest = round_to(value, format_)
            path = () if array.described else _unravel(index, array.shape)
            text = arrays.inexact(decimal_text(value), nearest, format_.name)
            raise arrays.ArrayError(path, f"{text}, or leave {format_.name} out of dtypes")


def _unravel(index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    path: list[int] = []
    for size in reversed(shape):
        index, rest = divmod(index, size)
        path.insert(0, rest)
    return tuple(path)


def _digest(
    operation: str,
    reduction: str,
    inputs: Mapping[str, Array],
    outputs: tuple[str, ...],
    positions: tuple[int, ...],
) -> str:
    question = {
        "operation": operation,
        "reduction": reduction,
        "inputs": {
            name: {"shape": array.shape, "values": [value.hex() for value in array.values]}
            for name, array in inputs.items()
        },
        "outputs": outputs,
        "positions": positions,
    }
    text = json.dumps(question, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _expected(entry: ExpectedEntry, case: Case) -> Expected:
    kinds = [entry.raises is not UNSET, entry.any_of is not UNSET, any(_given(entry))]
    if sum(kinds) != 1:
        raise EntryError(("expected",), "give either outputs, or any_of, or raises: true")
    if entry.raises is False:
        raise EntryError(("expected", "raises"), "write raises: true, or leave it out")
    if entry.raises is not UNSET:
        return Expected(raises=True)
    if entry.any_of is UNSET:
        return Expected(alternatives=(_alternative(entry, None, case, ("expected",)),))
    names = tuple(option.policy for option in entry.any_of)
    if names != case.policies:
        raise EntryError(
            ("expected", "any_of"), "its policies are not those of the case; run `fill`"
        )
    alternatives = tuple(
        _alternative(option, option.policy, case, ("expected", "any_of", index))
        for index, option in enumerate(entry.any_of)
    )
    uncovered = set(case.outputs).difference(*(option.outputs for option in alternatives))
    if uncovered:
        missing = ", ".join(sorted(uncovered))
        problem = f"no policy gives {missing}; add one and run `fill`"
        raise EntryError(("expected", "any_of"), problem)
    return Expected(alternatives=alternatives)


def _given(entry: Outputs) -> list[str]:
    return [name for name in Outputs.__struct_fields__ if getattr(entry, name) is not UNSET]


def _alternative(entry: Outputs, policy: str | None, case: Case, path: Place) -> Alternative:
    given = _given(entry)
    wrong = set(given) ^ set(case.outputs) if policy is None else set(given) - set(case.outputs)
    if wrong:
        raise EntryError(
            path, f"{', '.join(sorted(wrong))}: not what the case asks for; run `fill`"
        )
    return Alternative(
        policy,
        {name: _truth(getattr(entry, name).raw, case, name, (*path, name)) for name in given},
    )


def _truth(raw: Any, case: Case, output: str, path: Place) -> Truth:
    found, texts = _read_digits(raw, path)
    whole = output == "loss" and case.reduction != "none"
    shape = () if whole else next(iter(case.inputs.values())).shape
    sampled = bool(case.positions) or any(array.described for array in case.inputs.values())
    positions = case.positions if sampled and not whole else None
    wanted = (len(positions),) if positions is not None else shape
    if math.prod(wanted) != len(texts) or (len(texts) and found != wanted):
        raise EntryError(path, f"its shape is {found}, not {wanted}; run `fill`")
    return Truth(shape, texts, positions)


def _read_digits(raw: Any, path: Place) -> tuple[tuple[int, ...], tuple[str, ...]]:
    try:
        return arrays.read_digits(raw)
    except arrays.ArrayError as error:
        raise EntryError((*path, *error.path), str(error)) from None
