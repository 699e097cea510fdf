"""Fetches axe-core, with which tests/test_report_access.py looks at the report.

    python -m tools.fetch_axe [FILE]

The tests look for it in .axe/axe.min.js, where it goes by default. It is taken from the package
that is pinned here, whose digest is checked; npm is not needed. axe-core is under the Mozilla
Public License 2.0, and no part of this project.
"""

from __future__ import annotations

import base64
import hashlib
import io
import sys
import tarfile
import urllib.request
from pathlib import Path

VERSION = "4.14.1"
INTEGRITY = (
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NP"
    "jCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)
"""As the registry gives it (Subresource Integrity, 3.5)."""
ADDRESS = f"https://registry.npmjs.org/axe-core/-/axe-core-{VERSION}.tgz"
PLACE = Path(__file__).parents[1] / ".axe" / "axe.min.js"


def script_of(package: bytes) -> bytes:
    """The script within the package.

    Raises:
        SystemExit: If these are not the bytes that are pinned.
    """
    found = f"sha512-{base64.b64encode(hashlib.sha512(package).digest()).decode()}"
    if found != INTEGRITY:
        sys.exit(f"{ADDRESS}: its digest is {found}, not {INTEGRITY}. Do not use it.")
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        member = archive.extractfile("package/axe.min.js")
        return member.read() if member else b""


def main() -> None:
    """Write the script."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PLACE
    with urllib.request.urlopen(ADDRESS, timeout=60) as answer:
        script = script_of(answer.read())
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(script)
    partial.replace(path)
    print(f"axe-core {VERSION}: {path}")


if __name__ == "__main__":
    main()
