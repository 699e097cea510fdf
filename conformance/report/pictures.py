"""Lays a scene out as the lines, marks and labels of one small picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.report.evidence import Evidence
    from conformance.report.trajectories import Curve, Scene, Values

WIDTH = 360
LEFT, RIGHT, TOP, BOTTOM = 52, 104, 12, 34
_PLOT = 172
_LANE = 24
_LINE = 12
"""Heights of a plot of trajectories, of a lane of single numbers, of a line of text."""

_MARKS = (
    "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
    "M-3-3h6v6h-6z",
    "M0-4.2l4 7h-8z",
    "M0-4.6l4.6 4.6l-4.6 4.6l-4.6-4.6z",
    "M-3.4 0h6.8M0-3.4v6.8",
    "M0 4.2l4-7h-8z",
)
_WRONG = "M-3.4-3.4l6.8 6.8M-3.4 3.4l6.8-6.8"


@dataclass(frozen=True, slots=True)
class Mark:
    """A shape at a place."""

    x: str
    y: str
    shape: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """One curve.

    Attributes:
        letter: What the picture calls it.
        style: Number of its dashes and colour.
        followed: Whether any trainer follows it.
        wrong: Whether it is nobody's truth.
        path: Of the line, "" for none.
        marks: At what its trainer gave, or at the truth where nobody follows it.
        label: Where the letter stands.
        label_left: Where the names of its trainers begin, a line each.
        leader: The line from its end to the label.
        policies: Those of which it is the truth.
        names: Its trainers.
        off: Of a wrong answer, how far it is from the nearest truth; "" where that has no number.
    """

    letter: str
    style: int
    followed: bool
    wrong: bool
    path: str
    marks: tuple[Mark, ...]
    label: tuple[str, str]
    label_left: str
    leader: str
    policies: tuple[str, ...]
    names: tuple[str, ...]
    off: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A scene with its places, in units of the picture's own ``width`` and ``height``.

    Attributes:
        across: Ticks of the horizontal axis, at ``bottom``.
        up: Ticks of the vertical axis; none where each curve has a lane of its own.
        caption: What it shows.
        told: What can be seen in it, in words.
    """

    scene: Scene
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    drawn: tuple[Drawn, ...]
    caption: str
    told: str


def draw(scene: Scene, evidence: Evidence) -> Picture:
    """Trajectories where the scene has an axis; a lane for each number where it has none."""
    names = [tuple(evidence.named(subject) for subject in curve.subjects) for curve in scene.curves]
    return _plot(scene, names) if scene.along else _lanes(scene, names)


def _plot(scene: Scene, names: Sequence[tuple[str, ...]]) -> Picture:
    count = max(len(curve.values) for curve in scene.curves)
    bottom, right = TOP + _PLOT, WIDTH - RIGHT
    low, high = _range(scene)

    def x(index: float) -> float:
        return LEFT + 8 + (right - LEFT - 16) * index / max(1, count - 1)

    def y(value: float) -> float:
        return bottom - 6 - (_PLOT - 12) * (value - low) / (high - low)

    ends = [_end(curve.values) for curve in scene.curves]
    wanted = [y(end[1]) if end else bottom for end in ends]
    places = _apart(wanted, [max(1, len(own)) * _LINE for own in names], TOP, bottom + BOTTOM)
    drawn = []
    for style, (curve, own, end, place) in enumerate(
        zip(scene.curves, names, ends, places, strict=True)
    ):
        spots = [(x(index), y(value)) for index, value in enumerate(curve.values) if _ok(value)]
        given = curve.values if curve.answers is None else curve.answers
        marks = [(x(index), y(value)) for index, value in enumerate(given) if _ok(value)]
        leader = ""
        if end:
            leader = f"M{x(end[0]) + 5:.1f} {y(end[1]):.1f}L{right + 6} {place:.1f}"
        path = "M" + "L".join(f"{across:.1f} {up:.1f}" for across, up in spots) if spots else ""
        label = (right + 10, place)
        drawn.append(_drawn(curve, own, style, path=path, marks=marks, label=label, leader=leader))
    steps = _whole_ticks(count)
    return Picture(
        scene,
        WIDTH,
        bottom + BOTTOM,
        LEFT,
        right,
        TOP,
        bottom,
        tuple(Tick(f"{x(step - 1):.1f}", str(step)) for step in steps),
        tuple(Tick(f"{y(value):.1f}", text) for value, text in _ticks(low, high)),
        tuple(drawn),
        _caption(scene),
        _told(scene, drawn),
    )


