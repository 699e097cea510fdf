"""What an adapter is: the contract between the suite and a framework."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from conformance.errors import ConformanceError
from conformance.model import Answer, Broken, Computed, Declined, Question, Raised
from conformance.operations import JOBS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import ModuleType

T = TypeVar("T")


class LossAdapter(ABC):
    """Puts questions to one framework; subclass it and implement ``evaluate``.

    Class attributes declare what the framework offers. What is not declared is declined, and
    counted as not run; what is declared and not returned is wrong.

    Attributes:
        name: As in ``--adapter`` and in the report.
        operations: Those of conformance.operations.OPERATIONS that the framework has.
        outputs: The outputs that it can return: of a framework that cannot differentiate with
            respect to the targets, all but "targets_grad".
        options: What it takes beyond two arrays of one dtype, by the names of a case's keys:
            "weight", "pos_weight", "grad_output", "direction", "input_dtypes", "legacy".
        dtypes: The dtypes in which it has them.
        devices: Kinds of device: "cpu", perhaps "cuda", or any other in lower-case letters.
        loss_dtypes: The dtype in which the loss is computed, returned and graded, by the dtype of
            its inputs, where it is another one: {"bfloat16": "float32"} under autocast.
        distributions: The installed distributions whose versions belong in a report.
        jobs: The module that does whole jobs, where there is one: see ``perform``.
        incidents: What went wrong between its answers and costs none of them, a sentence each, for
            the run to tell; an adapter that has some begins with a list of its own.

    The name of one of several ways to run a framework is the framework's, a colon and the way's.
    """

    name: ClassVar[str]
    operations: ClassVar[frozenset[str]] = frozenset({"bce_with_logits", "bce"})
    outputs: ClassVar[frozenset[str]] = frozenset(
        {"loss", "logits_grad", "probabilities_grad", "targets_grad"}
    )
    options: ClassVar[frozenset[str]] = frozenset({"weight", "pos_weight"})
    dtypes: ClassVar[frozenset[str]] = frozenset({"float16", "bfloat16", "float32", "float64"})
    devices: ClassVar[frozenset[str]] = frozenset({"cpu"})
    loss_dtypes: ClassVar[Mapping[str, str]] = {}
    distributions: ClassVar[tuple[str, ...]] = ()
    jobs: ClassVar[ModuleType | None] = None
    incidents: Sequence[str] = ()

    @abstractmethod
    def evaluate(self, question: Question) -> Answer:
        """Compute the outputs that ``question`` asks for.

        Returns:
            Computed: NumPy arrays of the question's dtype: the loss as the framework returns it,
            and gradients of the sum of that loss, of the shape of their input.

        Raises:
            Exception: Whatever the framework raises; it becomes the answer.
        """

    def evaluate_all(self, questions: Sequence[Question]) -> Iterable[Answer]:
        """Answer many questions of one dtype and device, in order.

        Override it where one run of the framework can take them all.
        """
        return (attempt(partial(self.evaluate, question)) for question in questions)

    def perform(self, question: Question) -> Computed:
        """Do a whole job: by default, what the module ``jobs`` does for its operation.

        That module has functions ``train``, ``evaluate`` and ``predict``, which take a question
        and return Computed, and ``OPTIONS``, the keys of a job that it takes.

        Raises:
            Exception: Whatever the framework raises; it becomes the answer.
        """
        found: Computed = getattr(self.jobs, question.operation)(question)
        return found

    def perform_all(self, questions: Sequence[Question]) -> Iterable[Answer]:
        """Do many jobs, in order: each by itself, but those of several processes together.

        For the latter the module ``jobs`` has a function ``together``, which takes questions and
        returns a list of answers; without it one process answers for all.
        """
        together = getattr(self.jobs, "together", None)
        shared = [question for question in questions if together and _processes(question) > 1]
        given = attempt(partial(together, shared)) if together and shared else []
        answers = iter(given if isinstance(given, list) else [given] * len(shared))
        for question in questions:
            if together and _processes(question) > 1:
                yield next(answers)
            else:
                yield attempt(partial(self.perform, question))

    def decline(self, question: Question) -> Declined | None:
        """Why this question is not put to the framework, or None; override to decline more."""
        operations = self.operations | (JOBS if self.jobs else frozenset())
        for offered, asked in ((operations, question.operation), (self.dtypes, question.dtype)):
            if asked not in offered:
                return Declined(f"{self.name} does not offer {asked}")
        options = self.options | getattr(self.jobs, "OPTIONS", frozenset())
        if missing := sorted(question.options - options):
            return Declined(f"{self.name} does not offer {', '.join(missing)}")
        return None

    def device_problem(self, device: str) -> str | None:
        """Why nothing can run on ``device`` here, in a sentence; None if it can."""
        if device.partition(":")[0] not in self.devices:
            return no_such_device(self.name, device, self.devices)
        return None

    def device_facts(self, device: str) -> str:
        """The name of the device, with its driver where it has one, for the report."""
        return device

    def device_settings(self, device: str) -> dict[str, str]:  # noqa: ARG002 - for who extends it
        """What else may change the numbers that ``device`` gives, name to value, for the report."""
        return {}

    def may_ruin(self, question: Question) -> bool:  # noqa: ARG002 - likewise
        """Whether the question may leave ``question.device`` unusable for this process.

        Such a question is asked in a process of its own. An out-of-range probability on CUDA is
        one: it fails an assertion on the device, after which nothing runs there any more.
        """
        return False

    def is_ruined(self, device: str) -> bool:  # noqa: ARG002 - likewise
        """Whether ``device`` has become unusable for this process."""
        return False

    def versions(self) -> dict[str, str]:
        """The versions of ``distributions``; "unknown" for one that is not installed as such."""
        return {name: _version(name) for name in self.distributions}

    @classmethod
    def ledgers(cls) -> list[Path]:
        """The files of known deviations: beside the module of the class, and of those it extends.

        So what is wrong in PyTorch's kernels is written down once for all who call them.
        """
        return cls._beside(".deviations.toml")

    @classmethod
    def policies(cls) -> list[Path]:
        """The files of the policies that it is known to follow in jobs; likewise."""
        return cls._beside(".policies.toml")

    @classmethod
    def _beside(cls, suffix: str) -> list[Path]:
        sources = (getattr(sys.modules[base.__module__], "__file__", None) for base in cls.__mro__)
        paths = (Path(source).with_suffix(suffix) for source in sources if source)
        return [path for path in dict.fromkeys(paths) if path.exists()]


def no_such_device(name: str, device: str, kinds: Iterable[str]) -> str:
    """The sentence with which the adapter ``name``, which has other kinds, refuses a device."""
    return f"{name} does not run on {device}: it runs on {' and '.join(sorted(kinds))}"


def _processes(question: Question) -> int:
    return question.job.processes if question.job else 1


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


# What Python raises for a slip in a program is no clean refusal of a bad input.
_FAULTS = (AttributeError, ImportError, NameError, SyntaxError, SystemExit)
_MAX_MESSAGE = 300


def attempt(compute: Callable[[], T]) -> T | Raised | Broken:
    """What ``compute`` returns: here, and only here, an exception becomes an answer.

    The answer is the exception's type and the first line of its message; that of an exception
    which is a fault of the program, and not a refusal, is Broken.

    Raises:
        KeyboardInterrupt: If the user interrupts, even where a framework makes an exit of it.
        ConformanceError: A sentence for the user stays one.
    """
    try:
        return compute()
    except (KeyboardInterrupt, GeneratorExit, ConformanceError):
        raise
    except BaseException as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        kind, message = type(error).__name__, first_line(error)
        return Broken(f"{kind}: {message}") if isinstance(error, _FAULTS) else Raised(kind, message)


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, in a form that every file can hold."""
    try:
        lines = str(error).strip().splitlines()
    except Exception:
        return "its message cannot be read"
    text = lines[0][:_MAX_MESSAGE] if lines else ""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
