"""The largest errors that the grades "accurate" and "coarse" allow in the outputs of a job.

The loops of ``loops`` run once more, over ``rounding.Rounded`` arrays. Of the loss, and of its
derivative, the error is not followed through the formula but set: for "accurate" to what
docs/grading.md allows a careful implementation of a single loss, for "coarse" to what it allows
the textbook's. All other arithmetic of a job is what everybody's is.

Measured with loops of PyTorch 2.13.0 on x86-64 in 3,060 trainings of 9 steps on random data (every
model but dropout; SGD, momentum, Nesterov, weight decay, Adam, AdamW; in float32, and throughout in
bfloat16, and but for Adam in float16): the largest error is 0.47 of what is coarse, the median of
the largest errors of each 0.04 in float32. benchmarks/job_bounds.py measures it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance import loops
from conformance.bounds import MAGNITUDES, Bounds
from conformance.floats import FORMATS, to_array
from conformance.jobs import convention_of
from conformance.networks import Criterion
from conformance.optimizers import Adam
from conformance.rounding import Rounded, linear

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.bounds import Values
    from conformance.floats import Format
    from conformance.jobs import Convention, Job
    from conformance.model import Case
    from conformance.optimizers import Sgd

ELEMENT = 8
"""Roundings of an element of the loss or of its derivative, as docs/grading.md counts them; those
of the reduction are counted by Rounded."""

SLACK = 2
"""Trainers round where the loops do not: they divide a loss and multiply it again, scale gradients
and scale them back, take sums apart. This leaves each operation another rounding."""

EXACT = frozenset({"decisions", "validated", "drift"})
"""Outputs that have no rounding errors: truth values, a count, and the difference of two runs of
the same arithmetic."""


def job_bounds(case: Case, format_: Format, policy: str | None) -> Mapping[str, Bounds]:
    """The bounds of each output of a scenario in one format.

    Where the policy says in which dtype is computed, the roundings are of that format, in every
    operation: no trainer rounds more. A probability that is decided may lie next to 1/2; the
    decision is right or wrong all the same.

    Args:
        case: A scenario.
        format_: The format of the question.
        policy: Under which the job is done.

    Returns:
        For each output asked for, the errors allowed of the values compared, flat: of parameters,
        those at ``case.positions`` after the first step, then those after the second.

    Raises:
        ValueError: If the case is no scenario.
    """
    if (job := case.job) is None:
        msg = f"{case.id} is no scenario; bounds_of has its bounds"
        raise ValueError(msg)
    convention = convention_of(policy)
    if convention.computed_in is not None:
        format_ = FORMATS[convention.computed_in]
    with np.errstate(all="ignore"):
        accurate, coarse = (
            _errors(case, job, convention, format_, textbook=textbook) for textbook in (False, True)
        )
    # A device may flush what is subnormal to zero.
    flushed = format_.smallest_normal
    return {
        output: Bounds(
            SLACK * accurate[output], SLACK * coarse[output] + (output not in EXACT) * flushed
        )
        for output in case.outputs
    }


def _errors(
    case: Case, job: Job, convention: Convention, format_: Format, *, textbook: bool
) -> dict[str, Values]:
    arrays: dict[str, Any] = {
        name: to_array(array.values, array.shape, FORMATS["float64"])
        for name, array in case.inputs.items()
    }
    criterion = _Seeded(
        name=job.loss,
        reduction=case.reduced,
        weight=arrays.get("weight"),
        pos_weight=arrays.get("pos_weight"),
        format=format_,
        textbook=textbook,
    )
    for name in ("features", "targets", "parameters"):
        if name in arrays and convention.stored_in is not None:
            arrays[name] = _rounded(arrays[name], FORMATS[convention.stored_in])
    work = _TrackingWork(
        job=job,
        convention=convention,
        # What is kept in a wide format and computed with in a narrow one is rounded on the way.
        features=_converted(arrays["features"], format_),
        targets=arrays.get("targets"),
        parameters=_converted(arrays["parameters"], format_).track(),
        criterion=criterion,
    )
    found = getattr(loops, case.operation)(work)
    return {output: _compared(case, found, output) for output in case.outputs}


def _compared(case: Case, found: Mapping[str, Any], output: str) -> Values:
    if output in EXACT:
        return np.zeros(np.size(found.get(output, 0)))
    error: Values = found[output].radius
    if output == "parameters" and case.positions:
        error = error[:, list(case.positions)]
    return error.reshape(-1)


def _rounded(values: Values, format_: Format) -> Values:
    """The nearest numbers of the format, in float64."""
    return values.astype(format_.dtype).astype(np.float64)


def _converted(values: Values, format_: Format) -> Rounded:
    return Rounded(values, np.abs(values - _rounded(values, format_)), format_)


@dataclass(frozen=True)
class _TrackingWork(loops.Work):
    """Tracks the errors that each step makes in the parameters."""

    def optimizer(self) -> Any:
        """The job's optimizer, before its first step."""
        return _Tracking(super().optimizer())


