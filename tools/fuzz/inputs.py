"""Makes the inputs: real files, cut down to a few entries, then spoiled."""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

import conformance
from conformance.adapters.numpy import NumpyAdapter
from conformance.corpus import default_root, load_corpus
from conformance.deviations import Ledger
from conformance.nodes import Number, read_nodes
from conformance.records import RUN_FORMAT
from conformance.results import Footer, Header, NotRun, Result
from conformance.runner import Runner
from tools.fuzz.mutation import mutate_text, mutate_value

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence

CASES = "cases"
OTHER_RUN = "other.jsonl.gz"

_ADAPTERS = Path(conformance.__file__).parent / "adapters"
_MAX_SEED = 200_000
_AN_ENTRY = {"json": '\n    {\n      "id":', "yaml": "\n  - id:", "toml": "\n[["}
_CASE_FILES = ("logits/shapes.yaml", "logits/infinities.yaml", "training/logged.yaml")


@dataclass(frozen=True, slots=True)
class Input:
    """A file's name and what stands in it."""

    name: str
    data: bytes

    def write(self, folder: Path) -> Path:
        """Write it into a folder; returns its path."""
        path = folder / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.data)
        return path


@cache
def _texts(folder: Path, pattern: str) -> Sequence[str]:
    paths = [path for path in sorted(folder.rglob(pattern)) if path.stat().st_size < _MAX_SEED]
    return [path.read_text("utf-8") for path in paths if path.name != "schema.json"]


def _some(random: random.Random, text: str, language: str) -> str:
    """The head of a file, with one to four of its entries."""
    head, *entries = text.split(_AN_ENTRY[language])
    chosen = sorted(random.sample(range(len(entries)), min(len(entries), random.randint(1, 4))))
    short = _AN_ENTRY[language].join([head, *(entries[index] for index in chosen)])
    # The last entry of a JSON file closes it, too.
    if language == "json" and chosen and chosen[-1] != len(entries) - 1:
        return short.rstrip().removesuffix(",") + "\n  ]\n}\n"
    return short


def make_cases(random: random.Random) -> Input:
    """A case file, YAML or JSON."""
    language = random.choice(("yaml", "yaml", "json"))
    texts = [
        text for text in _texts(default_root(), f"*.{language}") if _AN_ENTRY[language] in text
    ]
    return _spoiled(random, random.choice(texts), texts, language)


def _spoiled(random: random.Random, text: str, others: Sequence[str], language: str) -> Input:
    text = _some(random, text, language)
    if random.random() < 0.6:
        return Input(f"theme.{language}", mutate_text(random, text, others))
    value = mutate_value(random, _plain(text, language))
    # JSON is YAML, too; of the two readers either may get it.
    ascii_only = random.random() < 0.5
    changed = json.dumps(value, indent=random.choice((None, 1)), ensure_ascii=ascii_only)
    name = f"theme.{random.choice(('json', 'yaml'))}"
    return Input(name, changed.encode("utf-8", "surrogatepass"))


def _plain(text: str, language: str) -> Any:
    if language == "json":
        return json.loads(text)
    return _with_floats(read_nodes(Path("seed.yaml"), text).plain())


def _with_floats(value: Any) -> Any:
    if isinstance(value, Number):
        return float(value.text)
    if isinstance(value, dict):
        return {key: _with_floats(each) for key, each in value.items()}
    return [_with_floats(each) for each in value] if isinstance(value, list) else value


def make_glossary(random: random.Random) -> Input:
    """The flags or policies of a folder."""
    name = random.choice(("flags.yaml", "policies.yaml"))
    text = (default_root() / name).read_text("utf-8")
    blocks = text.split("\n\n") if "\n\n" in text else text.splitlines()
    start = random.randrange(len(blocks))
    short = "\n\n".join(blocks[start : start + 6]) + "\n"
    if random.random() < 0.6:
        return Input(name, mutate_text(random, short, [text]))
    entry = {"means": "A.", "matters": "B.", "links": ["https://example.org"]}
    value = mutate_value(random, {"FlagOne": entry, "FlagTwo": entry})
    return Input(name, json.dumps(value).encode())


def make_ledger(random: random.Random) -> Input:
    """Known deviations."""
    return _known(random, "deviations", "deviation")


def make_policies(random: random.Random) -> Input:
    """Known policies."""
    return _known(random, "policies", "follows")


def _known(random: random.Random, kind: str, table: str) -> Input:
    texts = _texts(_ADAPTERS, f"*.{kind}.toml")
    text = _some(random, random.choice(texts), "toml")
    if random.random() < 0.6:
        return Input(f"mine.{kind}.toml", mutate_text(random, text, texts))
    plain = json.loads(json.dumps(tomllib.loads(text), default=lambda day: {_DAY: str(day)}))
    value = mutate_value(random, plain)
    return Input(f"mine.{kind}.toml", _toml(value, table).encode("utf-8", "surrogatepass"))


_DAY = "$day"


