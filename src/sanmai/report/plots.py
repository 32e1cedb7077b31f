"""Charts as plain geometry for inline SVG: where things stand in a box of so many units. Templates draw, styles colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from sanmai.report import format as fmt

Point = tuple[float, float]
_MAX_POINTS = 240


@dataclass(frozen=True)
class Line:
    """One line of a panel."""

    points: Sequence[Point]
    kind: str
    """Names its style."""


@dataclass(frozen=True)
class Mark:
    """One point of a scatter, with its intervals."""

    name: str
    x: float
    y: float
    x_interval: Point
    y_interval: Point
    dots: Sequence[Point] = ()
    """What it is the mean of."""
    note: str = ""
    """Stands under its name."""
    is_on_front: bool = False


@dataclass(frozen=True)
class Axis:
    """From a range of values to a range of units."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, count: int, *, is_share: bool) -> list[tuple[float, str]]:
        show = (lambda v: fmt.percent(v)) if is_share else (lambda v: fmt.number(v))
        return [(self.at(value), show(value)) for value in nice_ticks(self.low, self.high, count)]


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """About so many round numbers within low..high.

    Example:
        nice_ticks(0.0, 1.0, 5) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / max(count, 1)
    power = 10 ** floor(log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    return [round(i * step, 12) for i in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def panel(lines: Sequence[Line], *, top: float | None, last: float, is_share: bool) -> dict[str, Any]:
    """A small chart over the steps.

    Args:
        top: the highest value; None takes the highest that there is.
        last: the last step, so that panels side by side have one scale.
    """
    width, height, left, bottom, upper = 300, 168, 42, 22, 8
    most = top if top is not None else max((y for line in lines for _, y in line.points), default=0.0) * 1.05 or 1.0
    x, y = Axis(0, max(last, 1), left, width - 8), Axis(0, most, height - bottom, upper)
    return {
        "width": width, "height": height, "left": left, "right": width - 8, "bottom": height - bottom,
        "x": x.ticks(4, is_share=False), "y": y.ticks(4, is_share=is_share),
        "lines": [{"kind": line.kind, "d": _path([(x.at(a), y.at(b)) for a, b in _thinned(line.points)])} for line in lines],
    }  # fmt: skip


def scatter(marks: Sequence[Mark], *, x_is_share: bool = True) -> dict[str, Any]:
    """A share or a number against a share, less of x and more of y being better; the front is drawn as a staircase."""
    width, height, left, right, bottom, upper = 720, 440, 62, 696, 388, 16
    xs = [v for m in marks for v in (m.x, *(a for a, _ in m.dots))]
    ys = [v for m in marks for v in (m.y, *(b for _, b in m.dots))]
    x, y = Axis(*_padded(xs, is_share=x_is_share), left, right), Axis(*_padded(ys), bottom, upper)
    placed = {m.name: (x.at(m.x), y.at(m.y)) for m in marks}
    dots = [(x.at(a), y.at(b)) for m in marks for a, b in m.dots]
    labels = _labels(marks, placed, dots, (left, upper, right, bottom))
    shown = [
        {
            "name": m.name, "note": m.note, "front": m.is_on_front, "x": placed[m.name][0], "y": placed[m.name][1],
            "x_bar": (x.at(m.x_interval[0]), x.at(m.x_interval[1])), "y_bar": (y.at(m.y_interval[0]), y.at(m.y_interval[1])),
            "dots": [(x.at(a), y.at(b)) for a, b in m.dots], **labels[m.name],
        }
        for m in marks
    ]  # fmt: skip
    front = sorted((placed[m.name] for m in marks if m.is_on_front), key=lambda point: (point[0], -point[1]))
    steps = [point for i, (a, b) in enumerate(front) for point in ([(a, front[i - 1][1])] if i else []) + [(a, b)]]
    return {
        "width": width, "height": height, "left": left, "right": right, "top": upper, "bottom": bottom,
        "x": x.ticks(6, is_share=x_is_share), "y": y.ticks(6, is_share=True), "marks": shown, "front": _path(steps),
    }  # fmt: skip


def _padded(values: Sequence[float], *, is_share: bool = True) -> Point:
    """A range with room for intervals around it, within what a share can be; intervals that are longer end at the frame."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = max(0.2 * (high - low), 0.02 if is_share else 0.02 * abs(high) or 1.0)
    return (max(low - room, -0.03), min(high + room, 1.03)) if is_share else (low - room, high + room)


_Box = tuple[float, float, float, float]


def _labels(
    marks: Sequence[Mark], placed: Mapping[str, Point], dots: Sequence[Point], frame: _Box
) -> dict[str, dict[str, Any]]:
    """Where each name stands: the first place around its point, within the frame, that covers no point and no other name."""
    taken: list[_Box] = [(x - 7, y - 7, x + 7, y + 7) for x, y in placed.values()]
    taken += [(x - 3, y - 3, x + 3, y + 3) for x, y in dots]
    found = {}
    for mark in sorted(marks, key=lambda m: placed[m.name][1]):
        (px, py), width = placed[mark.name], 7.0 * max(len(mark.name), 0.86 * len(mark.note)) + 4
        height = 32 if mark.note else 17
        spots = [
            (px + 11 + dx if side > 0 else px - 11 - dx - width, py - height / 2 + dy)
            for dy in (-20, 20, -36, 36, -54, 54, -72, 72, -92, 92, -112, 112)
            for side in (1, -1)
            for dx in (0, 24)
        ]
        boxes = [(a, b, a + width, b + height) for a, b in spots]
        inside = [b for b in boxes if b[0] >= frame[0] and b[1] >= frame[1] and b[2] <= frame[2] and b[3] <= frame[3]]
        box = min(inside or boxes, key=lambda b: sum(_overlap(b, other) for other in taken))
        taken.append(box)
        near = (max(box[0], min(px, box[2])), max(box[1], min(py, box[3])))
        is_far = abs(near[0] - px) + abs(near[1] - py) > 16
        found[mark.name] = {
            "label": (round(box[0] + 2, 1), round(box[1] + 13, 1)),
            "leader": (round(near[0], 1), round(near[1], 1)) if is_far else None,
        }
    return found


def _overlap(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _thinned(points: Sequence[Point]) -> list[Point]:
    if len(points) <= _MAX_POINTS:
        return list(points)
    last = len(points) - 1
    return [points[round(i * last / (_MAX_POINTS - 1))] for i in range(_MAX_POINTS)]


def _path(points: Sequence[Point]) -> str:
    return "".join(f"{'L' if i else 'M'}{x:g},{y:g}" for i, (x, y) in enumerate(points))
