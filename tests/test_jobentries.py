"""The entry ``job`` of a case: merged, checked, and part of the question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from job_factories import floats

from conformance.corpus import CorpusError, load_corpus, load_glossary
from conformance.fill import fill
from conformance.grading import Grader
from conformance.jobs import Job, Optimizer
from conformance.model import Computed, Truth

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.model import Case

HEAD = """\
format: bce-conformance/1
about: Training.
defaults:
  operation: train
  dtypes: [float32]
  features: [[1, 0], [0.5, 2], [-1, 1]]
  targets: [[1], [0], [1]]
  parameters: [0.5, -0.25, 0.125]
  job: {batches: [2, 1], accumulate: 2, optimizer: {name: sgd, lr: 0.1}}
cases:
"""


def load(folder: Path, case: str) -> Case:
    path = folder / "training.yaml"
    path.write_text(f'{HEAD}  - {{id: one, about: "A job.", {case}}}\n', encoding="utf-8")
    (found,) = load_corpus([path]).cases
    return found


def test_a_case_takes_what_its_file_says_of_all(tmp_path: Path) -> None:
    case = load(tmp_path, "job: {epochs: 3}")
    assert Job(batches=(2, 1), accumulate=2, epochs=3, optimizer=Optimizer(lr=0.1)) == case.job
    assert (3, 2) == case.inputs["features"].shape
    assert ("losses", "parameters") == case.outputs


def test_an_optimizer_is_replaced_as_a_whole(tmp_path: Path) -> None:
    case = load(tmp_path, "job: {optimizer: {name: adam, lr: 1e-3, betas: [0.5, 0.75]}}")
    assert case.job is not None
    assert Optimizer(name="adam", lr=1e-3, betas=(0.5, 0.75)) == case.job.optimizer


def test_a_case_shares_the_data_out_in_its_own_way(tmp_path: Path) -> None:
    case = load(tmp_path, "job: {shards: [[2], [1]], accumulate: 1}")
    assert case.job is not None
    assert (((2,), (1,)), (), 2) == (case.job.shards, case.job.batches, case.job.processes)


def test_the_job_is_part_of_the_question(tmp_path: Path) -> None:
    jobs = ("job: {}", "job: {epochs: 2}", "job: {optimizer: {name: sgd, lr: 0.2}}")
    assert 3 == len({load(tmp_path, job).sha256 for job in jobs})


@pytest.mark.parametrize(("positions", "known"), [("", None), ("positions: [2], ", ())])
def test_a_job_may_have_no_step(
    tmp_path: Path, positions: str, known: tuple[int, ...] | None
) -> None:
    case = load(tmp_path, positions + "expected: {losses: ['1', '2'], parameters: []}")
    assert case.expected is not None
    (alternative,) = case.expected.alternatives
    assert Truth((0, 3), (), known) == alternative.outputs["parameters"]


def test_a_job_without_a_step_is_filled_and_graded(tmp_path: Path) -> None:
    policies = ("window_by_samples", "window_by_length_carried")
    path = tmp_path / "training.yaml"
    keys = (
        "id: one",
        "about: A job.",
        "job: {accumulate: 3}",
        f"policies: [{', '.join(policies)}]",
    )
    path.write_text(HEAD + "  - " + "\n    ".join(keys) + "\n", encoding="utf-8")
    assert fill(path, "training", load_glossary([path]))
    (case,) = load_corpus([path]).cases
    assert case.expected is not None
    stepped, carried = (
        {name: floats(truth).astype("float32") for name, truth in alternative.outputs.items()}
        for alternative in case.expected.alternatives
    )
    assert [(1, 3), (0, 3)] == [found["parameters"].shape for found in (stepped, carried)]
    answers = [stepped, carried, {**carried, "losses": 2 * carried["losses"]}]
    verdicts = Grader("float32").grade([(case, Computed(**answer)) for answer in answers])
    assert [*policies, None] == [
        verdict.outputs["parameters"].policy if verdict.reason is None else None
        for verdict in verdicts
    ]


def test_a_prediction_takes_no_more_than_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "prediction.yaml"
    head = HEAD.replace("operation: train", "operation: predict")
    head = head.replace(", accumulate: 2, optimizer: {name: sgd, lr: 0.1}", "")
    path.write_text(head + "  - {id: one, about: A job.}\n", encoding="utf-8")
    (case,) = load_corpus([path]).cases
    assert {"features", "parameters"} == case.inputs.keys()


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        ("job: {batch: [3]}", "cases[0].job: Object contains unknown field `batch`"),
        ("job: {batches: [2, 2]}", "job.batches: they hold 4 samples, and there are 3"),
        ("job: {batches: [3, 0]}", "job.batches[1]: Expected `int` >= 1"),
        (
            "job: {batches: [3], shards: [[2], [1]]}",
            "job: give one of batches, shards and sampler_batch",
        ),
        ("job: {model: mlp}", "job.hidden: mlp needs hidden units"),
        ("job: {hidden: 3}", "job.hidden: linear has no hidden units"),
        ("job: {classes: 2}", "parameters: its shape is (3,); this job takes (6,)"),
        ("job: {squeeze: last}", "targets: its shape is (3, 1); this job takes (3,)"),
        ("job: {model: conv, hidden: 1}", "features: conv takes features of 4 dimensions"),
        ("job: {optimizer: {name: sgd}}", "job.optimizer: Object missing required field `lr`"),
        ("job: {optimizer: {lr: -0.1}}", "job.optimizer.lr: Expected `float` > 0"),
        ("job: {optimizer: {lr: 1e999}}", "job.optimizer.lr: Expected `float` <= 1"),
        (
            "job: {optimizer: {lr: 1, nesterov: true}}",
            "job.optimizer.nesterov: it needs a momentum",
        ),
        ("job: {optimizer: {lr: 1, eps: 1}}", "job.optimizer.eps: sgd has none"),
        (
            "job: {optimizer: {name: adam, lr: 1, momentum: 0.5}}",
            "job.optimizer.momentum: adam has none",
        ),
        ("job: {batches: [1, 2], shuffle: 1}", "job.shuffle: it takes batches of one size"),
        ("job: {shards: [[2], [1]], shuffle: 1}", "job.shuffle: it takes batches of one size"),
        ("job: {views: [sideways]}", "job.views[0]: Invalid enum value 'sideways'"),
        ("outputs: [validated]", "job: validated needs a validation"),
        ("outputs: [loss]", "outputs[0]: 'loss' should be one of losses, parameters"),
        ("operation: evaluate", "job: the operation evaluate takes no optimizer"),
        ("operation: predict, targets: [[1]]", "targets: the operation predict takes no targets"),
        ("logits: [1]", "logits: the operation train takes no logits"),
        ("layout: {features: transposed}", "layout: the operation train takes no layout"),
        ("pos_weight: [1, 2]", "pos_weight: its shape is (2,); this job takes (1,)"),
        ('targets: [[1], [0], ["inf"]]', "cases[0]: a job takes finite numbers only"),
        ("positions: [3]", "positions: a position is beyond the 3 elements"),
        (
            "operation: bce, probabilities: [0.5], targets: [1], job: {}",
            "job: the operation bce is one loss, and no job",
        ),
        (
            "expected: {losses: ['1', '2'], parameters: [['1', '2']]}",
            "expected.parameters: its shape is (1, 2), not 3 for each step; run `fill`",
        ),
        (
            (
                "policies: [window_by_samples, window_by_length_carried], expected: {any_of: ["
                "{policy: window_by_samples, losses: ['1', '2'], parameters: []}, "
                "{policy: window_by_length_carried, losses: ['1', '2']}]}"
            ),
            "expected.any_of[1]: parameters: not what the case asks for; run `fill`",
        ),
    ],
)
def test_a_job_that_does_not_fit_is_one_sentence(tmp_path: Path, case: str, problem: str) -> None:
    with pytest.raises(CorpusError) as caught:
        load(tmp_path, case)
    (found,) = caught.value.problems
    assert problem in found
