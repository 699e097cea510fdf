"""What the adapters of lucid share, beginning with an import that works before Python 3.14.

lucid-dl 2.10 to 2.16 annotates its classes with names that are bound later, which only deferred
annotations (PEP 649) allow. Here its modules are compiled, unchanged, as if each began with
``from __future__ import annotations``; nothing that computes is touched.
"""

from __future__ import annotations

import importlib
import sys
import typing
from abc import abstractmethod
from importlib import metadata
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.adapters.base import LossAdapter
from conformance.model import Computed
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

    from conformance.model import Question


class _Deferred(SourceFileLoader):
    """Compiles a module with deferred annotations, whatever byte code is stored beside it."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        flags = annotations.compiler_flag  # The feature of __future__ by that name.
        code: CodeType = compile(self.get_data(path), path, "exec", flags, dont_inherit=True)
        return code


class _Finder(MetaPathFinder):
    """Finds the modules of lucid where they are installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "lucid":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and type(spec.loader) is SourceFileLoader:
            spec.loader = _Deferred(spec.loader.name, spec.loader.path)
        return spec


def _import_lucid() -> Any:
    if sys.version_info < (3, 14):
        sys.meta_path.insert(0, _Finder())
    if not hasattr(typing, "override"):  # As of Python 3.12; a mark that computes nothing.
        typing.override = lambda method: method  # type: ignore[attr-defined]
    return importlib.import_module("lucid")


lucid = _import_lucid()


class LucidBased(LossAdapter):
    """What the ways to ask lucid share.

    It differentiates its losses with respect to the logits or probabilities alone, and takes None
    for the reduction "none". Its numbers on the CPU are NumPy's, which has no bfloat16 of its own.

    Source: https://github.com/ChanLumerico/lucid/blob/2ed2e459700e4ea016d7a03b9895f029ea56412a/lucid/nn/_kernel/loss.py.
    """

    outputs: ClassVar[frozenset[str]] = frozenset({"loss", "logits_grad", "probabilities_grad"})
    options: ClassVar[frozenset[str]] = frozenset({"weight", "grad_output", "input_dtypes"})
    dtypes: ClassVar[frozenset[str]] = frozenset({"float16", "float32", "float64"})
    distributions: ClassVar[tuple[str, ...]] = ("numpy",)

    def versions(self) -> dict[str, str]:
        """That of lucid, whose distribution has another name, beside NumPy's."""
        return {"lucid": metadata.version("lucid-dl"), **super().versions()}

    @abstractmethod
    def loss(self, question: Question, tensors: dict[str, Any]) -> Any:
        """The loss as lucid returns it; ``tensors`` has those of the question's inputs."""

    def evaluate(self, question: Question) -> Computed:
        """Compute the loss; its gradient by a backward pass from its sum."""
        operation = OPERATIONS[question.operation]
        gradient, *_ = operation.gradients
        asked = gradient in question.outputs
        first, *_ = operation.inputs
        tensors = {
            name: lucid.tensor(array, requires_grad=asked and name == first)
            for name, array in question.inputs.items()
        }
        loss = self.loss(question, tensors)
        found = {"loss": loss.data}
        if asked:
            grad_output = tensors.get("grad_output")
            scaled = loss if grad_output is None else loss * grad_output
            scaled.sum().backward()
            found[gradient] = tensors[first].grad
        return Computed(**found)


def reduction(question: Question) -> str | None:
    """The reduction, as lucid calls it."""
    return None if question.reduction == "none" else question.reduction
