"""`smoke`: what it says of adapters that are sound, and of those with a slip each."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import fakes
import numpy as np
import pytest
from running import TESTS

from conformance import adapters
from conformance.adapters.numpy import NumpyAdapter, logistic
from conformance.model import Computed, Declined
from conformance.smoke.checks import smoke
from conformance.smoke.easy import easy_questions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from conformance.adapters.base import LossAdapter
    from conformance.model import Question
    from conformance.smoke.judging import Check

FIRST = ("logits", "probabilities")


class Slipping(NumpyAdapter):
    """The reference, and a slip on the way to it or back."""

    name = "slipping"
    options = NumpyAdapter.options - {"input_dtypes"}

    def asked(self, question: Question) -> Question:
        return question

    def given(self, outputs: dict[str, Any], question: Question) -> dict[str, Any]:
        return outputs

    def evaluate(self, question: Question) -> Computed:
        found = super().evaluate(self.asked(question)).outputs
        return Computed(**self.given(dict(found), question))


def asking(change: Callable[[dict[str, Any]], dict[str, Any]]) -> type[Slipping]:
    class Asking(Slipping):
        def asked(self, question: Question) -> Question:
            return replace(question, inputs=change(dict(question.inputs)))

    return Asking


def giving(change: Callable[[dict[str, Any], Question], dict[str, Any]]) -> type[Slipping]:
    class Giving(Slipping):
        def given(self, outputs: dict[str, Any], question: Question) -> dict[str, Any]:
            return outputs | change(outputs, question)

    return Giving


def without(name: str) -> type[Slipping]:
    return asking(lambda inputs: {key: inputs[key] for key in inputs if key != name})


def swapped(one: str, other: str) -> type[Slipping]:
    def swap(inputs: dict[str, Any]) -> dict[str, Any]:
        names = {one: other, other: one}
        found = {names.get(name, name): array for name, array in inputs.items()}
        return {name: found[name] for name in sorted(found)}

    return asking(swap)


def gradients(outputs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in outputs.items() if name != "loss"}


class Reducing(Slipping):
    """Asks for another reduction than it is asked for."""

    other = "sum"

    def asked(self, question: Question) -> Question:
        return replace(question, reduction=self.other)


class Confusing(Slipping):
    """Takes probabilities for logits."""

    operations = frozenset({"bce"})
    options = frozenset({"weight"})

    def evaluate(self, question: Question) -> Computed:
        inputs = dict(question.inputs)
        logits = {"logits": inputs.pop("probabilities"), **inputs}
        outputs = ("loss", "logits_grad", "targets_grad")
        other = replace(question, operation="bce_with_logits", inputs=logits, outputs=outputs)
        found = dict(NumpyAdapter.evaluate(self, other).outputs)
        return Computed(probabilities_grad=found.pop("logits_grad"), **found)


class IgnoringStrides(Slipping):
    def asked(self, question: Question) -> Question:
        read = {
            name: np.frombuffer(array.tobytes(order="A"), array.dtype).reshape(array.shape)
            for name, array in question.inputs.items()
        }
        return replace(question, inputs=read)


class Accumulating(Slipping):
    """Gradients are never set back to zero."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, tuple[int, ...]], Any] = {}

    def given(self, outputs: dict[str, Any], question: Question) -> dict[str, Any]:
        for name, value in gradients(outputs).items():
            key = (name, value.shape)
            self.sums[key] = outputs[name] = self.sums.get(key, 0) + value
        return outputs


class FromTheSecondOn(Slipping):
    def evaluate_all(self, questions: Sequence[Question]) -> Any:
        return [self.evaluate(question) for question in reversed(questions)]


class Fewer(Slipping):
    def evaluate_all(self, questions: Sequence[Question]) -> Any:
        return [self.evaluate(question) for question in questions[1:]]


class InItsOwnWay(Slipping):
    """Its bulk evaluation rounds otherwise: no slip, but worth knowing."""

    def evaluate_all(self, questions: Sequence[Question]) -> Any:
        for question in questions:
            outputs = dict(self.evaluate(question).outputs)
            outputs["loss"] = np.nextafter(outputs["loss"], outputs["loss"].dtype.type(9))
            yield Computed(**outputs)


class Offset(Slipping):
    """Wrong by its formula, which no slip explains."""

    def given(self, outputs: dict[str, Any], question: Question) -> dict[str, Any]:
        return outputs | {"loss": outputs["loss"] + np.float32(0.125)}


class Refusing(Slipping):
    """As a framework that has no empty arrays."""

    def evaluate(self, question: Question) -> Computed:
        if not question.inputs["targets"].size:
            msg = "no empty arrays"
            raise ValueError(msg)
        return super().evaluate(question)


class Misspelt(Slipping):
    def evaluate(self, question: Question) -> Computed:
        return Computed(loss=question.inputs["targets"].frobnicate())


class Mistaken(Slipping):
    def evaluate(self, question: Question) -> Computed:
        return Computed(loss=question.inputs["logit"])


