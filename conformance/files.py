"""Puts files in place whole, or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

from conformance.errors import ConformanceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to be written, which takes the place of ``path`` once all of it is there.

    Whoever opens ``path`` sees the old file or the new one, and a full disk leaves the old one. Of
    a link, what it points to is replaced. A file that was there keeps its permissions.

    Raises:
        ConformanceError: If ``path`` is no plain file, or cannot be written.
    """
    require_plain(path)
    place = Path(os.path.realpath(path))
    try:
        make_folder(place.parent)
        partial, file = create(partials(place))
        try:
            with file:
                yield file
                file.flush()
                # A disk may tell only now that it is full.
                os.fsync(file.fileno())
            if place.exists():
                partial.chmod(place.stat().st_mode & 0o777)
            partial.replace(place)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        refuse(path, error)


def require_plain(path: Path) -> None:
    """Refuse to put a file where a folder is, or a device or pipe, which would be gone.

    Raises:
        ConformanceError: If it is one.
    """
    if path.exists() and not path.is_file():
        msg = f"{path}: is {'a folder' if path.is_dir() else 'no plain file'}. Name a file."
        raise ConformanceError(msg)


def require_place(path: Path) -> None:
    """Refuse a place where no file can be made, before there is anything to lose.

    Folders that are not there yet are not made.

    Raises:
        ConformanceError: If ``path`` is no plain file, or nothing can be written there.
    """
    require_plain(path)
    folder = next(place for place in path.absolute().parents if place.exists())
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        refuse(path, error)


def refuse(path: Path, error: OSError, more: str = "") -> NoReturn:
    """Raise the sentence for a file that cannot be written."""
    msg = f"{path}: {error.strerror or error}{more}. Give a place that can be written to."
    raise ConformanceError(msg) from None


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where they are not there yet."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        # "File exists" would be true, and no help.
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def partials(path: Path) -> Iterator[Path]:
    """Names beside ``path`` for a file that is not complete yet."""
    return numbered(path, f"{path.name}.", ".partial")


def numbered(path: Path, stem: str, suffix: str) -> Iterator[Path]:
    """Names beside ``path`` with the process id, which is not unique: containers share folders."""
    yield path.with_name(f"{stem}{os.getpid()}{suffix}")
    yield from (path.with_name(f"{stem}{os.getpid()}-{index}{suffix}") for index in count(2))


def create(paths: Iterable[Path]) -> tuple[Path, IO[bytes]]:
    """The first of ``paths`` that does not exist, made and open."""
    for path in paths:
        with suppress(FileExistsError):
            return path, path.open("xb")
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