def _lanes(scene: Scene, names: Sequence[tuple[str, ...]]) -> Picture:
    heights = [max(_LANE, _LINE * len(own) + 6) for own in names]
    left, right, bottom = 26, WIDTH - RIGHT, TOP + sum(heights)
    low, high = _range(scene)

    def x(value: float) -> float:
        return left + 10 + (right - left - 20) * (value - low) / (high - low)

    drawn, top = [], TOP
    for style, (curve, own, height) in enumerate(zip(scene.curves, names, heights, strict=True)):
        middle = top + height / 2
        top += height
        given = curve.values if curve.answers is None else curve.answers
        marks = [(x(value), middle) for value in _finite(given)]
        path = f"M{left} {middle:.1f}H{right}"
        label = (right + 10, middle)
        drawn.append(_drawn(curve, own, style, path=path, marks=marks, label=label))
    return Picture(
        scene,
        WIDTH,
        bottom + BOTTOM,
        left,
        right,
        TOP,
        bottom,
        tuple(Tick(f"{x(value):.1f}", text) for value, text in _ticks(low, high, most=3)),
        (),
        tuple(drawn),
        _caption(scene),
        _told(scene, drawn),
    )


def _drawn(
    curve: Curve,
    names: tuple[str, ...],
    style: int,
    *,
    path: str,
    marks: Sequence[tuple[float, float]],
    label: tuple[float, float],
    leader: str = "",
) -> Drawn:
    shape = _WRONG if curve.wrong else _MARKS[style % len(_MARKS)]
    at, height = label
    first = height - (max(1, len(names)) - 1) * _LINE / 2
    return Drawn(
        letter=chr(ord("a") + style),
        style=style,
        followed=bool(curve.subjects),
        wrong=curve.wrong,
        path=path,
        marks=tuple(Mark(f"{across:.1f}", f"{up:.1f}", shape) for across, up in marks),
        label=(f"{at:.1f}", f"{first:.1f}"),
        label_left=f"{at + 11:.1f}",
        leader=leader,
        policies=curve.policies,
        names=names,
        off=_off(curve),
    )


def _off(curve: Curve) -> str:
    if curve.distance is None:
        return ""
    return f"off {curve.nearest} by {curve.distance:.2g}"


def _told(scene: Scene, drawn: Sequence[Drawn]) -> str:
    parts = [
        f"{', '.join(item.policies) or 'wrong'}: {', '.join(item.names) or 'nobody'}, "
        f"at last {_last(curve.values)}"
        for item, curve in zip(drawn, scene.curves, strict=True)
    ]
    return f"{_caption(scene)} in {scene.dtype}. {'; '.join(parts)}."


def _caption(scene: Scene) -> str:
    what = scene.what[0].upper() + scene.what[1:]
    after = f" after each {scene.along}" if scene.along == "optimizer step" else ""
    return f"{what}{after}" + (f", less {scene.less}" if scene.less else "")


def _last(values: Values) -> str:
    end = _end(values)
    return f"{end[1]:.6g}" if end else "nothing"


def _ok(value: float) -> bool:
    return math.isfinite(value)


def _finite(values: Values) -> Iterator[float]:
    return (float(value) for value in values if _ok(value))


def _end(values: Values) -> tuple[int, float] | None:
    """Index and value of the last number there is."""
    known = [(index, float(value)) for index, value in enumerate(values) if _ok(value)]
    return known[-1] if known else None


def _range(scene: Scene) -> tuple[float, float]:
    """The lowest and the highest number that is drawn, apart even where they are one."""
    known = [curve.values for curve in scene.curves]
    known += [curve.answers for curve in scene.curves if curve.answers is not None]
    numbers = [value for values in known for value in _finite(values)]
    low, high = min(numbers, default=0.0), max(numbers, default=1.0)
    if low < high:
        return low, high
    return low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2


def _ticks(low: float, high: float, most: int = 5) -> list[tuple[float, str]]:
    """Round numbers between the ends, at most ``most`` and the shortest that differ."""
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(
        factor * power
        for factor in (1, 2, 2.5, 5, 10, 20)
        if (high - low) / (factor * power) < most
    )
    values = [index * step for index in range(math.ceil(low / step), math.floor(high / step) + 1)]
    texts: list[str] = []
    for digits in range(2, 18):
        texts = [f"{value:.{digits}g}".replace("-", "\N{MINUS SIGN}") for value in values]
        if len(set(texts)) == len(values):
            break
    return list(zip(values, texts, strict=True))


def _whole_ticks(count: int) -> list[int]:
    step = max(1, -(-count // 6))
    return list(range(1, count + 1, step))


def _apart(
    wanted: Sequence[float], heights: Sequence[int], top: float, bottom: float
) -> list[float]:
    """Middles near those wanted at which labels of these heights do not overlap."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    places = list(wanted)
    edge = top - 8
    for index in order:
        places[index] = max(places[index], edge + heights[index] / 2)
        edge = places[index] + heights[index] / 2
    edge = bottom
    for index in reversed(order):
        places[index] = min(places[index], edge - heights[index] / 2)
        edge = places[index] - heights[index] / 2
    return places
