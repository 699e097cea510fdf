"""Answers written into case files, in place."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from conformance.corpus import case_files, default_root, load_corpus, load_glossary
from conformance.document import Document
from conformance.errors import ConformanceError
from conformance.fill import fill

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
# Who wrote this and why.
format: bce-conformance/1
about: A file.   # trailing words
defaults: {operation: bce_with_logits, reduction: none, dtypes: [float32]}
cases:
  # Before the first.
  - about: Keys in another order.
    id: first
    targets: [0]
    logits: [-40]   # the point

  # Before the second.
  - id: second
    about: >-
      Folded
      words.
    reduction: mean
    logits: [[1, 2], [3, 4]]
    targets: [[1, 0], [0, 1]]
    expected:
      loss: "17"
      logits_grad: [["1", "1"], ["1", "1"]]
      targets_grad: [["1", "1"], ["1", "1"]]
    flags: []
  - id: third
    about: An error is due.
    logits: [1, 2]
    targets: [1]
    expected: {raises: true}"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "theme.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def run(path: Path) -> bool:
    return fill(path, "theme", load_glossary([path]))


def test_fill_adds_answers_and_keeps_all_else(path: Path) -> None:
    assert run(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in TEXT.splitlines() if '"1"' not in line and '"17"' not in line]
    rest = iter(lines)
    assert all(line in rest for line in kept)
    first, second, third = load_corpus([path.parent]).cases
    assert first.expected is not None
    assert second.expected is not None
    assert third.expected is not None
    (answer,) = first.expected.alternatives
    assert answer.outputs["loss"].values == ("4.248354255291588986304977843631582181878e-18",)
    (answer,) = second.expected.alternatives
    assert "17" not in answer.outputs["loss"].values
    assert third.expected.raises


def test_the_answer_goes_behind_the_last_key_of_its_case(path: Path) -> None:
    run(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    place = lines.index("    logits: [-40]   # the point")
    assert lines[place + 1] == "    expected:"
    assert lines[place + 5 : place + 7] == ["", "  # Before the second."]


def test_filling_twice_changes_nothing(path: Path) -> None:
    assert run(path)
    before = path.read_bytes()
    assert not run(path)
    assert before == path.read_bytes()


def test_json_is_filled_too(path: Path) -> None:
    run(path)
    twin = path.with_suffix(".json")
    twin.write_text(json.dumps(Document(path).plain), encoding="utf-8")
    path.unlink()
    wanted = Document(twin).plain
    for entry in wanted["cases"][:2]:
        del entry["expected"]
    twin.write_text(json.dumps(wanted), encoding="utf-8")
    assert run(twin)
    assert not run(twin)
    assert all(case.expected for case in load_corpus([twin]).cases)


def test_numbers_of_json_keep_their_text(tmp_path: Path) -> None:
    path = tmp_path / "theme.json"
    path.write_text(
        '{"format": "bce-conformance/1", "about": "A.", "defaults": {"operation": "bce", '
        '"dtypes": ["float64"]}, "cases": [{"id": "one", "about": "B.", '
        '"probabilities": [2.50e-1], "targets": [1]}]}',
        encoding="utf-8",
    )
    assert run(path)
    assert '"probabilities": [2.50e-1]' in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("    targets: [0]\n", "    targets: [0, 1]\n", "targets has shape"),
        ("logits: [1, 2]", "logits: [1]", "expects an error, but its question has an answer"),
        (
            "  - about: Keys",
            "  - {about: K., id: zero, logits: 1, targets: 1}\n  - about: Keys",
            "block style",
        ),
        ("  - about: Keys", '  - expected: {loss: "1"}\n    about: Keys', "expected not first"),
        ("flags: []", "flags: [No]", "not explained in flags.yaml"),
    ],
)
def test_a_failure_leaves_the_file_untouched(path: Path, old: str, new: str, problem: str) -> None:
    text = TEXT.replace(old, new)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConformanceError, match=problem):
        run(path)
    assert text == path.read_text(encoding="utf-8")
    assert [path] == list(path.parent.iterdir())


def test_a_comment_on_the_line_of_the_key_stays(path: Path) -> None:
    line = "    expected:   # written by fill\n"
    path.write_text(TEXT.replace("    expected:\n", line), encoding="utf-8")
    assert run(path)
    text = path.read_text(encoding="utf-8")
    assert line in text
    assert '"17"' not in text
    assert not run(path)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('      loss: "17"\n', '      # why\n      loss: "17"\n', "21:7"),
        ('      loss: "17"\n', '      loss: "17"  # a "# b"\n', "21:19"),
        ('"1"]]\n    flags', '"1"]]   # last\n    flags', "23:48"),
    ],
)
def test_a_comment_that_would_be_lost_is_refused(
    path: Path, old: str, new: str, place: str
) -> None:
    assert old in TEXT
    text = TEXT.replace(old, new)
    path.write_text(text, encoding="utf-8")
    problem = "a comment inside expected would be lost; move it above the case."
    with pytest.raises(ConformanceError) as caught:
        run(path)
    assert f"{path}:{place}: {problem}" == str(caught.value)
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_line_ends_and_mode_stay(path: Path, suffix: str) -> None:
    text = TEXT if suffix == ".yaml" else json.dumps(Document(path).plain, indent=1)
    path = path.with_suffix(suffix)
    path.write_text(text, encoding="utf-8", newline="\r\n")
    path.chmod(0o640)
    assert run(path)
    content = path.read_bytes()
    assert content.count(b"\r\n") == content.count(b"\n") > 0
    assert path.stat().st_mode & 0o777 == 0o640
    assert not run(path)


def test_a_link_stays_a_link(path: Path) -> None:
    link = path.with_name("link.yaml")
    link.symlink_to(path)
    assert run(link)
    assert link.is_symlink()
    assert not run(path)


def test_a_file_that_cannot_be_written_is_one_sentence(path: Path) -> None:
    path.with_name(".theme.draft.yaml").mkdir()
    with pytest.raises(ConformanceError, match=r"theme.yaml: not written: Is a directory\. Make"):
        run(path)
    assert path.read_text(encoding="utf-8") == TEXT


def test_policies_are_filled_as_alternatives(tmp_path: Path) -> None:
    path = tmp_path / "theme.yaml"
    path.write_text(
        "format: bce-conformance/1\nabout: A.\ndefaults: {operation: bce, dtypes: [float32]}\n"
        "cases:\n  - id: one\n    about: B.\n    policies: [limit, clamp_log_100]\n"
        "    probabilities: 0\n    targets: 1\n",
        encoding="utf-8",
    )
    run(path)
    (case,) = load_corpus([path]).cases
    assert case.expected is not None
    limit, clamp = case.expected.alternatives
    assert (limit.policy, limit.outputs["loss"].values) == ("limit", ("inf",))
    assert (clamp.policy, clamp.outputs["loss"].values) == ("clamp_log_100", ("100",))
    assert list(clamp.outputs) == ["loss"]


def test_every_shipped_file_is_as_fill_writes_it(tmp_path: Path) -> None:
    root = tmp_path / "cases"
    shutil.copytree(default_root(), root)
    glossary = load_glossary([root])
    changed = [path for path, group in case_files([root]).items() if fill(path, group, glossary)]
    assert changed == []
