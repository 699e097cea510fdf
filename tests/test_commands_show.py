"""`show`, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from case_folder import CASES, a_folder, ask, ids  # noqa: F401 - the fixture "folder"

from conformance.corpus import load_corpus, locate
from conformance.records import read_run
from conformance.writing import RunWriter

if TYPE_CHECKING:
    from pathlib import Path


def test_show_tells_question_truth_flags_and_place(folder: Path) -> None:
    text = ask(folder, "show", "theme/tail_one").stdout
    [case] = [case for case in load_corpus([folder / "cases"]).cases if "tail" in case.id]
    assert case.expected is not None
    lines = text.splitlines()
    assert ["theme/tail_one", "The loss of a confident negative."] == lines[:2]
    assert "    decimal       -40, 0.5" in lines
    assert "    hex           -0x1.4p+5, 0x1p-1" in lines
    words = text.split()
    for value in case.expected.alternatives[0].outputs["loss"].values:
        assert value in words or f"{value}," in words
    flowing = " ".join(words)
    assert "The loss is tiny and not zero." in flowing
    assert f"  file            {locate(case)}" in lines
    assert f"  sha256          {case.sha256}" in lines
    assert "pytorch#195529, https://github.com/pytorch/pytorch/issues/195529" in flowing


def test_show_tells_the_truth_under_each_policy_and_what_that_means(folder: Path) -> None:
    text = ask(folder, "show", "certain").stdout
    assert "truth under limit\n  loss            inf\n" in text
    assert "truth under clamp_log_100\n  loss            100\n" in text
    assert "each logarithm is at least -100" in " ".join(text.split())


def test_show_tells_a_job_in_words(folder: Path) -> None:
    text = ask(folder, "show", "steps").stdout
    assert "  job             trains a model: linear; 1 output" in text
    assert "  optimizer       sgd, lr 0.5" in text


def test_show_cuts_what_is_long_for_a_person_but_not_for_a_program(folder: Path) -> None:
    text = ask(folder, "show", "long").stdout
    assert "-8, -7.984375" in text
    assert "(1025 in all)" in text
    assert 100 > text.count("\n")
    facts = json.loads(ask(folder, "show", "long", "--format", "json").stdout)
    assert (1025, "-0x1p+3") == (
        len(facts["inputs"]["logits"]["values"]),
        facts["inputs"]["logits"]["hex"][0],
    )
    assert facts["inputs"]["targets"] == {
        "shape": [1025],
        "dtype": None,
        "layout": None,
        "values": ["0.5"],
        "hex": ["0x1p-1"],
    }


def test_show_tells_what_a_run_answered_to_the_bit(folder: Path) -> None:
    path = folder / "reports" / "run.jsonl.gz"
    text = ask(folder, "show", "tail_one", "--run", str(path)).stdout
    [result] = [
        result
        for result in read_run(path).results
        if (result.case, result.dtype) == ("theme/tail_one", "float32")
    ]
    bits = bytes.fromhex(result.outputs["targets_grad"].bits or "")
    assert "  float32         numpy " in text
    assert f"40.0 (0x{bits[:4][::-1].hex()}), -0.5 (0x{bits[4:][::-1].hex()})" in text
    facts = json.loads(
        ask(folder, "show", "tail_one", "--run", str(path), "--format", "json").stdout
    )
    [of_run] = facts["answers"]
    [answer] = [answer for answer in of_run["answers"] if answer["dtype"] == "float32"]
    assert ["40.0", "-0.5"] == answer["outputs"]["targets_grad"]["values"]
    assert bits.hex() == answer["outputs"]["targets_grad"]["bits"]
    assert result.grade == answer["grade"]


def test_show_leaves_out_answers_to_an_earlier_version_of_the_case(
    folder: Path, tmp_path: Path
) -> None:
    old = read_run(folder / "reports" / "run.jsonl.gz")
    with RunWriter(tmp_path / "old.jsonl.gz", old.header) as writer:
        for result in old.results:
            writer.add(msgspec.structs.replace(result, sha256="0" * 64))
    text = ask(folder, "show", "tail_one", "--run", str(tmp_path / "old.jsonl.gz")).stdout
    assert "2 answer an earlier version of the case: left out" in text
    assert "numpy" not in text.partition("answers in")[2]


def test_show_prints_no_control_character_of_a_run(folder: Path, tmp_path: Path) -> None:
    old = read_run(folder / "reports" / "run.jsonl.gz")
    with RunWriter(tmp_path / "evil.jsonl.gz", old.header) as writer:
        for result in old.results:
            evil = {"status": "failed", "reason": "\x1b[2J\x07 cleared", "raised": "\x1b]0;x"}
            writer.add(msgspec.structs.replace(result, **evil))
    text = ask(folder, "show", "tail_one", "--run", str(tmp_path / "evil.jsonl.gz")).stdout
    assert "\\x1b[2J\\x07 cleared" in text
    assert not any(ord(char) < 32 and char != "\n" for char in text)


def test_a_full_id_needs_no_other_file(folder: Path) -> None:
    broken = folder / "cases" / "broken.yaml"
    broken.write_text("format: [", encoding="utf-8")
    try:
        whole, part = ask(folder, "show", "theme/tail_one"), ask(folder, "show", "tail_one")
    finally:
        broken.unlink()
    assert (0, 4) == (whole.returncode, part.returncode)
    assert part.stderr.startswith(f"{broken}:")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("theme/", "'theme' is a part of 3 ids: theme/certain, theme/long, theme/tail_one. Give"),
        (
            "e",
            "'e' is a part of 4 ids: deep/jobs/steps, theme/certain, theme/long and others. Give",
        ),
        ("tale_one", "no case has the id 'tale_one'; near it are theme/tail_one. See"),
        ("theme/lnog", "no case has the id 'theme/lnog'; near it are theme/long"),
        ("x\n\x1b", "no case has the id 'x\\n\\x1b'. See"),
    ],
    ids=["group", "many", "slip", "slip_in_full", "control"],
)
def test_an_id_that_is_none_is_refused_with_those_like_it(
    folder: Path, text: str, sentence: str
) -> None:
    found = ask(folder, "show", text)
    assert (64, "", 1) == (found.returncode, found.stdout, found.stderr.count("\n"))
    assert sentence in found.stderr


def test_a_part_that_only_one_id_has_is_enough(folder: Path) -> None:
    for part in ("theme/tail_on", "one", "certain"):
        expected = "theme/certain" if part == "certain" else "theme/tail_one"
        assert expected == ask(folder, "show", part).stdout.splitlines()[0]


def test_the_end_of_an_id_goes_before_a_part_of_another(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    texts = CASES.replace("id: tail_one", "id: not_so_long")
    (tmp_path / "cases" / "theme.yaml").write_text(texts, encoding="utf-8")
    assert "theme/long" == ask(tmp_path, "show", "long").stdout.splitlines()[0]


def test_looking_cases_up_imports_no_framework(folder: Path) -> None:
    code = (
        "import sys\nfrom conformance.cli import main\n"
        f"main(['show', 'tail_one', '--cases', {str(folder / 'cases')!r}])\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert set() == set(found.stderr.split()) & {"torch", "ignite", "pytorch_lightning", "flint"}
