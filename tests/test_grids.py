"""The generated case files ask what their generator asks."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from conformance.check import check
from conformance.corpus import case_files, default_root, load_glossary
from conformance.document import Document
from conformance.fill import fill
from conformance.floats import FORMATS, parse
from tools.grids import GRIDS
from tools.grids.__main__ import main
from tools.grids.numbers import first, rough, signed_word, spell, step, told, word

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.floats import Format

SMALL = "probabilities/grid_float16"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder for case files."""
    for folder in ("logits", "probabilities"):
        (tmp_path / folder).mkdir()
    return tmp_path


def test_the_committed_files_ask_what_the_generator_asks() -> None:
    assert [name for name, grid in GRIDS.items() if not grid.is_written(default_root())] == []


def test_every_file_that_names_the_generator_is_one_of_its_grids() -> None:
    named = {
        group
        for path, group in case_files([default_root()]).items()
        if str(Document(path).plain.get("generator")).startswith("python -m tools.grids ")
    }
    assert set(GRIDS) == named


@pytest.mark.parametrize("name", GRIDS)
def test_the_ids_of_a_grid_are_unique(name: str) -> None:
    counts = Counter(case["id"] for case in GRIDS[name].cases)
    assert [id_ for id_, count in counts.items() if count > 1] == []


def test_no_two_cases_of_a_grid_ask_the_same() -> None:
    for name, grid in GRIDS.items():
        told_apart = {"id", "about", "flags"}
        questions = Counter(
            json.dumps({key: value for key, value in case.items() if key not in told_apart})
            for case in grid.cases
        )
        assert [text for text, count in questions.items() if count > 1] == [], name


def test_a_grid_that_is_written_and_filled_passes_the_check(root: Path) -> None:
    assert main([SMALL], root) == 0
    path = GRIDS[SMALL].path(root)
    assert fill(path, SMALL, load_glossary([root]))
    assert check([path], lambda _: None) == (len(GRIDS[SMALL].cases), [])
    assert main([SMALL, "--check"], root) == 0


def test_a_file_as_generated_keeps_its_answers(root: Path) -> None:
    main([SMALL], root)
    path = GRIDS[SMALL].path(root)
    fill(path, SMALL, load_glossary([root]))
    filled = path.read_text(encoding="utf-8")
    main([SMALL], root)
    assert filled == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "value"),
    [("about", "Another sentence."), ("targets", [1] * 6), ("id", "another"), ("flags", [])],
)
def test_the_check_finds_a_changed_question(root: Path, key: str, value: object) -> None:
    main([SMALL], root)
    path = GRIDS[SMALL].path(root)
    document = json.loads(path.read_text(encoding="utf-8"))
    document["cases"][3][key] = value
    path.write_text(json.dumps(document), encoding="utf-8")
    assert main([SMALL, "--check"], root) == 1


def test_the_check_finds_a_missing_file_and_writes_none(root: Path) -> None:
    assert main([SMALL, "--check"], root) == 1
    assert not GRIDS[SMALL].path(root).exists()


def test_the_command_names_the_grids_that_there_are(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["logits/no_such_grid"], root)
    assert caught.value.code == 2
    assert SMALL in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "spelled"),
    [(17.0, 17), (-0.5, -0.5), (-0.0, "-0.0"), (2.0**-30, "0x1p-30"), (2.0**60, "0x1p+60")],
)
def test_numbers_are_spelled_as_short_as_they_are_exact(value: float, spelled: object) -> None:
    assert spelled == spell(value)
    assert Fraction(value) == parse(str(spell(value)))


@pytest.mark.parametrize(
    ("value", "name"),
    [(17, "17"), (0.25, "quarter"), (1e-8, "1e_minus_8"), (2.0**-20, "two_to_the_minus_20")],
)
def test_numbers_make_words_of_ids(value: float, name: str) -> None:
    assert name == word(value)
    assert f"plus_{name}" == signed_word(value)
    assert f"minus_{name}" == signed_word(-value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.001953125, "0.00195"), (17, "17"), (65504, "65504"), (4.14e-8, "4.14e-8")],
)
def test_numbers_are_rounded_in_sentences(value: float, text: str) -> None:
    assert text == rough(value)


def test_numbers_next_to_0_and_1_are_told_as_powers_of_two() -> None:
    assert [told(2.0**-24), told(1 - 2.0**-24), told(0.75)] == ["2^-24", "1 - 2^-24", "0.75"]


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=lambda fmt: fmt.name)
def test_the_first_number_with_a_property_is_found(fmt: Format) -> None:
    found = first(fmt, 1, 100, lambda x: x >= 17)
    assert found == 17
    assert step(found, fmt, -1) < 17 < step(found, fmt)


def test_a_property_that_does_not_turn_true_is_refused() -> None:
    with pytest.raises(ValueError, match="does not turn true"):
        first(FORMATS["float16"], 1, 100, lambda _: False)
