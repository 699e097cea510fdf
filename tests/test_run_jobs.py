"""`pytest conformance` on jobs: one policy a job, the policies on record, what is no trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from running import run

from conformance.corpus import load_glossary
from conformance.fill import fill
from conformance.records import read_run

if TYPE_CHECKING:
    from pathlib import Path

    from running import Ran

JOBS = """\
format: bce-conformance/1
about: One job.
defaults:
  operation: train
  dtypes: [float32]
  features: [[1, 0], [0.5, 2], [-1, 1], [2, -0.5], [0.25, 1]]
  targets: [[1], [0], [1], [0], [1]]
  parameters: [0.5, -0.25, 0.125]
cases:
  - id: short
    about: A short window.
    job: {batches: [2, 2, 1], epochs: 2, accumulate: 2, optimizer: {lr: 0.5}}
    policies: [window_by_samples, window_by_length_stepped]
"""


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """A folder with one job, filled."""
    (tmp_path / "theme.yaml").write_text(JOBS, encoding="utf-8")
    fill(tmp_path / "theme.yaml", "theme", load_glossary([tmp_path]))
    return tmp_path


def policies(ran: Ran) -> set[str | None]:
    (result,) = read_run(ran.folder / "reports" / "run.jsonl.gz").results
    return {output.policy for output in result.outputs.values()}


def test_a_job_is_a_test_of_its_own(jobs: Path) -> None:
    ran = run(jobs, "-vv")
    assert 0 == ran.code, ran.output
    assert "test_jobs.py::test_job[theme/short-numpy-cpu-float32] PASSED" in ran.output
    assert "test_loss" not in ran.output


@pytest.mark.parametrize(
    ("adapter", "policy"),
    [("numpy", "window_by_samples"), ("job_fakes:Stepping", "window_by_length_stepped")],
)
def test_the_run_says_which_policy_was_followed(jobs: Path, adapter: str, policy: str) -> None:
    ran = run(jobs, adapter=adapter)
    assert 0 == ran.code, ran.output
    assert {policy} == policies(ran)


@pytest.mark.parametrize(
    ("adapter", "problem"),
    [
        ("job_fakes:TwoMinds", ", the nearest policy)"),
        ("job_fakes:LosesAStep", "parameters: its shape is (3, 3), not (4, 3)"),
        ("job_fakes:Raises", "raised RuntimeError: no trainer today"),
    ],
)
def test_a_trainer_that_follows_no_policy_is_wrong(jobs: Path, adapter: str, problem: str) -> None:
    ran = run(jobs, adapter=adapter)
    assert 1 == ran.code
    assert problem in ran.output
    assert {"failed"} == set(ran.results.values())


def test_a_trainer_that_follows_another_policy_than_on_record_fails(jobs: Path) -> None:
    source = "from job_fakes import Stepping\n\n\nclass Mine(Stepping):\n    name = 'mine'\n"
    (jobs / "mine.py").write_text(source, encoding="utf-8")
    record = jobs / "mine.policies.toml"
    record.write_text(
        '[[follows]]\ncases = "theme/*"\npolicy = "window_by_length_stepped"\n', encoding="utf-8"
    )
    assert 0 == run(jobs, adapter="mine:Mine").code
    record.write_text(
        '[[follows]]\ncases = "theme/*"\npolicy = "window_by_samples"\n', encoding="utf-8"
    )
    ran = run(jobs, adapter="mine:Mine")
    assert 1 == ran.code
    assert "follows window_by_length_stepped, and window_by_samples is known of it." in ran.output


def test_an_adapter_without_a_trainer_declines(jobs: Path) -> None:
    ran = run(jobs, "-rs", adapter="job_fakes:LossesOnly")
    assert 5 == ran.code
    assert "losses-only does not offer train" in ran.output
    assert {"not_run"} == set(ran.results.values())


def test_trainers_are_compared_with_raw_pytorch(jobs: Path) -> None:
    ran = run(jobs, "-vv", "--adapter", "lightning", adapter="torch")
    assert 0 == ran.code, ran.output
    name = "test_trainer_does_a_job_with_the_bits_of_raw_pytorch[lightning-cpu-float32]"
    assert f"test_job_agreement.py::{name} PASSED" in ran.output


def test_processes_that_cannot_be_started_cost_the_jobs_that_need_them(jobs: Path) -> None:
    path = jobs / "theme.yaml"
    shared = "job: {shards: [[3], [2]], optimizer: {lr: 0.5}}"
    path.write_text(
        JOBS + f"  - id: shared\n    about: Two processes.\n    {shared}\n", encoding="utf-8"
    )
    fill(path, "theme", load_glossary([jobs]))
    ran = run(jobs, adapter="job_fakes:CannotStart")
    assert 1 == ran.code
    assert "raised OSError: no more processes" in ran.output
    assert {
        "theme/short-cannot-start-float32": "passed",
        "theme/shared-cannot-start-float32": "failed",
    } == ran.results
