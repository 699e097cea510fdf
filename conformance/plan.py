"""Decides which questions a run puts to which adapters, on which devices."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance import adapters
from conformance.errors import ConformanceError
from conformance.results import NotRun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.corpus import Corpus
    from conformance.model import Case


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """What one evaluation covers: all losses, or all jobs, of an adapter on a device in a dtype."""

    adapter: str
    device: str
    dtype: str
    of_jobs: bool = False

    def __str__(self) -> str:
        return f"{self.adapter}-{self.device}-{self.dtype}"


@dataclass(frozen=True, slots=True)
class Item:
    """One question to one adapter: one test."""

    case: Case
    group: Group

    def __str__(self) -> str:
        return f"{self.case.id}-{self.group}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        items: In order.
        not_run: What is left out, with its reason.
        targets: Adapter name to what ``adapters.load`` takes.
    """

    items: tuple[Item, ...]
    not_run: tuple[NotRun, ...]
    targets: Mapping[str, str]

    @property
    def groups(self) -> tuple[Group, ...]:
        """Every group, in order."""
        return tuple(dict.fromkeys(item.group for item in self.items))


def make_plan(
    corpus: Corpus, names: Sequence[str] = (), devices: Sequence[str] = (), *, cuda: bool = False
) -> Plan:
    """Plan a run.

    Args:
        corpus: The cases.
        names: Adapters asked for by name, or by a pattern with ``*``; empty means the built-in
            ones.
        devices: Devices asked for by name; empty means the CPU, and CUDA where it is present.
        cuda: True to treat CUDA as asked for.

    Raises:
        ConformanceError: If what was asked for by name is unknown, missing or absent.
    """
    wanted = _devices(devices, cuda=cuda)
    names = adapters.expand(names)
    items: list[Item] = []
    not_run: list[NotRun] = []
    targets: dict[str, str] = {}
    for target in names or adapters.BUILT_IN:
        name = target if target in adapters.OURS else adapters.load(target).name
        if name in targets:
            msg = f"two adapters have the name {name!r}: {targets[name]}, {target}. Rename one."
            raise ConformanceError(msg)
        targets[name] = target
        for device in wanted or ["cpu", "cuda"]:
            if not wanted and not _offers(target, device):
                continue
            problem = adapters.missing(target)
            if problem and names:
                raise adapters.MissingFrameworkError(problem)
            if not problem and device != "cpu":
                problem = _device_problem(target, device)
                if problem and wanted and (names or _offers(target, device)):
                    msg = f"{problem}. Leave out the device, or run where there is one."
                    raise ConformanceError(msg)
            planned = list(_items(corpus, name, device))
            if problem:
                not_run.append(
                    NotRun(adapter=name, device=device, items=len(planned), reason=problem)
                )
            else:
                items += planned
    return Plan(tuple(items), tuple(not_run), targets)


def _devices(devices: Sequence[str], *, cuda: bool) -> list[str]:
    """The devices asked for; none means the defaults."""
    for device in devices:
        kind, _, index = device.partition(":")
        if kind not in ("cpu", "cuda") or (index and not (kind == "cuda" and index.isdigit())):
            msg = f"unknown device {device!r}. Give cpu, cuda or cuda:N."
            raise ConformanceError(msg)
    if not cuda:
        return list(dict.fromkeys(devices))
    return list(dict.fromkeys([*(devices or ["cpu"]), "cuda"]))


def _items(corpus: Corpus, name: str, device: str) -> Iterator[Item]:
    """Group by group, so that each is evaluated once and its tests follow each other."""
    dtypes = dict.fromkeys(dtype for case in corpus.cases for dtype in case.dtypes)
    for of_jobs in (False, True):
        cases = [case for case in corpus.cases if (case.job is not None) == of_jobs]
        for dtype in sorted(dtypes):
            group = Group(name, device, dtype, of_jobs)
            for case in cases:
                if dtype in case.dtypes:
                    yield Item(case, group)


def _offers(name: str, device: str) -> bool:
    """Tell whether an adapter has this kind of device, importing only third parties' adapters."""
    kind = device.partition(":")[0]
    listing = adapters.find(name)
    if listing.devices is not None:
        return kind in listing.devices
    return kind in adapters.load(name).devices


def _device_problem(name: str, device: str) -> str | None:
    if not _offers(name, device):
        return f"{name} does not run on {device}"
    # A machine without a driver needs no framework to say so.
    if not _has_cuda_driver():
        return "no NVIDIA driver on this machine, so no CUDA device"
    return adapters.load(name).device_problem(device)


def _has_cuda_driver() -> bool:
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True
