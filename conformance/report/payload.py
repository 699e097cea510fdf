"""Packs the evidence into columns that the page's script unpacks."""

from __future__ import annotations

import base64
import gzip
import math
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from conformance.floats import decimal_text, hex_text
from conformance.operations import OPERATIONS
from conformance.report.answers import decode
from conformance.report.job_words import job_words
from conformance.report.links import link
from conformance.report.marks import mark, worst_output
from conformance.report.moves import moves_payload
from conformance.report.snippets import torch_snippet
from conformance.report.trainer_snippets import trainer_snippet

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from conformance.glossary import Glossary
    from conformance.model import Array, Case
    from conformance.report.evidence import Evidence
    from conformance.report.matrix import Matrix
    from conformance.report.trainers import Trainers
    from conformance.results import OutputResult, Result

SHOWN = 64
"""Elements of an input or a truth that the page shows; it says how many there are."""

SHOWN_OF_JOB = 12
"""Those of a trajectory, of which a scenario has one for each policy and trainer."""

_shorter = Context(prec=17)
"""Digits of the truth of a trajectory: the case file has them all."""


class _Index:
    """Numbers distinct items in the order in which they come."""

    def __init__(self, *items: Hashable) -> None:
        self.numbers = {item: number for number, item in enumerate(items)}

    def __getitem__(self, item: Hashable) -> int:
        return self.numbers.setdefault(item, len(self.numbers))

    def items(self) -> list[Any]:
        return list(self.numbers)


def pack(payload: Mapping[str, Any]) -> str:
    """``payload`` as JSON, gzip, base64; equal payloads give equal text."""
    return base64.b64encode(gzip.compress(msgspec.json.encode(payload), 9, mtime=0)).decode()


def build_payload(
    evidence: Evidence, matrix: Matrix, trainers: Trainers, glossary: Glossary
) -> dict[str, Any]:
    """Everything that the page's script shows; lists of one length are columns of a table."""
    texts = _Index("")
    return {
        "subjects": [
            [evidence.named(subject), subject.device, subject.version]
            for subject in evidence.subjects
        ],
        "cases": _cases(list(evidence.cases.values()), texts),
        **_results(evidence, texts),
        "matrix": {
            dtype: [
                [
                    cell.mark,
                    cell.number,
                    cell.heat,
                    int(cell.failed),
                    cell.part,
                    cell.words,
                    cell.href,
                ]
                for cell in cells
            ]
            for dtype, cells in matrix.views.items()
        },
        "trainers": moves_payload(trainers, evidence),
        "glossary": {
            word: [entry.means, entry.matters, [[text, link(text)] for text in entry.links]]
            for word, entry in {**glossary.flags, **glossary.policies}.items()
        },
        "texts": texts.items(),
    }


