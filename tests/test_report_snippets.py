from __future__ import annotations

import ast
import dataclasses

import numpy as np
import pytest
from report_data import ALL, case
from report_runs import corpus
from snippets import cases

from conformance.model import Array, Case
from conformance.report.adapter_snippet import adapter_snippet
from conformance.report.loss_scripts import loss_script
from conformance.report.numpy_snippet import numpy_snippet
from conformance.report.snippets import torch_snippet
from conformance.report.trainer_snippets import trainer_truth

ONE = case("logits/negative_tail/x_minus_40", logits=[-40], targets=[0])
TWO = case("logits/moderate/x_1", logits=[1], targets=[1])


def snippet_cases() -> list[Case]:
    steps = tuple(-8 + 0.5 * index for index in range(33))
    uneven = tuple(float(index**2) for index in range(20))
    small = float(np.float32(0.1))
    half = Array((33,), (0.5,), described=True)
    return [
        # What PyTorch answers wrongly on purpose, or loses, is not near the truth.
        *(item for item in corpus() if "tail" not in item.id and "extreme" not in item.id),
        ONE,
        case("logits/described/linspace", logits=Array((33,), steps, True), targets=half),
        case("logits/described/uneven", logits=Array((20,), uneven, True), targets=[0.5] * 20),
        case("logits/described/grid", logits=Array((3, 2), (0.5, 1), True), targets=[[0, 1]] * 3),
        case("logits/hex/listed", logits=[small] * 5, targets=[0, 0, 0, 1, small]),
        *(
            case(
                f"logits/layouts/{layout}",
                logits=np.repeat([0.5, 1.0], 12).reshape(2, 3, 2, 2),
                targets=np.ones((2, 3, 2, 2)),
                put={"layout": {"logits": layout}},
            )
            for layout in ("transposed", "strided", "reversed", "expanded", "channels_last")
        ),
        case(
            "logits/second/derivative",
            logits=[0.5, -2.0],
            targets=[1, 0.25],
            grad_output=[2.0, 3.0],
            direction=[1.0, -4.0],
        ),
        case(
            "logits/old/arguments",
            logits=[0.5, -2.0],
            targets=[1, 0.25],
            put={"legacy": {"size_average": False}},
        ),
        case(
            "logits/mixed/weight",
            logits=[0.5, -2.0],
            targets=[1, 0.25],
            weight=[3.0, 1.0],
            put={"input_dtypes": {"weight": "int64"}},
        ),
        case(
            "logits/hex/described",
            logits=Array((4,), (small, 1.0), described=True),
            targets=Array((4,), (0.0,), described=True),
            reduction="mean",
        ),
    ]


