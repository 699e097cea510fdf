"""PyTorch's own samples as questions: all are asked, and they tell right from grossly wrong."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from conformance.adapters.numpy import NumpyAdapter
from conformance.errors import ConformanceError
from conformance.model import Computed

pytest.importorskip("expecttest", reason="torch.testing._internal needs expecttest")

from benchmarks._fates import COLUMNS, Fate, SampleCount, Study, as_markdown
from benchmarks._samples import Questions, Sample, questions, samples
from benchmarks.pytorch_samples import (
    BEGIN,
    END,
    caught_by_samples,
    check_reference,
    count,
    first_unlike,
    main,
    unlike,
    update,
)

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.model import Question


class HalvesTheMean(NumpyAdapter):
    name = "halves-the-mean"

    def reduce(self, outputs: Any, reduction: str) -> Any:
        found = super().reduce(outputs, reduction)
        return found if reduction != "mean" else {**found, "loss": found["loss"] / 2}


class LosesTheTail(NumpyAdapter):
    """The loss of a confident negative is 0, as that of PyTorch is in float32 from -17 on."""

    name = "loses-the-tail"

    def elementwise(self, operation: str, arrays: Any) -> Any:
        outputs = super().elementwise(operation, arrays)
        if operation == "bce_with_logits":
            lost = (arrays["logits"] < -17) & (arrays["targets"] == 0)
            outputs["loss"] = np.where(lost, 0, outputs["loss"])
        return outputs


class ReadsMemory(NumpyAdapter):
    """Takes every input as it lies in memory, whatever its strides."""

    name = "reads-memory"

    def prepare(self, question: Question) -> Any:
        arrays = super().prepare(question)
        for name, array in question.inputs.items():
            whole = array if array.base is None else array.base
            flat = np.asarray(whole, arrays[name].dtype).reshape(-1)[: array.size]
            arrays[name] = flat.reshape(array.shape)
        return arrays


class IgnoresTheDirection(NumpyAdapter):
    name = "ignores-the-direction"

    def prepare(self, question: Question) -> Any:
        arrays = super().prepare(question)
        return arrays | {"direction": np.ones_like(arrays["direction"])}


class Raises(NumpyAdapter):
    name = "raises"

    def evaluate(self, question: Question) -> Computed:
        raise RuntimeError


@pytest.fixture(scope="module")
def drawn() -> list[Sample]:
    return list(samples())


@pytest.fixture(scope="module")
def found(drawn: list[Sample]) -> Questions:
    """The questions of a part of the samples: the oracles take a while for all."""
    return questions([sample for sample in drawn if sample.index % 5 == 0])


def test_each_of_pytorchs_tables_has_the_samples_that_the_page_counts(drawn: list[Sample]) -> None:
    counted = Counter((sample.origin, sample.operation, sample.dtype) for sample in drawn)
    widths = ("float16", "bfloat16", "float32", "float64")
    functions = {("OpInfo", "bce_with_logits"): 26, ("OpInfo", "bce"): 11}
    modules = {("ModuleInfo", "bce_with_logits"): 6, ("ModuleInfo", "bce"): 6}
    expected = {(*key, dtype): number for key, number in functions.items() for dtype in widths}
    expected |= {(*key, dtype): number for key, number in modules.items() for dtype in widths[2:]}
    assert expected == counted


def test_every_sample_becomes_questions_with_a_truth(found: Questions) -> None:
    assert {} == found.left_out
    assert {
        ("float16", "plain"),
        ("bfloat16", "plain"),
        ("float32", "plain"),
        ("float32", "strided"),
        ("float64", "plain"),
        ("float64", "checked"),
    } == {(one.sample.dtype, one.use) for one in found.asked}
    assert {"weight", "pos_weight", "grad_output", "direction"} <= {
        name for one in found.asked for name in one.case.inputs
    }


def test_a_gradient_is_asked_for_where_the_sample_requires_one(found: Questions) -> None:
    for one in found.asked:
        assert one.sample.input.requires_grad
        assert ("targets_grad" in one.truth) == (one.sample.origin == "OpInfo")
        assert one.case.outputs == tuple(one.truth)


def test_a_sample_is_drawn_from_the_same_seed_each_time(drawn: list[Sample]) -> None:
    again = next(samples(("float16",)))
    assert drawn[0].input.equal(again.input)


def test_an_unknown_argument_is_left_out_with_a_reason(drawn: list[Sample]) -> None:
    sample = replace(drawn[0], arguments={"label_smoothing": 0.1})
    asked, left_out = questions([sample])
    assert [] == asked
    assert ["its arguments label_smoothing are none of ours"] == list(left_out.values())


def test_a_sample_out_of_the_domain_is_left_out_with_a_reason(drawn: list[Sample]) -> None:
    sample = next(sample for sample in drawn if sample.operation == "bce")
    asked, left_out = questions([replace(sample, input=sample.input + 2)])
    assert [] == asked
    (reason,) = left_out.values()
    assert "outside [0, 1]" in reason


def test_old_arguments_become_the_key_legacy(drawn: list[Sample]) -> None:
    sample = replace(drawn[3], arguments={"size_average": False, "reduce": None})
    (one,) = questions([sample]).asked
    assert {"size_average": False} == one.case.legacy
    assert () == one.truth["loss"].shape


def test_the_reference_survives(found: Questions) -> None:
    check_reference(NumpyAdapter(), found.asked)


def test_a_reference_that_does_not_survive_is_an_error(found: Questions) -> None:
    with pytest.raises(ConformanceError, match="the reference itself"):
        check_reference(HalvesTheMean(), found.asked)


@pytest.mark.parametrize("wrong", [HalvesTheMean, ReadsMemory, IgnoresTheDirection, Raises])
def test_a_gross_mistake_is_caught(found: Questions, wrong: type[NumpyAdapter]) -> None:
    assert {"OpInfo": True, "ModuleInfo": True, "both": True} == caught_by_samples(
        wrong(), found.asked
    )


def test_a_lost_tail_survives(found: Questions) -> None:
    assert first_unlike(LosesTheTail(), found.asked) is None


def test_another_shape_dtype_or_output_is_unlike_the_truth() -> None:
    truth = {"loss": np.ones(2, np.float32)}
    assert unlike(Computed(loss=np.ones(2, np.float32)), truth) is None
    assert unlike(Computed(loss=np.ones(2, np.float64)), truth) is not None
    assert unlike(Computed(loss=np.ones((2, 1), np.float32)), truth) is not None
    assert "loss is not returned" == unlike(Computed(), truth)


def test_the_tables_go_between_the_markers_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nyesterday\n{END}\nafter\n", encoding="utf-8")
    caught = dict.fromkeys(COLUMNS, False) | {"corpus": True}
    fates = [
        Fate("one", "accuracy", "tails", "Loses a tail: a | b.", caught),
        Fate("two", "semantic", "weight", "Ignores it.", dict.fromkeys(COLUMNS, True)),
    ]
    counts = [SampleCount("OpInfo", "nn.functional.bce", "float32", 3, 6)]
    update(page, as_markdown(Study("2.13.0", counts, {}, fates)))
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"\n{END}\nafter\n")
    assert "yesterday" not in text
    assert "| all | 2 | 1 (50 %) | 1 (50 %) | 1 (50 %) | 2 (100 %) |" in text
    assert "| one | accuracy | tails | Loses a tail: a \\| b. |" in text
    assert "| two | semantic" not in text


def test_a_page_without_markers_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no place\n", encoding="utf-8")
    with pytest.raises(ConformanceError, match="has no place for the tables"):
        update(page, "text")
    assert page.read_text(encoding="utf-8") == "no place\n"


def test_samples_are_counted_by_loss_and_dtype(drawn: list[Sample], found: Questions) -> None:
    counts = {(one.name, one.dtype): one for one in count(drawn, found)}
    assert 26 == counts["nn.functional.binary_cross_entropy_with_logits", "float32"].samples
    assert len(found.asked) == sum(one.questions for one in counts.values())


def test_a_package_that_pytorch_lacks_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # What Python raises for a module that is None is what it raises for one that is missing.
    monkeypatch.setitem(sys.modules, "torch.testing._internal.common_modules", None)
    assert 2 == main([])
    assert (
        "Run `pip install torch.testing._internal.common_modules`.\n"
        == (capsys.readouterr().err.partition(". ")[2])
    )