class _Tracking:
    """An optimizer after each step of which the errors of the parameters are tracked."""

    def __init__(self, optimizer: Sgd | Adam) -> None:
        self.optimizer = optimizer

    def step(self, parameters: Rounded, gradient: Rounded) -> Rounded:
        """Return the parameters after one step."""
        found: Rounded = self.optimizer.step(parameters, gradient)
        if isinstance(self.optimizer, Adam):
            found = _limited(self.optimizer, found, parameters)
        return found.track()


def _limited(adam: Adam, found: Rounded, before: Rounded) -> Rounded:
    """The parameters after a step of Adam: two such steps differ by 2 lr R at most.

    Where a gradient is as small as its error, so is the root that it is divided by, and the
    quotient may be anything between -R and R. With the weights w of the gradients in the
    corrected first moment and those of their squares W in the second, R = sqrt(sum w^2 / W),
    by the inequality of Cauchy and Schwarz.
    """
    settings, ages = adam.settings, np.arange(adam.steps)
    first, second = (beta**ages / (beta**ages).sum() for beta in settings.betas)
    used = first > 0
    most = np.sqrt((first[used] ** 2 / second[used]).sum())
    apart = 2 * settings.lr * most + 2 * found.format.unit_roundoff * np.abs(found.value)
    within = found.radius <= before.radius + apart
    error = np.where(within, found.error, before.error + apart)
    tracked = found.tracked
    if tracked is not None and before.tracked is not None:
        tracked = np.where(within[:, None], tracked, before.tracked)
    return Rounded(found.value, error, found.format, tracked)


@dataclass(frozen=True, kw_only=True)
class _Seeded(Criterion):
    """A loss whose errors are those that docs/grading.md allows.

    An element of the loss has the error 8 u (M + tiny) where it is careful, 8 u C + tiny where it
    is the textbook's; besides the output's error times the derivative. So has the derivative, with
    its own magnitudes and the second derivative.
    """

    format: Format
    textbook: bool

    def elements(self, outputs: Rounded, targets: Any) -> Rounded:
        """The loss of each element, for the weight 1."""
        found = self._magnitudes(outputs, targets)
        value = super().elements(outputs.value, targets)
        slopes = super().slopes(outputs.value, targets)
        return self._seeded(value, found["loss"], outputs, slopes)

    def slopes(self, outputs: Rounded, targets: Any) -> Rounded:
        """The derivative of each element, for the weight 1."""
        found = self._magnitudes(outputs, targets)
        value = super().slopes(outputs.value, targets)
        curvature = found[f"{self._argument}_hvp"][0]
        return self._seeded(value, found[f"{self._argument}_grad"], outputs, curvature)

    @property
    def _argument(self) -> str:
        return "logits" if self.name == "bce_with_logits" else "probabilities"

    def _magnitudes(self, outputs: Rounded, targets: Any) -> dict[str, tuple[Values, Values]]:
        arrays = {self._argument: outputs.value, "targets": np.asarray(targets)}
        if self.pos_weight is not None:
            arrays["pos_weight"] = self.pos_weight
        return MAGNITUDES[self.name](arrays, None)

    def _seeded(
        self,
        value: Values,
        magnitudes: tuple[Values, Values],
        outputs: Rounded,
        slopes: Values,
    ) -> Rounded:
        """A function of the outputs, by its value and its slopes."""
        careful, textbook = magnitudes
        u = self.format.unit_roundoff
        scale = 1 if self.pos_weight is None else np.maximum(1, np.abs(self.pos_weight))
        tiny = scale * self.format.smallest_normal
        own = ELEMENT * u * textbook + tiny if self.textbook else ELEMENT * u * (careful + tiny)
        return linear(value, np.abs(slopes) * outputs.error + own, (slopes, outputs))
