"""Says of each reader what it is fed, and what has to hold of whatever it makes of that."""

from __future__ import annotations

import ast
import contextlib
import io
import math
import random
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from conformance import cli
from conformance.asking import question_of
from conformance.commands._common import USAGE
from conformance.corpus import CorpusError, load_corpus
from conformance.deviations import load_ledger
from conformance.errors import ConformanceError
from conformance.following import load_followings
from conformance.model import Grade
from conformance.records import read_runs
from conformance.report.snippets import torch_snippet
from tools.fuzz import inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from conformance.model import Case

LIMIT = 2.0
"""Seconds of the processor's time that one step may take."""

MAX_SENTENCE = 2000
"""Characters."""

VERSIONS = {"torch": "2.13.0", "pytorch-lightning": "2.6.6", "pytorch-ignite": "0.5.5"}
_MAX_ELEMENTS = 100_000


class BrokenPromiseError(Exception):
    """What has to hold does not."""


@dataclass(frozen=True, slots=True)
class Target:
    """One reader.

    Attributes:
        name: As the command line has it.
        make: Makes an input; of what nests too deep to be written, a RecursionError.
        check: Feeds it to the reader, in an empty folder; tells whether it was accepted.

    Raises:
        BrokenPromiseError: By ``check``, like any other exception: something does not hold.
    """

    name: str
    make: Callable[[random.Random], inputs.Input]
    check: Callable[[inputs.Input, Path], bool]

    def input(self, seed: int, index: int) -> inputs.Input:
        """The input of one try; equal arguments give equal inputs."""
        source = random.Random(f"{seed}:{index}")  # noqa: S311 - no secret
        while True:
            with contextlib.suppress(RecursionError):
                return self.make(source)


@contextlib.contextmanager
def limited(seconds: float = LIMIT) -> Iterator[None]:
    """Raise if the block takes more of the processor's time, however busy the machine is."""

    def stop(*_: object) -> NoReturn:
        msg = f"took more than {seconds} s"
        raise BrokenPromiseError(msg)

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def check_sentences(error: ConformanceError, place: str) -> None:
    """Hold an error to what a person wants to read.

    Raises:
        BrokenPromiseError: If a sentence of it is none, or does not name ``place``.
    """
    for sentence in error.problems if isinstance(error, CorpusError) else (str(error),):
        if place not in sentence:
            problem = f"does not name {place}"
        elif not sentence.isprintable():
            problem = "is not one line"
        elif not sentence.endswith((".", "?", ")")):
            problem = "does not end"
        elif len(sentence) > MAX_SENTENCE:
            problem = f"has {len(sentence)} characters"
        else:
            continue
        msg = f"the sentence {problem}: {sentence[:300]!r}"
        raise BrokenPromiseError(msg)


def check_cases(given: inputs.Input, folder: Path) -> bool:
    """Load a case file; of what loads, put the questions, write the snippets, look a case up."""
    path = given.write(folder)
    with limited():
        try:
            cases = load_corpus([path]).cases
        except ConformanceError as error:
            check_sentences(error, str(path))
            return False
    for case in cases:
        with limited():
            _use(case)
    for words in (("list",), ("show", cases[0].id), ("repro", cases[0].id)):
        with limited():
            _command([*words, "--cases", str(path)])
    return True


def _use(case: Case) -> None:
    if sum(math.prod(array.shape) for array in case.inputs.values()) > _MAX_ELEMENTS:
        return
    for dtype in case.dtypes:
        question_of(case, "cpu", dtype)
        if case.job is None:
            ast.parse(torch_snippet(case, dtype))


def check_glossary(given: inputs.Input, folder: Path) -> bool:
    """Load a case file beside flags or policies of its own."""
    inputs.write_cases(folder)
    path = given.write(folder / inputs.CASES)
    with limited():
        try:
            load_corpus([path.parent])
        except ConformanceError as error:
            check_sentences(error, str(path))
            return False
    return True


_COMMANDS = (
    ("report", "RUN", "-o", "page.html"),
    ("summary", "RUN"),
    ("summary", "RUN", "--format", "json"),
    ("summary", "RUN", "--annotations"),
    ("summary", "RUN", "--append", "history.jsonl"),
    ("merge", "RUN", inputs.OTHER_RUN, "-o", "merged.jsonl.gz", "--allow-truncated"),
    ("diff", inputs.OTHER_RUN, "RUN"),
    ("diff", "RUN", inputs.OTHER_RUN, "--format", "json"),
    ("badge", "RUN", "-o", "badges"),
    ("deviations", "propose", "RUN"),
    ("deviations", "propose", "RUN", "-o", "proposed"),
)
"""What is done with every run file that can be read."""


def check_run(given: inputs.Input, folder: Path) -> bool:
    """Read a run file; of what reads, make a report, and all that a command makes of runs."""
    path = given.write(folder)
    with limited():
        try:
            read_runs(path)
        except ConformanceError as error:
            check_sentences(error, str(path))
            return False
    inputs.write_cases(folder)
    for words in _COMMANDS:
        arguments = [_argument(word, path, folder) for word in words]
        if words[0] in ("report", "summary", "merge", "badge"):
            arguments += ["--cases", str(folder / inputs.CASES)]
        with limited():
            _command(arguments)
    return True


def _argument(word: str, run: Path, folder: Path) -> str:
    if word == "RUN":
        return str(run)
    return str(folder / word) if "." in word or word in ("badges", "proposed") else word


def _command(arguments: Sequence[str]) -> None:
    """Run a command; its output has to be text that a file can hold."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    errors = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            code = cli.main(arguments)
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 1
    # What an adapter cannot be asked is no fault of the command line above.
    if code == USAGE and arguments[0] != "repro":
        errors.flush()
        msg = f"{' '.join(arguments)}: {errors.buffer.getvalue().decode()}"
        raise BrokenPromiseError(msg)


def check_ledger(given: inputs.Input, folder: Path) -> bool:
    """Load known deviations, and hold a result of each kind against them."""
    return _check_known(given, folder, load_ledger)


def check_policies(given: inputs.Input, folder: Path) -> bool:
    """Load known policies, likewise."""
    return _check_known(given, folder, load_followings)


def _check_known(given: inputs.Input, folder: Path, load: Any) -> bool:
    path = given.write(folder)
    with limited():
        try:
            known = load([path], VERSIONS)
        except ConformanceError as error:
            check_sentences(error, str(path))
            return False
    results = inputs.results()
    planned = [(result.case, result.device, result.dtype) for result in results]
    with limited():
        for result in results:
            if load is load_ledger:
                known.explain(result, Grade.coarse)
            else:
                known.confirm(result)
        found = known.stale(planned, results) if load is load_ledger else known.stale(planned)
    for sentence in found:
        check_sentences(ConformanceError(sentence), str(path))
    return True


TARGETS = {
    target.name: target
    for target in (
        Target("cases", inputs.make_cases, check_cases),
        Target("glossary", inputs.make_glossary, check_glossary),
        Target("run", inputs.make_run, check_run),
        Target("ledger", inputs.make_ledger, check_ledger),
        Target("policies", inputs.make_policies, check_policies),
    )
}
