"""What a run keeps of itself, and the lines that it ends with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from factories import make_case
from run_files import result

from conformance import adapters
from conformance.bench import Bench
from conformance.corpus import Corpus
from conformance.glossary import Glossary
from conformance.model import Grade
from conformance.plan import make_plan
from conformance.recording import Recorder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CASE = make_case(logits=[1.0], targets=[1.0])
CORPUS = Corpus((replace(CASE, id="g/a"),), Glossary())


def recorder(tmp_path: Path, names: Sequence[str]) -> Recorder:
    plan = make_plan(CORPUS, names, ["cpu"])
    return Recorder(tmp_path / "run.jsonl.gz", Bench(plan, Grade.coarse), CORPUS, {})


def test_the_header_has_the_settings_of_each_device(tmp_path: Path) -> None:
    kept = recorder(tmp_path, ["numpy", "torch", "torch:module"])
    kept.add(result("g/a"))
    run = kept.finish(complete=True)
    assert run is not None
    assert adapters.load("torch").device_settings("cpu") == run.header.settings["cpu"]
    assert str(torch.get_num_threads()) == run.header.settings["cpu"]["threads"]


def test_a_device_of_which_nobody_tells_more_has_no_settings(tmp_path: Path) -> None:
    kept = recorder(tmp_path, ["numpy", "fakes:KnowsNoFacts"])
    kept.add(result("g/a"))
    run = kept.finish(complete=True)
    assert run is not None
    assert {} == run.header.settings
    assert {"cpu": "cpu"} == run.header.devices


def test_the_table_has_room_for_long_names_and_great_numbers(tmp_path: Path) -> None:
    kept = recorder(tmp_path, ["numpy"])
    (titles,) = kept.table()
    assert "exact  faithful  accurate  coarse  wrong  deviates  not run" == titles.strip()
    names = ("numpy", "torch:double_backward")
    kept.results += [result("g/a", adapter=name) for name in names]
    kept.results += [result("g/b", "coarse", adapter=names[1])] * 1_234_567
    lines = kept.table()
    assert ["", *names] == [line[:21].strip() for line in lines]
    assert 1 == len({len(line) for line in lines})
    assert 90 >= len(lines[0])
    assert ["1", "0", "0", "1234567", "0", "0", "0"] == lines[2].split()[1:]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(2, "w0, w1"), (5, "w0, w1, w2, w3, w4"), (6, "w0, w1, w2 and 3 more")],
)
def test_a_deviation_of_many_adapters_names_the_first(
    tmp_path: Path, count: int, expected: str
) -> None:
    kept = recorder(tmp_path, ["numpy"])
    kept.results += [
        result("g/a", "wrong", adapter=f"w{i}", status="deviates", reason="Why.", deviation="#1")
        for i in range(count)
    ]
    assert [f"deviates: {count} by {expected}: Why. #1"] == kept.deviations()
