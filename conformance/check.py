"""Finds what is wrong with case files, their answers included."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from conformance.casefile import json_schema
from conformance.corpus import (
    COMPANIONS,
    CorpusError,
    case_files,
    load_corpus,
    load_glossary,
    locate,
)
from conformance.document import Document
from conformance.errors import ConformanceError
from conformance.fill import require_invalid
from conformance.floats import FORMATS, parse, round_to
from conformance.truth import expected_for
from conformance.truth.digits import DIGITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from conformance.corpus import Corpus
    from conformance.model import Case

MAX_SENTENCE = 200
_NEEDLESS = re.compile(
    r"\b(tests? (that|whether|if)|checks? (that|whether|if)|should|must)\b", re.IGNORECASE
)


def check(roots: Sequence[Path], progress: Callable[[str], None]) -> tuple[int, list[str]]:
    """Check case files and folders of them.

    Args:
        roots: Files and folders. A file that belongs to a folder as a whole (its flags, policies or
            schema) is checked against the folder.
        progress: Called with the id of each case before its answer is computed again.

    Returns:
        How many cases were checked, and a sentence for each problem; none if all is well.
    """
    companions = [root for root in roots if root.name in COMPANIONS and not root.is_dir()]
    roots = [root for root in roots if root not in companions]
    problems = [problem for path in companions for problem in _companion(path)]
    if companions and not roots:
        return 0, problems
    try:
        corpus = load_corpus(roots)
    except CorpusError as error:
        return 0, [*problems, *error.problems]
    for case in corpus.cases:
        progress(case.id)
        problems += [f"{locate(case)}: {case.id}: {problem}." for problem in _case(case)]
    for root in roots:
        if root.is_dir():
            problems += _folder(root, corpus)
    for path in case_files(roots):
        about = Document(path).plain["about"]
        problems += [f"{path}: about: {problem}." for problem in _wording(about)]
    return len(corpus.cases), problems


def _case(case: Case) -> Iterator[str]:
    for problem in _wording(case.about):
        yield f"about: {problem}"
    if case.expected is None:
        yield "no expected answer; run `fill`"
        return
    try:
        if case.expected.raises:
            require_invalid(case)
        elif expected_for(replace(case, expected=None)) != case.expected:
            yield "its expected answer is not what the oracles give; run `fill`"
        else:
            yield from _ties(case)
    except ConformanceError as error:
        yield str(error).rstrip(".")


def _wording(about: str) -> Iterator[str]:
    """What keeps a sentence from reading like the others."""
    if about != " ".join(about.split()):
        yield "write it with single spaces, on one line"
    if not about.endswith("."):
        yield "end it with a full stop"
    if about[:1].islower():
        yield "begin it with a capital"
    if len(about) > MAX_SENTENCE:
        yield f"it has {len(about)} characters; keep to {MAX_SENTENCE}"
    if found := _NEEDLESS.search(about):
        yield f"say what is so, without {found.group(0)!r}"


_EXTREME = 1000
"""Beyond this decimal exponent a number is 0 or infinite in every dtype, and no tie is near."""


def _ties(case: Case) -> Iterator[str]:
    """Truths whose 40 digits do not settle to which number of a dtype they round."""
    assert case.expected is not None  # noqa: S101 - the caller has seen it
    for alternative in case.expected.alternatives:
        for output, truth in alternative.outputs.items():
            for text in set(truth.values):
                digits, _, power = text.partition("e")
                value = parse(text)
                exact = len(digits.strip("-").replace(".", "").lstrip("0")) < DIGITS
                if exact or not isinstance(value, Fraction) or abs(int(power or 0)) > _EXTREME:
                    continue
                step = Fraction(10) ** (int(power or 0) - len(digits.partition(".")[2])) / 2
                for dtype in case.dtypes:
                    ends = {round_to(value + side * step, FORMATS[dtype]) for side in (-1, 1)}
                    if len(ends) > 1:
                        yield f"{output} is {text}, too near a tie of {dtype} for 40 digits"


def _companion(path: Path) -> Iterator[str]:
    """What is wrong with one of ``COMPANIONS``, in its own lines or beside its folder's cases."""
    try:
        Document(path)
        corpus = load_corpus([path.parent])
    except ConformanceError as error:
        yield from str(error).splitlines()
        return
    for problem in _folder(path.parent, corpus):
        if problem.startswith(f"{path}:"):
            yield problem


def _folder(root: Path, corpus: Corpus) -> Iterator[str]:
    """What a whole folder has to have in order: its schema, and no word explained in vain."""
    schema = root / "schema.json"
    if schema.exists() and json.loads(Document(schema).text) != json_schema():
        yield f"{schema}: out of date. Run `bce-conformance schema > {schema}`."
    own = {kind: root / f"{kind}.yaml" for kind in ("flags", "policies")}
    glossary = load_glossary([root])
    for kind, path in own.items():
        used = {word for case in corpus.cases for word in getattr(case, kind)}
        if path.exists():
            for word in sorted(set(getattr(glossary, kind)) & set(Document(path).plain) - used):
                yield f"{path}: {word!r} is explained and no case uses it. Remove it or use it."
