"""Pictures and clips graded by a scorer in a process of its own (`sanmai score FILE --as clips --judge ocr|COMMAND`).

A row has `prompt` and `image` (a path relative to the file, or a data: URI) or `frames` (a list of them, of one size, with `fps`)
or `clip` and `clip_shape`, as a flow's rollouts and evaluations have them. `answer` is what the scorer may need to know.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from sanmai.data import files
from sanmai.data.images import ImageError, load_pixels, read_image
from sanmai.instruments.figures import number
from sanmai.rewards.scorer import Asked, Scorer, ScorerConfig
from sanmai.rewards.scorer_records import Judged
from sanmai.stats import clustered_interval
from sanmai.types import InputError


def score_clips(path: str | Path, command: str, *, on_warning: Callable[[str], None]) -> dict[str, Any]:
    """Each row's scores by dimension, and the mean of each with a 95 % interval clustered by prompt.

    Args:
        command: "ocr", or what starts a scorer; see rewards/scorer.py.

    Returns:
        {"kind": "clips", "rows": [{"id", "score", "label", "reason", "scores"}], "summary": {"n", "graded", "ungradable",
        "judge", "dimensions", "labels"}}; a row's `score` is the sum over the dimensions, None where one of them cannot be told.

    Raises:
        InputError: a row or a picture cannot be read, or the scorer cannot be started.
        RunError: the scorer is lost, or answers what is no answer.
    """
    rows = list(_rows(Path(path)))
    if not rows:
        raise InputError(f"{path}: has no row")
    scorer = Scorer(ScorerConfig(command=command), "--judge")
    try:
        judge = Judged(scorer, None, on_warning)
        found = judge([asked for _, asked in rows])
        told = judge.told()
    finally:
        scorer.close()
    graded: list[dict[str, Any]] = []
    for (own, _), verdicts in zip(rows, found, strict=True):
        scores = {name: verdict.score for name, verdict in verdicts.items()}
        known = [score for score in scores.values() if score is not None]
        is_whole = len(known) == len(scores)
        graded.append({
            "id": own, "score": sum(known) if is_whole else None, "label": "graded" if is_whole else "ungradable",
            "reason": next(iter(verdicts.values())).reason, "scores": scores,
        })  # fmt: skip
    num_graded = sum(row["score"] is not None for row in graded)
    summary = {
        "n": len(rows), "graded": num_graded, "ungradable": len(rows) - num_graded,
        "judge": {name: told[name] for name in ("by", "starts", "seconds")},
        "dimensions": {name: _figure([(row["scores"][name], asked.prompt) for row, (_, asked) in zip(graded, rows, strict=True)])
                       for name in judge.dimensions},
        "labels": dict(sorted(Counter(row["label"] for row in graded).items())),
    }  # fmt: skip
    return {"kind": "clips", "rows": graded, "summary": summary}


def _figure(told: list[tuple[float | None, str]]) -> dict[str, Any]:
    values, prompts = [value for value, _ in told if value is not None], [p for value, p in told if value is not None]
    low, high = clustered_interval(values, prompts) if values else (math.nan, math.nan)
    return {"mean": fmean(values) if values else None, "interval": [number(low), number(high)], "n": len(values)}


def _rows(path: Path) -> Iterator[tuple[str | int, Asked]]:
    """The id of each row, and what is asked of it."""
    for place, row in files.read_rows(path):
        if isinstance(row, str):
            raise InputError(f"{path}, line {place}: {row}")
        where = f"{path}, row {place}"
        prompt, answer = row.get("prompt"), row.get("answer")
        if not isinstance(prompt, str) or not isinstance(answer, str | None):
            raise InputError(f"{where}: expected a text in `prompt`, and one in `answer` if there is any")
        more = {name: row[name] for name in ("answer", "fps") if row.get(name) is not None}
        if isinstance(fps := more.get("fps", 1.0), bool) or not isinstance(fps, int | float) or not 0 < fps < math.inf:
            raise InputError(f"{where}: fps = {fps!r}; expected a number above 0")
        own = row.get("id") or (f"{row['problem_id']}#{row.get('sample')}" if "problem_id" in row else place)
        yield own, Asked(prompt, more, _pixels(row, where, path.parent))


def _pixels(row: Mapping[str, Any], where: str, folder: Path) -> np.ndarray:
    """Values of a byte, (F, H, W, C)."""
    if isinstance(row.get("clip"), bytes):
        shape, clip = row.get("clip_shape"), np.frombuffer(row["clip"], np.uint8)
        if not isinstance(shape, list) or len(shape) not in (3, 4) or math.prod(shape) != clip.size:
            raise InputError(f"{where}: clip of {clip.size} bytes with clip_shape = {shape!r}; expected frames, height, width")
        return clip.reshape(*shape[:3], -1)
    named = row.get("frames", row.get("image"))
    named = named if isinstance(named, list) else [named]
    if not named or named[0] is None:
        raise InputError(f"{where}: no `image`, `frames` or `clip`")
    try:
        frames = [np.asarray(load_pixels(read_image(one, folder))) for one in named]
    except ImageError as error:
        raise InputError(f"{where}: {error}") from None
    if len({frame.shape for frame in frames}) > 1:
        raise InputError(f"{where}: frames of several sizes; expected one")
    return np.stack(frames)
