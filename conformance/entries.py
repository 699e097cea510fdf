"""Makes a Case of one entry of a case file."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import UNSET

from conformance import arrays
from conformance.casefile import CASE_ID, CaseEntry, Defaults, EntryError
from conformance.expectations import given, read_digits, read_expected
from conformance.floats import FORMATS, decimal_text, is_exact, round_to, to_array
from conformance.jobentries import JobError, check_job, read_job, settings
from conformance.layouts import LayoutError, lay_out
from conformance.model import Array, Case, Published, Regression
from conformance.operations import OPERATIONS, REDUCTIONS, Operation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from conformance.glossary import Explanation
    from conformance.jobs import Job
    from conformance.model import DtypeName, InputDtype, Layout

_case_id = re.compile(CASE_ID)
_EVERY_INPUT = {name for operation in OPERATIONS.values() for name in operation.inputs}


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
        outputs = self._outputs(operation, inputs)
        reduction = self._reduction()
        job = self._job(name, operation, inputs, outputs)
        positions = tuple(self._get("positions", ()))
        compared = "parameters" if operation.is_job else operation.inputs[0]
        self._check_positions(positions, inputs, compared)
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
            sha256="",
            path=path,
            input_dtypes=self._of_inputs("input_dtypes", inputs),
            layout=self._layout(inputs),
            legacy=given(entry.legacy) if entry.legacy is not UNSET else {},
            regression=self._regression(),
            job=job,
        )
        case = replace(case, sha256=_digest(case))
        if entry.expected is UNSET:
            return case
        return replace(case, expected=read_expected(entry.expected, case))

    def _outputs(self, operation: Operation, inputs: Mapping[str, Array]) -> tuple[str, ...]:
        allowed = operation.outputs_for(inputs)
        outputs = tuple(self._get("outputs", operation.usual or allowed))
        for index, output in enumerate(outputs):
            if output == operation.hessian_product and output not in allowed:
                raise EntryError(("outputs", index), f"{output} needs a direction; give one")
            if output not in allowed or output in outputs[:index]:
                known = ", ".join(allowed)
                raise EntryError(("outputs", index), f"{output!r} should be one of {known}, once")
        return outputs

    def _reduction(self) -> str:
        reduction: str = self._get("reduction", "mean")
        expected = self._entry.expected
        raises = expected is not UNSET and expected.raises is not UNSET
        if reduction not in REDUCTIONS and not raises:
            known = ", ".join(REDUCTIONS)
            raise EntryError(
                ("reduction",),
                f"{reduction!r} is none of {known}; take one, or say that the case raises",
            )
        return reduction

    def _job(
        self,
        name: str,
        operation: Operation,
        inputs: Mapping[str, Array],
        outputs: tuple[str, ...],
    ) -> Job | None:
        if not operation.is_job:
            if self._entry.job is not UNSET:
                raise EntryError(("job",), f"the operation {name} is one loss, and no job")
            return None
        for key in ("layout", "legacy"):
            if getattr(self._entry, key) is not UNSET:
                raise EntryError((key,), f"the operation {name} takes no {key}")
        job = read_job(self._entry.job, self._defaults.job)
        try:
            check_job(job, name, inputs, outputs)
        except JobError as error:
            raise EntryError(error.path, str(error)) from None
        return job

    def _of_inputs(self, key: str, inputs: Mapping[str, Array]) -> dict[str, Any]:
        """What ``key`` says of each input, by its name."""
        given = getattr(self._entry, key)
        if given is UNSET:
            return {}
        for name in given:
            if name not in inputs:
                raise EntryError((key, name), f"the case has no {name}")
        return dict(given)

    def _layout(self, inputs: Mapping[str, Array]) -> dict[str, Layout]:
        layout: dict[str, Layout] = self._of_inputs("layout", inputs)
        for name, kind in layout.items():
            array = inputs[name]
            try:
                lay_out(to_array(array.values, array.shape, FORMATS["float64"]), kind)
            except LayoutError as error:
                raise EntryError(("layout", name), str(error)) from None
        return layout

    def _regression(self) -> Regression | None:
        entry = self._entry.regression
        if entry is UNSET:
            return None
        known = given(entry)
        if known.keys() not in ({"affected", "rerun_on", "result"}, {"affected", "not_rerun"}):
            raise EntryError(("regression",), "give either rerun_on with result, or not_rerun")
        return Regression(**known)

    def _inputs(
        self, name: str, operation: Operation, dtypes: tuple[DtypeName, ...]
    ) -> Iterator[tuple[str, Array]]:
        rounding = self._get("inputs_rounded_to")
        own = self._entry.input_dtypes
        for other in sorted(_EVERY_INPUT):
            if other not in operation.inputs and getattr(self._entry, other) is not UNSET:
                raise EntryError((other,), f"the operation {name} takes no {other}")
        for key in operation.inputs:
            values = self._get(key, UNSET)
            if values is UNSET:
                if key not in operation.optional:
                    raise EntryError((), f"no {key}; the operation {name} needs it")
                continue
            try:
                array = arrays.read_values(values.raw, FORMATS[rounding] if rounding else None)
                for dtype in [own[key]] if own is not UNSET and key in own else dtypes:
                    _check_exact(array, dtype)
            except arrays.ArrayError as error:
                raise EntryError((key, *error.path), str(error)) from None
            yield key, array

    def _check_positions(
        self, positions: tuple[int, ...], inputs: Mapping[str, Array], compared: str
    ) -> None:
        size = math.prod(inputs[compared].shape)
        if any(position >= size for position in positions):
            raise EntryError(("positions",), f"a position is beyond the {size} elements")
        if len(set(positions)) != len(positions):
            raise EntryError(("positions",), "a position stands here twice")
        others = inputs if compared != "parameters" else (compared,)
        described = any(inputs[name].described for name in others)
        if described and size and not positions:
            raise EntryError((), "arrays are described, so list the positions to compare")

    def _published(self, operation: Operation) -> Published | None:
        entry = self._entry.published
        if entry is UNSET:
            return None
        for name, digits in entry.value.items():
            if name not in operation.outputs:
                raise EntryError(("published", "value", name), f"{name!r} is not an output")
            read_digits(digits.raw, ("published", "value", name))
        return Published({name: digits.raw for name, digits in entry.value.items()}, entry.where)


def _check_exact(array: Array, dtype: InputDtype) -> None:
    if dtype not in FORMATS:
        _check_integers(array, dtype)
        return
    format_ = FORMATS[dtype]
    for index, value in enumerate(array.values):
        if not is_exact(value, format_):
            nearest = round_to(value, format_)
            path = () if array.described else _unravel(index, array.shape)
            text = arrays.inexact(decimal_text(value), nearest, format_.name)
            raise arrays.ArrayError(path, f"{text}, or leave {format_.name} out of dtypes")


def _check_integers(array: Array, dtype: InputDtype) -> None:
    """Refuse values that the dtype, of integers or of complex numbers, does not hold."""
    for index, value in enumerate(array.values):
        with np.errstate(all="ignore"):
            held = complex(np.float64(value).astype(dtype)) == value
        if not held:
            path = () if array.described else _unravel(index, array.shape)
            text = f"{decimal_text(value)} is no number of {dtype}; write one that is"
            raise arrays.ArrayError(path, text)


def _unravel(index: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    path: list[int] = []
    for size in reversed(shape):
        index, rest = divmod(index, size)
        path.insert(0, rest)
    return tuple(path)


def _digest(case: Case) -> str:
    question = {
        "operation": case.operation,
        "reduction": case.reduction,
        "inputs": {
            name: {"shape": array.shape, "values": [value.hex() for value in array.values]}
            for name, array in case.inputs.items()
        },
        "outputs": case.outputs,
        "positions": case.positions,
    }
    # Absent where a case does not use them, so that a new key changes no digest of old cases.
    for key in ("input_dtypes", "layout", "legacy"):
        if given := getattr(case, key):
            question[key] = given
    if case.job is not None:
        question["job"] = settings(case.job)
    text = json.dumps(question, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
