"""Says in a sentence what became of each adapter."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from conformance.report.addresses import rows_href
from conformance.report.counts import GRADES, Counts
from conformance.report.marks import GRADE_RANKS
from conformance.report.names import MANY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from conformance.model import Case
    from conformance.report.evidence import Evidence, Subject, Unanswered
    from conformance.results import Status


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a sentence, with the address within the page that it leads to, if any."""

    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence on ``name``, which begins it.

    Attributes:
        status: The worst that it tells of, "not_run" where nothing was run.
    """

    name: str
    parts: tuple[Part, ...]
    status: Status

    @property
    def failed(self) -> bool:
        """Whether it tells that anything failed."""
        return self.status == "failed"

    @property
    def text(self) -> str:
        """The sentence without its name, as plain text."""
        return "".join(part.text for part in self.parts)


@dataclass(slots=True)
class _Places:
    """Where the results of one adapter lie.

    Attributes:
        worst: Rank of the worst grade that passes; -1 where none does.
        run: Results by case that were run, and ``coarse`` those that are right to coarse.
        failed: Failures by group.
    """

    worst: int = -1
    run: Counter[str] = field(default_factory=Counter)
    coarse: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)


_MOST = 3
"""Names in a list; it says how many more there are."""
_SHARE = 0.1
"""What a flag or a group must hold of an adapter's coarse results to be named."""
_LONGEST = 120
"""Characters of a reason; the section of what was not run has all of it."""


def verdict(evidence: Evidence, counts: dict[Subject, Counts]) -> Sentence:
    """What became of all of them together."""
    total = sum(counts.values(), Counts())
    ran = total.asked - total.not_run
    if not ran:
        return Sentence("Nothing was run,", (Part("so nothing was tested."),), "not_run")
    if not total.failed:
        asked = _asked(evidence, evidence.subjects, total)
        text = f"in the {ran:,} of {asked} questions that were run."
        return Sentence("Nothing failed", (Part(text),), _status(total))
    parts = [Part(f"of the {ran:,} questions that were run: ")]
    by_adapter: Counter[tuple[str, str]] = Counter()
    for subject, tally in counts.items():
        if tally.failed:
            by_adapter[evidence.named(subject), _full_name(subject)] += tally.failed
    parts += _listed(
        Part(f"{name} ({number:,})", rows_href(adapter=adapter, status="failed"))
        for (adapter, name), number in by_adapter.most_common()
    )
    return Sentence(f"{total.failed:,} failed", (*parts, Part(".")), "failed")


def sentences(evidence: Evidence, counts: dict[Subject, Counts]) -> list[Sentence]:
    """One for each adapter at each version, over all its devices; those that failed first.

    Several ways to run one framework of which none fails have one together. Denominators count all
    that was asked, whether or not it was run.
    """
    groups = _groups(evidence, counts)
    places = _places(evidence, groups)
    unanswered = evidence.unanswered()
    found = []
    for name, subjects in groups.items():
        total = _sum(subjects, counts)
        one, *others = {subject.adapter: evidence.named(subject) for subject in subjects}.values()
        if total.not_run == total.asked:
            parts = [Part(f"ran none of the {total.asked:,} that it was asked")]
        else:
            parts = [
                *_outcome(one, total, places[name]),
                *([] if others else _losses(one, places[name], evidence.cases)),
                Part("; was cut short after " if _is_cut(evidence, subjects) else "; ran "),
                Part(
                    f"{total.asked - total.not_run:,} of {_asked(evidence, subjects, total)}",
                    "#unanswered" if total.not_run else "",
                ),
            ]
        parts += [*_silent(evidence, subjects, counts, unanswered), Part(".")]
        found.append(Sentence(name, tuple(parts), _status(total)))
    return sorted(found, key=lambda sentence: not sentence.failed)


def _groups(evidence: Evidence, counts: Mapping[Subject, Counts]) -> dict[str, list[Subject]]:
    """The subjects of each sentence, by the name that begins it."""
    adapters: defaultdict[str, list[Subject]] = defaultdict(list)
    for subject in evidence.subjects:
        adapters[_full_name(subject)].append(subject)
    ways: defaultdict[tuple[str, bool], list[str]] = defaultdict(list)
    for name, subjects in adapters.items():
        status = _status(_sum(subjects, counts))
        if subjects[0].way and status != "failed":
            plain = subjects[0]._replace(adapter=subjects[0].framework)
            ways[_full_name(plain), status == "not_run"].append(name)
    for (plain_name, _), names in ways.items():
        if len(names) >= MANY:
            name = f"{plain_name} in {len(names)} {'other ' * (plain_name in adapters)}ways"
            adapters[name] = [subject for each in names for subject in adapters.pop(each)]
    return adapters


def _sum(subjects: Iterable[Subject], counts: Mapping[Subject, Counts]) -> Counts:
    return sum((counts[subject] for subject in subjects), Counts())


