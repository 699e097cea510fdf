"""Writes the script that does a scenario's job with one trainer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from textwrap import dedent
from typing import TYPE_CHECKING

from conformance.report import (
    scripts_accelerate,
    scripts_fabric,
    scripts_ignite,
    scripts_lightning,
    scripts_torch,
)
from conformance.report.job_parts import batch_lines, data_lines, validation_lines
from conformance.report.literals import LONG, comment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Case, Truth
    from conformance.report.job_parts import Line

_SCRIPTS = {
    "torch": scripts_torch,
    "ignite": scripts_ignite,
    "lightning": scripts_lightning,
    "fabric": scripts_fabric,
    "accelerate": scripts_accelerate,
}

_PRINTED = ("parameters", "logged", "epoch_loss", "predicted", "decisions")
"""Outputs that scripts print, of the number that a scenario may ask for."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A script that runs as it stands, and prints what the scenario asks for.

    Attributes:
        key: Those lines of it that make the difference; "" where they are not known.
        script: All of it.
    """

    key: str
    script: str


def trainer_snippet(case: Case, adapter: str, dtype: str, family: str = "") -> Snippet | None:
    """The script of one trainer; None for several processes, and where the trainer has no words.

    Args:
        case: A scenario.
        adapter: Name of the trainer.
        dtype: Name of the dtype in which the scenario is asked.
        family: Of the policies that the lines are to show, such as "window".
    """
    job, scripts = case.job, _SCRIPTS.get(adapter)
    if job is None or scripts is None or job.processes > 1 or not scripts.can_do(job):
        return None
    write = {
        "train": scripts.train_lines,
        "evaluate": scripts.evaluate_lines,
        "predict": scripts.predict_lines,
    }[case.operation]
    lines = [
        *data_lines(case, job, dtype, scripts.IMPORTS),
        *batch_lines(case, job),
        *validation_lines(job),
        *write(job),
    ]
    return Snippet(
        key="\n".join(_marked(lines, family) or _marked(lines, "main")) if family else "",
        script="\n".join(line.text for line in lines) + "\n",
    )


def _marked(lines: Sequence[Line], family: str) -> list[str]:
    """The lines that matter for a family; what stands together keeps its shape."""
    found = []
    for matters, part in groupby(lines, key=lambda line: family in line.families.split()):
        if matters:
            found += dedent("\n".join(line.text for line in part)).splitlines()
    return found


def trainer_truth(case: Case) -> str:
    """The truth of what a script prints last, as comments; of parameters, those at the end."""
    known = case.expected.alternatives if case.expected is not None else ()
    lines = []
    for alternative in known:
        under = f" under {alternative.policy}" if alternative.policy else ""
        for name, truth in alternative.outputs.items():
            if name not in _PRINTED:
                continue
            digits = ", ".join(_at_the_end(name, truth))
            lines.append(comment(f"truth of {name}{under}: {digits}"))
        if alternative.raises:
            lines.append(comment(f"truth{under}: an error"))
    if case.expected is not None and case.expected.raises:
        lines.append(comment("truth: an error"))
    return "".join(f"{line}\n" for line in lines)


def _at_the_end(name: str, truth: Truth) -> list[str]:
    """The values of an output that a script prints last, with their places where some lack."""
    first = math.prod(truth.shape[:-1]) - 1 if name == "parameters" else 0
    first *= truth.shape[-1] if truth.shape else 1
    places = range(len(truth.values)) if truth.positions is None else truth.positions
    found = [
        text if truth.positions is None else f"[{place - first}]={text}"
        for place, text in zip(places, truth.values, strict=True)
        if place >= first
    ]
    return found[:LONG] + ["..."] * (len(found) > LONG)
