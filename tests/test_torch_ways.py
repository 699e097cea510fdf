"""The benchmark of the ways to run PyTorch: it times all, and says what it does not time."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch")

from benchmarks.torch_ways import BOTH, FORWARD, WHOLE, as_text, main

ASKED = ("torch:module", "torch:export", "torch:forward_ad", "torch:func.grad", "torch:func.jacrev")


def test_each_way_is_timed_beside_the_eager_form(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = [word for name in ASKED for word in ("--adapter", name)]
    sizes = ["--size", "10", "--size", "2000"]
    assert 0 == main([*chosen, *sizes, "--rounds", "2", "--format", "json"])
    study = json.loads(capsys.readouterr().out)
    small, large = study["sizes"]["10"], study["sizes"]["2000"]
    assert ["torch", *ASKED] == [*small]
    assert 1 == small["torch"][BOTH]["ratio"]
    assert {FORWARD, BOTH} == {*small["torch:module"]} - {"once_s"}
    assert {FORWARD, BOTH} == {*small["torch:export"]} - {"once_s"}
    assert {BOTH} == {*small["torch:forward_ad"]} - {"once_s"}
    assert {WHOLE} == {*small["torch:func.jacrev"]} - {"once_s"}
    assert ["declined"] == [*large["torch:func.jacrev"]]
    assert all(
        found["ratio"] > 0 for found in (large["torch:module"][FORWARD], small["torch"][BOTH])
    )
    text = as_text(study)
    assert "not timed at 2,000: torch:func.jacrev: " in text
    assert text.count("torch:module") == 2


def test_an_unknown_way_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["--adapter", "torch:jit"])
    assert "unknown adapter 'torch:jit'" in capsys.readouterr().err
