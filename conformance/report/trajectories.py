"""Chooses the numbers that show best how trainers differ on one thing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.report.answers import elements
from conformance.report.followed import AS_DEFINED, followed, is_wrong, precision_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.model import Case, Truth
    from conformance.report.evidence import Subject
    from conformance.report.trainers import Row, Trainers
    from conformance.results import OutputResult, Result

Values = np.ndarray[Any, np.dtype[np.float64]]

OUTPUTS = {
    "parameters": "optimizer step",
    "logged": "epoch",
    "epoch_loss": "",
    "losses": "batch",
    "predicted": "",
    "decisions": "",
    "validated": "",
    "drift": "",
}
"""Outputs in the order in which they are looked at, with what their trajectories run along."""

_NARROW = 0.04
"""Trajectories that part by less than this share of their range are shown as differences."""

_COMPARABLE = 1e-3
"""The share of the clearest difference with which an output that is looked at earlier will do."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What one policy gives, or trainers that follow none.

    Attributes:
        policies: Those of which this is the truth; empty for a wrong answer.
        values: Along the axis; NaN where there is none.
        subjects: The trainers that follow it, or that are wrong alike.
        answers: What the first of them gave, along the same axis; None where nobody did.
        nearest: Of a wrong answer, the policy whose truth is nearest to it.
        distance: The largest difference from that; None where it cannot be told.
    """

    policies: tuple[str, ...]
    values: Values
    subjects: tuple[Subject, ...]
    answers: Values | None
    nearest: str = ""
    distance: float | None = None

    @property
    def wrong(self) -> bool:
        """Whether it is nobody's truth."""
        return not self.policies


@dataclass(frozen=True, slots=True)
class Scene:
    """The numbers of one scenario, in one dtype, that a picture shows.

    Attributes:
        what: What is shown, in words.
        along: What the axis counts; "" where each curve is a single number.
        curves: The truths in the order of the case's policies, then the wrong answers.
        less: What has been subtracted, in words; "" for nothing.
        clearness: The number of trainers' groups that it tells apart, and by how much.
    """

    case: Case
    dtype: str
    what: str
    along: str
    curves: tuple[Curve, ...]
    less: str
    clearness: tuple[int, float]


def scenes(trainers: Trainers, row: Row, most: int = 3) -> list[Scene]:
    """The clearest scene of a row; after it, one for each fault that it does not show."""
    found = [
        scene
        for case in row.cases
        if (scene := _clearest(case, _answers(trainers, case))) is not None
    ]
    found.sort(key=lambda scene: scene.clearness, reverse=True)
    chosen: list[Scene] = []
    shown: set[Subject] = set()
    for scene in found:
        wrong = {subject for curve in scene.curves if curve.wrong for subject in curve.subjects}
        if not chosen or not wrong <= shown:
            chosen.append(scene)
            shown |= wrong
    return chosen[:most]


def _answers(trainers: Trainers, case: Case) -> dict[str, dict[Subject, Result]]:
    """Dtype to subject to result, of what was run."""
    found: dict[str, dict[Subject, Result]] = {}
    for subject in trainers.subjects:
        for dtype, result in trainers.results.get((case.id, subject), {}).items():
            if result.status != "not_run":
                found.setdefault(dtype, {})[subject] = result
    return found


def _clearest(case: Case, answers: Mapping[str, Mapping[Subject, Result]]) -> Scene | None:
    candidates = [
        scene
        for dtype, results in sorted(answers.items())
        for name in OUTPUTS
        if name in case.outputs and (scene := _scene(case, dtype, name, results)) is not None
    ]
    if not candidates:
        return None
    best = max(candidates, key=lambda scene: scene.clearness)
    groups, distance = best.clearness
    good = (groups, distance * _COMPARABLE)
    return next(scene for scene in candidates if scene.clearness >= good)


def _scene(case: Case, dtype: str, name: str, results: Mapping[Subject, Result]) -> Scene | None:
    """One output of one scenario; None where nobody's answer to it was kept."""
    curves = list(_curves(case, name, results))
    if not curves or not any(curve.subjects for curve in curves):
        return None
    truths = {(truth.shape, truth.values) for truth, _ in _truths(case, name).values()}
    less = "the truth" if len(truths) == 1 else ""
    if less:
        # Policies that differ in their precision alone are told apart by what they make of it.
        curves = _errors(curves)
    index, distance = _most_different(curves)
    length = max(curve.values.shape[1] for curve in curves)
    curves = [_taken(curve, index, length) for curve in curves]
    shape = next(iter(_truths(case, name).values()))[0].shape
    if length > 1 and 0 < distance < _NARROW and not less:
        first = curves[0].values
        less = f"that of {', '.join(curves[0].policies)}"
        curves = [_less(curve, first) for curve in curves]
    groups = len({_key(curve.values) for curve in curves if curve.subjects})
    along = OUTPUTS[name] if length > 1 else ""
    what = _words(name, index, shape, along)
    return Scene(case, dtype, what, along, tuple(curves), less, (groups, distance))


def _truths(case: Case, name: str) -> dict[str, tuple[Truth, Values]]:
    """Policy to the truth of one output, and to its values; "as defined" without policies."""
    known = case.expected.alternatives if case.expected is not None else ()
    return {
        item.policy or AS_DEFINED: (truth, _matrix(name, truth.shape, _full(truth)))
        for item in known
        if (truth := item.outputs.get(name)) is not None
    }


def _full(truth: Truth) -> Values:
    """Every element of a truth, NaN where it does not give one."""
    values = np.array([float(text) for text in truth.values])
    if truth.positions is None:
        return values
    full = np.full(math.prod(truth.shape), np.nan)
    full[list(truth.positions)] = values
    return full


