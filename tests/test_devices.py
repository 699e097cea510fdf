"""What is told of a device, and how its number reaches those who use it; no GPU is needed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
from job_questions import ask
from lightning_fabric import Fabric
from lightning_fabric.accelerators import cuda as of_fabric
from pytorch_lightning import Trainer
from pytorch_lightning.accelerators import cuda as of_trainer

from conformance import adapters
from conformance.adapters import _devices
from conformance.adapters._torch import TorchBased
from conformance.adapters.jobs.lightning import make_trainer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NO_CUDA = pytest.mark.skipif(torch.version.cuda is not None, reason="this PyTorch has CUDA")


def test_every_setting_of_the_cpu_is_told() -> None:
    found = adapters.load("torch").device_settings("cpu")
    assert str(torch.get_num_threads()) == found["threads"]
    assert str(torch.get_num_interop_threads()) == found["interop threads"]
    assert torch.backends.cpu.get_cpu_capability() == found["capability"]
    assert ("torch.float32", "off") == (found["default dtype"], found["deterministic algorithms"])
    assert _devices.UNKNOWN not in found.values()
    assert found == adapters.load("torch:module").device_settings("cpu")


@pytest.mark.parametrize(("warn", "expected"), [(False, "on"), (True, "warn only")])
def test_deterministic_algorithms_are_told_with_how_they_are_enforced(
    expected: str, *, warn: bool
) -> None:
    torch.use_deterministic_algorithms(True, warn_only=warn)
    try:
        assert expected == _devices.settings("cpu")["deterministic algorithms"]
    finally:
        torch.use_deterministic_algorithms(False)


def test_every_flag_of_cuda_can_be_read_in_this_version() -> None:
    flags = {name for name in _devices.CUDA if "." in name}
    assert 9 <= len(flags)
    found = _devices._read({name: _devices.CUDA[name] for name in flags})
    assert _devices.UNKNOWN not in found.values()


def test_the_environment_of_cuda_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.delenv("CUDA_LAUNCH_BLOCKING", raising=False)
    found = _devices._read(_devices.CUDA)
    assert ":4096:8" == found["CUBLAS_WORKSPACE_CONFIG"]
    assert "not set" == found["CUDA_LAUNCH_BLOCKING"]


@NO_CUDA
def test_what_cannot_be_told_of_a_device_is_unknown() -> None:
    found = _devices.settings("cuda")
    for name in ("device", "GPU", "compute capability", "memory", "CUDA", "cuDNN"):
        assert _devices.UNKNOWN == found[name]


MIXED = """
import warnings
warnings.simplefilter("error")
import torch
from conformance.adapters import _devices
before = _devices.settings("cuda") | _devices.settings("cpu")
torch.backends.cuda.matmul.fp32_precision = "tf32"
after = _devices.settings("cuda") | _devices.settings("cpu")
print({name: value for name, value in after.items() if value != before[name]})
assert torch.backends.cuda.matmul.fp32_precision == "tf32"
"""


def test_flags_that_can_no_longer_be_read_since_another_was_set_are_unknown() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MIXED], capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert "'cuda.matmul.fp32_precision': 'tf32'" in done.stdout
    assert "'cuda.matmul.allow_tf32': 'unknown'" in done.stdout


def test_without_the_drivers_library_its_version_is_unknown() -> None:
    assert _devices.UNKNOWN == _devices.driver_version("no-such-library.so.1")


NVML = """
#include <string.h>
static int ready;
int nvmlInit_v2(void) { ready = 1; return INIT; }
int nvmlSystemGetDriverVersion(char *version, unsigned length) {
    if (!ready || length < 80) return 7;
    strcpy(version, "580.95.05");
    return VERSION;
}
int nvmlShutdown(void) { ready = 0; return 0; }
"""


@pytest.mark.skipif(
    sys.platform == "win32" or not shutil.which("cc"), reason="there is no C compiler"
)
@pytest.mark.parametrize(
    ("init", "version", "expected"), [(0, 0, "580.95.05"), (9, 0, "unknown"), (0, 9, "unknown")]
)
def test_the_drivers_library_tells_its_version(
    tmp_path: Path, init: int, version: int, expected: str
) -> None:
    (tmp_path / "nvml.c").write_text(NVML, encoding="utf-8")
    library = tmp_path / "nvml.so"
    define = [f"-DINIT={init}", f"-DVERSION={version}"]
    subprocess.run(
        ["cc", "-shared", "-fPIC", *define, "-o", library, tmp_path / "nvml.c"], check=True
    )
    assert expected == _devices.driver_version(str(library))


def test_a_library_without_these_functions_tells_nothing() -> None:
    assert _devices.UNKNOWN == _devices.driver_version(torch._C.__file__)


def test_a_number_beyond_those_present_is_refused_with_how_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    for count, said in ((0, "no CUDA device"), (1, "1 CUDA device"), (2, "2 CUDA devices")):
        monkeypatch.setattr(torch.cuda, "device_count", lambda count=count: count)
        sentence = f"PyTorch {torch.__version__} finds {said} on this machine, so no cuda:99"
        assert sentence == adapters.load("torch").device_problem("cuda:99")
        assert (count == 0) == (adapters.load("torch").device_problem("cuda") is not None)


def test_accelerate_takes_the_first_gpu_alone() -> None:
    said = adapters.load("accelerate").device_problem("cuda:1")
    assert "accelerate takes the first GPU, not cuda:1" == said


@pytest.mark.parametrize("device", ["meta", "xla", "mps:0", "privateuseone"])
@pytest.mark.parametrize("name", ["torch", "ignite", "lightning", "accelerate", *adapters.WAYS])
def test_another_kind_of_device_is_refused_with_those_that_are_not(name: str, device: str) -> None:
    adapter = adapters.load(name)
    sentence = f"{adapter.name} does not run on {device}: it runs on cpu and cuda"
    if name == "accelerate" and ":" in device:
        device = device.partition(":")[0]
        sentence = sentence.replace(":0", "")
    assert sentence == adapter.device_problem(device)


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("cpu", {"accelerator": "cpu", "devices": 1}),
        ("cuda:2", {"accelerator": "cuda", "devices": [2]}),
        ("cuda", {"accelerator": "cuda", "devices": [3]}),
    ],
)
def test_lightning_is_told_of_one_device_and_of_no_other(
    monkeypatch: pytest.MonkeyPatch, device: str, expected: dict[str, Any]
) -> None:
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    assert expected == _devices.for_lightning(device)


@NO_CUDA
@pytest.mark.parametrize("of", ["losses", "jobs", "fabric"])
def test_trainers_of_lightning_take_the_gpu_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    for module in (of_fabric, of_trainer):
        monkeypatch.setattr(module, "num_cuda_devices", lambda: 3)
    make: dict[str, Callable[[], Any]] = {
        "losses": lambda: Trainer(logger=False, **_devices.for_lightning("cuda:2")).strategy,
        "jobs": lambda: make_trainer(ask(device="cuda:2")).strategy,
        "fabric": lambda: Fabric(**_devices.for_lightning("cuda:2")).strategy,
    }
    assert torch.device("cuda:2") == make[of]().root_device


def test_the_current_gpu_is_left_as_it_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [1]
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: chosen[-1])
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)

    @_devices.current_kept()
    def lost() -> None:
        torch.cuda.set_device(0)
        message = "lost on the way"
        raise ValueError(message)

    with pytest.raises(ValueError, match="lost on the way"):
        lost()
    assert [1, 0, 1] == chosen


def test_every_way_declares_the_devices_of_pytorch() -> None:
    for name in adapters.WAYS:
        assert isinstance(adapters.load(name), TorchBased)
