"""Trainers that take data or arguments for others, or do not refuse them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import ml_dtypes
import numpy as np

from .trainers import OtherData, OtherJob, WrongTrainer

if TYPE_CHECKING:
    from conformance.jobs import Job
    from conformance.model import Question


class _OtherDtype(OtherData):
    """Casts an input on the way."""

    cast: ClassVar[str]
    to: ClassVar[Any]

    def data(self, inputs: dict[str, Any]) -> dict[str, Any]:
        if self.cast not in inputs:
            return {}
        array = inputs[self.cast]
        return {self.cast: array.astype(self.to).astype(array.dtype)}


class LabelsInBfloat16(_OtherDtype):
    """Targets are cast to bfloat16, the dtype of a computation that nobody asked for."""

    cast = "targets"
    to = ml_dtypes.bfloat16


class LabelsInFloat16(_OtherDtype):
    """Targets are cast to float16."""

    cast = "targets"
    to = np.float16


class LabelsInIntegers(_OtherDtype):
    """Targets are cast to integers, as labels of classes are."""

    cast = "targets"
    to = np.int64


class FeaturesInFloat16(_OtherDtype):
    """Features are cast to float16."""

    cast = "features"
    to = np.float16


class FeaturesInBfloat16(_OtherDtype):
    """Features are cast to bfloat16."""

    cast = "features"
    to = ml_dtypes.bfloat16


class InitialParametersInFloat16(_OtherDtype):
    """The initial parameters come from a checkpoint in float16."""

    cast = "parameters"
    to = np.float16


class WeightLeftOut(OtherData):
    """The weight does not reach the loss."""

    def data(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {"weight": None}


class PosWeightLeftOut(OtherData):
    """The pos_weight does not reach the loss."""

    def data(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {"pos_weight": None}


class PosWeightForWeight(OtherData):
    """The pos_weight is taken for a weight, of negatives as well."""

    def data(self, inputs: dict[str, Any]) -> dict[str, Any]:
        found = inputs.get("pos_weight")
        return {} if found is None else {"weight": found, "pos_weight": None}


class WeightsOfFirstClass(OtherData):
    """The weight and pos_weight of the first class count for all classes."""

    def data(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {name: inputs[name][:1] for name in ("weight", "pos_weight") if name in inputs}


class LabelsInverted(OtherData):
    """The classes 0 and 1 are exchanged."""

    def data(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {"targets": 1 - inputs["targets"]} if "targets" in inputs else {}


class LabelsShifted(OtherData):
    """Each sample has the label of the one before."""

    def data(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {"targets": np.roll(inputs["targets"], 1, 0)} if "targets" in inputs else {}


class LabelsOutOfRangeAccepted(WrongTrainer):
    """Labels outside [0, 1] are accepted beside probabilities."""

    def check(self, question: Question) -> None:
        super().check(replace(question, inputs={}))


class LabelsOutOfRangeClipped(OtherData):
    """Labels outside [0, 1] are clipped."""

    def data(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {"targets": np.clip(inputs["targets"], 0, 1)} if "targets" in inputs else {}


class UnreducedSummed(WrongTrainer):
    """A loss that is not reduced is summed up unasked."""

    def read(self, question: Question) -> Question:
        question = super().read(question)
        reduction = "sum" if question.reduction == "none" else question.reduction
        return replace(question, reduction=reduction)


class SqueezedLast(OtherJob):
    """Where every dimension is to be squeezed only the last is, and errors go away."""

    def other(self, job: Job) -> dict[str, Any]:
        return {"squeeze": job.squeeze and "last"}


class SqueezedThroughout(OtherJob):
    """Where the last dimension is to be squeezed every one is, and a batch of one fails."""

    def other(self, job: Job) -> dict[str, Any]:
        return {"squeeze": job.squeeze and "all"}
