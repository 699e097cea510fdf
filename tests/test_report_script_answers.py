"""What the scripts of the report print is what the adapters answer."""

from __future__ import annotations

import dataclasses
import functools
from collections import defaultdict
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from report_data import ALL
from snippets import answer_of, cases, expected_of, offers, run_scripts, same_bits

from conformance import adapters
from conformance.corpus import default_root
from conformance.floats import FORMATS
from conformance.model import Case, Computed, Raised
from conformance.report.adapter_snippet import adapter_snippet
from conformance.report.loss_scripts import loss_script
from conformance.report.numpy_snippet import numpy_snippet
from conformance.report.snippets import torch_snippet
from conformance.report.trainer_snippets import trainer_snippet

if TYPE_CHECKING:
    from pathlib import Path


@functools.cache
def sample(*, of_jobs: bool) -> list[tuple[Case, str]]:
    """The first case of each kind, and a dtype of it: each kind asks in another way."""
    kinds: dict[object, Case] = {}
    for asked in cases():
        if (asked.job is not None) == of_jobs:
            kinds.setdefault(_kind(asked), asked)
    turns: dict[tuple[str, ...], cycle[str]] = defaultdict(lambda: cycle(ALL))
    pairs = []
    for asked in kinds.values():
        turn = turns[asked.dtypes]
        pairs.append((asked, next(dtype for dtype in turn if dtype in asked.dtypes)))
    return pairs


def _kind(asked: Case) -> object:
    assert asked.expected is not None
    expected = asked.expected
    if asked.job is not None:
        return asked.operation, asked.job.options, asked.job.precision
    return (
        asked.operation,
        asked.reduced,
        frozenset(asked.inputs) if "direction" in asked.inputs else len(asked.inputs) > 2,
        frozenset(asked.layout.values()),
        tuple(asked.legacy.items()),
        frozenset(asked.input_dtypes.values()),
        expected.raises or any(item.raises for item in expected.alternatives),
        any(array.described for array in asked.inputs.values()),
        bool(asked.positions),
    )


LOSS_SCRIPTS = {
    "torch": torch_snippet,
    "numpy": numpy_snippet,
    "ignite": lambda asked, dtype: loss_script(asked, "ignite", dtype),
    "lightning": lambda asked, dtype: loss_script(asked, "lightning", dtype),
}


def adapter_named(name: str) -> adapters.LossAdapter:
    if missing := adapters.missing(name):
        pytest.skip(missing)
    return adapters.load(name)


@pytest.mark.parametrize("name", LOSS_SCRIPTS)
def test_a_script_of_a_loss_prints_the_bits_of_its_adapter(name: str, tmp_path: Path) -> None:
    adapter = adapter_named(name)
    write = LOSS_SCRIPTS[name]
    # Trainers put the same call to the same tensors, and take longer over it.
    some = sample(of_jobs=False)[:: 1 if name in ("torch", "numpy") else 3]
    asked = [(one, dtype) for one, dtype in some if offers(adapter, one, dtype)]
    pairs = [(one, dtype, source) for one, dtype in asked if (source := write(one, dtype))]
    # Where an error may be right, a formula cannot answer; everything else has a script.
    assert len(pairs) > (len(asked) // 2 if name == "numpy" else len(asked) - 1)
    ran = run_scripts([source for *_, source in pairs], tmp_path)
    for (one, dtype, _), printed in zip(pairs, ran, strict=True):
        answer = answer_of(adapter, one, dtype)
        if isinstance(answer, Raised):
            assert f"{answer.type} {answer.message}" == printed.raised, one.id
            continue
        assert isinstance(answer, Computed), one.id
        assert (None, set(one.outputs)) == (printed.raised, set(printed.values)), one.id
        for output in one.outputs:
            [values] = printed.values[output]
            expected = expected_of(one, answer, output)
            assert same_bits(expected, values), (one.id, dtype, output, expected, values)


@pytest.mark.parametrize("name", ["torch", "ignite", "lightning", "fabric", "accelerate"])
def test_a_script_of_a_job_ends_with_the_numbers_of_its_adapter(name: str, tmp_path: Path) -> None:
    adapter = adapter_named(name)
    asked = [(one, dtype) for one, dtype in sample(of_jobs=True) if offers(adapter, one, dtype)]
    found = [(one, dtype, trainer_snippet(one, name, dtype)) for one, dtype in asked]
    pairs = [
        (one, dtype, source.script)
        for one, dtype, source in found
        # A process has one Accelerator, of one precision.
        if source and (name != "accelerate" or (one.job and one.job.precision is None))
    ]
    assert len(pairs) > len(asked) // 2
    ran = run_scripts([source for *_, source in pairs], tmp_path)
    compared = 0
    for (one, dtype, _), printed in zip(pairs, ran, strict=True):
        answer = answer_of(adapter, one, dtype)
        if isinstance(answer, Raised):
            assert printed.raised is not None, one.id
            continue
        assert isinstance(answer, Computed), one.id
        assert printed.raised is None, (one.id, printed.raised)
        for output in {"parameters", "logged", "epoch_loss", "predicted", "decisions"} & set(
            one.outputs
        ):
            expected, values = expected_of(one, answer, output), printed.values[output]
            # Of parameters, those at the end; of a value that is logged, one each epoch.
            last = values[-1] if output == "parameters" else np.concatenate(values)
            if expected:  # It has been asked for a trajectory of no steps.
                kept = FORMATS.get(str(answer.outputs[output].dtype), FORMATS[dtype]).dtype
                rounded = np.array(last).astype(kept).astype(float)
                assert expected[-len(last) :] == rounded.tolist(), (one.id, dtype, output)
                compared += 1
    assert compared > len(pairs) // 2


def test_the_script_with_this_package_grades_as_a_run_does(tmp_path: Path) -> None:
    adapter = adapter_named("numpy")
    wanted = [
        "logits/bad_inputs/",
        "logits/reductions/hundred_thousand_mean",
        "training/accumulation/",
        "prediction/views/",
        "probabilities/mixed_dtypes/",
    ]
    asked = [
        next(one for one in cases() if one.id.startswith(start) and offers(adapter, one, "float32"))
        for start in wanted
    ]
    scripts = [
        adapter_snippet(
            one,
            "numpy",
            "float32",
            "cpu",
            needs=["pip install bce-conformance"],
            file=one.path.relative_to(default_root().resolve()).as_posix(),
            outputs=one.outputs[:1],
        )
        for one in asked
    ]
    for one, printed in zip(asked, run_scripts(scripts, tmp_path), strict=True):
        assert printed.raised is None, printed.raised
        part = dataclasses.replace(one, outputs=one.outputs[:1])
        answer = answer_of(adapter, part, "float32")
        if isinstance(answer, Computed):
            [name] = part.outputs
            whole = np.ravel(answer.outputs[name].astype(float)).tolist()
            assert same_bits(whole, printed.values[name][0]), one.id
        else:
            assert printed.values == {}