class Miscalling(Slipping):
    def evaluate(self, question: Question) -> Computed:
        return super().evaluate(question, question.reduction)  # type: ignore[call-arg]


class DecliningAll(Slipping):
    def decline(self, question: Question) -> Declined:
        return Declined("not today")


class DecliningTooLate(Slipping):
    dtypes = frozenset({"float32"})

    def decline(self, question: Question) -> Declined | None:
        return None


class AWord(Slipping):
    operations = "bce"  # type: ignore[assignment]


class UnknownDtype(Slipping):
    dtypes = frozenset({"float", "float32"})


class Unversioned(Slipping):
    distributions = ("no-such-distribution",)


class Sharing(Slipping):
    def given(self, outputs: dict[str, Any], question: Question) -> dict[str, Any]:
        return outputs | {"targets_grad": question.inputs["targets"]}


def checks(kind: type[LossAdapter], dtype: str = "float32", target: str = "m:C") -> list[Check]:
    return list(smoke(kind(), target, "cpu", dtype))


def broken(kind: type[LossAdapter]) -> dict[str, str]:
    return {check.name: check.message for check in checks(kind) if check.status == "broken"}


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_the_reference_is_sound_in_every_dtype(dtype: str) -> None:
    assert {"ok"} == {check.status for check in checks(NumpyAdapter, dtype)}


def test_every_input_is_an_array_of_the_dtype_asked_for() -> None:
    for label, question in easy_questions(NumpyAdapter(), "cpu", "float32"):
        for array in question.inputs.values():
            assert np.ndarray is type(array), label
        assert np.float32 == next(iter(question.inputs.values())).dtype


@pytest.mark.parametrize("name", [*adapters.BUILT_IN, *adapters.OPTIONAL, "torch:module"])
def test_an_adapter_of_ours_is_sound(name: str) -> None:
    if problem := adapters.missing(name):
        pytest.skip(problem)
    found = list(smoke(adapters.load(name), name, "cpu", "float32"))
    assert [] == [str(check) for check in found if check.status == "broken"]
    assert len(found) > 5


SLIPS = {
    "arguments": (swapped("logits", "targets"), "the arguments are swapped"),
    "probabilities": (Confusing, "the probabilities are taken for logits"),
    "sigmoid twice": (
        asking(lambda inputs: {n: logistic(a) if n == "logits" else a for n, a in inputs.items()}),
        "the sigmoid is taken twice",
    ),
    "hard targets": (
        asking(lambda inputs: inputs | {"targets": np.round(inputs["targets"])}),
        "the targets are made 0 or 1",
    ),
    "reduction": (Reducing, "the reduction is 'sum' where 'mean' is asked"),
    "weight": (without("weight"), "weight is ignored"),
    "pos_weight": (without("pos_weight"), "pos_weight is ignored"),
    "grad_output": (without("grad_output"), "grad_output is ignored"),
    "direction": (
        asking(
            lambda inputs: {
                n: np.ones_like(a) if n == "direction" else a for n, a in inputs.items()
            }
        ),
        "direction is ignored",
    ),
    "weights": (swapped("weight", "pos_weight"), "weight and pos_weight are swapped"),
    "sign": (
        giving(lambda outputs, _: {name: -value for name, value in outputs.items()}),
        "the sign is flipped",
    ),
    "mean": (
        giving(
            lambda outputs, question: {
                name: (value / max(value.size, 1)).astype(value.dtype)
                for name, value in gradients(outputs).items()
                if question.reduction != "mean"
            }
        ),
        "the gradient is that of the mean",
    ),
    "sum": (
        giving(
            lambda outputs, question: {
                name: value * np.float32(value.size)
                for name, value in gradients(outputs).items()
                if question.reduction == "mean"
            }
        ),
        "the gradient is that of the sum",
    ),
    "other input": (
        giving(
            lambda outputs, _: {
                name: outputs["targets_grad"] for name in outputs if name.startswith(FIRST)
            }
        ),
        "the gradient is that with respect to another input",
    ),
    "detached": (
        giving(lambda outputs, _: {n: np.zeros_like(v) for n, v in gradients(outputs).items()}),
        "the gradient is all zeros",
    ),
    "axis": (fakes.ExtraAxis, "loss has the shape (1, 5) where (5,) is right"),
    "dtype": (fakes.InDouble, "loss is float64 where float32 is asked"),
    "missing": (fakes.NoGradient, "targets_grad is missing"),
    "too many": (giving(lambda outputs, _: {"grad": outputs["loss"]}), "it gives grad, which"),
    "lists": (fakes.Lists, "not a NumPy array: convert it with np.asarray"),
    "nothing": (fakes.Nothing, "it returned NoneType, not Computed(...): return Computed"),
    "memory": (Sharing, "targets_grad shares the memory of an input: return a copy"),
    "changes": (fakes.Mutates, "it changed its input 'targets': give the framework a copy"),
    "strides": (IgnoringStrides, "strides are ignored"),
    "attribute": (Misspelt, "AttributeError: "),
    "key": (Mistaken, "KeyError: 'logit' ("),
    "call": (Miscalling, "the adapter itself raises it"),
    "declines": (DecliningAll, "it declines the easiest questions"),
    "declines too late": (DecliningTooLate, "begin `decline` with super().decline(question)"),
    "a word": (AWord, "`operations` is a str: make it frozenset({...})"),
    "unknown dtype": (UnknownDtype, "`dtypes` has float: the names are bfloat16, float16"),
    "version": (Unversioned, "no-such-distribution is unknown"),
    "accumulates": (Accumulating, "keep nothing from one question to the next"),
    "order": (FromTheSecondOn, "answer in the order of the questions"),
    "fewer": (Fewer, "an answer is due to each"),
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_named_with_what_to_mend(name: str) -> None:
    kind, said = SLIPS[name]
    found = broken(kind)
    assert [message for message in found.values() if said in message], found


def test_two_slips_at_once_are_both_named() -> None:
    class Both(Slipping):
        def asked(self, question: Question) -> Question:
            inputs = {name: array for name, array in question.inputs.items() if name != "weight"}
            return replace(question, inputs=inputs)

        def given(self, outputs: dict[str, Any], question: Question) -> dict[str, Any]:
            return {name: -value for name, value in outputs.items()}

    message = broken(Both)["bce, weight"]
    assert "weight is ignored" in message
    assert "besides, the sign is flipped" in message


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Offset, "no slip of an adapter that we know: run the suite"),
        (Refusing, "the framework refuses an easy question, ValueError: no empty arrays"),
        (InItsOwnWay, "the framework computes otherwise when it takes many"),
        (fakes.SumsByTurns, "the framework's own order of operations varies"),
    ],
)
def test_what_no_slip_explains_is_left_to_the_suite(kind: type[LossAdapter], said: str) -> None:
    found = checks(kind)
    assert "broken" not in {check.status for check in found}, found
    assert [check for check in found if check.status == "differs" and said in check.message], found


