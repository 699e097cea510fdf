"""The search for worst cases finds what a sample does not, and its cases hold for the reference."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from factories import make_case

from conformance import adapters
from conformance.asking import ask_alone, question_of
from conformance.corpus import default_root, load_corpus, load_file, load_glossary
from conformance.floats import FORMATS
from conformance.grading import Grader
from conformance.model import Grade
from tools.worst_cases.__main__ import DTYPES, main, search
from tools.worst_cases.climbing import climb, move
from tools.worst_cases.confirming import WorstCase, first_of_each, worth_keeping
from tools.worst_cases.domains import DOMAINS, ranges_of
from tools.worst_cases.files import FOLDERS, sentence
from tools.worst_cases.scoring import Goal, Scorer

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.model import DtypeName
    from conformance.operations import OperationName

ULP = Goal("loss", "ulp")
BOUND = Goal("loss", "bound")


def worst_case(domain: str, error: float, *, goal: Goal = BOUND, x: float = 3.0) -> WorstCase:
    return WorstCase(
        case=make_case(logits=[x], targets=[0.0], outputs=("loss",)),
        adapter="torch",
        framework="PyTorch 2.13.0",
        domain=domain,
        goal=goal,
        ulp=error,
        used=error,
        allowed="coarse",
        grade=Grade.coarse,
    )


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", FOLDERS)
def test_nothing_that_is_drawn_overflows_or_meets_a_policy(
    operation: OperationName, dtype: DtypeName, domain: str
) -> None:
    ranges = ranges_of(operation, domain, FORMATS[dtype])
    drawn = {name: r.draw(np.random.default_rng(0), 5000) for name, r in ranges.items()}
    for name, values in drawn.items():
        assert ranges[name].contains(values).all()
    if operation == "bce":
        q = drawn["probabilities"]
        assert (q * (1 - q)).min() > 1e-12
    for name in ("numpy", "torch"):
        scores = Scorer(adapters.load(name), operation, dtype).scores(drawn)
        for unit in ("ulp", "bound"):
            assert all(np.isfinite(s).all() for goal, s in scores.items() if goal.unit == unit)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_move_changes_one_input_and_keeps_to_its_range(dtype: DtypeName) -> None:
    rng = np.random.default_rng(0)
    ranges = ranges_of("bce_with_logits", "weighted", FORMATS[dtype])
    places = {name: range_.draw(rng, 2000) for name, range_ in ranges.items()}
    moved = move(rng, places, ranges)
    changed = np.stack([moved[name] != places[name] for name in places])
    assert changed.sum(axis=0).max() == 1
    assert changed.any(axis=1).all()
    for name, values in moved.items():
        assert ranges[name].contains(values).all()
        assert (values.astype(FORMATS[dtype].dtype).astype(np.float64) == values).all()


def test_a_seed_settles_what_is_found() -> None:
    first, second = (
        search(adapters.load("numpy"), "bce_with_logits", "float32", seed=7, budget=9000)
        for _ in range(2)
    )
    assert first == second
    other = search(adapters.load("numpy"), "bce_with_logits", "float32", seed=8, budget=9000)
    assert first != other


def test_a_climb_finds_errors_at_least_as_large_as_a_sample_of_its_size() -> None:
    budget = 100_000
    scorer = Scorer(adapters.load("numpy"), "bce_with_logits", "float32")
    ranges = ranges_of("bce_with_logits", "weighted", scorer.format)
    drawn = {name: r.draw(np.random.default_rng(2), budget) for name, r in ranges.items()}
    sampled = {goal: scores.max() for goal, scores in scorer.scores(drawn).items()}
    found = climb(scorer, ranges, np.random.default_rng(2), budget)
    for goal, (best, *_) in found.items():
        inputs = {name: np.array([value]) for name, value in zip(ranges, best, strict=True)}
        assert scorer.scores(inputs)[goal][0] >= sampled[goal], goal


def test_an_error_of_the_reference_is_what_the_grader_says() -> None:
    for worst in search(adapters.load("numpy"), "bce", "float64", seed=0, budget=0):
        (verdict,) = Grader("float64").grade(
            [
                (
                    worst.case,
                    ask_alone(adapters.load("numpy"), question_of(worst.case, "cpu", "float64")),
                )
            ]
        )
        assert verdict.outputs[worst.goal.output].ulp == worst.ulp
        assert (worst.used <= 1) == (verdict.grade <= Grade.accurate)


def test_a_wider_domain_is_kept_where_its_error_is_clearly_worse() -> None:
    found = [worst_case("plain", 0.5), worst_case("soft", 0.52), worst_case("weighted", 0.7)]
    kept = worth_keeping(found)
    assert {"float32_torch_loss_bound_1": "plain", "float32_torch_loss_bound_2": "weighted"} == {
        id_: worst.domain for id_, worst in kept.items()
    }


def test_where_no_digit_is_right_more_ulp_are_no_worse() -> None:
    found = [worst_case("plain", 2.0**24, goal=ULP), worst_case("soft", 2.0**40, goal=ULP)]
    assert ["plain"] == [worst.domain for worst in worth_keeping(found).values()]


def test_an_exact_answer_is_no_worst_case() -> None:
    assert {} == worth_keeping([replace(worst_case("plain", 0.4), grade=Grade.exact)])


def test_a_question_is_asked_once() -> None:
    same = {"a": worst_case("plain", 1), "b": worst_case("soft", 2)}
    assert ["a"] == list(first_of_each(same))
    assert ["a", "c"] == list(first_of_each({**same, "c": worst_case("plain", 1, x=4.0)}))


def test_a_sentence_states_the_error_with_its_version() -> None:
    assert "The loss of PyTorch 2.13.0 is 377 ulp from the truth here, with target 0." == sentence(
        worst_case("plain", 377, goal=ULP)
    )
    assert (
        "The loss of PyTorch 2.13.0 has 0.57 times the error that 'coarse' allows here, "
        "with weights." == sentence(worst_case("weighted", 0.571))
    )


def test_the_command_writes_files_that_load(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--seed", "3", "--budget", "0", "--adapter", "numpy", "--cases", str(tmp_path)]
    assert main(arguments) == 0
    for operation, folder in FOLDERS.items():
        path = tmp_path / folder / "worst_cases.json"
        cases = load_file(path, f"{folder}/worst_cases", load_glossary([tmp_path]))
        assert {operation} == {case.operation for case in cases}
        assert {"none"} == {case.reduction for case in cases}
    assert len(capsys.readouterr().out.splitlines()) == 2 + 2 * 3 * 4


def test_the_reference_is_accurate_in_every_worst_case() -> None:
    files = [default_root() / folder / "worst_cases.json" for folder in FOLDERS.values()]
    cases = load_corpus(files).cases
    assert len(cases) >= 100
    reference = adapters.load("numpy")
    for dtype in DTYPES:
        asked = [case for case in cases if dtype in case.dtypes]
        answers = [ask_alone(reference, question_of(case, "cpu", dtype)) for case in asked]
        verdicts = Grader(dtype).grade(list(zip(asked, answers, strict=True)))
        assert [] == [
            case.id
            for case, verdict in zip(asked, verdicts, strict=True)
            if verdict.grade > Grade.accurate
        ]
