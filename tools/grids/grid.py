"""A case file as a program asks for it: questions without answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conformance.casefile import FORMAT

if TYPE_CHECKING:
    from pathlib import Path

Entry = dict[str, Any]
"""A case as its file spells it, without `expected`."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The questions of one case file.

    Attributes:
        name: The group of the cases: the path of the file without its suffix.
        about: What the cases share.
        defaults: What holds for each case that does not say otherwise.
        cases: The cases, in the order of the file.
        source: Issues behind them.
    """

    name: str
    about: str
    defaults: Entry
    cases: tuple[Entry, ...]
    source: tuple[str, ...] = field(default=())

    def path(self, root: Path) -> Path:
        """The file below the folder of all case files."""
        return root / f"{self.name}.json"

    def document(self) -> dict[str, Any]:
        """The content of the file, without answers."""
        source = {"source": list(self.source)} if self.source else {}
        return {
            "format": FORMAT,
            "about": self.about,
            "generator": f"python -m tools.grids {self.name}",
            **source,
            "defaults": self.defaults,
            "cases": list(self.cases),
        }

    def is_written(self, root: Path) -> bool:
        """Whether the file asks these questions, with whatever answers."""
        try:
            document = json.loads(self.path(root).read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        for entry in document.get("cases", ()):
            entry.pop("expected", None)
        # As texts: True equals 1 and 1.0 equals 1, which a file does not mean by either.
        return json.dumps(document) == json.dumps(self.document())

    def write(self, root: Path) -> None:
        """Write the file without any answer."""
        text = json.dumps(self.document(), indent=2) + "\n"
        self.path(root).write_text(text, encoding="utf-8")
