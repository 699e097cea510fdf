"""Says what one answer to an easy question shows of the adapter that gave it."""

from __future__ import annotations

import re
import sys
import traceback
import warnings
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from conformance.mixing import numpy_dtype
from conformance.model import Broken, Computed, Declined, Raised
from conformance.operations import OPERATIONS
from conformance.smoke.slips import Array, Slip, slips, truth_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conformance.adapters.base import LossAdapter
    from conformance.model import Answer, Question

Status = Literal["ok", "declined", "differs", "broken"]

# Far beyond any rounding of easy numbers, far below what a slip makes of them.
_TOLERANCES = {"float16": 1e-2, "bfloat16": 4e-2}
_TOLERANCE = 1e-3

# What Python says of a call that does not fit what is called.
_CALL = re.compile(r"unexpected keyword argument|required positional|positional arguments? but")


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, and what came out.

    Attributes:
        name: What was looked at.
        status: "ok"; "declined" by the adapter; "differs" if the framework gives something else,
            which no slip that we know explains; "broken" if the adapter is to be mended.
        message: What is wrong, with what to do about it; "" if nothing is.
    """

    name: str
    status: Status
    message: str = ""

    def __str__(self) -> str:
        """The line that a person reads."""
        return f"{self.name}: {self.status}" + (f": {self.message}" if self.message else "")


def judge(adapter: LossAdapter, label: str, question: Question, answer: Answer) -> Check:
    """What one answer shows; ``label`` says what was asked."""
    if isinstance(answer, Declined):
        return Check(label, "declined", answer.reason)
    if isinstance(answer, (Raised, Broken)):
        return _without_values(adapter, label, question, answer)
    if not isinstance(answer, Computed):
        return Check(label, "differs", answer.message)
    found = [*_strangers(question, answer), *_values(adapter, question, answer)]
    worst = [message for status, message in found if status == "broken"]
    if worst:
        return Check(label, "broken", "; ".join(dict.fromkeys(worst)))
    if found:
        return Check(label, "differs", "; ".join(message for _, message in found))
    return Check(label, "ok")


def _without_values(
    adapter: LossAdapter, label: str, question: Question, answer: Raised | Broken
) -> Check:
    place, own = _place(adapter, question)
    if isinstance(answer, Broken):
        remedies = {
            "it changed": "give the framework a copy",
            "it returned": "return Computed(loss=..., ...)",
            "not a NumPy array": "convert it with np.asarray",
        }
        said = [remedy for words, remedy in remedies.items() if words in answer.message]
        remedy = said[0] if said else "a slip of the program, and no refusal: mend it"
        return Check(label, "broken", f"{answer}{place}: {remedy}")
    # Frameworks refuse with TypeError as well, and what they trace is in the adapter's file.
    own = own and (answer.type in {"KeyError", "IndexError"} or bool(_CALL.search(answer.message)))
    if own:
        return Check(label, "broken", f"{answer}{place}: the adapter itself raises it: mend it")
    remedy = "decline what the framework does not have; otherwise run the suite"
    return Check(label, "differs", f"the framework refuses an easy question, {answer}: {remedy}")


def _place(adapter: LossAdapter, question: Question) -> tuple[str, bool]:
    """Where the exception comes from, for a sentence; whether that is the adapter's own file."""
    with quiet():
        try:
            adapter.evaluate(question)
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)
        else:
            return "", False
    modules = (sys.modules.get(base.__module__) for base in type(adapter).__mro__)
    files = {getattr(module, "__file__", None) for module in modules}
    own = [frame for frame in frames if frame.filename in files]
    place = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return place, bool(own) and frames[-1] == own[-1]


@contextmanager
def quiet() -> Iterator[None]:
    """What a framework prints or warns of is no part of an answer."""
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _strangers(question: Question, answer: Computed) -> Iterator[tuple[Status, str]]:
    """Outputs that nobody asked for, although all that are declared were."""
    names = [
        name
        for name, value in answer.outputs.items()
        if value is not None and name not in question.outputs
    ]
    if names:
        some = ", ".join(sorted(names))
        yield "broken", f"it gives {some}, which it does not declare: give question.outputs"


