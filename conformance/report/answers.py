"""Packs the distinct answers of a report: their grades, their errors and their bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.floats import FORMATS
from conformance.report.columns import Index, Numbers
from conformance.report.marks import worst_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Case
    from conformance.report.columns import Columns
    from conformance.results import OutputResult, Result

SHOWN = 64
"""Elements of an input, a truth or an answer that the page shows; it says how many there are."""

SHOWN_OF_JOB = 12
"""Those of a trajectory, of which a scenario has one for each policy and trainer."""

WIDTHS = {name: fmt.dtype.itemsize for name, fmt in FORMATS.items()} | {
    f"{kind}{8 * width}": width for kind in ("int", "uint") for width in (1, 2, 4, 8)
}
WIDTHS["bool"] = 1
"""Bytes of an element of each dtype that the page's script turns into decimals."""


def elements(output: OutputResult) -> np.ndarray[Any, Any] | None:
    """The elements in C order, in their dtype.

    None where the run holds no bits, or bits that are not of the dtype it names.
    """
    if output.bits is None or output.dtype is None:
        return None
    try:
        known = FORMATS.get(output.dtype)
        dtype = np.dtype(np.sctypeDict[output.dtype]) if known is None else known.dtype
        return np.frombuffer(bytes.fromhex(output.bits), dtype.newbyteorder("<"))
    except (KeyError, ValueError):
        return None


def most(case: Case) -> int:
    """How many elements of an output of ``case`` are shown."""
    return SHOWN if case.job is None else SHOWN_OF_JOB


_COLUMNS = (
    *("grade", "ulp", "ratio", "policy", "dtype", "shape", "message", "kept"),
    *("shown", "errors"),
)


class Answers:
    """The answers to one output, and the sheets of all outputs of a result, each stored once.

    Adapters of one framework mostly give the same bits: a report of 100,000 results has about
    20,000 answers.
    """

    def __init__(self, texts: Index, lists: Index) -> None:
        self._texts = texts
        self._lists = lists
        self._numbers = Numbers()
        self._outputs = Index("loss")
        self._answers: dict[tuple[Any, ...], int] = {}
        self._sheets: dict[tuple[tuple[int, int], ...], int] = {}
        self._places: dict[tuple[str, str, str | None], tuple[int, ...] | None] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._ulps: list[float | None] = []
        self._bits = {width: bytearray() for width in (1, 2, 4, 8)}
        self._worst: list[int] = []

    def sheet(self, case: Case, result: Result) -> int:
        """The number of the sheet that ``result`` gives."""
        sheet = tuple(
            (self._outputs[name], self._answer(case, name, output))
            for name, output in result.outputs.items()
        )
        number = self._sheets.setdefault(sheet, len(self._sheets))
        if number == len(self._worst):
            worst = worst_output(result)
            self._worst.append(0 if worst is None else 1 + [*result.outputs].index(worst[0]))
        return number

    def add_to(self, columns: Columns) -> None:
        """Add the tables "answers" and "sheets", and the bits by the width of an element."""
        table = {name: [row[place] for row in self._rows] for place, name in enumerate(_COLUMNS)}
        for name in ("ulp", "ratio"):
            table[name] = self._numbers.places(table[name])
        columns.add_table("answers", table)
        columns.add("ulps", self._numbers.places(self._ulps))
        for width, raw in self._bits.items():
            columns.add_bytes(f"bits{width}", raw, width)
        given = [answer for sheet in self._sheets for answer in sheet]
        columns.add_table(
            "sheets", {"count": [len(sheet) for sheet in self._sheets], "worst": self._worst}
        )
        columns.add_table(
            "given",
            {"output": [output for output, _ in given], "answer": [answer for _, answer in given]},
        )

    def head(self) -> dict[str, Any]:
        """What of the head belongs to answers."""
        return {
            "outputs": list(self._outputs),
            "numbers": self._numbers.table(),
            "widths": WIDTHS,
        }

    def _answer(self, case: Case, name: str, output: OutputResult) -> int:
        places = self._shown(case, name, output.policy)
        job = case.job is not None
        key = (
            output.grade,
            output.ulp,
            output.policy,
            tuple(output.ulps),
            output.dtype,
            None if output.shape is None else tuple(output.shape),
            output.message,
            output.bits,
            output.digest,
            places,
            # Of a loss, its errors say as much; the ratio is told where a job has thousands.
            output.ratio if job else None,
            job,
        )
        number = self._answers.setdefault(key, len(self._answers))
        if number == len(self._rows):
            self._store(output, key[5], places, most(case), output.ratio if job else None)
        return number

    def _shown(self, case: Case, name: str, policy: str | None) -> tuple[int, ...] | None:
        """The places of the elements that are shown, those of the truth; None for the first."""
        key = (case.id, name, policy)
        if key not in self._places:
            known = case.expected.alternatives if case.expected is not None else ()
            truths = {item.policy: item.outputs[name] for item in known if name in item.outputs}
            truth = truths.get(policy) or next(iter(truths.values()), None)
            places = None if truth is None else truth.positions
            self._places[key] = None if places is None else tuple(places[: most(case)])
        return self._places[key]

    def _store(
        self,
        output: OutputResult,
        shape: tuple[int, ...] | None,
        places: tuple[int, ...] | None,
        limit: int,
        ratio: float | None,
    ) -> None:
        raw, kept = _raw(output, places, limit)
        width = WIDTHS.get(output.dtype or "", 1)
        alone = list(output.ulps) == [output.ulp]
        ulps = () if alone else output.ulps[:limit]
        self._rows.append(
            (
                self._texts[output.grade],
                self._numbers[output.ulp],
                self._numbers[ratio],
                self._texts[output.policy or ""],
                self._texts[output.dtype or ""],
                self._lists[shape],
                self._texts[output.message or ""],
                self._texts[kept],
                len(raw) // width,
                # 0 where the one element has the error of the whole.
                0 if alone else 1 + len(ulps),
            )
        )
        self._ulps += [self._numbers[ulp] for ulp in ulps]
        self._bits[width] += raw


def _raw(output: OutputResult, places: Sequence[int] | None, limit: int) -> tuple[bytes, str]:
    """The bytes of the elements shown, or else in words what the run holds in their place."""
    if output.bits is None:
        return b"", f"SHA-256 {output.digest}" if output.digest else ""
    width = WIDTHS.get(output.dtype or "", 0)
    try:
        raw = bytes.fromhex(output.bits)
    except ValueError:
        width = 0
    if not width or len(raw) % width:
        return b"", f"bits {output.bits}"
    if places is None:
        return raw[: limit * width], ""
    return b"".join(raw[place * width : (place + 1) * width] for place in places), ""
