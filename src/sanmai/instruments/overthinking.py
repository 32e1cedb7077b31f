"""Whether thinking was worth it: accuracy under a budget, tokens after the first right answer, slowdown, calibration.

All are over one model's completions. `correct` is 1 for right and 0 for wrong, and what could not be graded is left out by the
caller, who counts it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import exp, inf, log, nan
from statistics import fmean
from typing import Any

from sanmai.instruments.figures import figure, number
from sanmai.instruments.generalisation import Row, change_of
from sanmai.instruments.hacking import Correlation, length_exploitation
from sanmai.instruments.measures import tags_of
from sanmai.instruments.thinking import Ratio
from sanmai.stats import Difference, Rate, clustered_interval, rate

_T_MAX = 1000.0
"""Tokens, of AUC-OAA in a summary."""
MAX_PREFIXES = 2_000
"""Of a text with more paragraphs only as many prefixes are tried, evenly spaced."""


def auc_oaa(
    correct: Sequence[float], tokens: Sequence[float], t_max: float, clusters: Sequence[Hashable] | None = None
) -> Rate:
    """Area under OAA_t from 0 to t_max, over t_max: accuracy that a right answer keeps by the share of the budget it leaves.

        OAA_t = 1/n sum_i correct_i 1[tokens_i < t]
        AUC = 1/t_max int_0^t_max OAA_t dt = 1/n sum_i correct_i max(0, 1 - tokens_i / t_max)

    Raises:
        ValueError: lengths differ, a score outside 0..1, a negative length, or t_max not above 0.

    Source:
        Aggarwal et al. 2025 (arXiv:2508.13141), section on OptimalThinkingBench's metrics, where t_max = 1000 and the integral
        is a sum; derived: the integral of a step is the length behind it.
    """
    _check(correct, tokens)
    if not t_max > 0:
        raise ValueError(f"t_max = {t_max}: expected a number of tokens above 0")
    return rate([c * max(0.0, 1 - n / t_max) for c, n in zip(correct, tokens, strict=True)], clusters)


def ockscore(correct: Sequence[float], tokens: Sequence[float]) -> float:
    """Accuracy in percent minus a penalty for length: 100 mean(correct) - 10 ln(mean(tokens) / 10000 + 1); nan of nothing.

    Raises:
        ValueError: lengths differ, a score outside 0..1, or a negative length.

    Source:
        OckBench (github.com/OckBench/OckBench), as METRICS.md quotes its code.
    """
    _check(correct, tokens)
    return 100 * fmean(correct) - 10 * log(fmean(tokens) / 10_000 + 1) if correct else nan


def first_right(text: str, is_right: Callable[[str], bool]) -> int | None:
    """Length in characters of the shortest prefix of whole paragraphs that is right; None where none is.

    Args:
        is_right: asked of growing prefixes, each ending with a paragraph, the last being the whole text.
    """
    ends = [*(match.start() for match in re.finditer(r"\n\s*\n", text) if text[: match.start()].strip()), len(text)]
    if len(ends) > MAX_PREFIXES:
        ends = [ends[k * (len(ends) - 1) // (MAX_PREFIXES - 1)] for k in range(MAX_PREFIXES)]
    return next((end for end in ends if is_right(text[:end])), None)


def ends_with_number(reference: str) -> Callable[[str], bool]:
    """A checker for `first_right`: the last number of the last paragraph is the reference.

    It sees no meaning: a number that is right by chance, or on its way to another, counts.

    Raises:
        ValueError: the reference is no number.
    """
    value = Fraction(reference.replace(",", ""))

    def is_right(prefix: str) -> bool:
        numbers = _NUMBER.findall(prefix[-2_000:].rsplit("\n\n", 1)[-1])
        return bool(numbers) and Fraction(numbers[-1].replace(",", "")) == value

    return is_right


_NUMBER = re.compile(r"(?<![\w.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|(?<![\w.])-?\d+(?:\.\d+)?(?!\d)")


def outcome_efficiency(
    texts: Sequence[str],
    correct: Sequence[float],
    checkers: Sequence[Callable[[str], bool]],
    clusters: Sequence[Hashable] | None = None,
    *,
    count: Callable[[str], int] = lambda text: len(text.split()),
) -> Rate:
    """Share of a completion that was needed for its first right answer; 0 for a wrong one.

        1/n sum_i correct_i first_i / all_i

    A completion that is right although no prefix is (by its checker) needed all of it. With an interval.

    Args:
        texts: whole completions, thought and answer.
        checkers: one per text; see `first_right` and `ends_with_number`.
        count: tokens of a text; words by default.

    Raises:
        ValueError: lengths differ, or a score outside 0..1.

    Source:
        Chen et al. 2024 (arXiv:2412.21187) section 2.3, with paragraphs in place of solution rounds that a model finds.
    """
    _check(correct, [count(text) for text in texts])
    shares = []
    for text, right, checker in zip(texts, correct, checkers, strict=True):
        total = count(text)
        end = first_right(text, checker) if right and total else None
        shares.append(right * (1.0 if end is None else min(1.0, count(text[:end]) / total)))
    return rate(shares, clusters)


@dataclass(frozen=True)
class Slowdown:
    """How much longer a model thinks when a harmless puzzle stands before the question."""

    factor: Ratio
    """Tokens with decoy over tokens without, over problems that are right both times."""
    accuracy: Difference
    """With decoy minus without, paired."""
    left_out: int
    """Decoy problems that were wrong one of the two times, not graded, or without their original."""


def slowdown(rows: Iterable[Row]) -> Slowdown:
    """The slowdown factor from completions of problems and their decoy copies (tag `decoy_of`; data/decoys.py).

        R = sum_p with_p / sum_p without_p      SE(log R)^2 from (with_p / mean(with) - without_p / mean(without)), paired

    Several samples of a problem are averaged, over those that are right. The interval is exp(log R -/+ t SE). Lengths are of
    whole completions (`num_tokens`), as rows do not count the thought apart.

    Source:
        Kumar et al. 2025 (arXiv:2502.02542) for the factor; derived: delta method.
    """
    listed = list(rows)
    origin = {str(row["problem_id"]): str(of) for row in listed if (of := tags_of(row).get("decoy_of")) is not None}
    origin = {decoy: of for decoy, of in origin.items() if of != decoy}  # no problem is a decoy of itself
    right: dict[str, list[float]] = {}
    for row in listed:
        if row.get("score/accuracy") == 1:
            right.setdefault(str(row["problem_id"]), []).append(float(row["num_tokens"]))
    pairs = [(fmean(right[d]), fmean(right[p]), p) for d, p in origin.items() if d in right and p in right]
    decoys = [
        {**row, "problem_id": origin[str(row["problem_id"])]} for row in listed if str(row["problem_id"]) in origin
    ]
    plain = [row for row in listed if str(row["problem_id"]) not in origin]
    accuracy = change_of(plain, decoys)
    return Slowdown(_paired_ratio(pairs), accuracy, len(origin) - len(pairs))


def _paired_ratio(pairs: Sequence[tuple[float, float, Hashable]]) -> Ratio:
    n = len(pairs)
    if not n or not all(sum(pair[k] for pair in pairs) for k in (0, 1)):
        return Ratio(nan, 0.0, inf, n, n)
    above, below = fmean(a for a, _, _ in pairs), fmean(b for _, b, _ in pairs)
    _, half = clustered_interval([a / above - b / below for a, b, _ in pairs], [key for _, _, key in pairs])
    value = above / below
    return Ratio(value, value * exp(-half), value * exp(half) if half < 700 else inf, n, n)


def difficulty_calibration(
    tokens: Sequence[float], levels: Sequence[float | None], problems: Sequence[Hashable] | None = None
) -> Correlation:
    """Spearman's rho of length and level: near 1 where easy problems are answered shortly and hard ones at length.

    With a bootstrap interval over problems. Samples without a level are left out.

    Raises:
        ValueError: lengths differ.
    """
    # The same estimator as for rewards among wrong samples; here every sample takes part.
    return length_exploitation(levels, tokens, [0.0] * len(tokens), problems)


def summary_of(
    texts: Sequence[str],
    tokens: Sequence[int] | None,
    correct: Sequence[float],
    references: Sequence[str],
    levels: Sequence[float | None],
    clusters: Sequence[Hashable],
) -> dict[str, Any]:
    """What `sanmai score --as thinking` adds for graded rows with a reference, as JSON can hold it.

    Args:
        tokens: of each whole completion; None where not every row has them: AUC-OAA and OckScore, whose constants are tokens,
            are then null.
    """
    numbers = [k for k, reference in enumerate(references) if _is_number(reference)]
    efficiency = outcome_efficiency(
        [texts[k] for k in numbers], [correct[k] for k in numbers], [ends_with_number(references[k]) for k in numbers],
        [clusters[k] for k in numbers],
    )  # fmt: skip
    lengths = [len(text.split()) for text in texts] if tokens is None else tokens
    rho = difficulty_calibration(lengths, levels, clusters)
    area = auc_oaa(correct, tokens, _T_MAX, clusters) if tokens is not None else rate([])
    return {
        "auc_oaa": figure(area) | {"t_max": _T_MAX},
        "ockscore": number(ockscore(correct, tokens)) if tokens is not None else None,
        "outcome_efficiency": figure(efficiency),
        "difficulty_calibration": {
            "value": number(rho.value), "interval": [rho.low, rho.high], "n": rho.num_prompts,
        },
    }  # fmt: skip


def level_of(value: Any) -> float | None:
    """A problem's level as a number: 3, "3" and "Level 3" are 3; None for anything else."""
    match = re.fullmatch(r"(?:level\s*)?(\d+(?:\.\d+)?)", str(value).strip().lower())
    return float(match[1]) if match and not isinstance(value, bool) else None


def _is_number(text: str) -> bool:
    try:
        Fraction(text.replace(",", ""))
    except (ValueError, ZeroDivisionError):
        return False
    return True


def _check(correct: Sequence[float], tokens: Sequence[float]) -> None:
    if len(correct) != len(tokens):
        raise ValueError(f"{len(tokens)} lengths for {len(correct)} answers: expected one each")
    if any(not 0 <= c <= 1 for c in correct) or any(n < 0 for n in tokens):
        raise ValueError("expected scores in 0..1 and lengths of at least 0")