def _toml(value: Any, table: str) -> str:
    """The file of a changed value; the table's entries as tables of their own where they can be."""
    lines = []
    for key, entry in value.items() if isinstance(value, dict) else [(table, value)]:
        tables = isinstance(entry, list) and all(isinstance(each, dict) for each in entry)
        if not tables:
            lines.append(f"{json.dumps(key)} = {_inline(entry)}")
            continue
        for each in entry:
            lines.append(f"[[{key if key == table else json.dumps(key)}]]")
            lines += [f"{json.dumps(name)} = {_inline(item)}" for name, item in each.items()]
    return "\n".join(lines)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        if value.keys() == {_DAY}:
            return str(value[_DAY])
        pairs = (f"{json.dumps(key)} = {_inline(item)}" for key, item in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if value is None:
        return "nan"
    return json.dumps(value, ensure_ascii=False)


def write_cases(folder: Path) -> None:
    """Write the cases that the runs are of, and a run to compare with."""
    for name in _CASE_FILES:
        path = folder / CASES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_short(name), encoding="utf-8")
    (folder / OTHER_RUN).write_bytes(gzip.compress(_run_text(), compresslevel=1))


@cache
def _short(name: str) -> str:
    """The first entries of a case file."""
    mark = _AN_ENTRY["yaml"]
    return mark.join((default_root() / name).read_text("utf-8").split(mark)[:4])


@cache
def results() -> Sequence[Result]:
    """What the reference answers, and how it may come out otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        for name in _CASE_FILES:
            path = Path(folder, CASES, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_short(name), encoding="utf-8")
        cases = load_corpus([Path(folder, CASES)]).cases
    found = []
    for dtype in ("float32", "float64", "bfloat16"):
        asked = [case for case in cases if dtype in case.dtypes]
        found += Runner().run(NumpyAdapter(), "cpu", dtype, asked, Ledger())
    failed = [_failed(result) for result in found[:9]]
    known = {"status": "deviates", "deviation": "https://example.org/1", "since": "2026-01-31"}
    deviating = [replace(result, adapter="known", **known) for result in failed]
    refused = {"outputs": {}, "raised": "TypeError: no", "reason": "raised TypeError: no"}
    raised = [replace(result, adapter="refuses", **refused) for result in failed[:2]]
    unasked: dict[str, Any] = {
        "status": "not_run",
        "grade": None,
        "outputs": {},
        "reason": "not offered",
    }
    absent = [replace(result, adapter="absent", device="cuda:1", **unasked) for result in found[:2]]
    return [*found, *failed, *deviating, *raised, *absent]


def _failed(result: Result) -> Result:
    outputs = {
        name: replace(output, grade="wrong", message="at [0] got nan (nan), the truth is 1")
        for name, output in result.outputs.items()
    }
    changes = {"adapter": "mine", "status": "failed", "grade": "wrong", "outputs": outputs}
    return replace(result, **changes, reason="loss: at [0] got nan (nan), the truth is 1")


@cache
def _run_text() -> bytes:
    header = Header(
        format=RUN_FORMAT,
        started="2026-03-01T10:00:00+00:00",
        versions={"bce-conformance": "0.1.0", "numpy": "2.4.6"},
        machine={"platform": "Linux", "processor": "one", "cores": "2", "python": "3.11.7"},
        devices={"cpu": "one"},
        options={"require": "coarse"},
        corpus="0" * 64,
        cases=9,
    )
    absent = NotRun(adapter="torch", device="cuda", items=12, reason="no CUDA device here")
    records = [header, *results(), absent]
    return _closed([msgspec.json.encode(record) for record in records])


def _closed(lines: Iterable[bytes]) -> bytes:
    """The lines of a run, with the footer that belongs to them."""
    text = b"".join(line + b"\n" for line in lines)
    footer = Footer(counts={"passed": 1}, digest=hashlib.sha256(text).hexdigest())
    return text + msgspec.json.encode(footer) + b"\n"


def make_run(random: random.Random) -> Input:
    """A run file, of one run or two; mostly with a digest that fits what was changed."""
    text = b"".join(_section(random) for _ in range(random.choice((1, 1, 1, 2))))
    count = random.choice((1, 2, 2, 3))
    merged = {"type": "merged", "format": RUN_FORMAT, "runs": count}
    if random.random() < 0.2:
        text = json.dumps(merged).encode() + b"\n" + text
    if random.random() < 0.05:
        text = mutate_text(random, text.decode("utf-8", "surrogateescape"), ["{}"])
    if random.random() < 0.1:
        return Input("run.jsonl", text)
    packed = gzip.compress(text, compresslevel=1, mtime=0)
    if random.random() < 0.05:
        at = random.randrange(len(packed))
        packed = packed[:at] + bytes([packed[at] ^ 1 << random.randrange(8)]) + packed[at + 1 :]
    return Input("run.jsonl.gz", packed)


def _section(random: random.Random) -> bytes:
    header, *records, _ = _run_text().splitlines()
    chosen = sorted(random.sample(range(len(records)), random.randint(1, 12)))
    lines = [header, *(records[index] for index in chosen)]
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        at = random.choice((0, *range(len(lines))))
        if random.random() < 0.2:
            lines[at] = mutate_text(random, lines[at].decode("utf-8", "replace"), ["{}"])
        else:
            try:
                value = mutate_value(random, json.loads(lines[at]))
            except ValueError:  # It was spoiled before.
                continue
            lines[at] = json.dumps(value, ensure_ascii=random.random() < 0.5).encode(
                "utf-8", "surrogatepass"
            )
    return _closed(lines) if random.random() < 0.9 else b"".join(line + b"\n" for line in lines)