def _values(
    adapter: LossAdapter, question: Question, answer: Computed
) -> Iterator[tuple[Status, str]]:
    """What is wrong with each output."""
    truth, tolerance = truth_of(question), _tolerance(adapter, question)
    values = {}
    for name in question.outputs:
        value = answer.outputs.get(name)
        if value is None:
            yield "broken", f"{name} is missing: return it, or take it out of `outputs`"
            continue
        if any(np.shares_memory(value, array) for array in question.inputs.values()):
            yield "broken", f"{name} shares the memory of an input: return a copy"
        yield from _dtype_problem(adapter, question, name, value)
        values[name] = value.astype(np.float64)
    wrong = [name for name in values if not _near(values[name], truth[name], tolerance)]
    known = _explanations(question, values, tolerance) if wrong else []
    for name in wrong:
        sentences = [
            slip.sentence
            for slip, whole in known
            if name in slip.outputs
            and _near(values[name], slip.outputs[name], tolerance)
            # One number may be met by chance.
            and (whole or values[name].size > 1 or values[name].shape != truth[name].shape)
        ]
        if sentences:
            yield "broken", f"{name}: {sentences[0]}"
        elif values[name].shape != truth[name].shape and _near(
            values[name].reshape(-1), truth[name].reshape(-1), tolerance
        ):
            remedy = "keep that of the input (np.ascontiguousarray gives a 0-d array an axis)"
            yield "broken", f"{_shapes(name, values[name], truth[name])}: {remedy}"
        else:
            yield "differs", _difference(name, values[name], truth[name], tolerance)


def _explanations(
    question: Question, values: Mapping[str, Array], tolerance: float
) -> list[tuple[Slip, bool]]:
    """Slips, and whether each gives all that was answered; first those that do."""
    found = [
        (
            slip,
            all(
                _near(values[name], slip.outputs[name], tolerance)
                for name in slip.outputs.keys() & values.keys()
            ),
        )
        for slip in slips(question)
    ]
    return sorted(found, key=lambda pair: not pair[1])


def _dtype_problem(
    adapter: LossAdapter, question: Question, name: str, value: Array
) -> Iterator[tuple[Status, str]]:
    """Nothing, if the dtype is that of the question; or what the framework may choose freely."""
    of = OPERATIONS[question.operation].differentiated(name)
    if of is None and question.mixed:
        return
    wanted = adapter.loss_dtypes.get(question.dtype, question.dtype) if of is None else None
    due = numpy_dtype(wanted) if wanted else question.inputs[of or "targets"].dtype
    if value.dtype == due:
        return
    said = f"{name} is {value.dtype} where {due} is asked"
    wider = value.dtype.itemsize > due.itemsize or value.dtype.kind in "iub"
    if wider and not question.mixed:
        yield "broken", f"{said}: keep the dtype of the inputs on the way in and out"
    else:
        yield "differs", f"{said}: see whether that is the framework's own choice"


def _tolerance(adapter: LossAdapter, question: Question) -> float:
    dtypes = {str(array.dtype) for array in question.inputs.values()}
    dtypes |= {adapter.loss_dtypes.get(name, name) for name in dtypes}
    return max(_TOLERANCES.get(name, _TOLERANCE) for name in dtypes)


def _near(values: Array, truth: Array, tolerance: float) -> bool:
    """Within a part of the truth, or of its largest element: easy numbers cancel little."""
    if values.shape != truth.shape or not np.isfinite(truth).all():
        return False
    largest = float(np.abs(truth).max(initial=0))
    return bool(np.allclose(values, truth, rtol=tolerance, atol=tolerance * largest))


def _shapes(name: str, values: Array, truth: Array) -> str:
    return f"{name} has the shape {values.shape} where {truth.shape} is right"


def _difference(name: str, values: Array, truth: Array, tolerance: float) -> str:
    end = "no slip of an adapter that we know: run the suite"
    if values.shape != truth.shape:
        return f"{_shapes(name, values, truth)}: {end}"
    apart = ~np.isclose(values, truth, rtol=tolerance, atol=0)
    index = tuple(int(i) for i in np.argwhere(apart)[0]) if values.ndim else ()
    at = f" at [{', '.join(map(str, index))}]" if index else ""
    return f"{name}{at} is {values[index]:.6g} where {truth[index]:.6g} is true: {end}"


def same_answers(
    name: str,
    before: Mapping[str, Computed],
    after: Mapping[str, object],
    remedy: str,
    excuse: str,
) -> Check:
    """Whether two answers to each question have the same bits; only their last ones may differ."""
    changed = {label: _distance(before[label], after[label]) for label in before}
    for status, said in (("broken", remedy), ("differs", f"in the last bits: {excuse}")):
        labels = [label for label, each in changed.items() if each == status]
        if labels:
            some = f"{len(labels)} of {len(changed)} answers change ({labels[0]})"
            return Check(name, "broken" if status == "broken" else "differs", f"{some}: {said}")
    return Check(name, "ok")


def _distance(before: Computed, after: object) -> Status:
    if not isinstance(after, Computed) or before.outputs.keys() != after.outputs.keys():
        return "broken"
    found: Status = "ok"
    for name, value in before.outputs.items():
        other = after.outputs[name]
        if value is None or other is None or value.tobytes() == other.tobytes():
            continue
        tolerance = _TOLERANCES.get(str(value.dtype), _TOLERANCE)
        if not _near(other.astype(float), value.astype(float), tolerance):
            return "broken"
        found = "differs"
    return found
