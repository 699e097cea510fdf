"""Tells a person what a case is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from conformance.commands._layout import listed, paragraph
from conformance.corpus import locate
from conformance.floats import decimal_text, hex_text
from conformance.operations import OPERATIONS
from conformance.report.answers import SHOWN, most
from conformance.report.job_words import job_words
from conformance.report.links import link

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from conformance.glossary import Explanation, Glossary
    from conformance.model import Array, Case, Truth

_RULE = SHOWN // 8
"""Values of an array that the file describes by a rule: its ends tell the rest."""


def case_text(case: Case, glossary: Glossary) -> list[str]:
    """The case in lines: question, truth, words, provenance."""
    return [
        *paragraph(case.id, indent=0),
        *paragraph(case.about, indent=0),
        "",
        "question",
        *_question(case),
        "",
        *_truths(case),
        *_words("flags", case.flags, glossary.flags),
        *_words("policies", case.policies, glossary.policies),
        "provenance",
        *_provenance(case),
    ]


def _question(case: Case) -> Iterator[str]:
    if case.job is None:
        legacy = "".join(f", {name}={value}" for name, value in case.legacy.items())
        yield from paragraph(f"{case.operation}, reduction {case.reduction}{legacy}", "loss")
    for name, text in job_words(case):
        yield from paragraph(text, name)
    yield from paragraph(", ".join(case.outputs), "asked for")
    yield from paragraph(", ".join(case.dtypes), "dtypes")
    for name in OPERATIONS[case.operation].inputs:
        if name in case.inputs:
            yield from _input(case, name, case.inputs[name])
    if case.inputs_rounded_to:
        yield from paragraph(f"to {case.inputs_rounded_to}, from what is quoted", "rounded")


def _input(case: Case, name: str, array: Array) -> Iterator[str]:
    size, given = math.prod(array.shape), len(array.values)
    parts = [f"shape {array.shape}"]
    parts += [f"{given} values over and over"] if 1 < given < size else []
    parts += ["one value everywhere"] if given == 1 < size else []
    parts += [case.input_dtypes[name]] if name in case.input_dtypes else []
    parts += [f"in memory {case.layout[name]}"] if name in case.layout else []
    yield from paragraph(", ".join(parts), name)
    few = _RULE if array.described else SHOWN
    for label, write in (("  decimal", decimal_text), ("  hex", hex_text)):
        yield from paragraph(listed([write(v) for v in array.values[:few]], given, few), label)


def _truths(case: Case) -> Iterator[str]:
    known = case.expected
    if known is None:
        yield from ["truth", *paragraph("not there yet: run `bce-conformance fill`"), ""]
        return
    if known.raises:
        yield from ["truth", *paragraph("an error"), ""]
    for item in known.alternatives:
        yield from paragraph(f"truth under {item.policy}" if item.policy else "truth", indent=0)
        if item.raises:
            yield from paragraph("an error")
        for name, truth in item.outputs.items():
            yield from paragraph(_digits(case, truth), name)
        yield ""


def _digits(case: Case, truth: Truth) -> str:
    many = most(case)
    if truth.positions is None:
        return listed(truth.values, len(truth.values), many)
    pairs = [f"[{at}]={text}" for at, text in zip(truth.positions, truth.values, strict=True)]
    return listed(pairs, len(pairs), many)


def _words(title: str, names: Iterable[str], known: Mapping[str, Explanation]) -> Iterator[str]:
    for number, name in enumerate(names):
        if number == 0:
            yield title
        yield from paragraph(name)
        if entry := known.get(name):
            for text in (entry.means, entry.matters, *entry.links):
                yield from paragraph(text, indent=4)
        yield ""


def _provenance(case: Case) -> Iterator[str]:
    yield from paragraph(locate(case), "file")
    for text in case.source:
        address = link(text)
        yield from paragraph(text if address in (None, text) else f"{text}, {address}", "source")
    if (known := case.regression) is not None:
        result = (known.result or "").replace("_", " ")
        rerun = f"not run again: {known.not_rerun}"
        yield from paragraph(known.affected, "affected")
        yield from paragraph(f"{result} on {known.rerun_on}" if known.rerun_on else rerun, "today")
    if case.published is not None:
        for name, value in case.published.outputs.items():
            yield from paragraph(f"{name} {value}, in {case.published.where}", "published")
    yield from paragraph(case.sha256, "sha256")
