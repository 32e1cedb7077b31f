"""Symbolic equality by math-verify. Imported in the child process only: hostile input may never end."""

from __future__ import annotations

import logging
import re
import signal
from dataclasses import replace
from itertools import chain
from typing import Any

from math_verify import LatexExtractionConfig, parse, verify

from sanmai.rewards.math import number, split_list, split_matrix

logging.disable(logging.WARNING)  # it warns that it sets no time limit of its own; our parent process has one


# It would drop `ab` from `2ab` as a unit; units are gone before it is asked.
_CONFIG = LatexExtractionConfig(normalization_config=replace(LatexExtractionConfig().normalization_config, units=False))


def equal_within(reference: str, candidate: str, cpu_seconds: float) -> bool | None:
    """equal(); the process dies of SIGPROF after so many seconds of processor time."""
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    try:
        return equal(reference, candidate)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


def equal(reference: str, candidate: str) -> bool | None:
    """Whether two LaTeX expressions are equal; None when the reference is not one."""
    rows, other_rows = split_matrix(reference), split_matrix(candidate)
    if rows and other_rows:
        if [len(row) for row in rows] != [len(row) for row in other_rows]:
            return False
        entries = zip(chain.from_iterable(rows), chain.from_iterable(other_rows), strict=True)
        verdicts = [equal(a, b) for a, b in entries]
        return None if None in verdicts else all(verdicts)
    left, items, right = split_list(reference)
    other_left, others, other_right = split_list(candidate)
    is_same_kind = (other_left, other_right) == (left, right)
    if len(items) == 1:
        return False if len(others) > 1 and not _is_double(reference) else _equal_one(reference, candidate)
    if len(others) != len(items):
        return _equal_one(reference, candidate) if r"\pm" in candidate else False
    if left in ("", r"\{"):
        return other_left in ("", r"\{") and _equal_unordered(items, others)
    if not is_same_kind and other_left:
        return False
    verdicts = [equal(a, b) for a, b in zip(items, others, strict=True)]
    return None if None in verdicts else all(verdicts)


def _is_double(text: str) -> bool:
    return r"\pm" in text or r"\mp" in text


def _equal_unordered(items: list[str], others: list[str]) -> bool | None:
    rest = list(others)
    for item in items:
        verdicts = [equal(item, other) for other in rest]
        if None in verdicts:
            return None
        if True not in verdicts:
            return False
        del rest[verdicts.index(True)]
    return True


def _equal_one(reference: str, candidate: str) -> bool | None:
    exact, given = number(reference), number(candidate)
    if exact and given:
        return exact[0] == given[0]
    gold = _parse(reference)
    if gold is None:
        return None
    target = _parse(candidate)
    # 50 of 80 digits: a decimal is not pi, two forms of one irrational number are equal.
    return target is not None and bool(
        verify(
            gold, target, float_rounding=50, numeric_precision=80, allow_set_relation_comp=False, timeout_seconds=None
        )
    )


def _parse(text: str) -> Any | None:
    text = re.sub(r"([0-9]+)\.([0-9]+)", lambda m: rf"\frac{{{m[1]}{m[2]}}}{{{10 ** len(m[2])}}}", text)
    found = parse(
        f"${text}$", [_CONFIG], fallback_mode="no_fallback", extraction_mode="first_match",
        parsing_timeout=0,
    )  # fmt: skip
    return found or None
