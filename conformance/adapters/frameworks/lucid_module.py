"""lucid: the modules nn.BCEWithLogitsLoss and nn.BCELoss, as its documentation shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from conformance.adapters.frameworks._lucid import LucidBased, lucid, reduction

if TYPE_CHECKING:
    from conformance.model import Question


class LucidModule(LucidBased):
    """Makes the module as a user would, and calls it; neither takes a pos_weight.

    Sources: https://chanlumerico.github.io/lucid/build/html/nn/modules/loss/BCEWithLogitsLoss.html
    and .../BCELoss.html.
    """

    name: ClassVar[str] = "lucid:module"

    def loss(self, question: Question, tensors: dict[str, Any]) -> Any:
        """The loss of a fresh module."""
        module = lucid.nn.BCELoss if question.operation == "bce" else lucid.nn.BCEWithLogitsLoss
        criterion = module(weight=tensors.get("weight"), reduction=reduction(question))
        source = "probabilities" if question.operation == "bce" else "logits"
        return criterion(tensors[source], tensors["targets"])
