"""Shows what caught which mutants."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLUMNS = ("OpInfo", "ModuleInfo", "both", "corpus")
NOT_SAMPLED = ("nonfinite", "old_arguments", "refusals")
"""Themes that no sample is about: PyTorch's two tables list, for these losses, neither infinities
or NaN, nor the old arguments, nor inputs that are in error."""

Table = tuple["Sequence[str]", "Sequence[Sequence[str]]"]
"""A header, and rows of as many cells."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a mutant that is not equivalent.

    Attributes:
        name: The mutant's name.
        kind: "semantic" or "accuracy".
        theme: What it gets wrong, in a word.
        about: The same, in a sentence.
        caught: Each of COLUMNS to whether that caught it. "both" means either of the two;
            the corpus is to catch a semantic mutant at coarse, another at accurate.
    """

    name: str
    kind: str
    theme: str
    about: str
    caught: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class SampleCount:
    """How many samples PyTorch has of one loss in one dtype, and what was asked of them."""

    origin: str
    name: str
    dtype: str
    samples: int
    questions: int


@dataclass(frozen=True, slots=True)
class Study:
    """All that was found.

    Attributes:
        torch: PyTorch's version.
        counts: Of the samples.
        left_out: What of the samples could not be asked, with the reason.
        fates: In the order of the mutants.
    """

    torch: str
    counts: Sequence[SampleCount]
    left_out: Mapping[str, str]
    fates: Sequence[Fate]

    @property
    def survivors(self) -> list[Fate]:
        """The mutants that no sample catches."""
        return [fate for fate in self.fates if not fate.caught["both"]]

    def parts(self) -> dict[str, list[Fate]]:
        """All mutants, those that samples are about, those of each kind, those of each theme."""
        sampled = [fate for fate in self.fates if fate.theme not in NOT_SAMPLED]
        parts = {"all": list(self.fates), f"all but {', '.join(NOT_SAMPLED)}": sampled}
        for kind, grade in (("semantic", "coarse"), ("accuracy", "accurate")):
            those = [fate for fate in self.fates if fate.kind == kind]
            parts |= {f"{kind}, at {grade}": those} if those else {}
        for fate in sorted(self.fates, key=lambda fate: fate.theme):
            parts.setdefault(fate.theme, []).append(fate)
        return parts

    def rates(self) -> dict[str, dict[str, int]]:
        """Of each part: the number of its mutants, and how many of them each column caught."""
        return {
            part: {"mutants": len(fates)}
            | {column: sum(fate.caught[column] for fate in fates) for column in COLUMNS}
            for part, fates in self.parts().items()
        }


def as_json(study: Study) -> str:
    """Everything, for programs."""
    return json.dumps(asdict(study) | {"rates": study.rates()}, indent=2)


def as_text(study: Study) -> str:
    """Tables for a terminal."""
    return "\n\n".join(
        [
            _what_was_asked(study),
            _text_table(_count_table(study.counts)),
            _what_was_caught(study),
            _text_table(_rate_table(study)),
            _what_survives(study),
            _text_table(_survivor_table(study)),
        ]
    )


def as_markdown(study: Study) -> str:
    """The same for a page, the long list folded."""
    return "\n\n".join(
        [
            _what_was_asked(study),
            _markdown_table(_count_table(study.counts)),
            _what_was_caught(study),
            _markdown_table(_rate_table(study)),
            f"<details>\n<summary>{_what_survives(study)}</summary>",
            _markdown_table(_survivor_table(study)),
            "</details>",
        ]
    )


def _what_was_asked(study: Study) -> str:
    count = len(study.left_out) or "none"
    first = (
        f"The samples that torch {study.torch} has for its own tests, and the questions made of "
        f"them, of which {count} had to be left out:"
    )
    return "\n".join(
        [first, *(f"{name} is left out: {reason}" for name, reason in study.left_out.items())]
    )


def _what_was_caught(study: Study) -> str:
    return f"Of {len(study.fates)} mutants that are not equivalent, these are caught:"


def _what_survives(study: Study) -> str:
    caught = sum(fate.caught["corpus"] for fate in study.survivors)
    return (
        f"The {len(study.survivors)} mutants that survive PyTorch's samples, "
        f"of which the corpus catches {caught}"
    )


def _count_table(counts: Sequence[SampleCount]) -> Table:
    rows = [
        [f"{count.origin} {count.name}", count.dtype, str(count.samples), str(count.questions)]
        for count in counts
    ]
    total = [sum(count.samples for count in counts), sum(count.questions for count in counts)]
    return ["samples of", "dtype", "samples", "questions"], [*rows, ["all", "", *map(str, total)]]


def _rate_table(study: Study) -> Table:
    rows = [
        [part, str(found["mutants"]), *(_share(found[name], found["mutants"]) for name in COLUMNS)]
        for part, found in study.rates().items()
    ]
    return ["mutants", "number", *COLUMNS], rows


def _share(caught: int, mutants: int) -> str:
    """Rounded down, so that 100 % means all."""
    return f"{caught} ({100 * caught // mutants} %)" if mutants else "-"


def _survivor_table(study: Study) -> Table:
    rows = [
        [fate.name, fate.kind, fate.theme, fate.about]
        for fate in sorted(study.survivors, key=lambda fate: (fate.kind, fate.theme, fate.name))
    ]
    return ["mutant", "kind", "theme", "what is wrong"], rows


def _text_table(found: Table) -> str:
    header, rows = found
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    )


def _markdown_table(found: Table) -> str:
    header, rows = found
    escaped = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *escaped))
