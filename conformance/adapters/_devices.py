"""What PyTorch knows of a device: whether it is there, its name, what may change its numbers.

No setting is changed here, and no device used that is not there.
"""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

UNKNOWN = "unknown"
_DETERMINISTIC = ("off", "warn only", "on")
_NVML = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"


def _flags(*names: str) -> dict[str, Callable[[], object]]:
    """Those of torch.backends, by their dotted names."""
    return {name: partial(attrgetter(name), torch.backends) for name in names}


GENERAL: Mapping[str, Callable[[], object]] = {
    "default dtype": torch.get_default_dtype,
    "deterministic algorithms": lambda: _DETERMINISTIC[torch.get_deterministic_debug_mode()],
    # To read one of these two raises once the other has been set.
    "float32 matmul precision": torch.get_float32_matmul_precision,
    **_flags("fp32_precision"),
}
"""What holds on every device."""

CPU: Mapping[str, Callable[[], object]] = {
    "capability": torch.backends.cpu.get_cpu_capability,
    "threads": torch.get_num_threads,
    "interop threads": torch.get_num_interop_threads,
    **_flags("mkldnn.enabled"),
}

CUDA: Mapping[str, Callable[[], object]] = {
    "CUDA": lambda: torch.version.cuda,
    "cuDNN": torch.backends.cudnn.version,
    **_flags(
        "cuda.matmul.allow_tf32",
        "cuda.matmul.fp32_precision",
        "cuda.matmul.allow_fp16_reduced_precision_reduction",
        "cuda.matmul.allow_bf16_reduced_precision_reduction",
        "cudnn.enabled",
        "cudnn.benchmark",
        "cudnn.deterministic",
        "cudnn.allow_tf32",
        "cudnn.conv.fp32_precision",
    ),
    **{
        name: partial(os.environ.get, name, "not set")
        for name in ("CUBLAS_WORKSPACE_CONFIG", "CUDA_LAUNCH_BLOCKING", "CUDA_VISIBLE_DEVICES")
    },
}
"""What holds on every CUDA device; its flags are there in a build without CUDA, too."""


def problem(device: str) -> str | None:
    """Why PyTorch cannot use a CUDA device, in a sentence without its full stop; or None."""
    kind, _, index = device.partition(":")
    if kind != "cuda":
        return None
    if torch.version.cuda is None and torch.version.hip is None:
        return f"PyTorch {torch.__version__} is built without CUDA, so it has no device {device}"
    count = torch.cuda.device_count()
    if count > (int(index) if index else 0):
        return None
    found = f"PyTorch {torch.__version__} finds {count or 'no'} CUDA device"
    return f"{found}{'s' if count > 1 else ''} on this machine, so no {device}"


def facts(device: str) -> str:
    """The name of a GPU with its driver and libraries; of the CPU, its capability and threads."""
    if device == "cpu":
        return f"cpu, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    name = torch.cuda.get_device_name(device)
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return f"{name}, driver {driver_version()}, CUDA {torch.version.cuda}, cuDNN {cudnn}"


def for_lightning(device: str) -> dict[str, Any]:
    """The arguments with which Lightning's Trainer, or Fabric, uses ``device`` and no other.

    "cuda" is the current device for PyTorch; Lightning would take it for all that there are.
    """
    kind = device.partition(":")[0]
    return {"accelerator": kind, "devices": [_number(device)] if kind == "cuda" else 1}


@contextmanager
def current_kept() -> Iterator[None]:
    """Leave the current CUDA device as it was found.

    Lightning makes its own the current one, which would be "cuda" for all that come after it.
    """
    before = torch.cuda.current_device() if torch.cuda.is_initialized() else 0  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.set_device(before)


def settings(device: str) -> dict[str, str]:
    """What else may change the numbers that ``device`` gives, name to value."""
    if device == "cpu":
        return _read({**CPU, **GENERAL})
    return _read({**_gpu(device), **CUDA, **GENERAL})


def driver_version(library: str = _NVML) -> str:
    """The version of NVIDIA's driver, by its management library; "unknown" where that has none.

    Source: https://docs.nvidia.com/deploy/nvml-api/group__nvmlSystemQueries.html.
    """
    text = ctypes.create_string_buffer(80)
    try:
        nvml = ctypes.CDLL(library)
        if nvml.nvmlInit_v2():
            return UNKNOWN
        failed = nvml.nvmlSystemGetDriverVersion(text, ctypes.c_uint(len(text)))
        nvml.nvmlShutdown()
    except (OSError, AttributeError):
        return UNKNOWN
    version = text.value.decode("ascii", "replace")
    return version if version and not failed else UNKNOWN


def _number(device: str) -> int:
    """The number of a CUDA device; "cuda" alone is the current one."""
    return int(device.partition(":")[2] or torch.cuda.current_device())


def _gpu(device: str) -> dict[str, Callable[[], object]]:
    """What one GPU is."""

    def of(name: str) -> Any:
        return getattr(torch.cuda.get_device_properties(_number(device)), name)

    return {
        "device": lambda: f"cuda:{_number(device)}",
        "GPU": lambda: of("name"),
        "compute capability": lambda: f"{of('major')}.{of('minor')}",
        "multiprocessors": lambda: of("multi_processor_count"),
        "memory": lambda: f"{of('total_memory') / 2**30:.1f} GiB",
        "driver": driver_version,
    }


def _read(readers: Mapping[str, Callable[[], object]]) -> dict[str, str]:
    """What each says; what a version of PyTorch does not have, or will not tell, is unknown."""
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, read in readers.items():
            try:
                value = read()
            except (AttributeError, AssertionError, RuntimeError):
                value = None
            found[name] = UNKNOWN if value is None else str(value)
    return found
