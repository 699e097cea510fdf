"""scikit-learn: sklearn.metrics.log_loss, a metric of probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import sklearn
from sklearn.metrics import log_loss

from conformance.adapters.base import LossAdapter
from conformance.model import Computed, Declined

if TYPE_CHECKING:
    from conformance.model import Question

_NORMALIZE = {"mean": True, "sum": False}


class Sklearn(LossAdapter):
    """Calls ``log_loss`` with one probability a sample, that of the label 1.

    Source: https://scikit-learn.org/stable/modules/generated/sklearn.metrics.log_loss.html. It
    takes labels and no soft targets, gives a mean or a sum, and no gradient. It computes in the
    dtype of the probabilities, if that is float32 or float64, and returns a Python float.
    """

    name: ClassVar[str] = "sklearn"
    operations: ClassVar[frozenset[str]] = frozenset({"bce"})
    outputs: ClassVar[frozenset[str]] = frozenset({"loss"})
    options: ClassVar[frozenset[str]] = frozenset({"weight", "input_dtypes"})
    dtypes: ClassVar[frozenset[str]] = frozenset({"float32", "float64"})

    def versions(self) -> dict[str, str]:
        """The version of scikit-learn under the name by which it is imported."""
        return {"sklearn": sklearn.__version__}

    def decline(self, question: Question) -> Declined | None:
        """Decline what ``log_loss`` has no words for."""
        if question.operation == "bce":
            probabilities, targets = question.inputs["probabilities"], question.inputs["targets"]
            if question.reduction not in _NORMALIZE:
                return Declined("log_loss has no reduction but the mean and the sum")
            if probabilities.ndim != 1:
                return Declined("log_loss takes one axis of samples; a second one has classes")
            with np.errstate(invalid="ignore"):
                soft = ((targets > 0) & (targets < 1)).any()
            if soft:
                return Declined("log_loss takes labels and no soft targets")
        return super().decline(question)

    def evaluate(self, question: Question) -> Computed:
        """Compute the loss; a batch may have one of the two labels only, so both are named."""
        inputs = question.inputs
        loss = log_loss(
            inputs["targets"],
            inputs["probabilities"],
            normalize=_NORMALIZE[question.reduction],
            sample_weight=inputs.get("weight"),
            labels=[0, 1],
        )
        return Computed(loss=np.asarray(loss, question.inputs["probabilities"].dtype))
