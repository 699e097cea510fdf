"""Which files are case files, and what their paths make of ids."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from conformance.corpus import CorpusError, default_root, load_corpus

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
format: bce-conformance/1
about: A file.
defaults: {operation: bce_with_logits, reduction: none, dtypes: [float32, float64]}
cases:
  - {id: one, about: A case., logits: [0.5], targets: [1]}
"""


def write(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(TEXT, encoding="utf-8")


def ids(*roots: Path) -> list[str]:
    return [case.id for case in load_corpus(roots).cases]


def problems(root: Path) -> tuple[str, ...]:
    with pytest.raises(CorpusError) as caught:
        load_corpus([root])
    return caught.value.problems


def test_ids_below_folders_carry_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "logits" / "zero.yaml")
    assert ["logits/zero/one"] == ids(tmp_path)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no case files here"):
        load_corpus([tmp_path])


def test_a_loop_of_links_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    write(tmp_path / "theme.yaml")
    (found,) = problems(tmp_path)
    expected = f"{tmp_path / 'loop.yaml'}: Too many levels of symbolic links. "
    assert found.startswith(expected)


def test_a_link_to_nothing_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "gone.yaml").symlink_to("nowhere.yaml")
    write(tmp_path / "theme.yaml")
    (found,) = problems(tmp_path)
    assert found.startswith(f"{tmp_path / 'gone.yaml'}: No such file or directory. ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
@pytest.mark.parametrize("inner", ["closed", "."])
@pytest.mark.parametrize("mode", [0o000, 0o400])
def test_a_folder_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, mode: int, inner: str
) -> None:
    write(tmp_path / "theme.yaml")
    closed = tmp_path / "closed"
    write(closed / "one.yaml")
    closed.chmod(mode)
    try:
        (found,) = problems(tmp_path / inner)
    finally:
        closed.chmod(0o700)
    assert found.startswith(str(closed))
    assert "Permission denied. " in found


def test_folders_and_hidden_files_are_no_case_files(tmp_path: Path) -> None:
    write(tmp_path / "theme.yaml")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in (".hidden/one.yaml", ".theme.draft.yaml"):
        (tmp_path / name).write_text("no case file", encoding="utf-8")
    assert ["theme/one"] == ids(tmp_path)


def test_a_link_has_the_group_of_its_own_name(tmp_path: Path) -> None:
    write(tmp_path / "theme.yaml")
    cases = tmp_path / "cases"
    cases.mkdir()
    (cases / "own.yaml").symlink_to(tmp_path / "theme.yaml")
    assert ["own/one"] == ids(cases)
    assert ["own/one"] == ids(cases / "own.yaml")


def test_a_file_given_twice_is_loaded_once(tmp_path: Path) -> None:
    write(tmp_path / "theme.yaml")
    (tmp_path / "linked").symlink_to(tmp_path)
    ways = [tmp_path, tmp_path / "theme.yaml", tmp_path / "linked" / "theme.yaml"]
    assert ["theme/one"] == ids(*ways)


def test_a_name_that_fits_no_id_is_refused(tmp_path: Path) -> None:
    names = ["Folder/theme.yaml", "two-words.yaml"]
    for name in names:
        write(tmp_path / name)
    expected = [f"{tmp_path / name}: the name {name[:-5]!r} is a part of ids" for name in names]
    assert expected == [text.partition(", of")[0] for text in problems(tmp_path)]
    (found,) = problems(tmp_path / names[1])
    assert found.endswith("Rename the file or its folder.")
    # The name of the root is no part of an id.
    assert ["theme/one"] == ids(tmp_path / "Folder")


def test_a_case_of_the_suite_has_its_id_however_its_file_is_named() -> None:
    folder = default_root() / "training"
    named = {case.id for case in load_corpus([folder / "modes.yaml"]).cases}
    assert named <= {case.id for case in load_corpus([folder]).cases}
    assert {"training/modes"} == {name.rpartition("/")[0] for name in named}
