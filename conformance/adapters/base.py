"""What an adapter is: the contract between the suite and a framework."""

from __future__ import annotations

import sys
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from conformance.model import Answer, Computed, Declined, Question, Raised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")


class LossAdapter:
    """Puts questions to one framework; subclass it and implement ``evaluate``.

    Class attributes declare what the framework offers. What is not declared is declined, and
    counted as not run; what is declared and not returned is wrong.

    Attributes:
        name: As in ``--adapter`` and in the report.
        operations: Those of conformance.model.OPERATIONS that the framework has.
        dtypes: The dtypes in which it has them.
        devices: Kinds of device, "cpu" and perhaps "cuda".
        distributions: The installed distributions whose versions belong in a report.
    """

    name: ClassVar[str]
    operations: ClassVar[frozenset[str]] = frozenset({"bce_with_logits", "bce"})
    dtypes: ClassVar[frozenset[str]] = frozenset({"float16", "bfloat16", "float32", "float64"})
    devices: ClassVar[frozenset[str]] = frozenset({"cpu"})
    distributions: ClassVar[tuple[str, ...]] = ()

    def evaluate(self, question: Question) -> Computed:
        """Compute the outputs that ``question`` asks for.

        Returns:
            NumPy arrays of the question's dtype: the loss as the framework returns it, and
            gradients of the sum of that loss, of the shape of their input.

        Raises:
            Exception: Whatever the framework raises; it becomes the answer.
        """
        raise NotImplementedError

    def evaluate_all(self, questions: Sequence[Question]) -> Iterable[Answer]:
        """Answer many questions of one dtype and device, in order.

        Override it where one run of the framework can take them all.
        """
        return (attempt(partial(self.evaluate, question)) for question in questions)

    def decline(self, question: Question) -> Declined | None:
        """Why this question is not put to the framework, or None; override to decline more."""
        for offered, asked in (
            (self.operations, question.operation),
            (self.dtypes, question.dtype),
        ):
            if asked not in offered:
                return Declined(f"{self.name} does not offer {asked}")
        return None

    def device_problem(self, device: str) -> str | None:
        """Why nothing can run on ``device`` here, in a sentence; None if it can."""
        if device.partition(":")[0] not in self.devices:
            return f"{self.name} does not run on {device}"
        return None

    def device_facts(self, device: str) -> str:
        """The name of the device, with its driver where it has one, for the report."""
        return device

    def versions(self) -> dict[str, str]:
        """The versions of ``distributions``."""
        return {name: metadata.version(name) for name in self.distributions}

    @classmethod
    def ledgers(cls) -> list[Path]:
        """The files of known deviations: beside the module of the class, and of those it extends.

        So what is wrong in PyTorch's kernels is written down once for all who call them.
        """
        sources = (getattr(sys.modules[base.__module__], "__file__", None) for base in cls.__mro__)
        paths = (Path(source).with_suffix(".deviations.toml") for source in sources if source)
        return [path for path in dict.fromkeys(paths) if path.exists()]


def attempt(compute: Callable[[], T]) -> T | Raised:
    """What ``compute`` returns: here, and only here, an exception becomes an answer.

    The answer is the exception's type and the first line of its message.
    """
    try:
        return compute()
    except (Exception, SystemExit) as error:
        lines = str(error).strip().splitlines()
        return Raised(type(error).__name__, lines[0] if lines else "")
