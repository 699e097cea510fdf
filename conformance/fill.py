"""Writes the expected answers into case files, in place."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance.corpus import load_file
from conformance.document import Document
from conformance.errors import ConformanceError
from conformance.nodes import Number
from conformance.truth import InvalidQuestion, expected_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from conformance.glossary import Glossary
    from conformance.model import Case, Expected, Truth
    from conformance.nodes import Node

WIDTH = 100


def fill(path: Path, group: str, glossary: Glossary) -> bool:
    """Write `expected` into each case of a file; returns whether the file has changed.

    All else in the file stays as it is: comments, order, line ends, and the file's mode. The file
    is replaced only once the new one has been read back and says what the old one said, with the
    answers.

    Args:
        path: The file.
        group: The first part of its cases' full ids.
        glossary: The flags and policies that are explained.

    Raises:
        ConformanceError: If an answer cannot be had or written; the file is then untouched.
    """
    cases = load_file(path, group, glossary, answers=False)
    answers: list[Expected | None] = []
    for case in cases:
        if case.expected:
            require_invalid(case)
        answers.append(None if case.expected else expected_for(case))
    document = Document(path)
    entries = [_plain(answer) if answer else None for answer in answers]
    write = _write_json if path.suffix == ".json" else _write_yaml
    text = write(document, entries)
    if text == document.text:
        return False
    wanted = [
        replace(case, expected=answer or case.expected)
        for case, answer in zip(cases, answers, strict=True)
    ]
    try:
        _replace(path, text, lambda draft: _require_same(load_file(draft, group, glossary), wanted))
    except OSError as error:
        problem = error.strerror or error
        msg = (
            f"{path}: not written: {problem}. Make its folder writable, or free what is in the way."
        )
        raise ConformanceError(msg) from None
    return True


def _replace(path: Path, text: str, verify: Callable[[Path], None]) -> None:
    # Of a symbolic link, the file that it names. The draft's name begins with a dot, so that
    # nothing else takes it for a case file.
    target = path.resolve()
    draft = target.with_name(f".{path.stem}.draft{path.suffix}")
    try:
        draft.write_text(text, encoding="utf-8", newline="")
        shutil.copymode(target, draft)
        verify(draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _require_same(written: Sequence[Case], wanted: Sequence[Case]) -> None:
    for new, old in zip(written, wanted, strict=True):
        # The digest stands for the inputs: a NaN among them differs from itself.
        if replace(new, inputs={}, path=old.path) != replace(old, inputs={}):
            msg = f"{old.path}: {old.id} changes when its answer is written. Use block style."
            raise ConformanceError(msg)


def require_invalid(case: Case) -> None:
    """Make sure that a case which expects an error is one that no definition covers.

    Raises:
        ConformanceError: If the question has an answer.
    """
    try:
        expected_for(case)
    except InvalidQuestion:
        return
    msg = f"{case.path}: {case.id} expects an error, but its question has an answer. Run `fill`."
    raise ConformanceError(msg)


def _plain(expected: Expected) -> dict[str, Any]:
    """The entry `expected` as the file spells it."""
    options = [
        {name: _nested(truth) for name, truth in alternative.outputs.items()}
        | ({"raises": True} if alternative.raises else {})
        for alternative in expected.alternatives
    ]
    policies = [alternative.policy for alternative in expected.alternatives]
    if policies == [None]:
        return options[0]
    pairs = zip(policies, options, strict=True)
    return {"any_of": [{"policy": policy, **option} for policy, option in pairs]}


def _nested(truth: Truth) -> Any:
    """The texts in lists of the truth's shape; flat where only some positions are compared."""
    if truth.positions is not None:
        return list(truth.values)
    level: list[Any] = list(truth.values)
    for size in reversed(truth.shape[1:]):
        if not size:
            return []
        level = [level[start : start + size] for start in range(0, len(level), size)]
    return level if truth.shape else level[0]


def _write_yaml(document: Document, answers: Sequence[dict[str, Any] | None]) -> str:
    lines = document.text.splitlines(keepends=True)
    newline = _newline(document)
    comments = document.comments()
    entries = document.nodes.value["cases"].value
    for index in reversed(range(len(answers))):
        answer, entry = answers[index], entries[index]
        if answer is None:
            continue
        old = entry.value.get("expected")
        if entry.flow or (old and old.key_line == entry.line):
            problem = "write the case in block style, key by key, expected not first"
            raise ConformanceError(document.sentence(("cases", index), problem))
        indent = " " * (entry.column - 1)
        start, end = (old.key_line - 1, old.end_line) if old else (entry.end_line,) * 2
        head, *rest = _yaml("expected", answer, indent)
        if old:
            _require_no_comment(document, old, comments)
            if column := comments.get(old.key_line):
                line = lines[start].rstrip("\r\n")
                head += line[len(line[: column - 1].rstrip()) :]
        if not lines[-1].endswith("\n"):
            lines[-1] += newline
        lines[start:end] = [f"{line}{newline}" for line in (head, *rest)]
    return "".join(lines)


def _newline(document: Document) -> str:
    return "\r\n" if "\r\n" in document.text else "\n"


def _require_no_comment(document: Document, expected: Node, comments: Mapping[int, int]) -> None:
    """The comment on the line of the key is kept; for another there is no place."""
    for line in range(expected.key_line + 1, expected.end_line + 1):
        if line in comments:
            msg = (
                f"{document.path}:{line}:{comments[line]}: a comment inside expected would be "
                "lost; move it above the case."
            )
            raise ConformanceError(msg)


def _yaml(key: str, value: Any, indent: str) -> Iterator[str]:
    """Lines of ``key: value``: inline where it fits, otherwise a block."""
    inline = json.dumps(value) if not isinstance(value, dict) else None
    if inline is not None and len(indent) + len(key) + len(inline) + 2 <= WIDTH:
        yield f"{indent}{key}: {inline}"
        return
    yield f"{indent}{key}:"
    yield from _yaml_block(value, indent + "  ")


def _yaml_block(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from (
                _yaml(name, item, indent) if name != "policy" else [f"{indent}{name}: {item}"]
            )
        return
    for item in value:
        inline = json.dumps(item) if not isinstance(item, dict) else None
        if inline is not None and len(indent) + len(inline) + 2 <= WIDTH:
            yield f"{indent}- {inline}"
        else:
            head, *rest = _yaml_block(item, indent + "  ")
            yield f"{indent}- {head.lstrip()}"
            yield from rest


def _write_json(document: Document, answers: Sequence[dict[str, Any] | None]) -> str:
    for entry, answer in zip(document.plain["cases"], answers, strict=True):
        if answer is not None:
            entry["expected"] = answer
    return (_json(document.plain, "") + "\n").replace("\n", _newline(document))


def _json(value: Any, indent: str) -> str:
    """JSON with one key a line, and lists on one line where they fit."""
    inline = _json_inline(value)
    if not isinstance(value, dict) and len(indent) + len(inline) <= WIDTH:
        return inline
    if not value or not isinstance(value, (dict, list)):
        return inline
    deeper = indent + "  "
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_json(item, deeper)}" for key, item in value.items()]
        ends = "{}"
    else:
        items = [_json(item, deeper) for item in value]
        ends = "[]"
    return f"{ends[0]}\n{deeper}" + f",\n{deeper}".join(items) + f"\n{indent}{ends[1]}"


def _json_inline(value: Any) -> str:
    if isinstance(value, Number):
        return value.text
    if isinstance(value, list):
        return "[" + ", ".join(map(_json_inline, value)) + "]"
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(k)}: {_json_inline(v)}" for k, v in value.items()) + "}"
        )
    return json.dumps(value)
