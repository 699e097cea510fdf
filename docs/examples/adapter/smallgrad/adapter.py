"""Puts the questions of bce-conformance to smallgrad."""

import numpy as np

import smallgrad
from conformance.adapters.base import LossAdapter
from conformance.model import Computed, Declined


class SmallgradAdapter(LossAdapter):
    """One loss, in float32, without weights."""

    name = "smallgrad"
    operations = frozenset({"bce_with_logits"})
    outputs = frozenset({"loss", "logits_grad", "targets_grad"})
    options = frozenset()
    dtypes = frozenset({"float32"})
    distributions = ("smallgrad",)

    def decline(self, question):
        """Decline what the class does not declare, then what smallgrad's documentation excludes."""
        declined = super().decline(question)
        if declined is None and not np.isfinite(question.inputs["logits"]).all():
            declined = Declined("smallgrad asks for finite logits")
        return declined

    def evaluate(self, question):
        """Compute the loss, then one backward pass."""
        inputs = {name: smallgrad.Tensor(array) for name, array in question.inputs.items()}
        loss = smallgrad.binary_cross_entropy_with_logits(**inputs, reduction=question.reduction)
        loss.backward()
        gradients = {f"{name}_grad": tensor.grad for name, tensor in inputs.items()}
        found = {"loss": loss.data, **gradients}
        return Computed(**{name: found[name] for name in question.outputs})
