"""Questions that are answered where an error is due, or refused where none is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.model import Computed
from conformance.operations import REDUCTIONS

from .base import Mutant, first

if TYPE_CHECKING:
    from conformance.adapters.numpy import Array
    from conformance.model import Question


class _OtherQuestion(Mutant):
    """Base of those that take other inputs than they are given for what was meant."""

    def read(self, question: Question) -> Question:
        question = super().read(question)
        name, x = next(iter(question.inputs.items()))
        changed = self.inputs(name, x, dict(question.inputs))
        return replace(question, inputs={**question.inputs, **changed})

    def inputs(self, name: str, x: Array, given: dict[str, Array]) -> dict[str, Array]:
        """The inputs that are changed; ``name`` is that of the first, ``x``."""
        raise NotImplementedError


class TargetsBroadcast(_OtherQuestion):
    """Input and targets are broadcast: (N, 1) against (N,) gives N x N losses."""

    def inputs(self, name: str, x: Array, given: dict[str, Array]) -> dict[str, Array]:
        x, t = np.broadcast_arrays(x, given["targets"])
        return {name: x, "targets": t}


class TargetsReshaped(_OtherQuestion):
    """Targets of as many elements in another shape are accepted."""

    def inputs(self, name: str, x: Array, given: dict[str, Array]) -> dict[str, Array]:
        t = given["targets"]
        return {"targets": t.reshape(x.shape)} if t.size == x.size else {}


class ScalarTargetsAccepted(_OtherQuestion):
    """A single target counts for all elements."""

    def inputs(self, name: str, x: Array, given: dict[str, Array]) -> dict[str, Array]:
        t = given["targets"]
        return {"targets": np.broadcast_to(t.reshape(()), x.shape)} if t.size == 1 else {}


class TargetsCutToSize(_OtherQuestion):
    """Surplus targets are left out."""

    def inputs(self, name: str, x: Array, given: dict[str, Array]) -> dict[str, Array]:
        t = given["targets"]
        return {"targets": t.reshape(-1)[: x.size].reshape(x.shape)} if t.size > x.size else {}


class WeightEnlarges(_OtherQuestion):
    """A weight of more axes enlarges the loss."""

    def inputs(self, name: str, x: Array, given: dict[str, Array]) -> dict[str, Array]:
        if "weight" not in given:
            return {}
        x, t, _ = np.broadcast_arrays(x, given["targets"], given["weight"])
        return {name: x, "targets": t}


class PosWeightEnlarges(_OtherQuestion):
    """A pos_weight of more elements enlarges the loss."""

    def inputs(self, name: str, x: Array, given: dict[str, Array]) -> dict[str, Array]:
        if "pos_weight" not in given:
            return {}
        x, t, _ = np.broadcast_arrays(x, given["targets"], given["pos_weight"])
        return {name: x, "targets": t}


class PosWeightRepeated(_OtherQuestion):
    """A pos_weight of the wrong length is repeated until it fits."""

    def inputs(self, name: str, x: Array, given: dict[str, Array]) -> dict[str, Array]:
        p = given.get("pos_weight")
        if p is None or p.ndim != 1 or not x.ndim or p.size in (0, 1, x.shape[-1]):
            return {}
        return {"pos_weight": np.resize(p, x.shape[-1:])}


class WeightRepeated(_OtherQuestion):
    """A weight of the wrong length is repeated until it fits."""

    def inputs(self, name: str, x: Array, given: dict[str, Array]) -> dict[str, Array]:
        w = given.get("weight")
        if w is None or w.ndim != 1 or not x.ndim or w.size in (0, 1, x.shape[-1]):
            return {}
        return {"weight": np.resize(w, x.shape[-1:])}


class ProbabilitiesClippedUnasked(_OtherQuestion):
    """What is no probability is clipped to one."""

    def inputs(self, name: str, x: Array, given: dict[str, Array]) -> dict[str, Array]:
        return {name: np.clip(x, 0, 1).astype(x.dtype)} if name == "probabilities" else {}


class BadTargetsClipped(_OtherQuestion):
    """Targets of probabilities outside [0, 1] are clipped."""

    def inputs(self, name: str, x: Array, given: dict[str, Array]) -> dict[str, Array]:
        t = given["targets"]
        return {"targets": np.clip(t, 0, 1).astype(t.dtype)} if name == "probabilities" else {}


class ImaginaryPartDropped(_OtherQuestion):
    """The imaginary part of complex input is dropped."""

    def inputs(self, name: str, x: Array, given: dict[str, Array]) -> dict[str, Array]:
        return {
            name: array.real.astype(np.float32)
            for name, array in given.items()
            if array.dtype.kind == "c"
        }


class IntegerLogitsAccepted(_OtherQuestion):
    """Integers for logits are cast to float32."""

    def inputs(self, name: str, x: Array, given: dict[str, Array]) -> dict[str, Array]:
        return {name: x.astype(np.float32)} if x.dtype.kind in "iub" else {}


class UnknownReductionIsMean(Mutant):
    """A reduction that does not exist is taken for the mean."""

    def read(self, question: Question) -> Question:
        question = super().read(question)
        known = question.reduction in REDUCTIONS
        return question if known else replace(question, reduction="mean")


class UnknownReductionIsNone(Mutant):
    """With a reduction that does not exist the loss is returned unreduced."""

    def read(self, question: Question) -> Question:
        question = super().read(question)
        known = question.reduction in REDUCTIONS
        return question if known else replace(question, reduction="none")


class BatchmeanAccepted(Mutant):
    """The reduction batchmean of other losses is accepted, for a sum."""

    def read(self, question: Question) -> Question:
        question = super().read(question)
        bad = question.reduction == "batchmean"
        return replace(question, reduction="sum") if bad else question


class NanForAnError(Mutant):
    """NaN is returned where an error is due."""

    def evaluate(self, question: Question) -> Computed:
        try:
            return super().evaluate(question)
        except (TypeError, ValueError):
            nothing = np.full(first(question.inputs).shape, np.nan, np.float32)
            return Computed(**dict.fromkeys(question.outputs, nothing))


class _Refusal(Mutant):
    """Base of those that refuse what is well defined."""

    def read(self, question: Question) -> Question:
        question = super().read(question)
        if self.refuses(**question.inputs):
            msg = self.about
            raise ValueError(msg)
        return question

    def refuses(self, *, targets: Array, **inputs: Any) -> Any:
        raise NotImplementedError


class SoftTargetsRefused(_Refusal):
    """Targets between 0 and 1 are refused."""

    def refuses(self, *, targets: Array, **inputs: Any) -> Any:
        return np.any((targets > 0) & (targets < 1))


class NanTargetsRefused(_Refusal):
    """Targets of NaN are refused."""

    def refuses(self, *, targets: Array, **inputs: Any) -> Any:
        return np.any(np.isnan(targets))


class EmptyInputRefused(_Refusal):
    """Arrays without elements are refused."""

    def refuses(self, *, targets: Array, **inputs: Any) -> Any:
        return not targets.size


class ScalarsRefused(_Refusal):
    """Arrays without axes are refused."""

    def refuses(self, *, targets: Array, **inputs: Any) -> Any:
        return not targets.ndim


class ManyAxesRefused(_Refusal):
    """Arrays of more than four axes are refused."""

    def refuses(self, *, targets: Array, **inputs: Any) -> Any:
        return targets.ndim > 4


class NegativeWeightsRefused(_Refusal):
    """Negative weights are refused."""

    def refuses(self, *, targets: Array, **inputs: Any) -> Any:
        return np.any(inputs.get("weight", np.zeros(())) < 0)


class EdgesRefused(_Refusal):
    """Probabilities of exactly 0 or 1 are refused."""

    def refuses(self, *, targets: Array, **inputs: Any) -> Any:
        q = inputs.get("probabilities", np.full((), 0.5))
        return np.any((q == 0) | (q == 1))


class InfiniteLogitsRefused(_Refusal):
    """Infinite logits are refused."""

    def refuses(self, *, targets: Array, **inputs: Any) -> Any:
        return np.any(np.isinf(inputs.get("logits", np.zeros(()))))
