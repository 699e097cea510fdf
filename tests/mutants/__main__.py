"""Tells which cases catch which mutants: `python -m tests.mutants`."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.corpus import load_corpus
from conformance.errors import ConformanceError

from . import MUTANTS, TRAINERS
from .harness import ENOUGH, evaluate
from .verdicts import idle, listed, problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Case

    from .base import Mutant
    from .harness import Trial


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if every mutant ends as it has to, 1 if one does not, 2 if none could be tried."""
    options = _parser().parse_args(arguments)
    try:
        cases = load_corpus(options.cases).cases
        trials = evaluate(
            _chosen(options.mutant), cases, exhaustive=options.all, progress=_progress
        )
    except ConformanceError as error:
        print(error, file=sys.stderr)
        return 2
    if options.format == "json":
        json.dump(_document(trials, cases, exhaustive=options.all), sys.stdout, indent=1)
        print()
    else:
        for line in _lines(trials, cases, exhaustive=options.all):
            print(line)
    return 1 if any(map(problem, trials)) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants",
        description="Put the corpus to deliberately wrong implementations. Each must be caught.",
    )
    add = parser.add_argument
    add("--cases", type=Path, action="append", default=[], help="case files, or folders of them")
    add("--mutant", action="append", default=[], metavar="NAME", help="try this one only")
    more = f"find every small case that catches a mutant, not only {ENOUGH}; takes long"
    add("--all", action="store_true", help=more)
    add("--format", choices=["text", "json"], default="text")
    return parser


def _chosen(names: Sequence[str]) -> list[Mutant]:
    known = {mutant.name: mutant for mutant in MUTANTS + TRAINERS}
    if unknown := sorted(set(names) - known.keys()):
        near = get_close_matches(unknown[0], known, n=5) or list(known)[:5]
        msg = (
            f"There is no mutant {', '.join(unknown)}. Some of {len(known)} are {', '.join(near)}."
        )
        raise ConformanceError(msg)
    return [known[name] for name in names] or list(known.values())


def _progress(text: str) -> None:
    print(text, file=sys.stderr)


def _lines(trials: Sequence[Trial], cases: Sequence[Case], *, exhaustive: bool) -> Sequence[str]:
    problems = [found for trial in trials if (found := problem(trial))]
    mutants = [trial.mutant for trial in trials[1:]]
    kinds = Counter(mutant.kind for mutant in mutants)
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    lines = [_line(trial, exhaustive=exhaustive) for trial in trials]
    lines.append("")
    lines.append(
        f"{len(mutants)} mutants ({counted}), {len(cases)} cases, {len(problems)} problems"
    )
    lines += problems
    if exhaustive:
        unused = idle(trials, cases)
        lines += ["", f"{len(unused)} small cases catch no mutant:", *unused]
    else:
        lines.append("Which cases catch no mutant is told with --all.")
    return lines


def _line(trial: Trial, *, exhaustive: bool) -> str:
    mutant = trial.mutant
    if mutant.equivalent and not trial.accurate:
        return f"{mutant.name}: survived, as it should. {mutant.equivalent}"
    bound = "" if exhaustive else "at least "
    if mutant.kind == "policy" and trial.changed:
        return (
            f"{mutant.name}: another policy at {bound}{len(trial.changed)}: {listed(trial.changed)}"
        )
    if not trial.accurate:
        return f"{mutant.name}: SURVIVED"
    killers = trial.coarse or trial.accurate
    return (
        f"{mutant.name}: wrong at {bound}{len(trial.coarse)}, "
        f"not accurate at {bound}{len(trial.accurate)}: {listed(killers)}"
    )


def _document(trials: Sequence[Trial], cases: Sequence[Case], *, exhaustive: bool) -> Any:
    return {
        "exhaustive": exhaustive,
        "cases": len(cases),
        "mutants": [
            {
                "name": trial.mutant.name,
                "about": trial.mutant.about,
                "kind": trial.mutant.kind,
                "equivalent": trial.mutant.equivalent,
                "coarse": [killer._asdict() for killer in trial.coarse],
                "accurate": [killer._asdict() for killer in trial.accurate],
                "changed": [killer._asdict() for killer in trial.changed],
                "problem": problem(trial),
            }
            for trial in trials
        ],
        "idle": idle(trials, cases) if exhaustive else None,
    }


if __name__ == "__main__":
    sys.exit(main())
