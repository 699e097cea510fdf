"""Writes a script that puts any question to any adapter, with this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.report.literals import comment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Case

_ASK = """\
adapter = adapters.load({target!r})
answer = ask_alone(adapter, question_of(case, {device!r}, {dtype!r}))
[verdict] = Grader({dtype!r}, adapter.loss_dtypes).grade([(case, answer)])

print("grade", verdict.grade.name, verdict.reason or "")
if not isinstance(answer, Computed):
    print("answer", answer)
for name, output in verdict.outputs.items():
    values = answer.outputs.get(name)
    print(name, "not returned" if values is None else values.astype(float).tolist())
    print(" ", output.grade, output.ulp, "ulp", output.policy or "")
if case.expected.raises:
    print("truth: an error")
for truth in case.expected.alternatives:
    print("truth", f"under {{truth.policy}}" if truth.policy else "")
    for name, known in truth.outputs.items():
        print(" ", name, *known.values[:16], *["..."] * (len(known.values) > 16))
"""


def adapter_snippet(
    case: Case,
    target: str,
    dtype: str,
    device: str,
    *,
    needs: Sequence[str],
    file: str,
    outputs: Sequence[str],
) -> str:
    """Source that runs as it stands where this package is installed.

    It prints each output with its grade and its error in ulp, then the truth.

    Args:
        case: A loss or a job, filled.
        target: What ``--adapter`` takes.
        dtype: Name of the dtype in which it is asked.
        device: Where it is asked.
        needs: What has to be there before it can run, a line each.
        file: Where its case file is: below the suite's own cases, or absolute.
        outputs: Those of the case's outputs that the adapter offers.
    """
    own = not file.startswith("/")
    some = list(outputs) != list(case.outputs)
    lines = [
        comment(f"{case.id}, asked of {target}"),
        *map(comment, needs),
        *(["from dataclasses import replace", ""] if some else []),
        "from conformance import adapters",
        f"from conformance.corpus import {'default_root, ' if own else ''}load_corpus",
        "from conformance.grading import Grader",
        "from conformance.model import Computed",
        "from conformance.asking import ask_alone, question_of",
        "",
        f"cases = load_corpus([{f'default_root() / {file!r}' if own else repr(file)}]).cases",
        f"[case] = [case for case in cases if case.id == {case.id!r}]",
        *([f"case = replace(case, outputs={tuple(outputs)!r})"] if some else []),
    ]
    return "\n".join(lines) + "\n" + _ASK.format(target=target, dtype=dtype, device=device)
