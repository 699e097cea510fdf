"""Packs the cases of a report: what is searched for in columns, the rest as a line each."""

from __future__ import annotations

import struct
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from conformance.floats import hex_text
from conformance.operations import OPERATIONS
from conformance.report.answers import SHOWN, most
from conformance.report.job_words import job_words
from conformance.report.links import link
from conformance.report.snippets import torch_snippet
from conformance.report.trainer_snippets import trainer_snippet
from conformance.report.way_scripts import way_changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.model import Case
    from conformance.report.columns import Columns, Index

_Truths = list[list[Any]]

_shorter = Context(prec=17)
"""Digits of the truth of a trajectory: the case file has them all."""


def add_cases(
    columns: Columns, cases: Sequence[Case], adapters: Sequence[str], texts: Index, lists: Index
) -> None:
    """Add the tables "cases" and "inputs", the inputs' first values and the details.

    The details of a case are JSON: the script reads them when the case is opened. So is what
    distinguishes the scripts of those of ``adapters`` that are ways to run PyTorch.
    """
    truths = [_truth(case) for case in cases]
    lines = [
        msgspec.json.encode(_detail(case, truth)) for case, truth in zip(cases, truths, strict=True)
    ]
    snippets = [_snippet(case, truth) for case, truth in zip(cases, truths, strict=True)]
    listed = [(case, name) for case in cases for name in _names(case)]
    shown = [_shown(case, name) for case, name in listed]
    columns.add_table(
        "cases",
        {
            "group": [texts[case.group] for case in cases],
            "operation": [texts[case.operation] for case in cases],
            "reduction": [texts[case.reduction] for case in cases],
            "dtypes": [lists[case.dtypes] for case in cases],
            "flags": [lists[case.flags] for case in cases],
            "policies": [lists[case.policies] for case in cases],
            "snippet": [texts[snippet] for snippet in snippets],
            "ways": [texts[_ways(case, adapters)] for case in cases],
            "inputs": [len(_names(case)) for case in cases],
            "detail": [len(line) for line in lines],
        },
    )
    columns.add_table(
        "inputs",
        {
            "name": [texts[name] for _, name in listed],
            "shape": [lists[case.inputs[name].shape] for case, name in listed],
            "shown": [len(values) for values in shown],
        },
    )
    values = [value for part in shown for value in part]
    columns.add_bytes("values", struct.pack(f"<{len(values)}d", *values), 8)
    columns.add_bytes("details", b"".join(lines))


def _names(case: Case) -> list[str]:
    return [name for name in OPERATIONS[case.operation].inputs if name in case.inputs]


def _shown(case: Case, name: str) -> Sequence[float]:
    array = case.inputs[name]
    # A rule of many values, as of a linspace, is told by its first ones.
    return array.values[: SHOWN // 8 if array.described else SHOWN]


def _detail(case: Case, truth: _Truths) -> dict[str, Any]:
    return {
        "asked": _asked(case),
        "history": _history(case),
        "job": job_words(case),
        "place": case.path.name,
        "raises": _raises(case),
        "rounded": case.inputs_rounded_to or "",
        "sources": [[source, link(source)] for source in case.source],
        "truth": truth,
    }


def _asked(case: Case) -> str:
    """What is particular in how the question is put."""
    parts = [f"{name} of dtype {dtype}" for name, dtype in case.input_dtypes.items()]
    parts += [f"{name} laid out {kind}" for name, kind in case.layout.items()]
    parts += [f"{name}={value}" for name, value in case.legacy.items()]
    return ", ".join(parts)


def _history(case: Case) -> str:
    """What is known of the fault that the case comes from."""
    known = case.regression
    if known is None:
        return ""
    result = (known.result or "").replace("_", " ")
    rerun = f"{result} on {known.rerun_on}" if known.rerun_on else f"not re-run: {known.not_rerun}"
    return f"{known.affected}; {rerun}"


def _snippet(case: Case, truth: _Truths) -> str:
    """In the first dtype, without the case's own texts: so it is that of many cases.

    The script puts another dtype's name in its place, and into each gap the text whose number
    stands there between two NUL characters.
    """
    if not case.dtypes:
        return ""
    if case.job is None:
        script = torch_snippet(case, case.dtypes[0])
    else:
        found = trainer_snippet(case, "torch", case.dtypes[0])
        script = found.script if found else ""
    for number, text in enumerate(_own_texts(case, truth)):
        # No shorter one: it might be found in the number of a gap.
        if len(text) > 8:
            script = script.replace(text, f"\0{number}\0")
    return script


def _ways(case: Case, adapters: Sequence[str]) -> str:
    """By adapter, what its script has in place of texts of the snippet; alike for many cases."""
    if case.job is not None:
        return ""
    changes = {name: way_changes(case, name) for name in adapters}
    found = {name: texts for name, texts in changes.items() if texts is not None}
    return msgspec.json.encode(found).decode() if found else ""


def _own_texts(case: Case, truth: _Truths) -> Iterator[str]:
    """The id, the inputs shown in hex, the digits of the truth; the script lists the same."""
    yield case.id
    for name in _names(case):
        yield from map(hex_text, _shown(case, name))
    for _, outputs in truth:
        for _, _, _, digits, _ in outputs:
            yield from digits


def _raises(case: Case) -> int:
    """2 where the right answer is an error, 1 where it may be one."""
    if case.expected is None:
        return 0
    return (
        2 if case.expected.raises else int(any(item.raises for item in case.expected.alternatives))
    )


def _truth(case: Case) -> _Truths:
    """Of each alternative: its policy; of each output: name, shape, positions, digits, size."""
    known = case.expected.alternatives if case.expected is not None else ()
    return [
        [
            alternative.policy,
            [
                [
                    name,
                    truth.shape,
                    None if truth.positions is None else truth.positions[: most(case)],
                    _digits(case, truth.values),
                    len(truth.values),
                ]
                for name, truth in alternative.outputs.items()
            ],
        ]
        for alternative in known
    ]


def _digits(case: Case, values: Sequence[str]) -> Sequence[str]:
    if case.job is None or len(values) == 1:
        return values[:SHOWN]
    return [str(_shorter.plus(Decimal(text))) for text in values[: most(case)]]