def _matrix(name: str, shape: Sequence[int], values: Values) -> Values:
    """Trajectories in rows: of each parameter, of each process; or each number by itself."""
    if name == "parameters" and len(shape) == 2:
        return values.reshape(shape).T
    if OUTPUTS[name] and shape:
        return values.reshape(-1, shape[-1])
    return values.reshape(-1, 1)


def _curves(case: Case, name: str, results: Mapping[Subject, Result]) -> Iterator[Curve]:
    truths = _truths(case, name)
    groups: dict[tuple[Any, ...], list[str]] = {}
    for policy, (truth, values) in truths.items():
        if values.size:  # Where no step is made, there is nothing to draw.
            key = truth.shape, truth.values, precision_of(policy)
            groups.setdefault(key, []).append(policy)
    given = {
        subject: answer
        for subject, result in results.items()
        if name in result.outputs and (answer := _given(name, result.outputs[name])) is not None
    }
    wrong = [subject for subject in given if is_wrong(results[subject])]
    for policies in groups.values():
        values = truths[policies[0]][1]
        subjects = [
            subject
            for subject in given
            if subject not in wrong
            and (followed(case, results[subject]) or {AS_DEFINED}) & set(policies)
        ]
        answers = given[subjects[0]] if subjects else None
        yield Curve(tuple(policies), values, tuple(subjects), answers)
    known = {values.shape[0] for _, values in truths.values()}
    alike: dict[tuple[Any, ...], list[Subject]] = {}
    for subject in wrong:
        if given[subject].shape[0] in known:
            alike.setdefault(_key(given[subject]), []).append(subject)
    for subjects in alike.values():
        values = given[subjects[0]]
        yield Curve((), values, tuple(subjects), values, *_nearest(values, truths))


def _nearest(
    values: Values, truths: Mapping[str, tuple[Truth, Values]]
) -> tuple[str, float | None]:
    """The policy whose truth is nearest, and the largest difference from it."""
    found = [
        (float(np.nanmax(distances)), policy)
        for policy, (_, truth) in truths.items()
        if truth.shape == values.shape
        and np.isfinite(distances := np.abs(values - truth)).any()
        and not np.isinf(distances).any()
    ]
    distance, policy = min(found, key=lambda item: item[0], default=(None, ""))
    several = len({truth.values for truth, _ in truths.values()}) > 1
    return policy if several else "the truth", distance


def _given(name: str, output: OutputResult) -> Values | None:
    values = elements(output)
    shape = tuple(output.shape or ())
    if values is None or values.size != math.prod(shape) or not values.size:
        return None
    return _matrix(name, shape, values.astype(np.float64))


def _most_different(curves: Sequence[Curve]) -> tuple[int, float]:
    """The trajectory on which the trainers differ most, and by what share of its range.

    The policies that nobody follows count where the trainers are all alike.
    """
    met = [curve.values for curve in curves if curve.subjects]
    shown = met if len({_key(values) for values in met}) > 1 else [curve.values for curve in curves]
    length = min(values.shape[1] for values in shown)
    stack = np.stack([values[:, :length] for values in shown])
    lowest = np.where(np.isfinite(stack), stack, np.inf).min(axis=0)
    highest = np.where(np.isfinite(stack), stack, -np.inf).max(axis=0)
    spread = np.where(highest > lowest, highest - lowest, 0).max(axis=1)
    finite = np.where(np.isfinite(stack), np.abs(stack), 0)
    size = np.maximum(finite.max(axis=(0, 2)), np.finfo(np.float64).tiny)
    if stack.shape[2] > 1:
        size = np.maximum((highest.max(axis=1) - lowest.min(axis=1)), size * 1e-9)
    # What nobody gives has no range.
    share = np.nan_to_num(spread / size, nan=0.0, posinf=0.0)
    index = int(np.argmax(share))
    return index, float(share[index])


def _key(values: Values) -> tuple[tuple[int, ...], bytes]:
    return values.shape, values.tobytes()


def _taken(curve: Curve, index: int, length: int) -> Curve:
    """One trajectory of a curve, filled up to ``length``."""

    def take(values: Values) -> Values:
        missing = length - values.shape[1]
        return np.pad(values[index], (0, missing), constant_values=np.nan)

    answers = None if curve.answers is None else take(curve.answers)
    return replace(curve, values=take(curve.values), answers=answers)


def _errors(curves: Sequence[Curve]) -> list[Curve]:
    """What trainers gave, less the one truth; the truth as 0 where nobody is right."""
    truth = curves[0].values
    found = [
        replace(curve, values=error, answers=error)
        for curve in curves
        if curve.answers is not None and curve.values.shape == truth.shape
        for error in [curve.answers - truth]
    ]
    if any(not curve.wrong for curve in found):
        return found
    return [replace(curves[0], values=truth - truth), *found]


def _less(curve: Curve, values: Values) -> Curve:
    answers = None if curve.answers is None else curve.answers - values
    return replace(curve, values=curve.values - values, answers=answers)


def _words(name: str, index: int, shape: Sequence[int], along: str) -> str:
    if name == "parameters" and len(shape) == 2:
        return f"parameter {index}"
    nouns = {
        "logged": "training loss logged",
        "losses": "loss of a batch",
        "epoch_loss": "loss reported",
        "predicted": "probability",
        "decisions": "decision (1 is positive)",
        "validated": "batches validated",
        "drift": "change of the final parameters by validating",
    }
    noun = nouns.get(name, name)
    if along and len(shape) > 1:
        return f"{noun} of process {index}"
    if name == "epoch_loss" and shape:
        return f"{noun} by process {index}"
    if along or not shape:
        return noun
    place = ", ".join(str(part) for part in np.unravel_index(index, tuple(shape)))
    return f"{noun} at [{place}]"
