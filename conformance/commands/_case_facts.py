"""Tells programs all of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.corpus import locate
from conformance.floats import decimal_text, hex_text
from conformance.report.job_words import job_words
from conformance.report.links import link

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from conformance.glossary import Explanation, Glossary
    from conformance.model import Array, Case, Truth


def case_facts(case: Case, glossary: Glossary) -> dict[str, Any]:
    """Everything, of plain types, nothing shortened; numbers are texts, as in a case file.

    The values of an input are repeated in C order until its shape is full.
    """
    known = case.expected
    return {
        "id": case.id,
        "about": case.about,
        "operation": case.operation,
        "reduction": case.reduction,
        "legacy": dict(case.legacy),
        "job": dict(job_words(case)),
        "dtypes": case.dtypes,
        "inputs": {name: _input(case, name, array) for name, array in case.inputs.items()},
        "inputs_rounded_to": case.inputs_rounded_to,
        "outputs": case.outputs,
        "expected": None
        if known is None
        else {
            "raises": known.raises,
            "alternatives": [
                {
                    "policy": item.policy,
                    "raises": item.raises,
                    "outputs": {name: _truth(truth) for name, truth in item.outputs.items()},
                }
                for item in known.alternatives
            ],
        },
        "flags": _explained(case.flags, glossary.flags),
        "policies": _explained(case.policies, glossary.policies),
        "source": [{"text": text, "link": link(text)} for text in case.source],
        "regression": None
        if case.regression is None
        else {
            "affected": case.regression.affected,
            "rerun_on": case.regression.rerun_on,
            "result": case.regression.result,
            "not_rerun": case.regression.not_rerun,
        },
        "published": None
        if case.published is None
        else {"where": case.published.where, "outputs": dict(case.published.outputs)},
        "place": locate(case),
        "sha256": case.sha256,
    }


def _input(case: Case, name: str, array: Array) -> dict[str, Any]:
    return {
        "shape": array.shape,
        "dtype": case.input_dtypes.get(name),
        "layout": case.layout.get(name),
        "values": [decimal_text(value) for value in array.values],
        "hex": [hex_text(value) for value in array.values],
    }


def _truth(truth: Truth) -> dict[str, Any]:
    return {"shape": truth.shape, "positions": truth.positions, "values": truth.values}


def _explained(names: Iterable[str], known: Mapping[str, Explanation]) -> dict[str, Any]:
    return {
        name: {"means": entry.means, "matters": entry.matters, "links": entry.links}
        for name in names
        if (entry := known.get(name))
    }
