"""Makes hostile variants of a text and of the values in it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

SCALARS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 64, 65, -0.0, 0.1, 1e-7, 1e-320, 1e308, 2.5),
    *(2**31, 2**53 + 1, 2**63, 2**64, 10**23, 10**400, -(10**30), 1000, 100_001, 10**6, 10**12),
    *(
        "",
        " ",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "-0.0",
        "0x1p-3",
        "0x1p99999",
        "1e999999999",
        "1e-9999",
    ),
    *(
        "a\nb",
        "a\r\nb",
        "\x00",
        "\x7f",
        "\x85",
        "\u2028",
        "\u202e",
        "\ufeff",
        "\ud800",
        "\U0001f4a5",
    ),
    *("*", "[", "[!]-", "?", "../../x", "a/b", "<script>", '"', "'", "\\", "#", "{}", "%s", "{0}"),
    *(
        "none",
        "mean",
        "sum",
        "bce",
        "train",
        "float16",
        "float64",
        "int64",
        "wrong",
        "cpu",
        "cuda:1",
    ),
    *(
        ">=2",
        "~=1",
        "9" * 50,
        "9" * 5000,
        "x" * 3000,
        "0x" + "1" * 30_000,
        "*a" * 500,
        "2026-01-31",
        "2026-13-99",
    ),
)
"""Values that readers of files trip over."""

TREES: tuple[Any, ...] = (
    *([], {}, [[]], [{}], {"": ""}, [1, "1"], [[1], 2], [[1, 2], [3]], [None]),
    {"repeat": 0.5, "shape": [10**12]},
    {"repeat": 0.5, "shape": [10**6, 10**6]},
    {"repeat": [], "shape": [3]},
    {"repeat": 0.5, "shape": [0]},
    {"repeat": 0.5, "shape": [1] * 40},
    {"linspace": [-8, 8], "shape": [10**9]},
    {"linspace": [-8, 8], "shape": [17]},
    {"linspace": ["nan", "inf"], "shape": [2]},
    {"raises": True},
    {"any_of": []},
    {"torch": ">=2.0"},
)
"""Values with values in them."""

TOKENS = (
    *(
        "[",
        "]",
        "{",
        "}",
        ":",
        ",",
        "\n",
        "\t",
        '"',
        "'",
        "#",
        "-",
        "- ",
        "? ",
        "| ",
        ">-\n",
        "---\n",
    ),
    *(
        "&a ",
        "*a",
        "!!int ",
        "!!python/object:os.system ",
        "<<: ",
        "%YAML 1.1\n",
        "...\n",
        "=",
        "[[",
    ),
    *(
        "]]",
        '"""',
        "null",
        "true",
        "NaN",
        "Infinity",
        ".inf",
        "1e999999999",
        "-0",
        "0x1p-9999999999",
    ),
    *(
        "\x00",
        "\ufeff",
        "\u2028",
        "\x85",
        "\ud7ff",
        "\\ud800",
        "\\u0000",
        "[" * 100,
        "[" * 5000,
        "{a: " * 50,
    ),
    *("a.b.c = 1\n", "a = [" * 40, "{a={" * 40, "9" * 5000, "1" * 400, "2026-01-31", "07:32:00"),
)
"""Pieces of the languages in which the files are written."""

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"')


