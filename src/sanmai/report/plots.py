"""Charts as plain geometry for inline SVG: where things stand in a box of so many units. Templates draw, styles colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from sanmai.report import format as fmt

Point = tuple[float, float]
_MAX_POINTS, _MAX_DOTS = 240, 24
_HUGE = 1e300
"""Nothing as large is measured, and an axis that goes there overflows."""


@dataclass(frozen=True)
class Line:
    """One line of a panel."""

    points: Sequence[Point]
    kind: str
    """Names its style."""
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    """Bounds of its interval at each point, where it has one."""


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
        show = fmt.percent if is_share else _short
        return [(self.at(value), show(value)) for value in nice_ticks(self.low, self.high, count)]


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """About so many round numbers within low..high.

    Example:
        nice_ticks(0.0, 1.0, 5) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / max(count, 1)
    if rough < 1e-300:  # below what a float can divide
        return [low]
    power = 10.0 ** floor(log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    digits = max(12, 2 - floor(log10(step)))
    return [round(i * step, digits) for i in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def panel(
    lines: Sequence[Line], *, top: float | None, last: float, is_share: bool, low: float = 0.0, is_wide: bool = False
) -> dict[str, Any]:
    """A chart over the steps, or over whatever grows to the right.

    Args:
        low, top: the least and the highest value; a top of None takes the highest that there is.
        last: the last step, so that panels side by side have one scale.
        is_wide: as wide as a page, for a chart that stands alone.
    """
    width, height, left, bottom, upper = (720, 340, 56, 30, 12) if is_wide else (300, 168, 42, 22, 8)
    most = top if top is not None else max((y for line in lines for _, y in line.points), default=0.0) * 1.05 or 1.0
    x, y = Axis(0, max(last, 1), left, width - 8), Axis(low, most, height - bottom, upper)
    return {
        "width": width, "height": height, "left": left, "right": width - 8, "top": upper, "bottom": height - bottom,
        "last": x.high, "x": x.ticks(6 if is_wide else 4, is_share=False), "y": y.ticks(4, is_share=is_share),
        "lines": [_drawn(line, x, y) for line in lines],
    }  # fmt: skip


def _drawn(line: Line, x: Axis, y: Axis) -> dict[str, Any]:
    """The line as a path, its band as another, and the points themselves where they are few enough to be told apart."""
    chosen = _thinned(len(line.points))
    at = [(x.at(line.points[i][0]), y.at(line.points[i][1])) for i in chosen]
    band = ""
    if line.low and line.high:
        edges = [[(x.at(line.points[i][0]), y.at(bounds[i])) for i in chosen] for bounds in (line.high, line.low)]
        band = _path([*edges[0], *reversed(edges[1])]) + "Z"
    return {"kind": line.kind, "d": _path(at), "band": band, "dots": at if len(at) <= _MAX_DOTS else []}


def value_range(lines: Sequence[Line], *, is_share: bool) -> Point:
    """The least and the highest value of a chart's axis: from 0 where that leaves enough to be seen."""
    values = [y for line in lines for y in (*(b for _, b in line.points), *line.low, *line.high) if abs(y) < _HUGE]
    low, high = min(values, default=0.0), max(values, default=0.0)
    if is_share and low >= 0:
        return 0.0, max(1.0, high) if high > 0.5 else high * 1.15 or 0.1
    if low == high:
        return (min(0.0, low * 1.2), max(0.0, low * 1.2)) if low else (0.0, 1.0)
    room = 0.08 * (high - low)
    return 0.0 if 0 <= low < high / 2 else low - room, high + room


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


def _thinned(count: int) -> list[int]:
    """Which of so many points are drawn."""
    if count <= _MAX_POINTS:
        return list(range(count))
    return [round(i * (count - 1) / (_MAX_POINTS - 1)) for i in range(_MAX_POINTS)]


def _short(value: float) -> str:
    """For the room beside an axis."""
    return fmt.number(value) if not value or abs(value) >= 1e-3 else f"{value:.0e}".replace("e-0", "e-").replace("-", "−")


def _path(points: Sequence[Point]) -> str:
    return "".join(f"{'L' if i else 'M'}{x:g},{y:g}" for i, (x, y) in enumerate(points))
