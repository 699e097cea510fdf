"""Loads the case files under a folder into cases."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import msgspec
from msgspec import UNSET

from conformance.casefile import CaseFile, EntryError, decode_hook
from conformance.document import Document
from conformance.entries import CaseBuilder
from conformance.errors import ConformanceError
from conformance.glossary import Explanation, Glossary
from conformance.jobentries import with_floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Case

T = TypeVar("T")
COMPANIONS = ("flags.yaml", "policies.yaml", "schema.json")
"""Files beside a folder's case files that are none themselves."""

_GROUP = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)*")
_PLACE = re.compile(r" - at `\$([^`]*)`$")
_UNKNOWN_KEY = "..."
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")


class CorpusError(ConformanceError):
    """Everything that is wrong with the case files, one sentence a line."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Corpus:
    """The cases, by id, and the words that they use."""

    cases: tuple[Case, ...]
    glossary: Glossary

    @property
    def sha256(self) -> str:
        """Digest of every question, by id."""
        lines = sorted(f"{case.id} {case.sha256}" for case in self.cases)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def default_root() -> Path:
    """The folder of the case files: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "cases"
    return installed if installed.is_dir() else package.parent / "cases"


def load_corpus(paths: Sequence[Path] = ()) -> Corpus:
    """Load case files: those of ``paths`` (files or folders), or the suite's own.

    Raises:
        CorpusError: With every problem found; nothing is half-loaded.
    """
    roots = [Path(path) for path in paths] or [default_root()]
    problems: list[str] = []
    cases: dict[str, Case] = {}
    try:
        glossary = load_glossary(roots)
        files = case_files(roots)
    except OSError as error:
        _refuse(error)
    for path, group in files.items():
        try:
            found = load_file(path, group, glossary)
        except ConformanceError as error:
            problems += str(error).splitlines()
            continue
        for case in found:
            other = cases.setdefault(case.id, case)
            if other is not case:
                taken = f"the id {case.id} is taken by {locate(other)}. Give it another"
                problems.append(f"{locate(case)}: {taken}.")
    if problems:
        raise CorpusError(problems)
    return Corpus(tuple(cases[id_] for id_ in sorted(cases)), glossary)


def case_files(roots: Sequence[Path]) -> dict[Path, str]:
    """The case files among files and folders, sorted, each with its group.

    Raises:
        CorpusError: If one of ``roots`` has none, or cannot be searched, or if a file's name does
            not fit a group.
    """
    found: dict[Path, str] = {}
    for root in roots:
        files = _files_below(root) if root.is_dir() else [root]
        if not files:
            text = f"{root}: no case files here. Give a .yaml or .json file, or a folder of them."
            raise CorpusError([text])
        for path in files:
            # Links of the folder are followed, so that no file is met twice; that of the file
            # itself is not, for its own name is its group.
            real = Path(os.path.realpath(path.parent), path.name)
            found[real] = _group(real, root)
    problems = [
        f"{path}: the name {group!r} is a part of ids, of lower-case letters, digits and _. "
        "Rename the file or its folder."
        for path, group in found.items()
        if not _GROUP.fullmatch(group)
    ]
    if problems:
        raise CorpusError(problems)
    return found


def _files_below(root: Path) -> list[Path]:
    """The case files of a folder; hidden ones and linked folders are left out."""
    found = set()
    for folder, folders, names in os.walk(root, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found |= {
            Path(folder, name)
            for name in names
            if name.endswith((".yaml", ".json")) and not name.startswith(".")
        }
    return sorted(found - {root / name for name in COMPANIONS})


def _refuse(error: OSError) -> NoReturn:
    text = f"{error.filename}: {error.strerror}. Make it readable, or move it elsewhere."
    raise CorpusError([text]) from None


def _group(path: Path, root: Path) -> str:
    for base in (default_root(), root):
        real = os.path.realpath(base)
        if base.is_dir() and path.is_relative_to(real):
            return path.relative_to(real).with_suffix("").as_posix()
    return path.stem


def load_glossary(roots: Sequence[Path]) -> Glossary:
    """Flags and policies: the suite's own, and those explained in the folders given.

    Raises:
        ConformanceError: If a file of them is malformed.
    """
    folders = [default_root(), *(root if root.is_dir() else root.parent for root in roots)]
    kinds: dict[str, dict[str, Explanation]] = {"flags": {}, "policies": {}}
    for folder in dict.fromkeys(folders):
        for kind, known in kinds.items():
            path = folder / f"{kind}.yaml"
            if path.exists():
                known.update(_convert(Document(path), dict[str, Explanation]))
    return Glossary(**kinds)


def _convert(document: Document, kind: type[T]) -> T:
    try:
        return msgspec.convert(_with_floats(document.plain), kind, dec_hook=decode_hook)
    except msgspec.ValidationError as error:
        text = str(error)
        where: list[str | int] = []
        if found := _PLACE.search(text):
            text = text[: found.start()]
            steps = (_step(*step.groups()) for step in _STEP.finditer(found.group(1)))
            # Of a mapping whose keys may be any, the path does not tell the key.
            where = list(takewhile(lambda step: step != _UNKNOWN_KEY, steps))
        raise CorpusError([document.sentence(where, text)]) from None


def _with_floats(plain: Any) -> Any:
    """A file whose jobs have plain numbers; those of its arrays stay as they are written."""
    if not isinstance(plain, dict):
        return plain
    holders = plain.get("cases")
    cases = [_job_with_floats(case) for case in holders] if isinstance(holders, list) else holders
    changed = {"cases": cases, "defaults": _job_with_floats(plain.get("defaults"))}
    return plain | {key: value for key, value in changed.items() if key in plain}


def _job_with_floats(holder: Any) -> Any:
    if isinstance(holder, dict) and "job" in holder:
        return holder | {"job": with_floats(holder["job"])}
    return holder


def _step(key: str | None, index: str | None) -> str | int:
    return key or (int(index) if index else _UNKNOWN_KEY)


def load_file(path: Path, group: str, glossary: Glossary, *, answers: bool = True) -> list[Case]:
    """Load one case file.

    Args:
        path: The file.
        group: The first part of its cases' full ids.
        glossary: The flags and policies that are explained.
        answers: False to leave out every `expected` but `raises: true`, right or not.

    Raises:
        CorpusError: With every problem of the file.
        DocumentError: If it cannot be read at all.
    """
    document = Document(path)
    file = _convert(document, CaseFile)
    problems = []
    cases = []
    first: dict[str, int] = {}
    for index, entry in enumerate(file.cases):
        builder = CaseBuilder(entry, file.defaults)
        if (other := first.setdefault(entry.id, index)) != index:
            text = f"the id {entry.id} is taken by cases[{other}]; give this case another"
            problems.append(document.sentence(("cases", index, "id"), text))
            continue
        if not answers and entry.expected and entry.expected.raises is UNSET:
            entry.expected = UNSET
        try:
            builder.check_known("flags", glossary.flags)
            builder.check_known("policies", glossary.policies)
            cases.append(builder.build(path, group, tuple(file.source)))
        except EntryError as error:
            problems.append(document.sentence(("cases", index, *error.path), str(error)))
    if problems:
        raise CorpusError(problems)
    return cases


def locate(case: Case) -> str:
    """``file:line:column`` of a case."""
    document = Document(case.path)
    for index, entry in enumerate(document.plain["cases"]):
        if case.id == f"{case.group}/{entry['id']}":
            node = document.nodes.at(("cases", index))
            return f"{case.path}:{node.line}:{node.column}"
    return str(case.path)
