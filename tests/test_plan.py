"""Which questions go where."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from factories import make_case

from conformance import adapters
from conformance.corpus import Corpus
from conformance.errors import ConformanceError
from conformance.glossary import Glossary
from conformance.plan import Group, make_plan

CORPUS = Corpus(
    tuple(
        replace(make_case(logits=[1.0], targets=[1.0]), id=f"g/{name}", dtypes=dtypes)
        for name, dtypes in (("a", ("float32", "float64")), ("b", ("float32",)))
    ),
    Glossary(),
)


def test_an_item_is_a_case_an_adapter_a_device_and_a_dtype() -> None:
    plan = make_plan(CORPUS, ["numpy"])
    assert ["g/a-numpy-cpu-float32", "g/b-numpy-cpu-float32", "g/a-numpy-cpu-float64"] == [
        str(item) for item in plan.items
    ]
    assert (Group("numpy", "cpu", "float32"), Group("numpy", "cpu", "float64")) == plan.groups


def test_the_built_in_adapters_run_by_default() -> None:
    plan = make_plan(CORPUS)
    assert list(adapters.BUILT_IN) == list(dict.fromkeys(i.group.adapter for i in plan.items))
    assert 3 * 4 == sum(item.group.device == "cpu" for item in plan.items)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_an_absent_cuda_device_is_not_run_and_says_why() -> None:
    plan = make_plan(CORPUS)
    assert {("torch", 3), ("ignite", 3), ("lightning", 3)} == {
        (record.adapter, record.items) for record in plan.not_run
    }
    assert {"cuda"} == {record.device for record in plan.not_run}
    assert {"cpu"} == {item.group.device for item in plan.items}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
@pytest.mark.parametrize("asked", [{"devices": ["cuda"]}, {"cuda": True}, {"devices": ["cuda:1"]}])
def test_an_absent_device_that_was_asked_for_is_an_error(asked: dict[str, object]) -> None:
    with pytest.raises(ConformanceError, match="Leave out the device, or run where there is one"):
        make_plan(CORPUS, **asked)  # type: ignore[arg-type]


def test_a_device_that_an_adapter_named_does_not_have_is_an_error() -> None:
    with pytest.raises(ConformanceError, match="numpy does not run on cuda"):
        make_plan(CORPUS, ["numpy"], ["cuda"])


@pytest.mark.parametrize(
    "device",
    [
        "",
        "CUDA",
        "cpu:1",
        "cuda:",
        "cuda:x",
        "cuda:01",
        "cuda:-1",
        "cuda:0 ",
        "no\nsense",
        "\uff43uda",
    ],
)
def test_what_names_no_device_is_an_error(device: str) -> None:
    with pytest.raises(ConformanceError) as caught:
        make_plan(CORPUS, ["numpy"], [device])
    (line,) = str(caught.value).splitlines()
    assert line.startswith("unknown device ")
    assert line.endswith(" Give cpu, cuda, cuda:N, or a kind that an adapter has.")


@pytest.mark.parametrize(
    "device", ["meta", "mps", "mps:0", "xla", "xpu", "privateuseone:1", "gpu", "vulkan"]
)
def test_a_kind_of_device_that_an_adapter_does_not_have_is_refused_with_those_it_has(
    device: str,
) -> None:
    with pytest.raises(ConformanceError) as caught:
        make_plan(CORPUS, ["torch"], [device])
    assert (
        f"torch does not run on {device}: it runs on cpu and cuda. "
        "Leave out the device, or ask an adapter that has it."
    ) == str(caught.value)
    with pytest.raises(ConformanceError) as caught:
        make_plan(CORPUS, devices=["cpu", device])
    assert (
        f"no adapter of this run has a device {device}: they run on cpu and cuda. "
        "Leave out the device, or ask an adapter that has it."
    ) == str(caught.value)


def test_a_third_party_decides_whether_its_device_is_here() -> None:
    plan = make_plan(CORPUS, ["fakes:OnMetal"], ["mps"])
    assert {"mps"} == {item.group.device for item in plan.items}
    with pytest.raises(ConformanceError, match=r"there is one Metal device, no mps:1\. Leave out"):
        make_plan(CORPUS, ["fakes:OnMetal"], ["mps:1"])
    with pytest.raises(ConformanceError, match=r"on mps:2: RuntimeError: lost\. Leave"):
        make_plan(CORPUS, ["fakes:OnMetal"], ["mps:2"])


def test_an_adapter_without_a_usual_device_is_asked_only_where_it_runs() -> None:
    with pytest.raises(ConformanceError, match=r"on-metal runs on mps only\. Ask for it: --device"):
        make_plan(CORPUS, ["fakes:OnMetal"])
    with pytest.raises(ConformanceError, match="on-metal does not run on cpu: it runs on mps"):
        make_plan(CORPUS, ["fakes:OnMetal"], ["cpu"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_what_is_not_run_for_one_reason_is_one_line() -> None:
    plan = make_plan(CORPUS, ["torch:*"])
    assert len(adapters.WAYS) + 1 == len(plan.not_run)
    count = 3 * len(plan.not_run)
    (line,) = plan.absences()
    assert (
        f"not run: torch, torch:module, torch:aten and {len(plan.not_run) - 3} more on cuda, "
        f"{count} questions: no NVIDIA driver on this machine, so no CUDA device"
    ) == line


@pytest.mark.skipif(torch.version.cuda is not None, reason="this PyTorch is built with CUDA")
@pytest.mark.parametrize("names", [[], ["torch"], ["torch:*"], ["numpy", "torch"]])
def test_cuda_that_is_required_needs_a_pytorch_that_has_it(
    monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    monkeypatch.setattr("conformance.plan._has_cuda_driver", lambda: True)
    with pytest.raises(ConformanceError) as caught:
        make_plan(CORPUS, names, cuda=True)
    assert (
        f"PyTorch {torch.__version__} is built without CUDA, so it has no device cuda. "
        "Leave out the device, or run where there is one."
    ) == str(caught.value)
    assert ["cuda"] * 3 == [record.device for record in make_plan(CORPUS).not_run]


def test_cuda_that_is_required_of_those_without_it_is_an_error() -> None:
    with pytest.raises(ConformanceError, match="numpy does not run on cuda: it runs on cpu"):
        make_plan(CORPUS, ["numpy"], cuda=True)


def test_a_missing_framework_is_an_error_only_where_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listing = adapters.Listing("nowhere:A", ("not_installed_here",), "torch", ("cpu",))
    known = {"numpy": adapters.BUILT_IN["numpy"], "gone": listing}
    monkeypatch.setattr(adapters, "BUILT_IN", known)
    monkeypatch.setattr(adapters, "OURS", known)
    plan = make_plan(CORPUS)
    assert {"numpy"} == {item.group.adapter for item in plan.items}
    (record,) = plan.not_run
    assert ("gone", 3) == (record.adapter, record.items)
    assert "not installed: not_installed_here" in record.reason
    with pytest.raises(ConformanceError, match="not installed: not_installed_here"):
        make_plan(CORPUS, ["gone"])
    assert plan.not_run == make_plan(CORPUS, ["numpy", "g*"]).not_run


def test_a_third_party_adapter_is_planned_by_its_path() -> None:
    plan = make_plan(CORPUS, ["fakes:Right"])
    assert "g/a-right-cpu-float32" == str(plan.items[0])
    assert {"right": "fakes:Right"} == plan.targets


def test_two_adapters_of_one_name_are_refused() -> None:
    with pytest.raises(ConformanceError, match="two adapters have the name 'numpy'"):
        make_plan(CORPUS, ["numpy", "fakes:Numpy"])
