"""`repro`: prints a script that puts a case's question again."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, get_args

from conformance.commands._cases import find_case, refuse
from conformance.commands._common import FINE, add_cases, say, show, warn
from conformance.model import DtypeName

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from conformance.adapters.base import LossAdapter
    from conformance.commands._common import Commands
    from conformance.model import Case


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "repro",
        help="print a script that reproduces an answer",
        description="Print a script that puts the question of a case to a framework and prints the"
        " answer above the truth. It runs as it stands: with nothing but the framework, where it"
        " has words for the question; otherwise with this package, as its first lines say.",
        epilog="For example: bce-conformance repro negative_tail/x_minus_40 | python -",
    )
    parser.add_argument(
        "id", metavar="ID", help="a full id, its end, or any part that no other id has"
    )
    parser.add_argument(
        "--adapter",
        default="torch",
        metavar="NAME",
        help="as of `run`: torch (the default), numpy, ignite, lightning, fabric, accelerate, an"
        " entry point, or package.module:Class",
    )
    parser.add_argument(
        "--dtype",
        choices=get_args(DtypeName),
        help="one that the case is asked in (default: float32, or else its first)",
    )
    parser.add_argument(
        "--device",
        default="cpu",
        metavar="DEVICE",
        help="cpu (the default), cuda, cuda:N, or a kind that the adapter has",
    )
    add_cases(parser)
    parser.set_defaults(run=_run, parser=parser)


def _run(options: argparse.Namespace) -> int:
    from conformance.errors import ConformanceError  # noqa: PLC0415
    from conformance.plan import require_device  # noqa: PLC0415

    try:
        require_device(options.device)
    except ConformanceError as error:
        refuse(options, str(error).rstrip("."))
    case, _ = find_case(options)
    dtype = options.dtype or ("float32" if "float32" in case.dtypes else case.dtypes[0])
    if dtype not in case.dtypes:
        refuse(options, f"{case.id} is asked in {', '.join(case.dtypes)}, not in {dtype}")
    say(_script(case, dtype, options).rstrip("\n"))
    return FINE


def _script(case: Case, dtype: str, options: argparse.Namespace) -> str:
    from conformance import adapters  # noqa: PLC0415

    target, device = options.adapter, options.device
    # Where `python` finds a user's adapter, this command finds it too.
    sys.path.append(os.getcwd())  # noqa: PTH109 - a text is what sys.path takes
    try:
        missing = adapters.missing(target)
        show(f"importing {target}")
        adapter = None if missing else adapters.load(target)
    except adapters.UnknownAdapterError as error:
        show("")
        refuse(options, str(error).rstrip("."))
    show("")
    if adapter is not None:
        _check_offered(case, adapter, dtype, options)
    plain = _plain_script(case, target, dtype, device)
    if missing:
        if plain is None:
            refuse(options, missing.rstrip("."))
        warn(f"{missing} The script needs it.")
    if plain is not None:
        return plain
    assert adapter is not None  # noqa: S101 - refused above
    from conformance.report.adapter_snippet import adapter_snippet  # noqa: PLC0415

    return adapter_snippet(
        case,
        target,
        dtype,
        device,
        needs=_needs(target),
        file=_file(case, options),
        outputs=_offered(case, adapter),
    )


def _plain_script(case: Case, name: str, dtype: str, device: str) -> str | None:
    """The script that needs the framework alone; None where there is none."""
    from conformance.report.loss_scripts import loss_script  # noqa: PLC0415
    from conformance.report.numpy_snippet import numpy_snippet  # noqa: PLC0415
    from conformance.report.snippets import torch_snippet  # noqa: PLC0415
    from conformance.report.trainer_snippets import (  # noqa: PLC0415
        trainer_snippet,
        trainer_truth,
    )
    from conformance.report.way_scripts import way_script  # noqa: PLC0415

    if case.job is None and name == "torch":
        return torch_snippet(case, dtype, device)
    if case.job is None and (script := way_script(case, name, dtype, device)):
        return script
    if device != "cpu":
        return None
    if case.job is None:
        return numpy_snippet(case, dtype) if name == "numpy" else loss_script(case, name, dtype)
    found = trainer_snippet(case, name, dtype)
    return found.script + trainer_truth(case) if found else None


def _check_offered(
    case: Case, adapter: LossAdapter, dtype: str, options: argparse.Namespace
) -> None:
    """Refuse what the adapter declines, in its own words."""
    from conformance.adapters.base import attempt, no_such_device  # noqa: PLC0415
    from conformance.asking import question_of  # noqa: PLC0415
    from conformance.model import Declined  # noqa: PLC0415

    if options.device.partition(":")[0] not in adapter.devices:
        refuse(options, no_such_device(adapter.name, options.device, adapter.devices))
    if not _offered(case, adapter):
        refuse(options, f"{adapter.name} offers none of the outputs that {case.id} asks for")
    answer = attempt(lambda: adapter.decline(question_of(case, options.device, dtype)))
    if isinstance(answer, Declined):
        refuse(options, f"{case.id}: {answer.reason}")


def _offered(case: Case, adapter: LossAdapter) -> Sequence[str]:
    if case.job is not None:
        return case.outputs
    return [name for name in case.outputs if name in adapter.outputs]


def _needs(target: str) -> list[str]:
    """What the script that uses this package needs, a line each."""
    from conformance import adapters  # noqa: PLC0415

    listing = adapters.find(target)
    module = listing.target.partition(":")[0]
    ours = listing.install.startswith("'bce-conformance[")
    needs = [f"pip install {listing.install}" if ours else "pip install 'bce-conformance'"]
    if listing.install and not ours:
        needs.append(f"pip install {listing.install}")
    if not module.startswith("conformance."):
        needs.append(f"Run it where {module} can be imported.")
    return needs


def _file(case: Case, options: argparse.Namespace) -> str:
    """Where the script finds the case: below the suite's own cases, or as --cases says."""
    from conformance.corpus import default_root  # noqa: PLC0415

    root = default_root().resolve()
    if case.path.is_relative_to(root):
        return case.path.relative_to(root).as_posix()
    given = [path.resolve() for path in options.cases]
    return str(next(path for path in given if case.path.is_relative_to(path)))
