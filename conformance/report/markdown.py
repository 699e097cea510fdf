"""Sums up runs in Markdown, for the summary of a job on GitHub, or for a comment."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from conformance.errors import one_line
from conformance.report.counts import GRADES, count, rows_of
from conformance.report.failures import failures
from conformance.report.names import Names
from conformance.report.summary import sentences
from conformance.report.unanswered import together
from conformance.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conformance.report.evidence import Evidence
    from conformance.results import Run

_ROWS = 40
_LONGEST = 300
_PLAIN = re.compile(r"[A-Za-z0-9_./+:=, ()-]+")
# What Markdown could take for more than text, in the order in which it is made harmless. A table
# is taken apart before anything else in it is read, so that a backslash before a bar would not do.
_ENTITIES = re.compile(r"[\\<>&|$#@]|:(?=//|[A-Za-z0-9_+-]+:)|(?<=www)\.", re.IGNORECASE)
_MARKS = re.compile(r"([`*_~\[\]])")
# GitHub looks for names, issues, links and emoji in the text as it is rendered, entities resolved.
_CALLS = re.compile(r"(&#(?:35|64|58);)")


def escape(text: str) -> str:
    """``text`` so that it is read as it stands: no markup, link, mention, issue or cell."""
    shown = one_line(text[: _LONGEST + 1])
    shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."
    entities = _ENTITIES.sub(lambda found: f"&#{ord(found.group())};", shown)
    # A space of no width comes between the sign and the name.
    return _MARKS.sub(r"\\\1", _CALLS.sub(r"\1&#8203;", entities))


def code(text: str) -> str:
    """A name, as code where that is sure to end where the name does."""
    return f"`{text}`" if len(text) <= _LONGEST and _PLAIN.fullmatch(text) else escape(text)


def render(evidence: Evidence, runs: Sequence[Run]) -> str:
    """What the runs came to: sentences, counts, failures, and what they do not tell.

    Its size has a bound, whatever the runs hold: some 200 kB, where GitHub takes 1 MiB.
    """
    lines = ["## bce-conformance", ""]
    counts = count(evidence)
    said = sentences(evidence, counts)
    lines += [f"- **{escape(one.name)}** {escape(one.text)}" for one in said[:_ROWS]]
    lines += _more(len(said), "adapters")
    if not evidence.active:
        lines.append("Nothing was run.")
    lines += [f"- {note}" for note in _notes(evidence, runs)]
    if evidence.subjects:
        titles = ["adapter", "device", "asked", "right", "known deviations", "failed", "not run"]
        found = rows_of(evidence, counts)
        rows = (
            [
                code(" ".join(filter(None, (name, subject.version)))),
                code(subject.device),
                *(
                    f"{number:,}"
                    for number in (
                        total.asked,
                        total.passed,
                        total.deviates,
                        total.failed,
                        total.not_run,
                        *total.grades,
                    )
                ),
            ]
            for subject, name, total in found
        )
        lines += _table([*titles, *GRADES], rows, len(found))
    if failing := failures(evidence):
        lines += ["", "### Failures"]
        rows = (
            [
                code(" ".join(filter(None, one.subject))),
                code(one.group),
                f"{one.failed:,} of {one.results:,}",
                escape(one.sentence),
            ]
            for one in failing
        )
        lines += _table(["adapter", "cases", "failed", "for example"], rows, len(failing))
    return "\n".join([*lines, *_not_run(evidence), ""])


def _notes(evidence: Evidence, runs: Sequence[Run]) -> Iterator[str]:
    """What keeps the counts from being the whole truth."""
    cut = [run for run in runs if run.footer is None]
    for run in cut[:_ROWS]:
        yield (
            f"{code(str(run.path))}, started {escape(run.header.started)}, was **cut short** after"
            f" {count_of(len(run.results), 'result')}; what it did not reach is in no number here."
        )
    yield from _more(len(cut), "runs that were cut short")
    if changed := sum(evidence.stale):
        yield f"Stale: {count_of(changed, 'result')}, left out: their case has changed or is gone."
    chance = sum(not item.reproducible for item in evidence.varying)
    if chance:
        yield (
            f"**Not reproducible**: {count_of(chance, 'answer')}, other bits on the same machine,"
            " device and version."
        )
    if machines := len(evidence.varying) - chance:
        yield (
            f"Differ between machines: {count_of(machines, 'answer')}, other bits on another"
            " machine, device, setting or build of one version."
        )


def _not_run(evidence: Evidence) -> Iterator[str]:
    """Why questions were not run, folded."""
    reasons: Counter[tuple[str, str]] = Counter()
    names = Names(evidence)
    for item in together(evidence):
        who = " ".join(filter(None, item.subjects[0]))
        if len(item.subjects) > 1:
            who = names.of(item.subjects, evidence.subjects)
        reasons[who, item.reason] += item.items
    if reasons:
        rows = (
            [code(who), f"{items:,}", escape(reason)]
            for (who, reason), items in reasons.most_common()
        )
        yield ""
        yield f"<details><summary>Not run: {sum(reasons.values()):,}</summary>"
        yield from _table(["adapter", "questions", "reason"], rows, len(reasons))
        yield ""
        yield "</details>"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], size: int) -> Iterator[str]:
    yield ""
    yield f"| {' | '.join(titles)} |"
    yield "|---" * len(titles) + "|"
    for row, _ in zip(rows, range(_ROWS), strict=False):
        yield f"| {' | '.join(row)} |"
    yield from _more(size, "rows", before=("",))


def _more(size: int, what: str, before: Sequence[str] = ()) -> Iterator[str]:
    if size > _ROWS:
        yield from before
        yield f"and {size - _ROWS:,} more {what}"
