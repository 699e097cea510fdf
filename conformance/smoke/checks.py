"""Tells a broken adapter from a framework that does not conform, by a few easy questions."""

from __future__ import annotations

from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING

from conformance import adapters
from conformance.adapters.base import LossAdapter, attempt
from conformance.asking import ask_alone
from conformance.deviations import load_ledger
from conformance.errors import ConformanceError
from conformance.floats import FORMATS
from conformance.following import load_followings
from conformance.model import Broken, Computed, Declined, Raised
from conformance.operations import OPERATIONS
from conformance.smoke.easy import easy_questions, undeclared_questions
from conformance.smoke.judging import Check, judge, quiet, same_answers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from conformance.model import Answer, Question

PREFERRED = ("float32", "float64", "float16", "bfloat16")
"""The dtypes, in the order in which one of those that an adapter declares is chosen."""

_OPTIONS = frozenset({"weight", "pos_weight", "grad_output", "direction", "input_dtypes", "legacy"})
_KNOWN = {
    "operations": frozenset(name for name, each in OPERATIONS.items() if not each.is_job),
    "outputs": frozenset(
        output for each in OPERATIONS.values() if not each.is_job for output in each.outputs
    ),
    "options": _OPTIONS,
    "dtypes": frozenset(FORMATS),
}


def smoke(adapter: LossAdapter, target: str, device: str, dtype: str) -> Iterator[Check]:
    """Look at an adapter, one check after the other.

    Args:
        adapter: The adapter, imported.
        target: The name under which it was found.
        device: A device that it has.
        dtype: A dtype that it declares.
    """
    yield _name(adapter, target)
    declarations = _declarations(adapter)
    yield declarations
    versions = attempt(adapter.versions)
    yield _versions(versions)
    yield _ledgers(adapter, versions if isinstance(versions, dict) else {})
    if declarations.status == "broken":
        return  # What is asked follows from them.
    yield _undeclared(adapter, device)
    if adapter.jobs and not adapter.operations:
        yield Check("answers", "declined", "it does jobs only, and those are for `run`")
        return
    answers: dict[str, Answer] = {}
    for label, question in easy_questions(adapter, device, dtype):
        answers[label] = ask_alone(adapter, question)
        yield judge(adapter, label, question, answers[label])
    computed = {label: each for label, each in answers.items() if isinstance(each, Computed)}
    if not computed:
        declined = all(isinstance(answer, Declined) for answer in answers.values())
        verb = "declines" if declined else "answers none of"
        mend = "`decline` and what the class declares" if declined else "`evaluate`"
        yield Check("answers", "broken", f"it {verb} the easiest questions: mend {mend}")
        return
    fresh = _fresh(adapter, device, dtype, computed)
    again = {label: ask_alone(adapter, question) for label, question in fresh.items()}
    yield same_answers(
        "asked twice",
        computed,
        again,
        "keep nothing from one question to the next, gradients least of all",
        "the framework's own order of operations varies",
    )
    if type(adapter).evaluate_all is not LossAdapter.evaluate_all:
        yield _in_bulk(adapter, device, dtype, computed)


def _name(adapter: LossAdapter, target: str) -> Check:
    listed = target in adapters.OURS or target in _entry_points()
    if listed and adapter.name != target:
        return Check(
            "name",
            "broken",
            f"it is found as {target!r} and calls itself {adapter.name!r}: give both one name",
        )
    return Check("name", "ok")


def _entry_points() -> set[str]:
    return set(metadata.entry_points(group=adapters.ENTRY_POINTS).names)


def _declarations(adapter: LossAdapter) -> Check:
    """Whether what the class declares are sets of names that the suite knows."""
    for attribute, known in _KNOWN.items():
        declared: object = getattr(adapter, attribute)
        if not isinstance(declared, (set, frozenset)):
            kind = type(declared).__name__
            problem = f"`{attribute}` is a {kind}: make it frozenset({{...}}), of names"
            return Check("declarations", "broken", problem)
        if not declared and attribute != "options" and not adapter.jobs:
            return Check("declarations", "broken", f"`{attribute}` is empty: name what there is")
        if unknown := sorted(map(str, declared - known)):
            problem = (
                f"`{attribute}` has {', '.join(unknown)}: the names are {', '.join(sorted(known))}"
            )
            return Check("declarations", "broken", problem)
    return Check("declarations", "ok")


def _versions(found: object) -> Check:
    remedy = "set `distributions` to what pip calls the framework, or override `versions`"
    if not isinstance(found, dict):
        said = str(found) if isinstance(found, (Raised, Broken)) else f"it gives {found!r}"
        return Check("versions", "broken", f"{said}: {remedy}")
    unknown = sorted(name for name, version in found.items() if version == "unknown")
    if unknown or not found:
        problem = f"{', '.join(unknown)} is unknown" if unknown else "there is none"
        return Check("versions", "broken", f"{problem}, so that no report can tell: {remedy}")
    return Check("versions", "ok")


def _ledgers(adapter: LossAdapter, versions: Mapping[str, str]) -> Check:
    try:
        load_ledger(adapter.ledgers(), versions)
        load_followings(adapter.policies(), versions)
    except ConformanceError as error:
        return Check("ledgers", "broken", str(error).rstrip("."))
    return Check("ledgers", "ok")


def _undeclared(adapter: LossAdapter, device: str) -> Check:
    """Whether what the class does not declare is declined, by a ``decline`` of its own as well."""
    for label, question in undeclared_questions(adapter, device):
        answer = attempt(partial(adapter.decline, question))
        if not isinstance(answer, Declined):
            said = str(answer) if isinstance(answer, (Raised, Broken)) else "it does not decline"
            problem = f"asked for {label}, {said}: begin `decline` with super().decline(question)"
            return Check("undeclared", "broken", problem)
    return Check("undeclared", "ok")


def _fresh(
    adapter: LossAdapter, device: str, dtype: str, labels: Collection[str]
) -> dict[str, Question]:
    """The questions of these labels, with arrays of their own."""
    asked = easy_questions(adapter, device, dtype)
    return {label: question for label, question in asked if label in labels}


def _in_bulk(
    adapter: LossAdapter, device: str, dtype: str, computed: Mapping[str, Computed]
) -> Check:
    """Whether ``evaluate_all`` gives what ``evaluate`` gives."""
    asked = _fresh(adapter, device, dtype, computed)
    with quiet():
        given = attempt(lambda: list(adapter.evaluate_all(list(asked.values()))))
    if isinstance(given, (Raised, Broken)):
        return Check("evaluate_all", "broken", f"{given}: mend it, or do not override it")
    if len(given) != len(asked):
        problem = (
            f"it gives {len(given)} answers to {len(asked)} questions, an answer is due to each"
        )
        return Check("evaluate_all", "broken", problem)
    return same_answers(
        "evaluate_all",
        computed,
        dict(zip(asked, given, strict=True)),
        "answer in the order of the questions, each as `evaluate` does",
        "the framework computes otherwise when it takes many",
    )
