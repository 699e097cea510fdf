"""That everything computed for a question is computed on its device; no GPU is needed.

PyTorch's device "meta" is always there and has shapes without values: whoever mixes it with the CPU
is refused, as with CUDA. On a pretended "cuda" a build without it can do a forward pass alone.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from factories import make_case
from job_questions import ask
from torch._subclasses.fake_tensor import FakeTensorMode

from conformance import adapters
from conformance.adapters._torch import Tensors
from conformance.adapters._trainer import Steps
from conformance.adapters.jobs import lightning as lightning_jobs
from conformance.adapters.jobs import torch as torch_jobs
from conformance.adapters.jobs._torch import loader
from conformance.adapters.lightning import _Module
from conformance.asking import question_of
from conformance.jobs import Optimizer
from conformance.model import Computed, Declined

if TYPE_CHECKING:
    from conformance.adapters.base import LossAdapter
    from conformance.model import Case, Question

GIVEN: list[dict[str, Any]] = [
    {"logits": [1, 2], "targets": [0, 1], "weight": [1, 2], "pos_weight": [2, 1]},
    {"logits": [1, 2], "targets": [0, 1], "grad_output": [1, 2]},
    {"probabilities": [0.5, 0.25], "targets": [0, 1], "weight": [1, 2], "reduction": "mean"},
    {
        "logits": [1, 2],
        "targets": [0, 1],
        "reduction": "sum",
        "direction": [1, 2],
        "outputs": ("loss", "logits_grad", "logits_hvp"),
    },
]
CASES = [make_case(filled=False, **given) for given in GIVEN]
# Inductor makes no code for "meta", and autocast has no such device.
WITHOUT_META = {"torch:inductor", "torch:autocast_bf16", "torch:autocast_fp16"}

# In bulk they look at the values first, on the CPU.
CHECKS_VALUES = {"torch:aot_eager", "torch:export"}


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices from which results are collected; "meta" has no values to collect."""
    for name in (*adapters.BUILT_IN, *adapters.OPTIONAL, *adapters.WAYS):
        adapters.load(name)
    devices = []

    def collect(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
        devices.append(str(tensor.device))
        return np.ones(tuple(tensor.shape), np.float32)

    for name, module in list(sys.modules.items()):
        if name.startswith("conformance.adapters") and hasattr(module, "to_array"):
            monkeypatch.setattr(module, "to_array", collect)
    monkeypatch.setattr(torch.Tensor, "item", lambda _: 1.0)
    return devices


def on(device: str, case: Case, adapter: LossAdapter) -> Question:
    outputs = tuple(name for name in case.outputs if name in adapter.outputs)
    return question_of(replace(case, outputs=outputs), device, "float32")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Of torch, in its own code.
@pytest.mark.parametrize("name", ["torch", "ignite", *sorted(adapters.WAYS.keys() - WITHOUT_META)])
def test_a_loss_is_computed_and_differentiated_on_the_device_of_its_question(
    collected: list[str], name: str
) -> None:
    adapter = adapters.load(name)
    questions = [on("meta", case, adapter) for case in CASES]
    asked = [one for one in questions if one.outputs and adapter.decline(one) is None]
    answers: list[object] = [adapter.evaluate(question) for question in asked]
    if name not in CHECKS_VALUES:
        answers += adapter.evaluate_all(asked)
    assert answers
    for answer in answers:
        assert isinstance(answer, Computed), answer
        assert answer.outputs
    assert {"meta"} == set(collected)


def test_a_module_of_lightning_steps_on_the_device_of_its_question(collected: list[str]) -> None:
    question = on("meta", CASES[0], adapters.load("lightning"))
    module = _Module(question, Steps(keep_going=False))
    module.on_train_batch_start(question, 0)
    module.training_step().backward()  # type: ignore[no-untyped-call]
    module.on_before_optimizer_step()
    module.configure_optimizers().step()
    assert ["meta"] * 3 == collected


def test_a_tensor_left_on_the_cpu_is_found_out(collected: list[str]) -> None:
    adapter = adapters.load("torch")
    tensors = Tensors(on("meta", CASES[0], adapter))
    tensors.weight = torch.ones(2)
    with pytest.raises(RuntimeError, match="is not on the expected device meta"):
        tensors.loss(tensors.input, tensors.targets)
    assert [] == collected


JOBS = {
    "train": ask(device="meta", epochs=2, accumulate=2, inputs={"weight": np.ones(1, "f")}),
    "adam": ask(device="meta", optimizer=Optimizer(name="adam", lr=0.1), validation=2),
    "clip": ask(device="meta", clip_norm=1.0),
    "mlp": ask(device="meta", model="mlp", hidden=3, shuffle=1),
    "evaluate": ask("evaluate", device="meta", inputs={"pos_weight": np.ones(1, "f")}),
    "predict": ask("predict", device="meta", views=("identity", "flip_last")),
}
# Ignite's metric Loss adds up on the CPU, and nothing can be moved there from "meta".
METRICS = {("ignite", "evaluate"), ("ignite", "adam")}


@pytest.mark.parametrize("name", ["torch", "ignite", "accelerate"])
def test_a_job_is_done_on_the_device_of_its_question(
    collected: list[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(torch_jobs._Work, "autocast", lambda _: nullcontext())
    monkeypatch.setenv("ACCELERATE_TORCH_DEVICE", "meta")
    adapter = adapters.load(name)
    done = 0
    for label, question in JOBS.items():
        if (name, label) in METRICS or isinstance(adapter.decline(question), Declined):
            continue
        assert set(question.outputs) <= set(adapter.perform(question).outputs)
        done += 1
    assert 3 <= done
    assert {"meta"} == set(collected)


def test_a_job_of_lightning_steps_on_the_device_of_its_question(
    collected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = lightning_jobs.Module(JOBS["train"])
    monkeypatch.setattr(module, "log", lambda *_, **__: None)
    batch = [tensor.to("meta") for tensor in next(iter(loader(JOBS["train"])))]
    module.training_step(batch).backward()  # type: ignore[no-untyped-call]
    module.configure_optimizers().step()
    assert ["meta"] == collected


FORWARD = ["torch", "torch:module", "torch:aten", "torch:autocast_bf16", "torch:autocast_fp16"]


@pytest.mark.parametrize("name", FORWARD)
@pytest.mark.parametrize("case", CASES[:3], ids=["logits", "grad_output", "probabilities"])
@pytest.mark.filterwarnings("ignore:.*CUDA is not available")
def test_a_loss_is_computed_on_the_gpu_that_its_question_names(name: str, case: Case) -> None:
    adapter: Any = adapters.load(name)
    plain = not hasattr(adapter, "loss")
    with FakeTensorMode(), torch.no_grad():
        tensors = Tensors(on("cuda:1", case, adapter))
        loss = tensors.loss(tensors.input, tensors.targets) if plain else adapter.loss(tensors)
        assert torch.device("cuda:1") == tensors.objective(loss).device
        if tensors.weight is not None:
            tensors.weight = torch.ones(2)
            with pytest.raises(RuntimeError, match="cpu"):
                _ = tensors.loss(tensors.input, tensors.targets) if plain else adapter.loss(tensors)
