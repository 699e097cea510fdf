"""`list`: looks cases up."""

from __future__ import annotations

import shutil
import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, get_args

from conformance.commands._cases import near, refuse
from conformance.commands._common import (
    FINE,
    NOTHING,
    add_cases,
    add_format,
    load_cases,
    say,
    say_json,
    show,
    warn,
)
from conformance.errors import one_line
from conformance.model import DtypeName
from conformance.operations import OPERATIONS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from conformance.commands._common import Commands
    from conformance.corpus import Corpus
    from conformance.model import Case

_FILTERS = ("operation", "reduction", "dtype", "flag", "policy", "group")
"""Options whose values are names that cases have."""


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "list",
        help="look cases up",
        description="List the cases that fit one of the patterns and every filter; of a filter"
        " that is given more than once, any. Prints an id, a tab and what the case is about; on a"
        " terminal in columns, cut to its width. How many there are goes to standard error.",
        epilog="Where no case fits, nothing is printed, and the exit code is 3. With --format json"
        " the answer is a list, of which each case has the keys id, about, operation, reduction,"
        " dtypes, flags, policies, source, job, sha256, file.",
    )
    parser.add_argument(
        "patterns",
        nargs="*",
        metavar="PATTERN",
        help="a part of the id, or with *, ? or [ the whole of it, as in a shell;"
        " a * goes through /",
    )
    parser.add_argument(
        "--operation", action="append", choices=list(OPERATIONS), help="what is asked for"
    )
    parser.add_argument(
        "--reduction", action="append", metavar="NAME", help="none, mean, sum, or a bad one"
    )
    parser.add_argument(
        "--dtype", action="append", choices=get_args(DtypeName), help="asked in this one, too"
    )
    parser.add_argument("--flag", action="append", metavar="NAME", help="such as NegativeTail")
    parser.add_argument(
        "--policy", action="append", metavar="NAME", help="right under it, such as clamp_log_100"
    )
    parser.add_argument(
        "--group", action="append", metavar="PATH", help="a file or folder, such as logits/weights"
    )
    parser.add_argument(
        "--source", action="append", metavar="TEXT", help="a part of one, such as pytorch#195529"
    )
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--jobs", action="store_true", help="only training, evaluation, prediction")
    kinds.add_argument("--losses", action="store_true", help="only losses")
    add_format(parser)
    add_cases(parser)
    parser.set_defaults(run=_run, parser=parser)


def _run(options: argparse.Namespace) -> int:
    show("loading the cases")
    corpus = load_cases(options)
    show("")
    wanted = {name: getattr(options, name) for name in _FILTERS if getattr(options, name)}
    _check_names(options, wanted, corpus)
    found = [case for case in corpus.cases if _fits(case, options, wanted)]
    if options.format == "json":
        say_json([_facts(case) for case in found])
    else:
        for line in _lines(found):
            say(line)
    warn(f"{len(found)} of {len(corpus.cases)} cases" if found else "no case fits")
    return FINE if found else NOTHING


def _names(case: Case) -> Mapping[str, Sequence[str]]:
    """What a case has of each filter's names."""
    steps = case.group.split("/")
    return {
        "operation": [case.operation],
        "reduction": [case.reduced],
        "dtype": case.dtypes,
        "flag": case.flags,
        "policy": case.policies,
        "group": ["/".join(steps[:count]) for count in range(1, len(steps) + 1)],
    }


def _check_names(
    options: argparse.Namespace, wanted: Mapping[str, Sequence[str]], corpus: Corpus
) -> None:
    """Refuse a name that no case has and no glossary explains: more likely a slip."""
    known = {
        name: {word for case in corpus.cases for word in _names(case)[name]} for name in wanted
    }
    explained = {"flag": corpus.glossary.flags, "policy": corpus.glossary.policies}
    free = ("operation", "dtype")  # The parser has checked them.
    for name, words in wanted.items():
        every = known[name].union(explained.get(name, ()))
        for word in words:
            if name not in free and word.rstrip("/") not in every:
                refuse(options, f"no {name} is called {word!r}{near(word, every)}")


def _fits(case: Case, options: argparse.Namespace, wanted: Mapping[str, Sequence[str]]) -> bool:
    names = _names(case)
    return (
        (not options.patterns or any(_matches(case.id, text) for text in options.patterns))
        and all(
            any(word.rstrip("/") in names[name] for word in words) for name, words in wanted.items()
        )
        and (
            not options.source
            or any(text in source for text in options.source for source in case.source)
        )
        and not (options.jobs and case.job is None)
        and not (options.losses and case.job is not None)
    )


def _matches(id_: str, pattern: str) -> bool:
    if any(char in pattern for char in "*?["):
        return fnmatchcase(id_, pattern)
    return pattern in id_


def _lines(cases: Sequence[Case]) -> list[str]:
    """A line for each case: on a terminal in columns, elsewhere whole, with a tab between."""
    about = [one_line(" ".join(case.about.split())) for case in cases]
    if not sys.stdout.isatty():
        return [f"{case.id}\t{text}" for case, text in zip(cases, about, strict=True)]
    width = shutil.get_terminal_size().columns
    column = min(width // 2, max((len(case.id) for case in cases), default=0))
    return [
        _cut(f"{case.id:{column}}  ", text, width) for case, text in zip(cases, about, strict=True)
    ]


def _cut(start: str, text: str, width: int) -> str:
    """A line of as much of ``text`` as there is room for."""
    room = max(0, width - len(start))
    return (start + (text if len(text) <= room else text[: room - 1] + "…" * (room > 0))).rstrip()


def _facts(case: Case) -> dict[str, object]:
    return {
        "id": case.id,
        "about": case.about,
        "operation": case.operation,
        "reduction": case.reduction,
        "dtypes": case.dtypes,
        "flags": case.flags,
        "policies": case.policies,
        "source": case.source,
        "job": case.job is not None,
        "sha256": case.sha256,
        "file": str(case.path),
    }
