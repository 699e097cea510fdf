"""Small trainers that behave, and misbehave, in one way each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from conformance import loops
from conformance.adapters.jobs import numpy as reference
from conformance.adapters.numpy import NumpyAdapter
from conformance.jobs import CONVENTIONS
from conformance.model import Computed

if TYPE_CHECKING:
    from conformance.model import Question


def under(policy: str, question: Question) -> dict[str, Any]:
    """What the reference trains under another policy."""
    work = reference._work(question, CONVENTIONS[policy])
    found = loops.train(work)
    return {name: found[name].astype(question.dtype) for name in question.outputs}


def trainer(train: Any) -> Any:
    return SimpleNamespace(train=train, OPTIONS=reference.OPTIONS)


def _two_minds(question: Question) -> Computed:
    stepped = under("window_by_length_stepped", question)
    by_samples = under("window_by_samples", question)
    return Computed(losses=stepped["losses"], parameters=by_samples["parameters"])


def _loses_a_step(question: Question) -> Computed:
    outputs = under("window_by_samples", question)
    return Computed(losses=outputs["losses"], parameters=outputs["parameters"][:-1])


def _raises(question: Question) -> Computed:
    msg = "no trainer today"
    raise RuntimeError(msg)


class Stepping(NumpyAdapter):
    name = "stepping"
    jobs = trainer(lambda asked: Computed(**under("window_by_length_stepped", asked)))


class TwoMinds(NumpyAdapter):
    name = "two-minds"
    jobs = trainer(_two_minds)


class LosesAStep(NumpyAdapter):
    name = "loses-a-step"
    jobs = trainer(_loses_a_step)


class Raises(NumpyAdapter):
    name = "raises"
    jobs = trainer(_raises)


def _no_more(questions: Any) -> Any:
    msg = "no more processes"
    raise OSError(msg)


class CannotStart(NumpyAdapter):
    name = "cannot-start"
    jobs = SimpleNamespace(train=reference.train, OPTIONS=reference.OPTIONS, together=_no_more)


class LossesOnly(NumpyAdapter):
    name = "losses-only"
    jobs = None
