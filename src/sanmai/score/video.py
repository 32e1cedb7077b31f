"""How well a reward model of clips tells what people prefer (`sanmai score --as video`), in VideoGen-RewardBench's format.

A row is a pair of clips with `path_A`, `path_B`, `prompt`, what people said in each dimension (`VQ`, `MQ`, `TA`, `Overall`: "A",
"B" or "same"; anything else is invalid) and what the model gives (`reward_VQ_A`, `reward_VQ_B`, ...). The scores may stand in a
second file, a row per clip with `path` and `reward_VQ`, ...; Overall is then the sum of the others where it has no score.

Shape key: N pairs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sanmai.data import files
from sanmai.losses import fitted_threshold
from sanmai.stats import Rate, rate
from sanmai.types import InputError

SAID = {"A": 1, "B": -1, "same": 0}
_NAMED = ("VQ", "MQ", "TA")
_OVERALL = ("Overall", "ALL")
"""The data set's name of the sum, and its authors' code's."""
Row = Mapping[str, Any]


def score_video(path: str | Path, scores: str | Path | None = None) -> dict[str, Any]:
    """Agreement with people per dimension, with and without ties, with 95 % intervals clustered by prompt.

        without_ties     of pairs that people told apart, the share whose better clip has the higher score
        with_ties        of the pairs of one half of the prompts, the share told right as better, worse or alike, where a
                         difference of at most `threshold` is a tie; that is fitted on the other half, and so in turn
        with_ties_best   the same on all pairs by the threshold that is best on them, as the benchmark's own code has it:
                         comparable with published figures, and too high for any one threshold

    Args:
        scores: a file of scores per clip; None: they stand in the rows.

    Raises:
        InputError: a file cannot be read, a column is missing, a score is no number, or no pair is judged.

    Source:
        Liu et al. 2025 (arXiv:2501.13918) section 5.1; ties by Deutsch et al. 2023 (arXiv:2305.14324).
    """
    rows = _read(path)
    told = _of_clips(scores) if scores is not None else None
    found = {}
    for name in _NAMED + _OVERALL:
        if any(row.get(name) not in (None, "") for row in rows):
            found[name] = _dimension(rows, name, told, path)
    judged = {name: one for name, one in found.items() if one is not None}
    if not judged:
        raise InputError(f'{path}: no pair is judged in any of {", ".join(_NAMED + _OVERALL)}; expected "A", "B" or "same"')
    clips = {row[side] for row in rows for side in ("path_A", "path_B")}
    return {"kind": "video", "pairs": len(rows), "clips": len(clips), "dimensions": judged}


def _dimension(rows: Sequence[Row], name: str, told: Mapping[str, Row] | None, path: str | Path) -> dict[str, Any] | None:
    valid = [(number, row) for number, row in enumerate(rows, 1) if isinstance(row.get(name), str) and row[name] in SAID]
    if not valid:
        return None
    gap_N = torch.tensor([_gap(row, name, told, f"{path}, pair {number}") for number, row in valid], dtype=torch.float64)
    said_N = torch.tensor([SAID[row[name]] for _, row in valid])
    prompts = [row["prompt"] for _, row in valid]
    apart = [k for k in range(len(valid)) if said_N[k] != 0]
    right = [float(gap_N[k] * said_N[k] > 0) for k in apart]
    halves, thresholds = _by_other_half(gap_N, said_N, prompts)
    best = fitted_threshold(gap_N, said_N)
    return {
        "n": len(valid), "invalid": len(rows) - len(valid), "ties": len(valid) - len(apart),
        "without_ties": _rate(right, [prompts[k] for k in apart]),
        "with_ties": _rate(halves, prompts) if halves else None, "thresholds": thresholds,
        "with_ties_best": _rate(_told(gap_N, said_N, best), prompts), "threshold_best": best,
    }  # fmt: skip


def _by_other_half(gap_N: Tensor, said_N: Tensor, prompts: Sequence[str]) -> tuple[list[float], list[float]]:
    """Whether each pair is told right by the threshold of the other half of the prompts, and both thresholds."""
    number = {prompt: k for k, prompt in enumerate(dict.fromkeys(prompts))}
    half_N = torch.tensor([number[prompt] % 2 for prompt in prompts])
    if len(number) < 2:
        return [], []
    right_N, thresholds = torch.zeros(len(prompts)), []
    for half in (0, 1):
        own_N = half_N == half
        thresholds.append(fitted_threshold(gap_N[~own_N], said_N[~own_N]))
        right_N[own_N] = torch.tensor(_told(gap_N[own_N], said_N[own_N], thresholds[-1]))
    return right_N.tolist(), thresholds


def _told(gap_N: Tensor, said_N: Tensor, threshold: float) -> list[float]:
    told_N = torch.where(gap_N.abs() <= threshold, 0.0, gap_N.sign())
    return (told_N == said_N).float().tolist()


def _rate(values: Sequence[float], clusters: Sequence[str]) -> dict[str, Any] | None:
    if not values:
        return None
    found: Rate = rate(list(values), list(clusters))
    return {key: value if not isinstance(value, float) or math.isfinite(value) else None for key, value in asdict(found).items()}


def _gap(row: Row, name: str, told: Mapping[str, Row] | None, where: str) -> float:
    sides = []
    for side in ("A", "B"):
        if told is None:
            value: Any = row.get(f"reward_{name}_{side}")
            sides.append(_number(value, f"{where}: reward_{name}_{side}"))
            continue
        clip = told.get(row[f"path_{side}"])
        if clip is None:
            raise InputError(f"{where}: path_{side} {row[f'path_{side}']!r} has no row in the file of scores")
        values = [clip.get(f"reward_{name}")]
        if values[0] in (None, "") and name in _OVERALL:
            values = [clip.get(f"reward_{part}") for part in _NAMED]
        sides.append(sum(_number(one, f"scores of {row[f'path_{side}']}: reward_{name}") for one in values))
    return sides[0] - sides[1]


def _number(value: Any, where: str) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"{where} = {value!r}; expected a number")
    return found


def _read(path: str | Path) -> list[Row]:
    rows = []
    for number, row in files.read_rows(path):
        if isinstance(row, str):
            raise InputError(f"{path}, line {number}: {row}")
        if missing := next((n for n in ("path_A", "path_B", "prompt") if not isinstance(row.get(n), str) or not row[n]), None):
            raise InputError(f"{path}, line {number}: no {missing}; expected path_A, path_B, prompt, and VQ, MQ, TA or Overall")
        rows.append(row)
    if not rows:
        raise InputError(f"{path}: has no pair")
    return rows


def _of_clips(path: str | Path) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for number, row in files.read_rows(path):
        if isinstance(row, str):
            raise InputError(f"{path}, line {number}: {row}")
        if not isinstance(row.get("path"), str):
            raise InputError(f"{path}, line {number}: no path; expected path, reward_VQ, reward_MQ, reward_TA")
        found[row["path"]] = row
    return found