def _cases(cases: Sequence[Case], texts: _Index) -> dict[str, list[Any]]:
    return {
        "id": [case.id for case in cases],
        "group": [texts[case.group] for case in cases],
        "about": [case.about for case in cases],
        "operation": [texts[case.operation] for case in cases],
        "reduction": [texts[case.reduction] for case in cases],
        "dtypes": [[texts[dtype] for dtype in case.dtypes] for case in cases],
        "flags": [[texts[flag] for flag in case.flags] for case in cases],
        "policies": [[texts[policy] for policy in case.policies] for case in cases],
        "sources": [[[source, link(source)] for source in case.source] for case in cases],
        "rounded": [texts[case.inputs_rounded_to or ""] for case in cases],
        "asked": [texts[_asked(case)] for case in cases],
        "history": [_history(case) for case in cases],
        "job": [job_words(case) for case in cases],
        "place": [case.path.name for case in cases],
        "raises": [_raises(case) for case in cases],
        # One column: what repeats within a case stays near enough for gzip to see it.
        "detail": [[_inputs(case), _truth(case), _snippet(case)] for case in cases],
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


def _snippet(case: Case) -> str:
    """In the first dtype; the script puts another one's name in its place."""
    if not case.dtypes:
        return ""
    if case.job is None:
        return torch_snippet(case, case.dtypes[0])
    found = trainer_snippet(case, "torch", case.dtypes[0])
    return found.script if found else ""


def _raises(case: Case) -> int:
    """2 where the right answer is an error, 1 where it may be one."""
    if case.expected is None:
        return 0
    return (
        2 if case.expected.raises else int(any(item.raises for item in case.expected.alternatives))
    )


def _inputs(case: Case) -> list[list[Any]]:
    """Of each input: its name, shape, length, and the first values in decimal and hex."""
    names = [name for name in OPERATIONS[case.operation].inputs if name in case.inputs]
    return [[name, *_array(case.inputs[name])] for name in names]


def _array(array: Array) -> list[Any]:
    # A rule of many values, as of a linspace, is told by its ends.
    values = array.values if not array.described else array.values[: SHOWN // 8]
    shown = values[:SHOWN]
    return [
        list(array.shape),
        math.prod(array.shape),
        [decimal_text(value) for value in shown],
        [hex_text(value) for value in shown],
    ]


def _truth(case: Case) -> list[list[Any]]:
    """Of each alternative: its policy; of each output: name, shape, positions, digits."""
    known = case.expected.alternatives if case.expected is not None else ()
    return [
        [
            alternative.policy,
            [
                [
                    name,
                    list(truth.shape),
                    None if truth.positions is None else list(truth.positions[: _most(case)]),
                    _digits(case, truth.values),
                    len(truth.values),
                ]
                for name, truth in alternative.outputs.items()
            ],
        ]
        for alternative in known
    ]


def _most(case: Case) -> int:
    return SHOWN if case.job is None else SHOWN_OF_JOB


def _digits(case: Case, values: Sequence[str]) -> list[str]:
    if case.job is None or len(values) == 1:
        return list(values[:SHOWN])
    return [str(_shorter.plus(Decimal(text))) for text in values[:SHOWN_OF_JOB]]


def _results(evidence: Evidence, texts: _Index) -> dict[str, Any]:
    subjects = {subject: number for number, subject in enumerate(evidence.subjects)}
    cases = {identity: number for number, identity in enumerate(evidence.cases)}
    names = _Index("loss")
    # Adapters of one framework mostly give the same bits: each distinct answer is stored once.
    distinct: dict[tuple[bytes, Sequence[int] | None, bool], int] = {}
    answers: list[list[Any]] = []
    given: list[list[list[int]]] = []
    for _, result in evidence.results:
        row = []
        case = evidence.cases[result.case]
        for name, output in result.outputs.items():
            shown = _shown(case, name, output)
            key = (msgspec.json.encode(output), shown, case.job is not None)
            number = distinct.setdefault(key, len(answers))
            if number == len(answers):
                # Of a loss, its errors say as much; the ratio is told where a job has thousands.
                ratio = None if case.job is None else _short(output.ratio)
                answers.append([*_answer(output, shown, _most(case), texts), ratio])
            row.append([names[name], number])
        given.append(row)
    records = [result for _, result in evidence.results]
    worst = [worst_output(result) for result in records]
    return {
        "results": {
            "subject": [subjects[subject] for subject, _ in evidence.results],
            "case": [cases[result.case] for result in records],
            "dtype": [texts[result.dtype] for result in records],
            "status": [texts[result.status] for result in records],
            "grade": [texts[result.grade or ""] for result in records],
            "mark": [texts[mark(result)] for result in records],
            "worst": [names[found[0]] if found else -1 for found in worst],
            "note": [texts[_note(result)] for result in records],
            "raised": [texts[result.raised or ""] for result in records],
            "deviation": [texts[result.deviation or ""] for result in records],
            "answers": given,
        },
        "links": {
            result.deviation: link(result.deviation) for result in records if result.deviation
        },
        "outputs": names.items(),
        "answers": [list(column) for column in zip(*answers, strict=True)] or [[]] * 9,
    }


def _note(result: Result) -> str:
    """Why a result is what it is, in one sentence; "" where there is nothing to say."""
    messages = (output.message for output in result.outputs.values() if output.message)
    return result.reason or next(messages, "") or result.raised or ""


def _shown(case: Case, name: str, output: OutputResult) -> Sequence[int] | None:
    """The places of the elements that are shown, those of the truth; None for the first ones."""
    known = case.expected.alternatives if case.expected is not None else ()
    truths = {item.policy: item.outputs[name] for item in known if name in item.outputs}
    truth = truths.get(output.policy) or next(iter(truths.values()), None)
    return None if truth is None or truth.positions is None else truth.positions


def _answer(
    output: OutputResult, shown: Sequence[int] | None, most: int, texts: _Index
) -> list[Any]:
    """What the page shows of an output.

    Grade, ulp, policy, ulp of each element (None: the one), the elements shown, dtype, shape,
    message.
    """
    elements = decode(output)
    if elements is not None:
        places = range(len(elements)) if shown is None else shown
        elements = [elements[place] for place in places[:most] if place < len(elements)]
    return [
        texts[output.grade],
        _short(output.ulp),
        texts[output.policy or ""],
        None if list(output.ulps) == [output.ulp] else [_short(ulp) for ulp in output.ulps[:most]],
        elements,
        texts[output.dtype or ""],
        None if output.shape is None else list(output.shape),
        texts[output.message or ""],
    ]


def _short(number: float | None) -> float | None:
    """``number`` to three significant digits: what is shown, and what compresses."""
    return None if number is None else float(f"{number:.3g}")
