"""`smoke`: tells a broken adapter from a framework that does not conform."""

from __future__ import annotations

import os
import shlex
import sys
from collections import Counter
from typing import TYPE_CHECKING, get_args

from conformance.commands._cases import refuse
from conformance.commands._common import FINE, WRONG, add_format, say, say_json, show
from conformance.model import DtypeName

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from conformance.adapters.base import LossAdapter
    from conformance.commands._common import Commands
    from conformance.smoke.judging import Check


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "smoke",
        help="say whether an adapter is ready for `run`, or what to mend in it",
        description="Ask one adapter easy questions: moderate numbers, each operation, reduction"
        " and option that it declares. A wrong answer is either a slip of the adapter, told with"
        " what to mend (broken), or one that no slip explains, which `run` is to grade (differs).",
        epilog="Exit codes: 0 the adapter is ready for `run`, 1 it is broken, 64 it cannot be"
        " asked. With --format json the answer has the keys adapter, device, dtype, sound and"
        " checks (name, status, message).",
    )
    parser.add_argument(
        "--adapter",
        required=True,
        metavar="NAME",
        help="as of `run`: one of ours, an entry point, or package.module:Class",
    )
    parser.add_argument(
        "--device",
        metavar="DEVICE",
        help="cpu, cuda, cuda:N, or a kind that the adapter has (default: cpu, or else its first)",
    )
    parser.add_argument(
        "--dtype",
        choices=get_args(DtypeName),
        help="one that the adapter declares (default: float32, or else its widest)",
    )
    add_format(parser)
    parser.set_defaults(run=_run, parser=parser)


def _run(options: argparse.Namespace) -> int:
    from conformance.errors import one_line  # noqa: PLC0415
    from conformance.smoke.checks import smoke  # noqa: PLC0415

    adapter = _adapter(options)
    device, dtype = _device(adapter, options), _dtype(adapter, options)
    checks = []
    for check in smoke(adapter, options.adapter, device, dtype):
        checks.append(check)
        if options.format == "text":
            say(one_line(str(check)))
    counts = Counter[str](check.status for check in checks)
    if options.format == "json":
        say_json(_as_json(adapter, device, dtype, checks))
    else:
        say(_conclusion(options.adapter, counts))
    return WRONG if counts["broken"] else FINE


def _adapter(options: argparse.Namespace) -> LossAdapter:
    from conformance import adapters  # noqa: PLC0415

    # Where `python` finds a user's adapter, this command finds it too.
    sys.path.append(os.getcwd())  # noqa: PTH109 - a text is what sys.path takes
    show(f"importing {options.adapter}")
    try:
        return adapters.load(options.adapter)
    except (adapters.UnknownAdapterError, adapters.MissingFrameworkError) as error:
        show("")
        refuse(options, str(error).rstrip("."))
    finally:
        show("")


def _device(adapter: LossAdapter, options: argparse.Namespace) -> str:
    """The device asked for, or the first that the adapter has."""
    from conformance.adapters.base import attempt  # noqa: PLC0415
    from conformance.errors import ConformanceError  # noqa: PLC0415
    from conformance.plan import require_device  # noqa: PLC0415

    kinds = sorted(adapter.devices)
    if not kinds:
        refuse(options, f"{adapter.name} declares no device. Give its class some")
    device: str = options.device or ("cpu" if "cpu" in kinds else kinds[0])
    try:
        require_device(device)
    except ConformanceError as error:
        refuse(options, str(error).rstrip("."))
    if problem := attempt(lambda: adapter.device_problem(device)):
        refuse(options, str(problem).rstrip("."))
    return device


def _dtype(adapter: LossAdapter, options: argparse.Namespace) -> str:
    """The dtype asked for, or the first of those that the adapter declares."""
    from conformance.smoke.checks import PREFERRED  # noqa: PLC0415

    declared = [dtype for dtype in PREFERRED if dtype in adapter.dtypes]
    if options.dtype and options.dtype not in declared:
        refuse(options, f"{adapter.name} does not offer {options.dtype}: {', '.join(declared)}")
    return options.dtype or next(iter(declared), PREFERRED[0])


def _as_json(
    adapter: LossAdapter, device: str, dtype: str, checks: Sequence[Check]
) -> dict[str, object]:
    return {
        "adapter": adapter.name,
        "device": device,
        "dtype": dtype,
        "sound": all(check.status != "broken" for check in checks),
        "checks": [
            {"name": check.name, "status": check.status, "message": check.message}
            for check in checks
        ],
    }


def _conclusion(target: str, counts: Counter[str]) -> str:
    from conformance.wording import count_of  # noqa: PLC0415

    total = counts.total()
    if broken := counts["broken"]:
        return f"broken: {broken} of {count_of(total, 'check')}. Mend the adapter, then ask again."
    said = f"sound: {counts['ok']} of {count_of(total, 'check')} ok"
    for status, word in (("differs", "differ"), ("declined", "declined")):
        said += f", {counts[status]} {word}" if counts[status] else ""
    return f"{said}. Go on with: bce-conformance run --adapter {shlex.quote(target)}"
