"""lucid: lucid.nn.functional, called as its documentation shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from conformance.adapters.frameworks._lucid import LucidBased, lucid, reduction

if TYPE_CHECKING:
    from conformance.model import Question


class Lucid(LucidBased):
    """Calls the functional forms; lucid multiplies by the weights and reduces.

    Sources: https://chanlumerico.github.io/lucid/build/html/nn/functions/loss/binary_cross_entropy_with_logits.html
    and .../binary_cross_entropy.html.
    """

    name: ClassVar[str] = "lucid"
    options: ClassVar[frozenset[str]] = LucidBased.options | {"pos_weight"}

    def loss(self, question: Question, tensors: dict[str, Any]) -> Any:
        """The loss of the functional form."""
        functional = lucid.nn.functional
        arguments = {"weight": tensors.get("weight"), "reduction": reduction(question)}
        if question.operation == "bce":
            return functional.binary_cross_entropy(
                tensors["probabilities"], tensors["targets"], **arguments
            )
        return functional.binary_cross_entropy_with_logits(
            tensors["logits"],
            tensors["targets"],
            pos_weight=tensors.get("pos_weight"),
            **arguments,
        )
