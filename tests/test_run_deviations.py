"""`pytest conformance`, run for real, with a ledger of deviations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from running import run

if TYPE_CHECKING:
    from pathlib import Path


def half_the_loss(folder: Path) -> None:
    """An adapter that is known to return half the loss."""
    (folder / "mine.py").write_text(
        "from fakes import HalfTheLoss\nclass Mine(HalfTheLoss):\n    name = 'mine'\n",
        encoding="utf-8",
    )
    entry = '[[deviation]]\ncases = "theme/*"\noutputs = ["loss"]\ngrade = "wrong"\n'
    (folder / "mine.deviations.toml").write_text(
        entry + 'since = 2026-01-31\nissue = "https://x.org"\nreason = "Half of it."\n',
        encoding="utf-8",
    )


def test_a_known_deviation_counts_as_executed(folder: Path) -> None:
    half_the_loss(folder)
    ran = run(folder, "-k", "theme/one and float32", adapter="mine:Mine")
    assert 0 == ran.code, ran.output


def test_a_stale_deviation_fails_the_run(folder: Path) -> None:
    (folder / "mine.py").write_text(
        "from conformance.adapters.numpy import NumpyAdapter\n"
        "class Mine(NumpyAdapter):\n    name = 'mine'\n",
        encoding="utf-8",
    )
    ledger = folder / "mine.deviations.toml"
    entry = '[[deviation]]\ncases = "theme/one"\noutputs = ["loss"]\ngrade = "wrong"\n'
    ledger.write_text(
        entry + 'since = 2026-01-31\nissue = "https://x.org"\nreason = "R."\n', encoding="utf-8"
    )
    ran = run(folder, adapter="mine:Mine")
    assert 1 == ran.code
    assert "mine.deviations.toml: the entry for theme/one no longer deviates. Remove it." in (
        ran.output
    )


def test_a_known_deviation_is_an_expected_failure(folder: Path) -> None:
    half_the_loss(folder)
    ran = run(folder, "-rx", adapter="mine:Mine")
    assert 0 == ran.code
    assert "Half of it. https://x.org" in ran.output
    assert "deviates" == ran.results["theme/one-mine-float32"]


def test_known_deviations_are_told_by_their_reason_at_the_end(folder: Path) -> None:
    half_the_loss(folder)
    ran = run(folder, "-k", "theme/one", adapter="mine:Mine")
    assert "deviates: 2 by mine: Half of it. https://x.org" in ran.output
