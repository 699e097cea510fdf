"""Finds the cases that a command line names."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn

from conformance.commands._common import load_cases, show

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from conformance.glossary import Glossary
    from conformance.model import Case


def refuse(options: argparse.Namespace, sentence: str) -> NoReturn:
    """End with a sentence on the command line, without its full stop, and the code for usage."""
    parser: argparse.ArgumentParser = options.parser
    parser.error(sentence)


def near(text: str, known: Iterable[str]) -> str:
    """What to say of the names most like ``text``; "" where none is like it."""
    names = {name.casefold(): name for name in known}
    found = get_close_matches(text.casefold(), names, cutoff=0.5)
    return f"; near it are {', '.join(names[name] for name in found)}" if found else ""


def find_case(options: argparse.Namespace) -> tuple[Case, Glossary]:
    """The case of ``options.id``, a full id or a part that only one id has, and its words.

    Only where no case has this full id are all files loaded.
    """
    id_ = options.id.strip("/")
    show(f"looking for {id_}")
    case, glossary = _in_its_file(id_, options)
    if case is None:
        corpus = load_cases(options)
        by_id = {case.id: case for case in corpus.cases}
        case, glossary = by_id[_resolve(id_, by_id, options)], corpus.glossary
    show("")
    return case, glossary


def _in_its_file(id_: str, options: argparse.Namespace) -> tuple[Case | None, Glossary]:
    """The case from the file that its id names."""
    from conformance.corpus import (  # noqa: PLC0415
        case_files,
        default_root,
        load_file,
        load_glossary,
    )

    roots = options.cases or [default_root()]
    glossary = load_glossary(roots)
    group = id_.rpartition("/")[0]
    for path, found in case_files(roots).items():
        if found == group:
            for case in load_file(path, group, glossary):
                if case.id == id_:
                    return case, glossary
    return None, glossary


def _resolve(text: str, ids: Iterable[str], options: argparse.Namespace) -> str:
    """The one id that ends with a part of this name, or else the one that contains it."""
    ids = sorted(ids)
    if text in ids:
        return text
    ending = [id_ for id_ in ids if id_.endswith(f"/{text}")]
    found = ending or [id_ for id_ in ids if text in id_]
    if len(found) == 1:
        return found[0]
    show("")
    if found:
        some = ", ".join(found[:3]) + (" and others" if found[3:] else "")
        refuse(options, f"{text!r} is a part of {len(found)} ids: {some}. Give more of it")
    last = {id_.rpartition("/")[2]: id_ for id_ in ids}
    hint = near(text, ids) or near(text, last)
    refuse(options, f"no case has the id {text!r}{hint}")
