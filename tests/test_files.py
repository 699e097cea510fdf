"""Files, put in place whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from conformance.errors import ConformanceError
from conformance.files import replacing, require_place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def put(path: Path) -> None:
    with replacing(path) as file:
        file.write(b"new")


def test_a_file_is_there_once_all_of_it_is(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    with replacing(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert b"new" == path.read_bytes()
    assert [path] == list(path.parent.iterdir())


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail() -> None:
        with replacing(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert b"old" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_a_link_stays_one_and_a_file_keeps_its_permissions(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    put(link)
    assert link.is_symlink()
    assert (b"new", 0o640) == (path.read_bytes(), path.stat().st_mode & 0o777)


@pytest.mark.parametrize("check", [put, require_place])
def test_a_device_a_pipe_or_a_folder_is_not_replaced(
    tmp_path: Path, check: Callable[[Path], None]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    # A link to a device, for what would be lost if this failed.
    (tmp_path / "device").symlink_to(os.devnull)
    for name, problem in (("pipe", "no plain file"), ("device", "no plain file"), ("", "a folder")):
        with pytest.raises(ConformanceError) as caught:
            check(tmp_path / name)
        assert f"{tmp_path / name}: is {problem}. Name a file." == str(caught.value)
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("check", [put, require_place])
def test_a_place_that_cannot_be_written_to_is_one_sentence(
    tmp_path: Path, check: Callable[[Path], None]
) -> None:
    (tmp_path / "file").touch()
    for place in ("file/new", "file/folder/new"):
        with pytest.raises(ConformanceError) as caught:
            check(tmp_path / place)
        sentence = f"{tmp_path / place}: Not a directory. Give a place that can be written to."
        assert sentence == str(caught.value)


def test_a_place_is_looked_at_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    require_place(tmp_path / "file")
    require_place(tmp_path / "not" / "there" / "yet")
    assert [tmp_path / "file"] == list(tmp_path.iterdir())
