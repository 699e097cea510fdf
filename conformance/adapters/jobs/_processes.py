"""Starts the processes of distributed jobs, within a time limit that none of them outlives.

The processes of a launch ("ranks") are fresh interpreters that find in their environment what
torchrun would have put there, https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables,
except for a port to meet at: they meet over a file, which nobody else can have taken.
"""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from conformance.adapters.base import attempt, first_line
from conformance.errors import ConformanceError
from conformance.model import Answer, Broken, Computed, Declined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.model import Question

LIMIT_S = 120.0
_GRACE_S = 1.0
_POLL_S = 0.01
_STACKED = ("losses", "epoch_loss")
_EQUAL = ("parameters",)


def together(
    worker: str,
    questions: Sequence[Question],
    *,
    processes: int = 2,
    limit_s: float = LIMIT_S,
) -> list[Answer]:
    """The answers to distributed jobs, all from one launch unless a rank is lost on the way.

    Args:
        worker: "package.module:function"; every rank calls the function with each question in
            turn, and with the URL of a file at which to meet for it. It returns what this rank
            has computed, or why it declines.
        questions: Those that are not on the CPU are declined.
        processes: How many ranks there are.
        limit_s: Seconds for all questions; those not answered by then are Broken.

    Returns:
        For each question, its ranks' losses and epoch_loss stacked, (processes, ...), and the rest
        as rank 0 has it. Raised where a rank raised, Broken where one ended, or where the ranks
        have not the same outputs, or not the same parameters.

    Raises:
        ConformanceError: As a rank raised it.
    """
    declined = [_decline(question, processes) for question in questions]
    asked = [question for question, no in zip(questions, declined, strict=True) if no is None]
    answers = iter(_answers(worker, asked, processes, limit_s))
    return [next(answers) if no is None else no for no in declined]


def _decline(question: Question, processes: int) -> Declined | None:
    if sys.platform == "win32":
        return Declined("several processes are not started on Windows")
    if question.device != "cpu":
        return Declined(f"several processes are started on the CPU only, not on {question.device}")
    if question.job is not None and question.job.processes != processes:
        return Declined(f"it starts {processes} processes, not {question.job.processes}")
    return None


def _answers(
    worker: str, questions: Sequence[Question], processes: int, limit_s: float
) -> list[Answer]:
    answers: list[Answer] = []
    end = time.monotonic() + limit_s
    while len(answers) < len(questions):
        if time.monotonic() >= end:
            late = Broken(f"{processes} processes did not finish within {limit_s:g} s")
            return answers + [late] * (len(questions) - len(answers))
        with _launched(worker, questions[len(answers) :], processes) as launch:
            answers += launch.collect(end)
    return answers


class _Launch:
    """Ranks at work, each on all questions in order.

    Attributes:
        folder: Where they put their answers, a file for each.
        ranks: The processes.
        questions: How many questions they were given.
    """

    def __init__(self, folder: Path, ranks: Sequence[subprocess.Popen[bytes]], questions: int):
        self.folder = folder
        self.ranks = ranks
        self.questions = questions

    def collect(self, end: float) -> list[Answer]:
        """Answers up to the first that not every rank can give, or to the time ``end``."""
        answers: list[Answer] = []
        noticed = None
        while len(answers) < self.questions and time.monotonic() < end:
            # Asked before the answers are read: a rank may answer and then end.
            ended = [rank for rank, process in enumerate(self.ranks) if process.poll() is not None]
            found = self._found(len(answers))
            if len(found) == len(self.ranks):
                answers.append(_merged(found))
                noticed = None
                continue
            if lost := [rank for rank in ended if rank not in found]:
                return [*answers, Broken(self._last_words(lost[0]))]
            if failure := _first_failure(found):
                noticed = noticed or time.monotonic()
                # The others may be about to raise too, or may wait for ever for the one that has.
                if time.monotonic() > noticed + _GRACE_S:
                    return [*answers, failure]
            time.sleep(_POLL_S)
        return answers

    def _found(self, index: int) -> dict[int, Answer]:
        """Rank to its answer, those that there are, in the order in which they came."""
        paths = {rank: self.folder / _name(index, rank) for rank in range(len(self.ranks))}
        written = {rank: path for rank, path in paths.items() if path.exists()}
        in_time = sorted(written, key=lambda rank: written[rank].stat().st_mtime_ns)
        found = {
            rank: pickle.loads(written[rank].read_bytes())  # noqa: S301 - from our own process
            for rank in in_time
        }
        for answer in found.values():
            if isinstance(answer, ConformanceError):
                raise answer
        return found

    def _last_words(self, rank: int) -> str:
        code = self.ranks[rank].returncode
        how = f"with exit code {code}" if code >= 0 else f"by signal {-code}"
        said = _errors(self.folder, rank).read_bytes()[-2000:].decode("utf-8", "replace")
        words = first_line(RuntimeError(said.strip().rpartition("\n")[2]))
        return f"rank {rank} ended {how}" + (f": {words}" if words else "")


