"""`fill`: writes the expected answers of case files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conformance.commands._common import FINE, INVALID, say, show, warn

if TYPE_CHECKING:
    import argparse

    from conformance.commands._common import Commands


def add(commands: Commands) -> None:
    """Add the parser."""
    parser = commands.add_parser(
        "fill",
        help="write the expected answers, from two oracles",
        description="Write the expected answers of cases into their files, where two oracles that"
        " share no formula agree on them. Says of each file whether it has changed.",
    )
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="a case file, or a folder of them (default: all cases)",
    )
    parser.set_defaults(run=_run)


def require_oracles() -> None:
    """Refuse to go on without the oracles.

    Raises:
        ConformanceError: If one of them is not installed.
    """
    from importlib.util import find_spec  # noqa: PLC0415

    from conformance.errors import ConformanceError  # noqa: PLC0415

    absent = [name for name in ("flint", "mpmath") if find_spec(name) is None]
    if absent:
        msg = (
            f"the oracles: not installed: {', '.join(absent)}. "
            "Install them with: pip install 'bce-conformance[oracle]'"
        )
        raise ConformanceError(msg)


def _run(options: argparse.Namespace) -> int:
    require_oracles()
    from conformance.corpus import case_files, default_root, load_glossary  # noqa: PLC0415
    from conformance.errors import ConformanceError  # noqa: PLC0415
    from conformance.fill import fill  # noqa: PLC0415

    roots = options.paths or [default_root()]
    glossary = load_glossary(roots)
    failed = False
    for path, group in case_files(roots).items():
        show(str(path))
        try:
            changed = fill(path, group, glossary)
        except ConformanceError as error:
            show("")
            warn(str(error))
            failed = True
        else:
            show("")
            say(f"{'filled' if changed else 'as it was'}: {path}")
    return INVALID if failed else FINE
