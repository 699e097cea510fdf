"""Renders the report's page."""

from __future__ import annotations

import base64
import gc
import hashlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from conformance.errors import ConformanceError
from conformance.files import replacing, require_plain
from conformance.glossary import Glossary
from conformance.report.addresses import case_href, rows_href
from conformance.report.agreement import compare_subjects
from conformance.report.counts import Counts, count, policies, rows_of
from conformance.report.devices import STEPS, compare_devices, in_short
from conformance.report.differences import show_differences
from conformance.report.disagreements import find_disagreements
from conformance.report.distances import AnswerTable
from conformance.report.environment import compare_places, compare_runs, run_names
from conformance.report.evidence import gather
from conformance.report.known import deviations
from conformance.report.links import link
from conformance.report.marks import GRADE_MARKS, HEAT_LABELS, MARKS, share_text, steps_text
from conformance.report.matrix import build_matrix
from conformance.report.moves import first_move
from conformance.report.names import Names, by_framework
from conformance.report.payload import build_payload
from conformance.report.policy_words import policy_words
from conformance.report.published import compare_published
from conformance.report.summary import sentences, verdict
from conformance.report.trainers import compare_trainers
from conformance.report.trend import draw_history
from conformance.report.unanswered import together
from conformance.report.ways import compare_ways

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.history import Entry
    from conformance.model import Case
    from conformance.results import Run

_HERE = Path(__file__).parent
# Joined in this order into one script, so that one digest stands in the policy.
_SCRIPTS = (
    *("data.js", "numbers.js", "dom.js", "markers.js", "axes.js", "points.js", "plot.js"),
    *("table.js", "downloads.js", "panel_answers.js", "panel.js", "trainers.js", "main.js"),
)
_DOCTYPE = b"<!doctype html"
_STYLES = ("report.css", "sections.css", "media.css")


def render_report(
    runs: Sequence[Run],
    cases: Sequence[Case],
    glossary: Glossary | None = None,
    history: Sequence[Entry] = (),
) -> str:
    """The report of ``runs`` as one HTML page that loads nothing from anywhere.

    Equal arguments give equal pages. Results whose case has changed are counted as stale, and
    not shown. The page allows its own script and style by digest, and nothing else.
    """
    evidence = gather(runs, cases)
    matrix = build_matrix(evidence)
    counts = count(evidence)
    table = AnswerTable(evidence)
    devices = compare_devices(evidence, table)
    shown = {subject.device for pair in devices for subject in (pair.one, pair.another)}
    ways = compare_ways(evidence, table, counts)
    beside = {row.subject for group in ways for row in group.rows}
    trainers = compare_trainers(evidence)
    glossary = glossary or Glossary()
    script = "\n".join(_read(name) for name in _SCRIPTS)
    style = "\n".join(_read(name) for name in _STYLES)
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(_HERE / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html").render(
        agreements=compare_subjects(
            table, [subject for subject in evidence.active if subject not in beside]
        ),
        by_framework=by_framework,
        case_href=case_href,
        counts=rows_of(evidence, counts),
        deviations=deviations(evidence, runs),
        devices=devices,
        devices_in_short=in_short(evidence, devices),
        differences=show_differences(trainers, evidence),
        disagreements=find_disagreements(evidence, table),
        digests={"script": _digest(script), "style": _digest(style)},
        evidence=evidence,
        facts=compare_runs(runs, evidence.stale),
        glossary=glossary,
        history=draw_history(history),
        link=link,
        marks=MARKS,
        grade_marks=GRADE_MARKS,
        heat_labels=HEAT_LABELS,
        matrix=matrix,
        move=first_move(trainers),
        names=run_names(runs),
        names_of=Names(evidence).of,
        payload=build_payload(evidence, matrix, trainers, glossary),
        places=compare_places(runs, evidence, shown),
        policies=policies(evidence),
        policy_words=policy_words,
        published=compare_published(evidence.cases.values()),
        rows_href=rows_href,
        runs=runs,
        script=Markup(script),  # noqa: S704 - our own file, not data
        share=share_text,
        silent=[subject for subject in evidence.subjects if subject not in evidence.active],
        sentences=sentences(evidence, counts),
        steps=STEPS,
        steps_text=steps_text,
        style=Markup(style),  # noqa: S704 - our own file, not data
        trainers=trainers,
        total=sum(counts.values(), Counts()),
        unanswered=together(evidence),
        verdict=verdict(evidence, counts),
        ways=ways,
        unasked=len(evidence.cases.keys() - {result.case for _, result in evidence.results}),
    )


def write_report(
    runs: Sequence[Run],
    cases: Sequence[Case],
    path: Path,
    glossary: Glossary | None = None,
    history: Sequence[Entry] = (),
) -> None:
    """Write the report of ``runs`` to ``path``; whoever opens it sees all of it or the old one.

    Raises:
        ConformanceError: If the file cannot be written, or is there and no page.
    """
    _require_page(path)
    with _without_collection():
        page = render_report(runs, cases, glossary, history)
    with replacing(path) as file:
        file.write(page.encode())


@contextmanager
def _without_collection() -> Iterator[None]:
    """Keep the garbage collector from walking, again and again, through records that all stay.

    It takes a quarter of the time of a large report; what is given up at the end is the memory of
    cycles for some seconds.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _require_page(path: Path) -> None:
    """Refuse to write over what is no page, such as a run that was named by mistake."""
    require_plain(path)
    try:
        with path.open("rb") as file:
            start = file.read(len(_DOCTYPE))
    except OSError:
        return  # Either there is nothing, or replacing it tells what is wrong.
    if start and start.lower() != _DOCTYPE:
        msg = f"{path}: exists, and is no page. Name another file, or remove it first."
        raise ConformanceError(msg)


def _read(name: str) -> str:
    return (_HERE / name).read_text("utf-8")


def _digest(text: str) -> str:
    """The source expression of an inline element (Content Security Policy 3, 2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