@contextmanager
def _launched(worker: str, questions: Sequence[Question], processes: int) -> Iterator[_Launch]:
    """Fresh ranks, which are gone afterwards with all that they have started."""
    ranks: list[subprocess.Popen[bytes]] = []
    with TemporaryDirectory(prefix="bce-conformance-") as name:
        folder = Path(name)
        (folder / "questions").write_bytes(pickle.dumps(list(questions)))
        try:
            for rank in range(processes):
                # One by one: what has been started is to end even if the next cannot be.
                ranks.append(_start(folder, worker, rank, processes))  # noqa: PERF401
            yield _Launch(folder, ranks, len(questions))
        finally:
            for process in ranks:
                # One that has ended may have left its group behind, or not; macOS refuses to
                # signal a group of which nothing but an ended process is left.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
            for process in ranks:
                with process:
                    process.wait()


def _start(folder: Path, worker: str, rank: int, processes: int) -> subprocess.Popen[bytes]:
    with _errors(folder, rank).open("wb") as errors:
        return subprocess.Popen(  # noqa: S603 - of our own making
            # -P: the folder that it works in is no place to import from.
            [sys.executable, "-P", "-m", __spec__.name, str(folder), worker, str(rank)],
            cwd=folder,
            env=_environment(rank, processes),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )


def _environment(rank: int, processes: int) -> Mapping[str, str]:
    """That of this process with what torchrun adds, one thread, the CPU and the loopback device."""
    # Ignite and Lightning would take a batch system's word before ours.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    if loopback := {name for _, name in socket.if_nameindex()} & {"lo", "lo0"}:
        inherited["GLOO_SOCKET_IFNAME"] = loopback.pop()
    return inherited | {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1",
        "TORCHELASTIC_RUN_ID": "bce-conformance",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path),
    }


def _merged(found: Mapping[int, Answer]) -> Answer:
    """One answer from those of all ranks."""
    if failure := _first_failure(found):
        return failure
    outputs = [a.outputs for _, a in sorted(found.items()) if isinstance(a, Computed)]
    whole = dict(outputs[0])
    if any(given.keys() != whole.keys() for given in outputs):
        return Broken(f"the processes have the outputs {[sorted(given) for given in outputs]}")
    for name in whole:
        arrays = [np.asarray(given[name]) for given in outputs]
        if len({array.shape for array in arrays}) > 1:
            return Broken(f"the processes have {name} of the shapes {[a.shape for a in arrays]}")
        if name in _STACKED:
            whole[name] = np.stack(arrays)
        elif name in _EQUAL and len({array.tobytes() for array in arrays}) > 1:
            return Broken(f"the processes do not have the same {name}")
    return Computed(**whole)


def _first_failure(found: Mapping[int, Answer]) -> Answer | None:
    """The first that came and is no value: the others may only have lost their partner."""
    return next((answer for answer in found.values() if not isinstance(answer, Computed)), None)


def _name(index: int, rank: int) -> str:
    return f"answer.{index}.{rank}"


def _errors(folder: Path, rank: int) -> Path:
    return folder / f"stderr.{rank}"


def _work(folder: Path, worker: str, rank: int) -> None:
    """What a rank does: answer all questions, each into a file that appears when complete."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    questions = pickle.loads((folder / "questions").read_bytes())  # noqa: S301 - from our parent
    for index, question in enumerate(questions):
        answer: Answer | ConformanceError
        try:
            answer = attempt(partial(_perform, worker, question, folder / f"meeting.{index}"))
        except ConformanceError as error:
            answer = error
        partial_file = folder / f"unfinished.{rank}"
        partial_file.write_bytes(pickle.dumps(answer))
        partial_file.replace(folder / _name(index, rank))


def _perform(worker: str, question: Question, meeting: Path) -> Computed | Declined:
    module, _, function = worker.partition(":")
    answer = getattr(importlib.import_module(module), function)(question, meeting.as_uri())
    if not isinstance(answer, Computed | Declined):
        msg = f"{worker} returned {type(answer).__name__}, not Computed"
        raise TypeError(msg)
    return answer


def _end_with_parent() -> None:
    """Wait for the end of the pipe from the parent, which never writes; then end all of this."""
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    _work(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