def mutate_text(random: random.Random, text: str, others: Sequence[str]) -> bytes:
    """``text`` with one to four changes, of characters, tokens, lines or bytes."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        text = random.choice(_TEXT)(random, text, others)
    raw = text.encode("utf-8", "surrogatepass")
    if random.random() < 0.2:
        raw = random.choice(_BYTES)(random, bytearray(raw))
    return raw


def _span(random: random.Random, size: int) -> tuple[int, int]:
    start = random.randrange(size + 1)
    length = int(min(size, 2 ** random.uniform(0, 9)))
    return start, min(size, start + length)


def _insert_token(random: random.Random, text: str, _: Sequence[str]) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(TOKENS) + text[at:]


def _replace_token(random: random.Random, text: str, _: Sequence[str]) -> str:
    """Another number in the place of a number, another string in the place of a string."""
    found = list(random.choice((_NUMBER, _QUOTED)).finditer(text))
    if not found:
        return text
    match = random.choice(found)
    value = random.choice(SCALARS)
    new = json.dumps(value, ensure_ascii=random.random() < 0.5)
    return text[: match.start()] + new + text[match.end() :]


def _swap_tokens(random: random.Random, text: str, _: Sequence[str]) -> str:
    words = list(re.finditer(r"[\w.\"'-]+", text))
    if len(words) < 2:
        return text
    first, second = sorted(random.sample(words, 2), key=lambda word: word.start())
    between = text[first.end() : second.start()]
    return text[: first.start()] + second[0] + between + first[0] + text[second.end() :]


def _delete(random: random.Random, text: str, _: Sequence[str]) -> str:
    start, end = _span(random, len(text))
    return text[:start] + text[end:]


def _duplicate(random: random.Random, text: str, _: Sequence[str]) -> str:
    start, end = _span(random, len(text))
    return text[:end] + text[start:end] * random.choice((1, 1, 2, 50)) + text[end:]


def _truncate(random: random.Random, text: str, _: Sequence[str]) -> str:
    return text[: random.randrange(len(text) + 1)]


def _splice(random: random.Random, text: str, others: Sequence[str]) -> str:
    other = random.choice(others)
    start, end = _span(random, len(other))
    at = random.randrange(len(text) + 1)
    return text[:at] + other[start:end] + text[at:]


def _lines(random: random.Random, text: str, _: Sequence[str]) -> str:
    """A line that is gone, stands twice, elsewhere, or further right."""
    lines = text.split("\n")
    at = random.randrange(len(lines))
    match random.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[at])
        case 2:
            lines.insert(random.randrange(len(lines)), lines.pop(at))
        case _:
            lines[at] = " " * random.randrange(1, 5) + lines[at]
    return "\n".join(lines)


def _flip(random: random.Random, raw: bytearray) -> bytes:
    for _ in range(random.choice((1, 1, 2, 8))):
        if raw:
            raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
    return bytes(raw)


def _overwrite(random: random.Random, raw: bytearray) -> bytes:
    start, end = _span(random, len(raw))
    raw[start:end] = random.randbytes(end - start)
    return bytes(raw)


def _cut(random: random.Random, raw: bytearray) -> bytes:
    return bytes(raw[: random.randrange(len(raw) + 1)])


_TEXT: Sequence[Callable[[random.Random, str, Sequence[str]], str]] = (
    *(_insert_token, _replace_token, _replace_token, _swap_tokens, _delete),
    *(_duplicate, _truncate, _splice, _lines),
)
_BYTES: Sequence[Callable[[random.Random, bytearray], bytes]] = (_flip, _overwrite, _cut)


def mutate_value(random: random.Random, value: Any) -> Any:
    """``value``, of dicts, lists and scalars, with one to three of its parts changed.

    Half of the changes leave the kind of a value as it is, and so pass the first checks.
    """
    value = json.loads(json.dumps(value))
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        holders = list(_holders(value))
        if not holders:
            return random.choice(SCALARS)
        random.choice((_change, _vary))(random, random.choice(holders))
    return value


def _vary(random: random.Random, holder: Any) -> None:
    key = _key(random, holder)
    old = holder[key]
    if isinstance(old, (dict, list)):
        if isinstance(old, list):
            holder[key] = random.choice((old[:1], old[::-1], old * 2, []))
        return
    alike = [value for value in SCALARS if type(value) is type(old)]
    if isinstance(holder, list):
        alike += [value for value in holder if type(value) is type(old)]
    holder[key] = random.choice(alike)


def _key(random: random.Random, holder: Any) -> Any:
    return random.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))


def _holders(value: Any) -> Any:
    """Every dict and list that is not empty, from the outside in."""
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, (dict, list)) and holder:
            yield holder
            waiting += holder.values() if isinstance(holder, dict) else holder


def _change(random: random.Random, holder: Any) -> None:
    key = _key(random, holder)
    match random.randrange(8):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[random.choice((*filter(_is_text, SCALARS), *holder))] = holder.pop(key)
        case 2 if isinstance(holder, dict):
            holder[random.choice((*filter(_is_text, SCALARS), "job", "layout"))] = _any(random)
        case 1 | 2:
            holder.insert(key, holder[key])
        case 3:
            holder[key] = [holder[key]]
        case 4:
            for _ in range(random.choice((5, 31, 40, 200, 700))):
                holder[key] = [holder[key]]
        case 5 if isinstance(holder, list):
            holder *= random.choice((2, 10, 70))
        case _:
            holder[key] = _any(random)


def _any(random: random.Random) -> Any:
    """A scalar or a tree; a copy, so that a later change stays where it is made."""
    found = random.choice(TREES if random.random() < 0.3 else SCALARS)
    return json.loads(json.dumps(found))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
