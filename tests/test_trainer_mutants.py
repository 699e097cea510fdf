"""The scenarios catch every wrong trainer that we know of, and not the one that is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mutants import MUTANTS, TRAINERS
from mutants.__main__ import main
from mutants.harness import Trial, evaluate
from mutants.trainer import Trainer
from mutants.trainers import WrongTrainer
from mutants.verdicts import problem

from conformance.corpus import load_corpus
from conformance.deviations import Ledger
from conformance.following import Following, Followings
from conformance.model import Grade
from conformance.runner import Runner

PRETENDERS = [mutant for mutant in TRAINERS if mutant.kind == "policy"]
SEMANTIC = [mutant for mutant in TRAINERS if mutant.kind == "semantic"]
DTYPES = ("float32", "float64")


@pytest.fixture(scope="module")
def jobs() -> list[Any]:
    return [case for case in load_corpus().cases if case.job is not None]


@pytest.fixture(scope="module")
def trials(jobs: list[Any]) -> dict[str, Trial]:
    """What the scenarios make of each wrong trainer; of the reference the trial of all of them."""
    return {trial.mutant.name: trial for trial in evaluate(SEMANTIC, jobs, enough=1)}


@pytest.mark.parametrize("name", ["reference", *(mutant.name for mutant in SEMANTIC)])
def test_the_scenarios_catch_what_is_wrong_and_nothing_else(
    trials: dict[str, Trial], name: str
) -> None:
    assert problem(trials[name]) is None


@pytest.fixture(scope="module")
def runs(jobs: list[Any]) -> Any:
    """Gives the results of a trainer in all scenarios, of which accurate ones pass."""
    runner = Runner(Grade.accurate)

    def run(trainer: Any) -> list[Any]:
        results = []
        for dtype in DTYPES:
            cases = [case for case in jobs if dtype in case.dtypes]
            results += runner.run(trainer, "cpu", dtype, cases, Ledger())
        return [result for result in results if result.status != "not_run"]

    return run


@pytest.fixture(scope="module")
def known(runs: Any) -> Followings:
    """The policies of the right trainer, as a file of known policies would have them."""
    entries = []
    for result in runs(Trainer()):
        policies = {output.policy for output in result.outputs.values()} - {None}
        entries += [
            Following(cases=result.case, policy=policy, dtypes=[result.dtype])
            for policy in policies
        ]
    return Followings(tuple((Path("trainer.policies.toml"), entry) for entry in entries))


def test_the_right_trainer_is_accurate_and_follows_its_own_policies(
    runs: Any, known: Followings
) -> None:
    assert {"passed"} == {known.confirm(result).status for result in runs(Trainer())}


@pytest.mark.parametrize("mutant", PRETENDERS, ids=lambda mutant: mutant.name)
def test_another_right_policy_passes_every_scenario_and_only_the_known_policy_tells_it(
    runs: Any, known: Followings, mutant: Any
) -> None:
    results = runs(mutant)
    assert [] == [result.case for result in results if result.status != "passed"]
    confirmed = [known.confirm(result) for result in results]
    reasons = [result.reason for result in confirmed if result.status == "failed"]
    assert reasons
    assert all("is known of it" in str(reason) for reason in reasons)


def test_there_are_many_and_each_has_a_name_of_its_own() -> None:
    assert len(SEMANTIC) >= 100
    assert len(PRETENDERS) >= 15
    names = [mutant.name for mutant in MUTANTS + TRAINERS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("mutant", TRAINERS, ids=lambda mutant: mutant.name)
def test_a_wrong_trainer_says_in_a_sentence_what_is_wrong(mutant: WrongTrainer) -> None:
    assert mutant.about[0].isupper()
    assert mutant.about.endswith(".")
    assert " " in mutant.about


class Sound(WrongTrainer):
    """Nothing is wrong with it."""


class SoundPretender(WrongTrainer):
    """Nothing is different about it."""

    kind = "policy"


class HalfIsPositiveAndCalledWrong(WrongTrainer):
    """A half is positive, which is a policy of its own."""

    def decide(self, predicted: Any) -> Any:
        return predicted >= 0.5


class NegatesAndCalledPolicy(WrongTrainer):
    """The other class is predicted, which is no policy."""

    kind = "policy"

    def probability(self, logits: Any) -> Any:
        return super().probability(-logits)


@pytest.mark.parametrize(
    ("mutant", "message"),
    [
        (Sound(), "sound survives"),
        (SoundPretender(), "sound-pretender survives"),
        (HalfIsPositiveAndCalledWrong(), "is right by another policy at prediction/threshold/"),
        (NegatesAndCalledPolicy(), "is no other policy: it is not accurate at prediction/"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_does_not_end_as_it_has_to_is_told(
    jobs: list[Any], mutant: WrongTrainer, message: str
) -> None:
    decisions = [case for case in jobs if case.group == "prediction/threshold"]
    _, trial = evaluate([mutant], decisions)
    assert message in str(problem(trial))


def test_losses_are_not_put_to_trainers_nor_jobs_to_mutants_of_a_loss(jobs: list[Any]) -> None:
    reference, trial = evaluate([MUTANTS[0]], jobs)
    assert [] == reference.accurate == trial.accurate


def test_the_command_tells_of_trainers(capsys: pytest.CaptureFixture[str], jobs: list[Any]) -> None:
    folder = next(case.path.parent for case in jobs if case.operation == "predict")
    chosen = ["--mutant", "half-is-positive", "--mutant", "sigmoid-twice"]
    assert main(["--cases", str(folder), *chosen]) == 0
    text = capsys.readouterr().out
    assert "half-is-positive: another policy at at least 5: " in text
    assert "sigmoid-twice: wrong at at least " in text
    assert "2 mutants (1 policy, 1 semantic)" in text
