"""Decides which questions a run puts to which adapters, on which devices."""

from __future__ import annotations

import ctypes
import re
import shlex
import sys
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from conformance import adapters
from conformance.adapters.base import attempt, no_such_device
from conformance.errors import ConformanceError, one_line
from conformance.results import NotRun
from conformance.wording import count_of, some_of
from conformance.workers.adapter import own_command

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from conformance.corpus import Corpus
    from conformance.model import Case

_DEVICE = re.compile(r"[a-z]+(:(0|[1-9][0-9]{0,8}))?")


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


@dataclass(frozen=True)
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

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Every group, in order."""
        return tuple(dict.fromkeys(item.group for item in self.items))

    def absences(self) -> list[str]:
        """What is not run, a line for each device and reason."""
        joined: dict[tuple[str, str], list[NotRun]] = {}
        for record in self.not_run:
            joined.setdefault((record.device, record.reason), []).append(record)
        return [
            f"not run: {some_of([record.adapter for record in records])} on {device}, "
            f"{count_of(sum(record.items for record in records), 'question')}: {reason}"
            for (device, reason), records in joined.items()
        ]


def make_plan(
    corpus: Corpus,
    names: Sequence[str] = (),
    devices: Sequence[str] = (),
    *,
    cuda: bool = False,
) -> Plan:
    """Plan a run.

    Args:
        corpus: The cases.
        names: Adapters asked for by name, or by a pattern with ``*``, of which those that cannot
            be imported are left out; empty means the built-in ones.
        devices: Devices asked for by name; empty means the CPU, and CUDA where it is present.
        cuda: True to treat CUDA as asked for.

    Raises:
        ConformanceError: If what was asked for by name is unknown, missing or absent.
    """
    wanted = _devices(devices, cuda=cuda)
    named = {name for name in names if not adapters.is_pattern(name)}
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
    for device in wanted:
        _require_offer(device, targets)
    for name, target in targets.items():
        for device in wanted or _defaults(name, target):
            problem = adapters.missing(target)
            if problem and target in named:
                raise adapters.MissingFrameworkError(problem)
            if not problem and not _offers(target, device):
                problem = no_such_device(name, device, _kinds(target))
                if device in devices and names:
                    msg = f"{problem}. Leave out the device, or ask an adapter that has it."
                    raise ConformanceError(msg)
            elif not problem:
                problem = _device_problem(target, device)
                if problem and wanted:
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


def isolated(plan: Plan) -> Plan:
    """The plan with each adapter in a worker process, unless it is one already."""
    targets = {
        name: target
        if target.startswith(adapters.WORKER)
        else adapters.WORKER + shlex.join(own_command(target))
        for name, target in plan.targets.items()
    }
    return replace(plan, targets=targets)


def require_device(device: str) -> None:
    """Refuse what names no device at all; whether anybody has it is another question.

    Raises:
        ConformanceError: If it is neither "kind" nor "kind:N", or numbers the one CPU.
    """
    if not _DEVICE.fullmatch(device) or device.startswith("cpu:"):
        msg = (
            f"unknown device {one_line(repr(device))}. "
            "Give cpu, cuda, cuda:N, or a kind that an adapter has."
        )
        raise ConformanceError(msg)


def _devices(devices: Sequence[str], *, cuda: bool) -> list[str]:
    """The devices asked for; none means the defaults."""
    for device in devices:
        require_device(device)
    if not cuda:
        return list(dict.fromkeys(devices))
    return list(dict.fromkeys([*(devices or ["cpu"]), "cuda"]))


def _require_offer(device: str, targets: Mapping[str, str]) -> None:
    """Refuse a device of which none of the adapters has the kind.

    Raises:
        ConformanceError: With what they have.
    """
    if any(_offers(target, device) for target in targets.values()):
        return
    if len(targets) == 1:
        ((name, target),) = targets.items()
        problem = no_such_device(name, device, _kinds(target))
    else:
        kinds = sorted(set().union(*map(_kinds, targets.values())))
        problem = f"no adapter of this run has a device {device}: they run on {' and '.join(kinds)}"
    msg = f"{problem}. Leave out the device, or ask an adapter that has it."
    raise ConformanceError(msg)


def _defaults(name: str, target: str) -> list[str]:
    """The devices on which an adapter runs unless others are asked for.

    Raises:
        ConformanceError: If it has neither.
    """
    found = [device for device in ("cpu", "cuda") if _offers(target, device)]
    if not found:
        kinds = sorted(_kinds(target))
        msg = (
            f"{name} runs on {' and '.join(kinds)} only. Ask for it: --device {kinds[0]}."
            if kinds
            else f"{name} declares no device. Give its class some."
        )
        raise ConformanceError(msg)
    return found


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


def _kinds(target: str) -> Collection[str]:
    """The kinds of device of an adapter, importing only third parties' adapters."""
    listing = adapters.find(target)
    return adapters.load(target).devices if listing.devices is None else listing.devices


def _offers(target: str, device: str) -> bool:
    return device.partition(":")[0] in _kinds(target)


def _device_problem(target: str, device: str) -> str | None:
    """Why an adapter cannot run on a device of a kind that it has; or None."""
    if device == "cpu":
        return None
    # A machine without a driver needs no framework to say so.
    if device.partition(":")[0] == "cuda" and not _has_cuda_driver():
        return "no NVIDIA driver on this machine, so no CUDA device"
    adapter = adapters.load(target)
    problem = attempt(partial(adapter.device_problem, device))
    if problem is None or isinstance(problem, str):
        return problem
    return f"{adapter.name} cannot tell whether it runs on {device}: {problem}"


def _has_cuda_driver() -> bool:
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True
