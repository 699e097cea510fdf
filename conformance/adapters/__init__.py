"""Finds adapters by name, and imports a framework only when its adapter is asked for."""

from __future__ import annotations

import importlib
import re
import warnings
from dataclasses import dataclass
from importlib import metadata, util
from typing import TYPE_CHECKING

from conformance.adapters.base import LossAdapter, first_line
from conformance.errors import ConformanceError

if TYPE_CHECKING:
    from collections.abc import Mapping

ENTRY_POINTS = "bce_conformance.adapters"
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Listing:
    """Where an adapter is, and the modules that it needs.

    Attributes:
        target: "package.module:Class".
        modules: The frameworks' import names.
        extra: The extra of this distribution that installs them.
        devices: What the class declares, known before it is imported; None where it is not.
    """

    target: str
    modules: tuple[str, ...] = ()
    extra: str | None = None
    devices: tuple[str, ...] | None = None


_TORCH = ("cpu", "cuda")
BUILT_IN: Mapping[str, Listing] = {
    "numpy": Listing("conformance.adapters.numpy:NumpyAdapter", devices=("cpu",)),
    "torch": Listing("conformance.adapters.torch:TorchAdapter", ("torch",), "torch", _TORCH),
    "ignite": Listing(
        "conformance.adapters.ignite:IgniteAdapter", ("torch", "ignite"), "ignite", _TORCH
    ),
    "lightning": Listing(
        "conformance.adapters.lightning:LightningAdapter",
        ("torch", "pytorch_lightning"),
        "lightning",
        _TORCH,
    ),
}
"""Those that a run asks unless it names others."""

OPTIONAL: Mapping[str, Listing] = {
    "fabric": Listing(
        "conformance.adapters.fabric:FabricAdapter",
        ("torch", "lightning_fabric"),
        "lightning",
        _TORCH,
    ),
    "accelerate": Listing(
        "conformance.adapters.accelerate:AccelerateAdapter",
        ("torch", "accelerate"),
        "accelerate",
        _TORCH,
    ),
}
"""Those that come along and are asked by name."""


class UnknownAdapterError(ConformanceError):
    """No adapter has this name."""


class MissingFrameworkError(ConformanceError):
    """The adapter is known, and its framework is not installed."""


def find(name: str) -> Listing:
    """The listing of an adapter of ours, an entry point, or "package.module:Class".

    Raises:
        UnknownAdapterError: If there is none.
    """
    if own := BUILT_IN.get(name) or OPTIONAL.get(name):
        return own
    found = metadata.entry_points(group=ENTRY_POINTS)
    if name in found.names:
        return Listing(found[name].value)
    if ":" in name:
        return Listing(name)
    known = ", ".join(sorted({*BUILT_IN, *OPTIONAL, *found.names}))
    msg = f"unknown adapter {name!r}. Known are {known}; or give package.module:Class."
    raise UnknownAdapterError(msg)


def missing(name: str) -> str | None:
    """Why the adapter cannot be imported here, in a sentence, without importing it; or None."""
    listing = find(name)
    absent = [module for module in listing.modules if util.find_spec(module) is None]
    if not absent:
        return None
    return (
        f"{name}: not installed: {', '.join(absent)}. "
        f"Install it with: pip install 'bce-conformance[{listing.extra}]'"
    )


def load(name: str) -> LossAdapter:
    """Import an adapter, and with it its framework.

    Raises:
        UnknownAdapterError: If no adapter has this name, or it cannot be imported or made.
        MissingFrameworkError: If its framework is not installed.
    """
    if problem := missing(name):
        raise MissingFrameworkError(problem)
    module, _, attribute = find(name).target.partition(":")
    try:
        # A deprecation inside a framework is no business of whoever grades it.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = getattr(importlib.import_module(module), attribute)
            adapter = found() if isinstance(found, type) else found
    except (Exception, SystemExit) as error:
        kind = (
            "" if isinstance(error, (ImportError, AttributeError)) else f"{type(error).__name__}: "
        )
        msg = (
            f"adapter {name!r} cannot be imported: {kind}{first_line(error)}. "
            "Check the module, and its packages."
        )
        raise UnknownAdapterError(msg) from None
    if not isinstance(adapter, LossAdapter):
        msg = f"adapter {name!r} is not a subclass of conformance.adapters.base.LossAdapter."
        raise UnknownAdapterError(msg)
    if not _NAME.fullmatch(getattr(adapter, "name", "")):
        msg = f"adapter {name!r} needs a name of letters, digits, '.', '_' and '-'. Give it one."
        raise UnknownAdapterError(msg)
    return adapter
