"""What `check` finds, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.check import check
from conformance.corpus import load_glossary
from conformance.errors import ConformanceError
from conformance.fill import fill

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """\
format: bce-conformance/1
about: A file.
defaults: {operation: bce_with_logits, reduction: none, dtypes: [float32]}
cases:
"""
CASE = """\
  - id: one
    about: A case.
    logits: [0.5]
    targets: [1]
"""


def found(folder: Path, text: str, *, filled: bool = True) -> list[str]:
    path = folder / "theme.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    if filled:
        fill(path, "theme", load_glossary([folder]))
    _, problems = check([folder], lambda _: None)
    return [problem.removeprefix(str(folder)) for problem in problems]


def test_a_case_in_order_has_no_problem(tmp_path: Path) -> None:
    assert found(tmp_path, CASE) == []


def test_a_case_without_an_answer_is_found(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, CASE, filled=False)
    assert problem == "/theme.yaml:5:5: theme/one: no expected answer; run `fill`."


def test_every_digit_is_recomputed(tmp_path: Path) -> None:
    assert found(tmp_path, CASE) == []
    path = tmp_path / "theme.yaml"
    text = path.read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if "logits_grad" in line)
    digit = line[-4]
    other = line[:-4] + str((int(digit) + 1) % 10) + line[-3:]
    path.write_text(text.replace(line, other), encoding="utf-8")
    count, problems = check([tmp_path], lambda _: None)
    assert count == 1
    assert [problem.partition("theme/one: ")[2] for problem in problems] == [
        "its expected answer is not what the oracles give; run `fill`."
    ]


@pytest.mark.parametrize(
    ("about", "problem"),
    [
        ("a case.", "begin it with a capital"),
        ("A case", "end it with a full stop"),
        ("Tests that x is y.", "say what is so, without 'Tests that'"),
        ("The loss should be 1.", "say what is so, without 'should'"),
        ("A" * 250 + ".", "it has 251 characters; keep to 200"),
        ("'Two  spaces.'", "write it with single spaces, on one line"),
    ],
)
def test_wording_is_held_to_one_form(tmp_path: Path, about: str, problem: str) -> None:
    (text,) = found(tmp_path, CASE.replace("A case.", about))
    assert f"/theme.yaml:5:5: theme/one: about: {problem}." == text


def test_an_error_that_is_not_due_is_found(tmp_path: Path) -> None:
    text = CASE + "    expected: {raises: true}\n"
    (problem,) = found(tmp_path, text, filled=False)
    assert "expects an error, but its question has an answer" in problem


def test_a_truth_too_near_a_tie_is_found(tmp_path: Path) -> None:
    # The gradient w (1.5 + x / 4 + ...) is halfway between two float32, but for 4e-43.
    text = CASE.replace("[0.5]", '["0x1p-140"]').replace("targets: [1]", "targets: [-1]")
    text += '    weight: ["0x1.000002p0"]\n'
    (problem,) = found(tmp_path, text)
    assert "logits_grad is 1.500000178813934326171875000000000000000, too near a tie" in problem


def test_words_explained_in_vain_are_found(tmp_path: Path) -> None:
    (tmp_path / "flags.yaml").write_text("Unused: {means: A., matters: B.}\n", encoding="utf-8")
    (problem,) = found(tmp_path, CASE)
    assert problem == "/flags.yaml: 'Unused' is explained and no case uses it. Remove it or use it."


def test_a_schema_that_is_no_json_has_a_place(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text('{"a": ', encoding="utf-8")
    with pytest.raises(ConformanceError, match=r"schema.json:1:7: .* Mend the JSON here\."):
        found(tmp_path, CASE)


def test_an_outdated_schema_is_found(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text("{}", encoding="utf-8")
    (problem,) = found(tmp_path, CASE)
    assert "/schema.json: out of date. Run `bce-conformance schema >" in problem
