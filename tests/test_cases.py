"""The shipped cases are complete, in order, and true to their own format."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from conformance.casefile import json_schema
from conformance.check import check
from conformance.corpus import Corpus, case_files, default_root, load_corpus
from conformance.document import Document
from conformance.floats import FORMATS
from conformance.jobs import CONVENTIONS
from conformance.model import REFUSE
from conformance.nodes import Number
from conformance.operations import JOBS, OPERATIONS, REDUCTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.model import Case

ROOT = default_root()
FILES = case_files([ROOT])


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus()


def with_floats(value: Any) -> Any:
    """A plain value as JSON readers give it: the schema knows numbers, not their texts."""
    if isinstance(value, Number):
        return float(value.text)
    if isinstance(value, dict):
        return {key: with_floats(item) for key, item in value.items()}
    return [with_floats(item) for item in value] if isinstance(value, list) else value


def twin_of(name: str) -> str:
    """The id of the other half of a mirror pair."""
    swap = {"minus": "plus", "plus": "minus", "negative": "positive", "positive": "negative"}
    parts = [[swap.get(word, word) for word in part.split("_")] for part in name.split("/")]
    return "/".join("_".join(words) for words in parts)


def values(case: Case, output: str) -> tuple[str, ...]:
    assert case.expected is not None
    (alternative,) = case.expected.alternatives
    return alternative.outputs[output].values


def negated(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        text[1:] if text[0] == "-" else text if text == "0" else f"-{text}" for text in texts
    )


def test_there_are_enough_cases_in_enough_files(corpus: Corpus) -> None:
    assert len(corpus.cases) >= 150
    assert len(FILES) >= 12
    assert {case.path for case in corpus.cases} == set(FILES)


def test_both_losses_have_every_reduction_in_every_dtype(corpus: Corpus) -> None:
    asked = {(c.operation, c.reduction, dtype) for c in corpus.cases for dtype in c.dtypes}
    losses = OPERATIONS.keys() - JOBS
    every = {(loss, r, d) for loss in losses for r in REDUCTIONS for d in FORMATS}
    assert every <= asked


def test_there_are_enough_jobs_and_every_policy_of_theirs_is_asked_for(corpus: Corpus) -> None:
    jobs = [case for case in corpus.cases if case.job is not None]
    assert 250 <= len(jobs)
    assert CONVENTIONS.keys() == {policy for case in jobs for policy in case.policies} - {REFUSE}


def test_two_processes_are_asked_little_enough_to_stay_fast(corpus: Corpus) -> None:
    shared = [case for case in corpus.cases if case.job and case.job.processes > 1]
    assert 8 <= sum(len(case.dtypes) for case in shared) <= 16


def test_check_finds_no_problem() -> None:
    count, problems = check([ROOT], lambda _: None)
    assert problems == []
    assert count >= 1200


def test_every_case_carries_a_flag(corpus: Corpus) -> None:
    assert [case.id for case in corpus.cases if not case.flags] == []


def test_the_shipped_schema_is_that_of_the_code() -> None:
    assert json_schema() == json.loads((ROOT / "schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=FILES.get)
def test_every_file_fits_the_schema(path: Path) -> None:
    schema = json.loads((ROOT / "schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(with_floats(Document(path).plain))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("format", "bce-conformance/2"),
        ("cases", []),
        ("remark", "a key that the format does not have"),
    ],
)
def test_the_schema_refuses_what_the_format_does_not_have(place: str, value: Any) -> None:
    plain = with_floats(Document(next(iter(FILES))).plain)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plain | {place: value}, json_schema())


def test_mirror_pairs_have_equal_losses_and_opposite_gradients(corpus: Corpus) -> None:
    mirrored = {case.id: case for case in corpus.cases if "MirrorPair" in case.flags}
    assert len(mirrored) >= 40
    for name, case in mirrored.items():
        assert twin_of(name) != name
        twin = mirrored[twin_of(name)]
        assert values(case, "loss") == values(twin, "loss"), name
        for output in ("logits_grad", "targets_grad"):
            assert negated(values(case, output)) == values(twin, output), name
        assert case.dtypes == twin.dtypes, name
