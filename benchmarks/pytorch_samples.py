"""How many of our mutants PyTorch's own samples would catch, beside how many the corpus catches.

    python -m benchmarks.pytorch_samples [--format json | --markdown | --update docs/trust.md]

PyTorch has no independent reference for these losses: its tests compare backends, layouts, and
numerical with analytic derivatives. Here its samples get what they lack, the truth, and a sample
catches a mutant if the answer is unlike the truth. The rates are upper bounds:

* Every output is compared, in every dtype, with the tolerances (rtol, atol) that
  ``torch.testing.assert_close`` has for it: (1e-3, 1e-5) in float16, (1.6e-2, 1e-5) in bfloat16,
  (1.3e-6, 1e-5) in float32, (1e-7, 1e-7) in float64. gradcheck, which sees derivatives in float64,
  allows (1e-3, 1e-5). It is not alone in seeing them: the tests of non-contiguous tensors compare
  gradients in float32 with the defaults. So these hold for all. The two tables override none of
  them on the CPU but in the tests of TorchScript.
* The gradient with respect to the targets is compared where the sample's target requires one: in
  OpInfo's samples, and not in ModuleInfo's.
* An error, a missing output, another shape or another dtype count as caught.
* Of derivatives more is asked than the gradient of the sum: see ``_samples.cases_of``.

The unmutated reference must pass every sample. Mutants that are equivalent are not counted. The
corpus has to catch a semantic mutant at coarse, and one that loses digits at accurate. All of it
takes two to three minutes.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks._fates import Fate, SampleCount, Study, as_json, as_markdown, as_text
from benchmarks._samples import ORIGINS, Asked, questions, samples
from conformance.adapters._torch import to_tensor
from conformance.asking import ask_alone, question_of
from conformance.corpus import default_root, load_corpus
from conformance.errors import ConformanceError
from conformance.model import Computed
from tests.mutants import MUTANTS
from tests.mutants.harness import evaluate
from tests.mutants.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks._samples import Questions, Sample
    from conformance.adapters.base import LossAdapter
    from conformance.model import Answer

BEGIN, END = "<!-- kill rates: begin -->", "<!-- kill rates: end -->"


def unlike(answer: Answer, truth: Mapping[str, np.ndarray[Any, Any]]) -> str | None:
    """Why a test of PyTorch's that knew the truth would fail; None if it would pass."""
    if not isinstance(answer, Computed):
        return str(answer)
    for name, expected in truth.items():
        if (given := answer.outputs.get(name)) is None:
            return f"{name} is not returned"
        try:
            torch.testing.assert_close(
                to_tensor(np.asarray(given), "cpu"), to_tensor(expected, "cpu"), equal_nan=True
            )
        except (AssertionError, TypeError) as error:
            return f"{name}: {error}"
    return None


def first_unlike(adapter: LossAdapter, asked: Iterable[Asked]) -> str | None:
    """The first question that ``adapter`` does not pass, with the reason; None if it passes all."""
    for sample, _, case, truth in asked:
        answer = ask_alone(adapter, question_of(case, "cpu", sample.dtype))
        if (reason := unlike(answer, truth)) is not None:
            return f"{case.id}: {reason}"
    return None


def check_reference(adapter: LossAdapter, asked: Iterable[Asked]) -> None:
    """Make sure that an implementation that is right passes.

    Raises:
        ConformanceError: If ``adapter``, the unmutated reference, does not pass a sample.
    """
    if (problem := first_unlike(adapter, asked)) is not None:
        msg = f"the reference itself does not pass {problem}. Mend it, or the oracle, first."
        raise ConformanceError(msg)


def caught_by_samples(adapter: LossAdapter, asked: Sequence[Asked]) -> dict[str, bool]:
    """Whether OpInfo, ModuleInfo, or either of the two catches ``adapter``."""
    caught = {
        origin: first_unlike(adapter, (one for one in asked if one.sample.origin == origin))
        is not None
        for origin in ORIGINS
    }
    return {**caught, "both": any(caught.values())}


def study() -> Study:
    """Put the samples and the corpus to every mutant that is not equivalent.

    Raises:
        ConformanceError: If a package is missing, or the reference does not pass every sample.
    """
    drawn = list(samples())
    found = questions(drawn)
    check_reference(Reference(), found.asked)
    mutants = [mutant for mutant in MUTANTS if mutant.equivalent is None]
    _, *trials = evaluate(mutants, load_corpus([default_root()]).cases)
    fates = [
        Fate(
            mutant.name,
            mutant.kind,
            type(mutant).__module__.rpartition(".")[2],
            mutant.about,
            {**caught_by_samples(mutant, found.asked), "corpus": bool(trial.due)},
        )
        for mutant, trial in zip(mutants, trials, strict=True)
    ]
    version, _, _ = torch.__version__.partition("+")
    return Study(version, count(drawn, found), found.left_out, fates)


def count(drawn: Iterable[Sample], found: Questions) -> list[SampleCount]:
    """The numbers of samples and of questions, for each loss and dtype."""
    asked = Counter((one.sample.origin, one.sample.name, one.sample.dtype) for one in found.asked)
    counted = Counter((sample.origin, sample.name, sample.dtype) for sample in drawn)
    return [SampleCount(*key, number, asked[key]) for key, number in counted.items()]


def update(path: Path, text: str) -> None:
    """Replace what stands between the two markers in a page.

    Raises:
        ConformanceError: As ``around_tables``.
    """
    before, after = around_tables(path)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def around_tables(path: Path) -> tuple[str, str]:
    """What a page has before and after the place of the tables.

    Raises:
        ConformanceError: If it cannot be read, or has no such place.
    """
    try:
        page = path.read_text(encoding="utf-8")
    except OSError as error:
        msg = f"{path}: {error.strerror}. Give a page with {BEGIN} and {END} in it."
        raise ConformanceError(msg) from None
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        msg = f"{path} has no place for the tables. Put {BEGIN} and {END} where they belong."
        raise ConformanceError(msg)
    return before, after


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 2 where it cannot be done."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pytorch_samples", description=(__doc__ or "").splitlines()[0]
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--format", choices=("text", "json"), default="text")
    form.add_argument("--markdown", action="store_true", help="print the tables of docs/trust.md")
    form.add_argument("--update", type=Path, metavar="PAGE", help="write them into a page")
    options = parser.parse_args(arguments)
    try:
        if options.update:
            around_tables(options.update)  # Before minutes of work, not after them.
        found = study()
        if options.update:
            update(options.update, as_markdown(found))
        elif options.markdown:
            print(as_markdown(found))
        else:
            print(as_json(found) if options.format == "json" else as_text(found))
    except ConformanceError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
