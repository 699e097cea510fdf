"""Tells what runs have of a case."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from conformance.commands._layout import listed, paragraph
from conformance.report.answers import elements, most
from conformance.report.evidence import gather

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.model import Case
    from conformance.report.evidence import Evidence, Subject
    from conformance.results import OutputResult, Result, Run


def answers_facts(case: Case, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Of each run, its answers to the case, nothing shortened."""
    return [
        {
            "run": str(run.path),
            "started": run.header.started,
            "complete": run.footer is not None,
            "of_another_version_of_the_case": found.stale[0],
            "answers": [_facts(subject, result) for subject, result in found.results],
        }
        for run, found in _found(case, runs)
    ]


def _found(case: Case, runs: Sequence[Run]) -> Iterator[tuple[Run, Evidence]]:
    for run in runs:
        mine = [result for result in run.results if result.case == case.id]
        yield run, gather([replace(run, results=mine)], [case])


def _facts(subject: Subject, result: Result) -> dict[str, Any]:
    whole: dict[str, Any] = msgspec.to_builtins(result)
    for name, output in result.outputs.items():
        whole["outputs"][name] |= {"values": _decimals(output)}
    return {"version": subject.version} | whole


def _decimals(output: OutputResult) -> list[str] | None:
    """The shortest decimal of each element; None where the run does not hold them."""
    found = elements(output)
    return None if found is None else [str(element) for element in found]


def answers_text(case: Case, runs: Sequence[Run]) -> list[str]:
    """Likewise in lines; adapters that answer with the same bits share theirs."""
    lines = []
    for run, found in _found(case, runs):
        cut = "" if run.footer is not None else ", cut short"
        lines += ["", *paragraph(f"answers in {run.path}, {run.header.started}{cut}", indent=0)]
        if found.stale[0]:
            lines += paragraph(f"{found.stale[0]} answer an earlier version of the case: left out")
        if not found.results:
            lines += paragraph("none")
        for subjects, result in _alike(found.results):
            lines += _answer(case, subjects, result)
    return lines


def _alike(
    results: Sequence[tuple[Subject, Result]],
) -> list[tuple[list[Subject], Result]]:
    """Results that differ in nothing but who gave them, and when, taken together; by dtype."""
    groups: dict[bytes, tuple[list[Subject], Result]] = {}
    for subject, result in sorted(results, key=lambda pair: (pair[1].dtype, pair[0])):
        anonymous = msgspec.structs.replace(result, adapter="", device="", ms=None)
        groups.setdefault(msgspec.json.encode(anonymous), ([], result))[0].append(subject)
    return list(groups.values())


def _answer(case: Case, subjects: Sequence[Subject], result: Result) -> list[str]:
    names = ", ".join(
        f"{subject.adapter} {subject.version} on {subject.device}".replace("  ", " ")
        for subject in subjects
    )
    lines = paragraph(f"{names}: {result.grade or 'not run'}", result.dtype)
    if result.status == "deviates":
        lines += paragraph(f"known: {result.deviation}", indent=4)
    problems = [text for text in (result.reason, result.raised) if text]
    for text in problems[:1]:
        lines += paragraph(text, indent=4)
    for name, output in result.outputs.items():
        lines += paragraph(_graded(output), name, indent=4)
        lines += paragraph(_elements(case, output), indent=20)
    if result.declined:
        lines += paragraph(f"does not offer {', '.join(result.declined)}", indent=4)
    return lines


def _graded(output: OutputResult) -> str:
    error = f", {output.ulp:g} ulp" if output.ulp is not None else ""
    under = f", under {output.policy}" if output.policy else ""
    return f"{output.grade}{error}{under}"


def _elements(case: Case, output: OutputResult) -> str:
    """Each element in decimal with its bits in hex, the most significant first."""
    found = elements(output)
    if found is None:
        return f"only a digest was kept: {output.digest}" if output.digest else "not returned"
    width = found.dtype.itemsize
    raw = bytes.fromhex(output.bits or "")
    texts = [
        f"{value} (0x{raw[width * place : width * (place + 1)][::-1].hex()})"
        for place, value in enumerate(found[: most(case)])
    ]
    return listed(texts, len(found), most(case))
