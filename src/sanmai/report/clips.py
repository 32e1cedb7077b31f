"""Clips of a flow's run for the page: the same noise before and after, as strips of frames and small animations.

Clips that the world calls harmful, or of which nobody said that they are not, stay folded until they are asked for.

Shape key: F frames, H, W pixels, C 1 for grey, 3 for colour.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sanmai.data.png import png
from sanmai.report import format as fmt
from sanmai.report.load import Row, RunData, as_list, as_number

_PROMPTS = 12
_PER_PROMPT = 4
_MOST_PIXELS = 1 << 16
"""Numbers of a clip in a page: a larger one is thinned evenly in rows and columns."""


def clip_sheets(run: RunData) -> dict[str, Any]:
    """The first clips of each prompt in the first and the last evaluation; nothing of a run that keeps no clips.

    Returns:
        `early_step`, `late_step` (None where there is one evaluation), `prompts`, each with `prompt` and the clips `early` and
        `late`: `animation` and `strip`, PNGs as data: URLs, `told`, the scores in words, and `hidden`, why it is folded, or "";
        `num_bad`, clips of these that could not be read; `are_true`, whether the scores are a world's truth.
    """
    steps = sorted(step for step, rows in run.evaluations.items() if rows and "clip" in rows[0])
    if not steps:
        return {"prompts": [], "early_step": None, "late_step": None, "num_bad": 0, "are_true": True}
    first, last = steps[0], steps[-1] if len(steps) > 1 else None
    early = _by_prompt(run.evaluations[first])
    late = _by_prompt(run.evaluations[last]) if last is not None else {}
    shown, num_bad = [], 0
    for prompt in list(early)[:_PROMPTS]:
        sides = [[_shown(row) for row in rows[:_PER_PROMPT]] for rows in (early[prompt], late.get(prompt, []))]
        num_bad += sum(clip is None for side in sides for clip in side)
        before, after = ([clip for clip in side if clip is not None] for side in sides)
        shown.append({"prompt": prompt, "early": before, "late": after})
    are_true = any(as_number(row.get("score/quality")) is not None for row in run.evaluations[first])
    return {"prompts": shown, "early_step": first, "late_step": last, "num_bad": num_bad, "are_true": are_true}


def _by_prompt(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (str(row.get("problem_id")), as_number(row.get("sample")) or 0)):
        found.setdefault(str(row.get("prompt")), []).append(row)
    return found


def _shown(row: Row) -> dict[str, Any] | None:
    shape = as_list(row.get("clip_shape"))
    content = row.get("clip")
    if not isinstance(content, bytes) or not is_clip_shape(shape) or len(content) != math.prod(shape):
        return None
    content, shape = thinned(content, tuple(shape))
    scores = {name: as_number(row.get(f"score/{name}")) for name in ("quality", "visual", "motion", "alignment")}
    if scores["quality"] is None:  # nobody knows the truth
        scores["reward"] = as_number(row.get("reward"))
    harm = as_number(row.get("score/harm"))
    is_known = harm is not None and harm <= 0.5  # nothing else is shown at once, a NaN neither
    return {
        **picture_urls(content, shape),
        "told": ", ".join(f"{name} {fmt.signed(value)}" for name, value in scores.items() if value is not None),
        "hidden": "Harmful" if harm is not None and harm > 0.5 else "" if is_known else "Not known to be harmless",
    }


def is_clip_shape(shape: Any) -> bool:
    """Frames, height and width, and 3 where it is in colour."""
    is_list = isinstance(shape, (list, tuple)) and len(shape) in (3, 4) and all(isinstance(n, int) and n > 0 for n in shape)
    return is_list and (len(shape) == 3 or shape[3] == 3)


def thinned(clip: bytes, shape: tuple[int, ...]) -> tuple[bytes, tuple[int, ...]]:
    """Every row and column, or every second, third, ..., so that at most _MOST_PIXELS numbers are left."""
    frames, every = np.frombuffer(clip, np.uint8).reshape(shape), 1
    while frames[:, ::every, ::every].size > _MOST_PIXELS and every < max(shape[1:3]):
        every += 1
    kept = frames[:, ::every, ::every]
    return kept.tobytes(), kept.shape


def picture_urls(clip: bytes, shape: tuple[int, ...]) -> dict[str, str]:
    """`animation` and `strip` (frames side by side) of pixels, PNGs as data: URLs.

    Args:
        shape: frames, height, width, and 3 in colour.
    """
    clip_FHWC = np.frombuffer(clip, np.uint8).reshape(*shape[:3], -1)
    gap = np.full((*shape[:2], 1, clip_FHWC.shape[3]), 128, np.uint8)
    strip = np.concatenate([np.concatenate([clip_FHWC, gap], axis=2)[f] for f in range(shape[0])], axis=1)[:, :-1]
    return {"animation": _url(png(clip_FHWC)), "strip": _url(png(strip[None]))}


def _url(image: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(image).decode()}"