@pytest.mark.parametrize("factor", [0.75, 0.9, 1.0625, 1.25, 3.0])
def test_a_number_that_is_merely_wrong_is_not_taken_for_a_slip(factor: float) -> None:
    kind = giving(
        lambda outputs, _: {
            name: (value * factor).astype(value.dtype) for name, value in outputs.items()
        }
    )
    assert {} == broken(kind)


def test_a_name_that_is_not_that_of_the_entry_is_told() -> None:
    found = {check.name: check for check in checks(NumpyAdapter, target="torch")}
    assert "it is found as 'torch' and calls itself 'numpy'" in found["name"].message


def test_a_ledger_that_cannot_be_read_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = TESTS / "fakes.py"
    (tmp_path / "ledgered.py").write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "ledgered.deviations.toml").write_text("[[deviation]]\ncases = 1\n", "utf-8")
    found = command(tmp_path, "--adapter", "ledgered:Right")
    assert 1 == found.returncode
    assert "ledgered.deviations.toml:1: entry 1: " in found.stdout
    assert "ledgers: broken: " in found.stdout


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "conformance.cli", "smoke", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


def test_the_command_says_a_line_for_each_check_and_exits_with_0_if_it_is_sound() -> None:
    found = command(TESTS, "--adapter", "fakes:Right")
    *lines, last = found.stdout.splitlines()
    assert 0 == found.returncode
    assert all(line.endswith(": ok") for line in lines), lines
    assert f"sound: {len(lines)} of {len(lines)} checks ok. Go on with:" in last


def test_the_command_exits_with_1_if_it_is_broken() -> None:
    found = command(TESTS, "--adapter", "fakes:ExtraAxis")
    assert 1 == found.returncode
    assert "Mend the adapter, then ask again." in found.stdout.splitlines()[-1]


def test_a_program_reads_the_same() -> None:
    found = command(TESTS, "--adapter", "fakes:Float64Only", "--format", "json")
    answer = json.loads(found.stdout)
    assert ("float64-only", "cpu", "float64", True) == (
        answer["adapter"],
        answer["device"],
        answer["dtype"],
        answer["sound"],
    )
    assert {"name", "status", "message"} == set(answer["checks"][0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--adapter", "nunpy"], "unknown adapter 'nunpy'. Did you mean numpy?"),
        (["--adapter", "fakes:CannotBeMade"], "cannot be imported"),
        (["--adapter", "numpy", "--device", "cuda"], "numpy does not run on cuda"),
        (["--adapter", "numpy", "--device", "CPU"], "unknown device 'CPU'"),
        (
            ["--adapter", "fakes:Float64Only", "--dtype", "float16"],
            "float64-only does not offer float16: float64",
        ),
        ([], "the following arguments are required: --adapter"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(arguments: list[str], said: str) -> None:
    found = command(TESTS, *arguments)
    assert (64, "") == (found.returncode, found.stdout)
    assert said in found.stderr
    assert 1 == found.stderr.count("\n")
