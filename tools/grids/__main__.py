"""Writes the generated case files, or says whether they are as generated."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from conformance.corpus import default_root
from tools.grids import GRIDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def main(arguments: Sequence[str] | None = None, root: Path | None = None) -> int:
    """Run the command; returns 1 where --check finds a file that is not as generated."""
    parser = argparse.ArgumentParser(prog="python -m tools.grids", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a grid; all without")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in GRIDS]:
        parser.error(f"there is no grid {unknown[0]!r}; give one of {', '.join(GRIDS)}")
    root = root or default_root()
    grids = [GRIDS[name] for name in options.names or GRIDS]
    stale = [grid for grid in grids if not grid.is_written(root)]
    for grid in stale:
        if not options.check:
            grid.write(root)
        print(grid.path(root))
    count = sum(len(grid.cases) for grid in grids)
    print(f"{count} cases in {len(grids)} files, {len(stale)} not as generated", file=sys.stderr)
    if stale:
        remedy = "python -m tools.grids" if options.check else "bce-conformance fill"
        print(f"Now run {remedy} with what is listed above.", file=sys.stderr)
    return int(bool(stale) and options.check)


if __name__ == "__main__":
    sys.exit(main())
