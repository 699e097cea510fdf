"""Writes worst cases into case files, without their answers."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.casefile import FORMAT
from conformance.floats import hex_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from conformance.operations import OperationName
    from tools.worst_cases.confirming import WorstCase

FOLDERS: Mapping[OperationName, str] = {"bce_with_logits": "logits", "bce": "probabilities"}
_ABOUT = (
    "The inputs with the largest errors that a search over bit patterns found, in ulp of the truth "
    "and in units of what the grades allow. The numbers are of one CPU."
)
_QUANTITIES = {
    "loss": "loss",
    "logits_grad": "gradient for the logit",
    "probabilities_grad": "gradient for the probability",
    "targets_grad": "gradient for the target",
}


def sentence(worst: WorstCase) -> str:
    """What is so: the error, as measured."""
    target = worst.case.inputs["targets"].values[0]
    where = {
        "plain": f"here, with target {target:g}",
        "soft": "here, with a soft target",
        "weighted": "here, with weights",
    }[worst.domain]
    subject = f"The {_QUANTITIES[worst.goal.output]} of {worst.framework}"
    if not np.isfinite(worst.score):
        return f"{subject} is no number {where}."
    if worst.goal.unit == "ulp":
        return f"{subject} is {worst.ulp:.4g} ulp from the truth {where}."
    return f"{subject} has {worst.used:.2f} times the error that {worst.allowed!r} allows {where}."


def write(path: Path, worst_cases: Mapping[str, WorstCase], generator: str) -> None:
    """Write the questions of one operation.

    Args:
        path: The file.
        worst_cases: By id.
        generator: The command that makes the file.
    """
    (operation,) = {worst.case.operation for worst in worst_cases.values()}
    document = {
        "format": FORMAT,
        "about": _ABOUT,
        "generator": generator,
        "defaults": {"operation": operation, "reduction": "none", "flags": ["WorstCase"]},
        "cases": [_entry(id_, worst) for id_, worst in worst_cases.items()],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _entry(id_: str, worst: WorstCase) -> dict[str, Any]:
    case = worst.case
    inputs = {name: [hex_text(value) for value in a.values] for name, a in case.inputs.items()}
    return {
        "id": id_,
        "about": sentence(worst),
        "dtypes": list(case.dtypes),
        "outputs": list(case.outputs),
        **inputs,
    }


def table(found: Iterable[WorstCase]) -> str:
    """The largest errors in Markdown, one row for each adapter, operation, output and dtype."""
    rows: defaultdict[tuple[str, ...], list[WorstCase]] = defaultdict(list)
    for worst in found:
        case = worst.case
        rows[worst.framework, case.operation, worst.goal.output, *case.dtypes].append(worst)
    lines = [
        "| framework | operation | output | dtype | ulp, plain | ulp | of what is allowed |",
        "|---|---|---|---|---|---|---|",
    ]
    for names, cases in sorted(rows.items(), key=lambda row: row[0][:3]):
        plain = max(worst.ulp for worst in cases if worst.domain == "plain")
        largest = max(worst.ulp for worst in cases)
        used = max(worst.used for worst in cases)
        cells = (
            *names,
            # A truth of 40 digits is not exactly the logit that it stands for.
            f"{plain:.4g}" if plain > 1e-9 else "0",
            f"{largest:.4g}",
            f"{used:.2f} of {cases[0].allowed}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
