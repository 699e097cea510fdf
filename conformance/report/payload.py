"""Builds what the page's script shows: a head of names and texts, with columns of numbers.

The columns hold places in the head's tables, or counts, or raw bits:

| table    | a row is                 | its columns are places in                                  |
|----------|--------------------------|------------------------------------------------------------|
| results  | a result                 | subjects, cases, texts, lists ("declined"), sheets         |
| sheets   | all outputs of a result  | count: how many rows of "given"; worst: which, from 1      |
| given    | an output of a sheet     | outputs, answers                                           |
| answers  | a distinct answer        | texts, numbers ("ulp", "ratio"), lists ("shape")           |
| cases    | a case                   | texts, lists; "inputs" and "detail" are counts             |
| inputs   | an input of a case       | texts, lists ("shape")                                     |

Where a row has a count, as many rows of another column are its own, next to those of the row
before: of an answer "shown" of its width's bits, and "errors" - 1 of "ulps" (0: one error, that
of the whole); of a case "inputs" of the inputs and "detail" bytes of "details"; of an input
"shown" of "values", in float64. A place among numbers, 0, is no number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.report.answers import Answers
from conformance.report.case_details import add_cases
from conformance.report.columns import Columns, Index
from conformance.report.links import link
from conformance.report.marks import mark
from conformance.report.moves import moves_payload

if TYPE_CHECKING:
    from conformance.glossary import Glossary
    from conformance.report.evidence import Evidence
    from conformance.report.matrix import Matrix
    from conformance.report.trainers import Trainers
    from conformance.results import Result


def build_payload(
    evidence: Evidence, matrix: Matrix, trainers: Trainers, glossary: Glossary
) -> str:
    """Everything that the page's script shows, packed into text as `columns` tells."""
    texts, lists = Index(""), Index(None)
    columns = Columns()
    adapters = list(dict.fromkeys(subject.adapter for subject in evidence.subjects))
    add_cases(columns, list(evidence.cases.values()), adapters, texts, lists)
    answers = Answers(texts, lists)
    _add_results(columns, evidence, answers, texts, lists)
    answers.add_to(columns)
    deviations = {result.deviation for _, result in evidence.results if result.deviation}
    return columns.pack(
        {
            "subjects": [
                [evidence.named(subject), subject.device, subject.version]
                for subject in evidence.subjects
            ],
            "id": list(evidence.cases),
            "about": [case.about for case in evidence.cases.values()],
            **answers.head(),
            "links": {deviation: link(deviation) for deviation in sorted(deviations)},
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
            "texts": list(texts),
            "lists": list(lists),
        }
    )


def _add_results(
    columns: Columns, evidence: Evidence, answers: Answers, texts: Index, lists: Index
) -> None:
    subjects = {subject: number for number, subject in enumerate(evidence.subjects)}
    cases = {identity: number for number, identity in enumerate(evidence.cases)}
    names = (
        *("subject", "case", "dtype", "status", "grade", "mark"),
        *("note", "raised", "deviation", "declined", "sheet"),
    )
    rows = [
        (
            subjects[subject],
            cases[result.case],
            texts[result.dtype],
            texts[result.status],
            texts[result.grade or ""],
            texts[mark(result)],
            texts[_note(result)],
            texts[result.raised or ""],
            texts[result.deviation or ""],
            lists[tuple(result.declined)],
            answers.sheet(evidence.cases[result.case], result),
        )
        for subject, result in evidence.results
    ]
    columns.add_table(
        "results", {name: [row[place] for row in rows] for place, name in enumerate(names)}
    )


def _note(result: Result) -> str:
    """Why a result is what it is, in one sentence; "" where there is nothing to say."""
    messages = (output.message for output in result.outputs.values() if output.message)
    return result.reason or next(messages, "") or result.raised or ""
