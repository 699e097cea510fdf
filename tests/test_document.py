"""Text to plain values, and where each stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.document import Document
from conformance.nodes import MAX_DEPTH, DocumentError, Number

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path, text: str, suffix: str = ".yaml") -> Document:
    path = folder / f"file{suffix}"
    path.write_bytes(text.encode())
    return Document(path)


def refusal(folder: Path, text: str, suffix: str = ".yaml") -> str:
    with pytest.raises(DocumentError) as caught:
        read(folder, text, suffix)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(str(folder / "file"))


def test_scalars_mean_what_yaml_1_2_says(tmp_path: Path) -> None:
    text = "[1, -2, 1e-7, .5, 1., 0.1, NO, yes, on, true, False, null, ~, 0x1p3, 1:30, '1']"
    expected = [1, -2, Number("1e-7"), Number(".5"), Number("1."), Number("0.1")]
    expected += ["NO", "yes", "on", True, False, None, None, "0x1p3", "1:30", "1"]
    assert expected == read(tmp_path, text).plain


def test_a_number_keeps_its_text(tmp_path: Path) -> None:
    text = "[0.10, 12345678901234567890, -0.0]"
    expected = [Number("0.10"), Number("12345678901234567890"), Number("-0.0")]
    assert expected == read(tmp_path, text).plain
    assert expected == read(tmp_path, text, ".json").plain


def test_json_and_yaml_of_one_text_read_alike(tmp_path: Path) -> None:
    text = '{"a": [1, -2.5e-3, "nan", true, null], "b": {"c": []}}'
    assert read(tmp_path, text).plain == read(tmp_path, text, ".json").plain


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ('{"a": 1,\n "a": 2}', ":2:2: ", "the key 'a' stands here a second time"),
        ('{"a":\n  [NaN]}', ":2:4: ", 'write NaN as a string: "nan"'),
        ('{"a": -Infinity}', ":1:7: ", 'write -Infinity as a string: "-inf"'),
        ("[" * 200_000, f":1:{MAX_DEPTH + 1}: ", "nested deeper"),
        ('{"a":' * 200_000, f":1:{5 * MAX_DEPTH + 1}: ", "nested deeper"),
    ],
    ids=["duplicate", "nan", "infinity", "lists", "mappings"],
)
def test_what_both_formats_refuse_has_a_place(
    tmp_path: Path, text: str, place: str, problem: str, suffix: str
) -> None:
    message = refusal(tmp_path, text, suffix)
    assert message.startswith(f"{suffix}{place}")
    assert problem in message


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("a: 1\na: 2", ".yaml:2:1: the key 'a' stands here a second time"),
        ("a: .inf", '.yaml:1:4: write .inf as a string: "inf"'),
        ("a: &x 1\nb: *x", ".yaml:1:4: anchors, aliases and tags"),
        ("a: !!int 1", ".yaml:1:4: anchors, aliases and tags"),
        ("1: a", ".yaml:1:1: a key must be a word"),
        ("? [a]\n: b", ".yaml:1:3: a key must be a word"),
        ("a: 1\n---\nb: 2", ".yaml:3:1: a second document"),
        ("", ".yaml:1:1: the file is empty"),
        ("a:\n\t- b", ".yaml:2:1: "),
        ("a: [1, 2", ".yaml:2:1: did not find expected"),
        ("a: \x07", ".yaml:1:1: control characters"),
    ],
)
def test_what_yaml_refuses_has_a_place(tmp_path: Path, text: str, start: str) -> None:
    assert refusal(tmp_path, text).startswith(start)


def test_truncated_json_has_a_place(tmp_path: Path) -> None:
    assert refusal(tmp_path, '{"a": [1,\n  2', ".json").startswith(".json:2:4: ")


@pytest.mark.parametrize("escape", [r"\ud800", r"\uDC00", r"\udc00\ud800"])
def test_half_a_character_has_a_place(tmp_path: Path, escape: str) -> None:
    text = f'{{"a": 1,\n "b": ["{escape}"]}}'
    assert refusal(tmp_path, text).startswith(".yaml:2:")
    message = refusal(tmp_path, text, ".json")
    assert message == f".json:2:9: {escape[:6]} is half of a character. Write the whole one."


def test_whole_characters_may_be_escaped(tmp_path: Path) -> None:
    assert ["\U0001f600", r"\ud800"] == read(
        tmp_path, r'["\ud83d\ude00", "\\ud800"]', ".json"
    ).plain


def test_comments_are_told_from_hashes_in_texts(tmp_path: Path) -> None:
    text = "# one\na#b: '# c\n  # d' # four\r\ne: [\"#\", # five\n  1]\nf:   # é # seven\n  g: 1\n"
    assert {1: 1, 3: 8, 4: 10, 6: 6} == read(tmp_path, text).comments()


def test_ten_megabytes_of_nesting_are_refused(tmp_path: Path) -> None:
    for suffix in (".yaml", ".json"):
        assert "nested deeper" in refusal(tmp_path, "[" * 10_000_000, suffix)


def test_bytes_that_are_not_utf_8_have_a_line(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(b"a: 1\nb: \xff")
    with pytest.raises(DocumentError, match=r"file.yaml:2:1: byte 8 is not UTF-8"):
        Document(path)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"No such file or directory\. Give a case file"):
        Document(tmp_path / "absent.yaml")


def test_a_node_knows_its_lines(tmp_path: Path) -> None:
    text = (
        "a:\n  - x: 1\n    y: >\n      folded\n      text\n    # after\n\n  - z: [1,\n       2]\n"
    )
    nodes = read(tmp_path, text).nodes
    first, second = nodes.value["a"].value
    assert (first.line, first.end_line) == (2, 5)
    assert (second.line, second.end_line) == (8, 9)
    assert first.value["y"].key_line == 3


def test_a_sentence_falls_back_to_what_is_there(tmp_path: Path) -> None:
    document = read(tmp_path, "a:\n  - b: 1\n")
    sentence = document.sentence(("a", 0, "missing", 3), "a problem")
    assert sentence == f"{tmp_path / 'file.yaml'}:2:5: a[0].missing[3]: a problem."
