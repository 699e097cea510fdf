"""Finds adapters by name, and imports a framework only when its adapter is asked for."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import sys
import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from importlib import metadata, util
from typing import TYPE_CHECKING

from conformance.adapters.base import LossAdapter, first_line
from conformance.errors import ConformanceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ENTRY_POINTS = "bce_conformance.adapters"
WORKER = "worker:"
"""What stands before the command of a worker, where the name of an adapter may stand."""

_NAME = re.compile(r"[A-Za-z0-9._-]+(:[A-Za-z0-9._-]+)?")


@dataclass(frozen=True, slots=True)
class Listing:
    """Where an adapter is, and the modules that it needs.

    Attributes:
        target: "package.module:Class".
        modules: The frameworks' import names.
        install: What pip is told to install them.
        compiles: Whether it needs a C++ compiler, as Inductor does.
        programs: The other programs that it calls.
        devices: What the class declares, known before it is imported; None where it is not.
    """

    target: str
    modules: tuple[str, ...] = ()
    install: str = ""
    devices: tuple[str, ...] | None = None
    compiles: bool = False
    programs: tuple[str, ...] = ()


def _extra(name: str) -> str:
    return f"'bce-conformance[{name}]'"


_TORCH = ("cpu", "cuda")
BUILT_IN: Mapping[str, Listing] = {
    "numpy": Listing("conformance.adapters.numpy:NumpyAdapter", devices=("cpu",)),
    "torch": Listing(
        "conformance.adapters.torch:TorchAdapter", ("torch",), _extra("torch"), _TORCH
    ),
    "ignite": Listing(
        "conformance.adapters.ignite:IgniteAdapter",
        ("torch", "ignite"),
        _extra("ignite"),
        _TORCH,
    ),
    "lightning": Listing(
        "conformance.adapters.lightning:LightningAdapter",
        ("torch", "pytorch_lightning"),
        _extra("lightning"),
        _TORCH,
    ),
}
"""Those that a run asks unless it names others."""

OPTIONAL: Mapping[str, Listing] = {
    "fabric": Listing(
        "conformance.adapters.fabric:FabricAdapter",
        ("torch", "lightning_fabric"),
        _extra("lightning"),
        _TORCH,
    ),
    "accelerate": Listing(
        "conformance.adapters.accelerate:AccelerateAdapter",
        ("torch", "accelerate"),
        _extra("accelerate"),
        _TORCH,
    ),
}
"""Those that come along and are asked by name."""


def _way(place: str, *, compiles: bool = False) -> Listing:
    target = f"conformance.adapters.ways.{place}"
    return Listing(target, ("torch",), _extra("torch"), _TORCH, compiles=compiles)


WAYS: Mapping[str, Listing] = {
    "torch:module": _way("module:Module"),
    "torch:aten": _way("aten:Aten"),
    "torch:aot_eager": _way("aot_eager:AotEager"),
    "torch:inductor": _way("inductor:Inductor", compiles=True),
    "torch:export": _way("export:Export"),
    "torch:func.grad": _way("func_grad:Grad"),
    "torch:func.vmap": _way("func_vmap:Vmap"),
    "torch:func.jvp": _way("func_jvp:Jvp"),
    "torch:func.jacrev": _way("func_jacrev:Jacrev"),
    "torch:func.hessian": _way("func_hessian:Hessian"),
    "torch:forward_ad": _way("forward_ad:ForwardAd"),
    "torch:double_backward": _way("double_backward:DoubleBackward"),
    "torch:autocast_bf16": _way("autocast:Bfloat16"),
    "torch:autocast_fp16": _way("autocast:Float16"),
    "torch:checkpoint": _way("checkpoint:Checkpoint"),
}
"""Ways in which PyTorch computes a loss, beside its functional form, which is "torch" itself."""


def _framework(place: str, modules: str, install: str, programs: str = "") -> Listing:
    target = f"conformance.adapters.frameworks.{place}"
    needed = tuple(programs.split())
    return Listing(target, tuple(modules.split()), install, ("cpu",), programs=needed)


_LUCID = "--no-deps --ignore-requires-python -r environments/lucid.txt"
FRAMEWORKS: Mapping[str, Listing] = {
    "jax": _framework("jax:Jax", "jax optax", "jax optax"),
    "jax:jit": _framework("jax_jit:JaxJit", "jax optax", "jax optax"),
    "keras:jax": _framework("keras_jax:KerasJax", "keras jax", "keras jax"),
    "keras:tensorflow": _framework(
        "keras_tensorflow:KerasTensorflow", "keras tensorflow", "keras tensorflow-cpu"
    ),
    "keras:torch": _framework("keras_torch:KerasTorch", "keras torch", "keras torch"),
    "tensorflow": _framework("tensorflow:Tensorflow", "tensorflow", "tensorflow-cpu"),
    "tensorflow:xla": _framework("tensorflow_xla:TensorflowXla", "tensorflow", "tensorflow-cpu"),
    "paddle": _framework("paddle:Paddle", "paddle", "paddlepaddle"),
    "mlx": _framework("mlx:Mlx", "mlx", "'mlx[cpu]'"),
    "tinygrad": _framework("tinygrad:Tinygrad", "tinygrad", "tinygrad", "clang"),
    "sklearn": _framework("sklearn:Sklearn", "sklearn", "scikit-learn"),
    "onnxruntime": _framework("onnxruntime:Onnxruntime", "onnxruntime onnx", "onnxruntime onnx"),
    "onnxruntime:softplus": _framework(
        "onnxruntime_softplus:OnnxruntimeSoftplus", "onnxruntime onnx", "onnxruntime onnx"
    ),
    "lucid": _framework("lucid:Lucid", "lucid", _LUCID),
    "lucid:module": _framework("lucid_module:LucidModule", "lucid", _LUCID),
}
"""Frameworks that people compare, each best in an environment of its own: docs/frameworks.md."""

OURS: Mapping[str, Listing] = {**BUILT_IN, **OPTIONAL, **WAYS, **FRAMEWORKS}


class UnknownAdapterError(ConformanceError):
    """No adapter has this name."""


class MissingFrameworkError(ConformanceError):
    """The adapter is known, and its framework is not installed."""


def find(name: str) -> Listing:
    """The listing of an adapter of ours, an entry point, or "package.module:Class".

    Raises:
        UnknownAdapterError: If there is none.
    """
    if own := OURS.get(name):
        return own
    found = metadata.entry_points(group=ENTRY_POINTS)
    if name in found.names or name.startswith(WORKER):
        return Listing(name if name.startswith(WORKER) else found[name].value)
    if ":" in name and name.partition(":")[0] not in OURS:
        return Listing(name)
    raise _unknown(f"unknown adapter {name!r}", name)


def _unknown(problem: str, name: str) -> UnknownAdapterError:
    """The error, with the names that may have been meant: of ways to run one, only if that was."""
    head = name.partition(":")[0]
    if ways := [each for each in OURS if each.startswith(f"{head}:")]:
        known = f"{', '.join(ways)}, and {head}:* for all"
    else:
        plain = sorted(each for each in _known() if ":" not in each)
        families = sorted({each.partition(":")[0] for each in OURS if ":" in each})
        known = ", ".join([*plain, *(f"{family}:*" for family in families)])
    near = get_close_matches(name, [] if "*" in name else _known(), n=1)
    meant = "".join(f" Did you mean {each}?" for each in near)
    msg = f"{problem}.{meant} Known are {known}; or give package.module:Class, or worker:COMMAND."
    return UnknownAdapterError(msg)


def _known() -> set[str]:
    return {*OURS, *metadata.entry_points(group=ENTRY_POINTS).names}


def expand(names: Iterable[str]) -> list[str]:
    """The names, each once, those that match in place of a pattern with ``*``.

    "torch:*" is torch and every other way to run it.

    Raises:
        UnknownAdapterError: If a pattern matches none.
    """
    expanded = []
    for name in names:
        if not is_pattern(name):
            expanded.append(name)
            continue
        order = [*OURS, *sorted(_known() - OURS.keys())]
        found = [each for each in order if _matches(each, name)]
        if not found:
            raise _unknown(f"no adapter matches {name!r}", name)
        expanded += found
    return list(dict.fromkeys(expanded))


def is_pattern(name: str) -> bool:
    """Whether it may stand for several adapters; the command of a worker stands for itself."""
    return "*" in name and not name.startswith(WORKER)


def _matches(name: str, pattern: str) -> bool:
    # A name without a way is that of the plain one.
    return fnmatchcase(name, pattern) or (":" not in name and fnmatchcase(f"{name}:", pattern))


def missing(name: str) -> str | None:
    """Why the adapter cannot be imported here, in a sentence, without importing it; or None."""
    listing = find(name)
    absent = [module for module in listing.modules if util.find_spec(module) is None]
    if absent:
        return (
            f"{name}: not installed: {', '.join(absent)}. "
            f"Install it with: pip install {listing.install}"
        )
    if listing.compiles and not shutil.which(_compiler()):
        return f"{name}: no C++ compiler {_compiler()} is found. Install it, or name one in CXX"
    for program in listing.programs:
        if not shutil.which(program):
            return f"{name}: the program {program}, which it calls, is not found. Install it"
    return None


def _compiler() -> str:
    """The C++ compiler that Inductor looks for."""
    return os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")


def load(name: str) -> LossAdapter:
    """Import an adapter, and with it its framework.

    Raises:
        UnknownAdapterError: If no adapter has this name, or it cannot be imported or made.
        MissingFrameworkError: If its framework is not installed.
    """
    if problem := missing(name):
        raise MissingFrameworkError(problem)
    if name.startswith(WORKER):
        # It extends what stands in this package.
        from conformance.workers.adapter import connect  # noqa: PLC0415

        return _sound(connect(name.removeprefix(WORKER).strip()), name)
    module, _, attribute = find(name).target.partition(":")
    try:
        # A deprecation inside a framework is no business of whoever grades it.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = getattr(importlib.import_module(module), attribute)
            adapter = found() if isinstance(found, type) else found
    except ConformanceError:
        raise
    except (Exception, SystemExit) as error:
        kind = (
            "" if isinstance(error, (ImportError, AttributeError)) else f"{type(error).__name__}: "
        )
        msg = (
            f"adapter {name!r} cannot be imported: {kind}{first_line(error)}. "
            "Check the module, and its packages."
        )
        raise UnknownAdapterError(msg) from None
    return _sound(adapter, name)


def _sound(adapter: object, name: str) -> LossAdapter:
    if not isinstance(adapter, LossAdapter):
        msg = f"adapter {name!r} is not a subclass of conformance.adapters.base.LossAdapter."
        raise UnknownAdapterError(msg)
    if not _NAME.fullmatch(getattr(adapter, "name", "")):
        msg = (
            f"adapter {name!r} needs a name of letters, digits, '.', '_' and '-', or two of them "
            "with a colon between. Give it one."
        )
        raise UnknownAdapterError(msg)
    return adapter
