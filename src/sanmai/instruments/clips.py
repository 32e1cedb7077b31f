"""What an evaluation's rows say of clips, for gates: whether each beats the clip that the model before drew from the same noise,
whether anything moves in it, and how far it is from the next clip to its prompt.

A world's prompts are all there are, and what was drawn is the noise. So a gate's unit is a round, one clip to each prompt: rounds
are independent and alike, as in the audit of clips (evidence/clip_audit.py).

Shape key: F frames, H, W pixels, C colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sanmai.instruments.measures import Row, key_of

STILL_BELOW = 0.02
"""Mean absolute difference of successive frames, of grey values in 0..1, below which nothing moves."""
_JUDGED = {
    "won": ("score/quality", "reward"), **{f"won_{name}": (f"score/{name}",) for name in ("visual", "motion", "alignment")},
}
"""By measure the columns that tell which clip is better; where nobody knows the truth, the reward does."""


def rows_by_round(before: Sequence[Row], after: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Rows of two models' evaluations as gates read them, with `problem_id` the round and `sample` the prompt's number; and

        score/won, score/won_NAME   1 better than the clip before of the same noise, 0 worse, 1/2 equal, which the one before is
        score/still                 1 where nothing moves, of clips of several frames
        score/diversity             of every second round the mean absolute difference to the next one's clip, grey values in 0..1

    Args:
        before, after: with `clip` and `clip_shape`, as an evaluation of a flow stores them.
    """
    prompts = {name: k for k, name in enumerate(sorted({str(row.get("problem_id")) for row in (*before, *after)}))}
    others = {key_of(row): row for row in before}
    sides = []
    for rows in (before, after):
        pixels = {key_of(row): _pixels(row) for row in rows}
        found = []
        for row in rows:
            problem, sample = key_of(row)
            told = {f"score/{name}": _won(row, others.get((problem, sample)), columns) for name, columns in _JUDGED.items()}
            told["score/still"] = _still(pixels[problem, sample])
            if sample % 2 == 0:  # pairs of rounds without one in common are independent
                told["score/diversity"] = _apart(pixels[problem, sample], pixels.get((problem, sample + 1)))
            kept = {name: value for name, value in row.items() if name != "clip"}
            found.append(kept | told | {"problem_id": f"round {sample}", "sample": prompts[problem]})
        sides.append(found)
    return sides[0], sides[1]


def _pixels(row: Mapping) -> np.ndarray:
    return np.frombuffer(row["clip"], np.uint8).reshape(row["clip_shape"])


def _won(row: Mapping, other: Mapping | None, columns: Sequence[str]) -> float | None:
    if other is None:
        return None
    for column in columns:
        mine, theirs = row.get(column), other.get(column)
        if mine is not None and theirs is not None:
            return 1.0 if mine > theirs else 0.5 if mine == theirs else 0.0
    return None


def _still(clip: np.ndarray) -> float | None:
    if len(clip) < 2:
        return None
    return float(np.abs(np.diff(clip.astype(np.float32), axis=0)).mean() / 255.0 < STILL_BELOW)


def _apart(clip: np.ndarray, following: np.ndarray | None) -> float | None:
    if following is None or following.shape != clip.shape:
        return None
    return float(np.abs(clip.astype(np.float32) - following).mean() / 255.0)