def _is_cut(evidence: Evidence, subjects: Iterable[Subject]) -> bool:
    """Whether results of theirs are of a run that was cut short."""
    runs = (run for subject in subjects for run in evidence.sources.get(subject, ()))
    return any(run.footer is None for run in runs)


def _asked(evidence: Evidence, subjects: Iterable[Subject], total: Counts) -> str:
    """How much was asked, as far as is known: what a run that was cut short had left is not."""
    return f"{'at least ' if _is_cut(evidence, subjects) else ''}{total.asked:,}"


def _status(total: Counts) -> Status:
    if total.not_run == total.asked:
        return "not_run"
    return "failed" if total.failed else "deviates" if total.deviates else "passed"


def _full_name(subject: Subject) -> str:
    return " ".join(filter(None, (subject.adapter, subject.version)))


def _places(evidence: Evidence, groups: Mapping[str, Sequence[Subject]]) -> dict[str, _Places]:
    found = {name: _Places() for name in groups}
    by_subject = {subject: found[name] for name in groups for subject in groups[name]}
    for subject, result in evidence.results:
        if result.status == "not_run":
            continue
        places = by_subject[subject]
        places.run[result.case] += 1
        if result.status == "failed":
            places.failed[evidence.cases[result.case].group] += 1
        elif result.status == "passed":
            places.worst = max(places.worst, GRADE_RANKS.get(result.grade or "", -1))
            if result.grade == "coarse":
                places.coarse[result.case] += 1
    return found


def _outcome(adapter: str, total: Counts, places: _Places) -> Iterator[Part]:
    """What failed and where; else, to what grade it is right."""
    known = f"{total.deviates:,} known deviation{'' if total.deviates == 1 else 's'}"
    right = f"right to {GRADES[places.worst]}" if places.worst >= 0 else ""
    if total.failed:
        ran = total.asked - total.not_run
        href = rows_href(adapter=adapter, status="failed")
        yield Part(f"fails {total.failed:,} of the {ran:,} that it ran", href)
        yield Part(", in ")
        groups = places.failed.most_common()
        yield from _listed(
            [
                Part(group, rows_href(group=group, adapter=adapter, status="failed"))
                for group, _ in groups
            ]
        )
        yield Part(f"; elsewhere {right}" if right else "")
    elif right:
        yield Part(right.replace("right", "is right everywhere", 1))
    else:
        yield Part("is nowhere right")
    if total.deviates:
        yield Part(", except " if right else ": " if not total.failed else ", beside ")
        yield Part(known, "#deviations")


def _losses(adapter: str, places: _Places, cases: Mapping[str, Case]) -> Iterator[Part]:
    """Where the coarse results are: what holds a fair part of them, the largest share first.

    By flag, which tells why; by group where no flag does.
    """
    least = _SHARE * places.coarse.total()
    by_flag = _add_up(places, {name: case.flags for name, case in cases.items()})
    by_group = _add_up(places, {name: (case.group,) for name, case in cases.items()})
    for kind, tallies in (("flag", by_flag), ("group", by_group)):
        found = [
            (-coarse / run, name) for name, (coarse, run) in tallies.items() if 0 < coarse >= least
        ]
        if found:
            yield Part("; loses accuracy above all on ")
            yield from _listed(
                [
                    Part(name, rows_href(**{kind: name}, adapter=adapter, grade="coarse"))
                    for _, name in sorted(found)[:_MOST]
                ]
            )
            return


def _add_up(places: _Places, names: Mapping[str, Sequence[str]]) -> dict[str, tuple[int, int]]:
    """Name to its coarse results and to all that were run."""
    found: dict[str, tuple[int, int]] = {}
    for case, run in places.run.items():
        for name in names[case]:
            before = found.get(name, (0, 0))
            found[name] = before[0] + places.coarse[case], before[1] + run
    return found


def _silent(
    evidence: Evidence,
    subjects: Sequence[Subject],
    counts: Mapping[Subject, Counts],
    unanswered: Sequence[Unanswered],
) -> Iterator[Part]:
    """The devices on which nothing was run; of an adapter that ran nothing at all, why."""
    is_idle = not set(subjects) & set(evidence.active)
    for device in dict.fromkeys(subject.device for subject in subjects):
        here = [subject for subject in subjects if subject.device == device]
        total = _sum(here, counts)
        if total.not_run == total.asked:
            yield Part("; ")
            yield Part(f"nothing on {device}", "#unanswered")
            reasons = {item.reason for item in unanswered if item.subject in here}
            if is_idle and len(reasons) == 1:
                [reason] = reasons
                short = reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]}…"
                yield Part(f": {short}")


def _listed(parts: Iterable[Part]) -> Iterator[Part]:
    """The first parts with commas between them, and how many more there are."""
    every = list(parts)
    for index, part in enumerate(every[:_MOST]):
        if index:
            yield Part(", ")
        yield part
    if len(every) > _MOST:
        yield Part(f" and {len(every) - _MOST} more")
