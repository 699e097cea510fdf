"""The corpus catches every wrong implementation that we know of, and no sound one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from factories import make_case
from mutants import MUTANTS
from mutants.__main__ import main
from mutants.base import Mutant, OtherInputs
from mutants.formula import LossHalved
from mutants.harness import ENOUGH, LARGE, Killer, Trial, evaluate
from mutants.verdicts import idle, problem

from conformance.corpus import load_corpus
from conformance.errors import ConformanceError
from conformance.model import Array

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.model import Case

REFERENCE = "reference"


@pytest.fixture(scope="module")
def trials() -> dict[str, Trial]:
    """What the whole corpus makes of each mutant, and of the reference."""
    found = evaluate(MUTANTS, load_corpus().cases)
    return {trial.mutant.name: trial for trial in found}


@pytest.mark.parametrize("name", [REFERENCE, *(mutant.name for mutant in MUTANTS)])
def test_the_corpus_catches_what_is_wrong_and_nothing_else(
    trials: dict[str, Trial], name: str
) -> None:
    assert problem(trials[name]) is None


def test_there_are_many_mutants_and_each_has_a_name_of_its_own() -> None:
    assert len(MUTANTS) >= 110
    assert len(MUTANTS) == len({mutant.name for mutant in MUTANTS})


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_says_in_a_sentence_what_is_wrong(mutant: Mutant) -> None:
    for text in (mutant.about, mutant.equivalent or mutant.about):
        assert text[0].isupper()
        assert text.endswith(".")
        assert " " in text


class Sound(Mutant):
    """Nothing is wrong with it."""


class HalvedAndCalledSound(LossHalved):
    """The loss is halved."""

    equivalent = "Nobody reads the loss."


class Slips(Mutant):
    """It is no program."""

    def read(self, question: Any) -> Any:
        return question.no_such_attribute


class FlushesAndCalledSemantic(OtherInputs):
    """Small logits count as 0, which is coarse and not wrong."""

    operation = "bce_with_logits"

    def other(self, arrays: Any) -> Any:
        return {"logits": np.where(arrays["logits"] < -17, -np.inf, arrays["logits"])}


def cases(count: int = 1) -> list[Case]:
    one = make_case(logits=[0.5, -20], targets=[1, 0])
    return [replace(one, id=f"group/case_{index}") for index in range(count)]


def trial_of(mutant: Mutant) -> Trial:
    reference, trial = evaluate([mutant], cases())
    assert [] == reference.accurate
    return trial


def test_a_mutant_that_is_right_is_reported_as_survivor() -> None:
    trial = trial_of(Sound())
    assert [] == trial.accurate
    assert "sound survives: no case catches it. Nothing is wrong with it." == problem(trial)


def test_a_mutant_that_is_caught_is_no_problem() -> None:
    trial = trial_of(LossHalved())
    assert [Killer("group/case_0", "float32")] == trial.coarse
    assert problem(trial) is None


def test_a_sound_implementation_that_is_caught_is_a_problem() -> None:
    assert "halved-and-called-sound is sound, and yet" in str(
        problem(trial_of(HalvedAndCalledSound()))
    )


def test_a_wrong_function_that_is_only_coarse_is_a_problem() -> None:
    trial = trial_of(FlushesAndCalledSemantic())
    assert [] == trial.coarse
    assert [Killer("group/case_0", "float32")] == trial.accurate
    assert "but nowhere wrong" in str(problem(trial))


def test_a_mutant_that_fails_as_a_program_is_refused() -> None:
    with pytest.raises(ConformanceError, match="The mutant slips fails at group/case_0"):
        trial_of(Slips())


def test_a_case_that_the_reference_fails_is_no_evidence() -> None:
    (case,) = cases()
    other = make_case(logits=[0.5, -20], targets=[0, 1])
    reference, trial = evaluate([Sound()], [replace(case, expected=other.expected)])
    assert [Killer(case.id, "float32")] == reference.coarse
    assert problem(reference) is not None
    assert [] == trial.accurate


def test_an_error_where_none_is_due_catches_a_mutant() -> None:
    class Refuses(Mutant):
        """Everything is refused."""

        def read(self, question: Any) -> Any:
            raise ValueError

    assert problem(trial_of(Refuses())) is None


def test_a_mutant_that_enough_cases_have_caught_is_asked_no_more() -> None:
    many = cases(ENOUGH * 20)
    (_, stopped), (_, asked) = (
        evaluate([LossHalved()], many, exhaustive=exhaustive) for exhaustive in (False, True)
    )
    assert ENOUGH <= len(stopped.coarse) < len(many)
    assert len(many) == len(asked.coarse)


def test_a_large_case_is_put_to_those_alone_that_nothing_has_caught() -> None:
    small = cases()
    inputs = {
        "logits": Array((LARGE + 1,), (0.5,), described=True),
        "targets": Array((LARGE + 1,), (1.0,), described=True),
    }
    large = replace(small[0], id="group/large", inputs=inputs, reduction="mean", outputs=("loss",))
    large = replace(large, expected=make_case(logits=[0.5], targets=[1], reduction="mean").expected)
    (_, caught) = evaluate([LossHalved()], [*small, large])
    (_, new) = evaluate([LossHalved()], [large])
    assert ["group/case_0"] == [killer.case for killer in caught.coarse]
    assert ["group/large"] == [killer.case for killer in new.coarse]


def test_a_case_that_catches_nothing_is_idle() -> None:
    empty = make_case(id="group/empty", logits=[], targets=[])
    found = evaluate([LossHalved()], [*cases(), empty], exhaustive=True)
    assert ["group/empty"] == idle(found, [*cases(), empty])


@pytest.mark.parametrize(("mutants", "count"), [([], 1), ([Sound()], 0)])
def test_nothing_to_try_is_an_error(mutants: list[Mutant], count: int) -> None:
    with pytest.raises(ConformanceError, match="Give some of both"):
        evaluate(mutants, cases(count))


def test_a_case_without_an_answer_is_an_error() -> None:
    with pytest.raises(ConformanceError, match="has no expected answer"):
        evaluate([Sound()], [make_case(filled=False, logits=[0.5], targets=[1])])


def tried(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> tuple[int, str]:
    code = main(["--cases", str(folder), *arguments])
    return code, capsys.readouterr().out


def test_the_command_succeeds_where_a_mutant_is_caught(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    code, text = tried(capsys, folder, "--mutant", "loss-halved")
    assert code == 0
    assert "loss-halved: wrong at at least 4" in text
    assert "1 mutants (1 semantic), 3 cases, 0 problems" in text


def test_the_command_fails_where_one_survives(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    code, text = tried(capsys, folder, "--mutant", "pos-weight-ignored")
    assert code == 1
    assert "pos-weight-ignored: SURVIVED" in text


def test_the_command_lists_idle_cases_of_an_exhaustive_trial(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    _, text = tried(capsys, folder, "--all", "--mutant", "loss-halved")
    assert "1 small cases catch no mutant:\ntheme/bad\n" in text


def test_the_command_writes_json(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, text = tried(capsys, folder, "--format", "json", "--mutant", "loss-halved")
    reference, mutant = json.loads(text)["mutants"]
    assert code == 0
    assert REFERENCE == reference["name"]
    assert "loss-halved" == mutant["name"]
    assert {"case": "theme/one", "dtype": "float32"} in mutant["coarse"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mutant", "no-such"], "There is no mutant no-such"),
        (["--cases", "no/such/folder"], "no/such/folder"),
    ],
)
def test_what_cannot_be_tried_is_a_sentence(
    capsys: pytest.CaptureFixture[str], folder: Path, arguments: list[str], message: str
) -> None:
    assert main(["--cases", str(folder), *arguments]) == 2
    assert message in capsys.readouterr().err