@pytest.mark.filterwarnings("ignore:size_average and reduce args:UserWarning")
@pytest.mark.parametrize("asked", snippet_cases(), ids=lambda asked: asked.id)
def test_a_snippet_runs_as_it_stands_and_prints_values_near_the_truth(
    asked: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    source = torch_snippet(asked, "float64")
    assert asked.expected is not None
    if asked.expected.raises:
        with pytest.raises(RuntimeError, match="between 0 and 1"):
            exec(source, {})
        return
    exec(source, {})
    printed = dict(line.split(" ", 1) for line in capsys.readouterr().out.splitlines())
    assert list(asked.outputs) == list(printed)
    for name, text in printed.items():
        value = eval(text, {"nan": np.nan, "inf": np.inf})
        known = [item.outputs[name] for item in asked.expected.alternatives if name in item.outputs]
        assert any(
            np.shape(value) == (truth.shape if truth.positions is None else (len(truth.values),))
            and np.allclose(
                np.ravel(value), [float(v) for v in truth.values], rtol=1e-9, equal_nan=True
            )
            for truth in known
        )


@pytest.mark.parametrize("dtype", ALL)
def test_a_snippet_runs_in_every_dtype(dtype: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    exec(torch_snippet(TWO, dtype), {})
    assert capsys.readouterr().out.startswith("loss [0.31")


def test_the_snippets_of_a_case_differ_in_the_dtype_alone() -> None:
    for asked in snippet_cases():
        first = torch_snippet(asked, "float32").replace(
            "dtype = torch.float32\n", "dtype = torch.float64\n"
        )
        assert torch_snippet(asked, "float64") == first


def test_no_text_of_a_case_becomes_code_of_its_snippet() -> None:
    evil = dataclasses.replace(ONE, id="logits/x\nraise SystemExit\u2028raise SystemExit")
    statements = ast.parse(torch_snippet(evil, "float32")).body
    assert len(ast.parse(torch_snippet(ONE, "float32")).body) == len(statements)


def test_a_large_array_is_described_and_not_spelled_out() -> None:
    large = next(item for item in corpus() if item.id == "logits/large/sum")
    source = torch_snippet(large, "float32")
    assert "[-1.5, 0.25, 3.0], dtype=dtype).repeat(667)[:2000]" in source
    assert "torch.full((2000,), 0.5, dtype=dtype)" in source
    assert len(source) < 1500


def test_a_script_asks_a_real_trainer_for_one_step() -> None:
    for name in ("ignite", "lightning"):
        source = loss_script(ONE, name, "float32")
        assert source is not None
        assert 40 >= source.count("\n")
        ast.parse(source)
    assert "create_supervised_trainer(" in (loss_script(ONE, "ignite", "float32") or "")
    assert "pl.Trainer(" in (loss_script(ONE, "lightning", "float32") or "")
    assert loss_script(ONE, "keras", "float32") is None


def test_a_second_derivative_has_a_script_in_torch_and_numpy_alone() -> None:
    second = next(item for item in snippet_cases() if item.id == "logits/second/derivative")
    assert "direction * logits_hvp" in (numpy_snippet(second, "float32") or "")
    assert loss_script(second, "ignite", "float32") is None


def test_no_formula_answers_where_an_error_may_be_right() -> None:
    mixed = next(item for item in snippet_cases() if item.id == "logits/mixed/weight")
    assert numpy_snippet(mixed, "float32") is None
    bad = next(one for one in cases() if one.expected and one.expected.raises and not one.job)
    assert numpy_snippet(bad, bad.dtypes[0]) is None


def test_the_formula_takes_limits_only_where_there_are_some() -> None:
    certain = next(one for one in cases() if one.id == "probabilities/edges/perfect_batch")
    assert "def times" in (numpy_snippet(certain, "float64") or "")
    assert "def times" not in (numpy_snippet(ONE, "float64") or "")


def test_a_snippet_of_another_device_puts_every_tensor_there() -> None:
    lines = torch_snippet(ONE, "float32", "cuda:1").splitlines()
    assert 'torch.set_default_device("cuda:1")' in lines
    lines.remove('torch.set_default_device("cuda:1")')
    assert torch_snippet(ONE, "float32").splitlines() == lines


def test_an_integer_needs_no_gradient_so_that_the_loss_itself_refuses_it() -> None:
    whole = dataclasses.replace(ONE, input_dtypes={"logits": "int64"})
    assert "torch.tensor([-40.0], dtype=torch.int64)\n" in torch_snippet(whole, "float32")


def test_the_truth_of_a_job_is_that_of_its_end() -> None:
    one = next(one for one in cases() if one.id.startswith("training/accumulation/"))
    lines = trainer_truth(one).splitlines()
    assert one.expected is not None
    alternative = one.expected.alternatives[0]
    truth = alternative.outputs["parameters"]
    digits = ", ".join(truth.values[-truth.shape[-1] :])
    assert f"# truth of parameters under {alternative.policy}: {digits}" in lines


def test_no_text_of_a_case_becomes_code_of_another_script() -> None:
    evil = dataclasses.replace(ONE, id="x\nraise SystemExit\u2028raise SystemExit")

    def scripts(asked: Case) -> list[str]:
        plain = [
            numpy_snippet(asked, "float32"),
            loss_script(asked, "ignite", "float32"),
            loss_script(asked, "lightning", "float32"),
            adapter_snippet(
                asked,
                "a'b\n:c",
                "float32",
                "cpu",
                needs=["pip install x\nraise SystemExit"],
                file="/a'b\n/c.yaml",
                outputs=asked.outputs,
            ),
        ]
        return [source for source in plain if source]

    for bad, good in zip(scripts(evil), scripts(ONE), strict=True):
        assert len(ast.parse(good).body) == len(ast.parse(bad).body)
