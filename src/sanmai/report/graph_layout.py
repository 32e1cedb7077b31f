"""Where the boxes and arrows of a pipeline's graph go: columns by what comes first, rows so that arrows pass no box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BOX_WIDTH, BOX_HEIGHT = 138, 64
_GAP_X, _GAP_Y = 26, 22
_MARGIN = 4
"""All in units of the drawing."""

Edge = tuple[str, str]
"""From what is used to what uses it."""


@dataclass(frozen=True)
class Drawing:
    """Coordinates from the upper left."""

    width: int
    height: int
    boxes: dict[str, tuple[int, int]]
    """Upper left corner by name."""
    paths: dict[Edge, str]
    """SVG path data of every arrow, from box to box."""


def draw(names: Sequence[str], edges: Sequence[Edge]) -> Drawing:
    """Lays out a graph without cycles.

    Args:
        names: each after those that it uses.
        edges: between names; others, and those against the order, are left out.
    """
    position = {name: k for k, name in enumerate(names)}
    edges = [(a, b) for a, b in dict.fromkeys(edges) if a in position and b in position and position[a] < position[b]]
    users = {name: [b for a, b in edges if a == name] for name in names}
    used = {name: [a for a, b in edges if b == name] for name in names}
    columns = _columns(names, users, used)
    heights: dict[str, int] = {}
    for name in reversed(names):
        heights[name] = 1 + max((heights[b] for b in users[name]), default=-1)
    taken: set[tuple[int, int]] = set()
    rows: dict[str, int] = {}
    # The longest way through the graph comes first, so that it is a straight line; a new beginning gives way to it.
    for name in sorted(names, key=lambda n: (columns[n], not used[n], -heights[n], position[n])):
        wanted = rows[used[name][0]] if used[name] and used[name][0] in rows else 0
        rows[name] = _nearest_free(taken, [columns[name]], wanted)
        taken.add((columns[name], rows[name]))
    boxes = {name: _corner(columns[name], rows[name]) for name in names}
    paths = {}
    for a in names:
        # Arrows from one box that pass columns share a level there, and part before their own ends.
        far = max((columns[b] for b in users[a]), default=0)
        wanted = next((rows[b] for b in users[a] if columns[b] > columns[a] + 1), 0)
        row = _nearest_free(taken, range(columns[a] + 1, far), wanted)
        taken |= {(column, row) for column in range(columns[a] + 1, far)}
        for b in users[a]:
            between = range(columns[a] + 1, columns[b])
            paths[a, b] = _path(boxes[a], boxes[b], [_corner(column, row) for column in between])
    num_columns = 1 + max((column for column, _ in taken), default=0)
    num_rows = 1 + max((row for _, row in taken), default=0)
    right, bottom = _corner(num_columns - 1, num_rows - 1)
    return Drawing(right + BOX_WIDTH + _MARGIN, bottom + BOX_HEIGHT + _MARGIN, boxes, paths)


def _columns(
    names: Sequence[str], users: Mapping[str, Sequence[str]], used: Mapping[str, Sequence[str]]
) -> dict[str, int]:
    """Each right of all that it uses; what uses nothing stands as far right as its users allow."""
    earliest: dict[str, int] = {}
    for name in names:
        earliest[name] = 1 + max((earliest[a] for a in used[name]), default=-1)
    latest: dict[str, int] = {}
    for name in reversed(names):
        latest[name] = min((latest[b] for b in users[name]), default=max(earliest.values(), default=0) + 1) - 1
    columns: dict[str, int] = {}
    for name in names:
        start = latest[name] if users[name] else 0
        columns[name] = 1 + max(columns[a] for a in used[name]) if used[name] else start
    return columns


def _nearest_free(taken: set[tuple[int, int]], columns: Sequence[int], wanted: int) -> int:
    """The row nearest to the one wanted that is free in all columns, the lower one of two."""
    for distance in range(len(taken) + 1):
        for row in (wanted + distance, wanted - distance):
            if row >= 0 and all((column, row) not in taken for column in columns):
                return row
    return wanted + len(taken) + 1


def _corner(column: int, row: int) -> tuple[int, int]:
    return _MARGIN + column * (BOX_WIDTH + _GAP_X), _MARGIN + row * (BOX_HEIGHT + _GAP_Y)


def _path(start: tuple[int, int], end: tuple[int, int], between: Sequence[tuple[int, int]]) -> str:
    """From the right edge of a box to the left edge of another, level through the free cells between them."""
    x, y = start[0] + BOX_WIDTH, start[1] + BOX_HEIGHT // 2
    path = f"M{x},{y}"
    stops = [(cx, cy + BOX_HEIGHT // 2, cx + BOX_WIDTH) for cx, cy in between]
    for left, level, right in [*stops, (end[0], end[1] + BOX_HEIGHT // 2, None)]:
        middle = (x + left) // 2
        path += f"C{middle},{y} {middle},{level} {left},{level}" if level != y else f"L{left},{level}"
        y = level
        if right is not None:
            path += f"L{right},{level}"
            x = right
    return path
