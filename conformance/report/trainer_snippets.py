"""Writes the script that does a scenario's job with one trainer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.report import scripts_ignite, scripts_lightning, scripts_torch
from conformance.report.job_parts import batch_lines, data_lines, validation_lines

if TYPE_CHECKING:
    from conformance.model import Case

_SCRIPTS = {"torch": scripts_torch, "ignite": scripts_ignite, "lightning": scripts_lightning}


@dataclass(frozen=True, slots=True)
class Snippet:
    """A script that runs as it stands, and prints what the scenario asks for.

    Attributes:
        key: Those lines of it that make the difference.
        script: All of it.
    """

    key: str
    script: str


def trainer_snippet(case: Case, adapter: str, dtype: str, family: str = "") -> Snippet | None:
    """The script of one trainer; None where it would take several processes, or is not known.

    Args:
        case: A scenario.
        adapter: "torch", "ignite" or "lightning".
        dtype: Name of the dtype in which the scenario is asked.
        family: Of the policies that the lines are to show, such as "window".
    """
    job, scripts = case.job, _SCRIPTS.get(adapter)
    if job is None or scripts is None or job.processes > 1:
        return None
    if job.trainer_arguments and scripts is not scripts_lightning:
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
    marked = [line.text for line in lines if family and family in line.families.split()]
    main = [line.text for line in lines if "main" in line.families.split()]
    return Snippet(
        key="\n".join(_dedented(marked or main)),
        script="\n".join(line.text for line in lines) + "\n",
    )


def _dedented(lines: list[str]) -> list[str]:
    least = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    return [line[least:] for line in lines]
