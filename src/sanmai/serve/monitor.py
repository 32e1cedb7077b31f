"""A deployed model watched by its log: instruments over time, and drift told from chance at a stated rate of false alarms.

Each window is compared with a reference period, instrument by instrument, by a permutation test of the difference of means
over clusters (users, conversations), and the p-values of the whole log are corrected together (Holm). Of logs without drift,
in which clusters are exchangeable, a share of `alpha` at most has any alarm at all.

Source:
    The number of permutations is cut short as Besag and Clifford 1991 (Biometrika 78:301) do: after 20 that are as extreme.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from sanmai.data.problems import load_problems, normalised_prompt, overlap
from sanmai.rollout.measure import Ungraded, counted
from sanmai.serve import reviewers
from sanmai.serve.candidates import Candidates
from sanmai.serve.looking import TimedCandidates
from sanmai.serve.traffic import INSTRUMENTS, Dialogue, measured, read_log
from sanmai.stats import holm
from sanmai.train.runs import storing, write_whole
from sanmai.types import InputError, Problem

_EXTREMES, _BATCH = 20, 500
LEAST = 20
"""Dialogues of a window, and of the reference, at least."""


@dataclass(frozen=True)
class Watch:
    """How a log is looked at."""

    window: int | None = None
    """Dialogues of a window; None: a tenth of the log, LEAST at least."""
    reference_share: float = 0.3
    """Share of the log that is the reference, from its start, where no other log is."""
    alpha: float = 0.05
    seed: int = 0


def monitor(
    log: Path, out: Path, *, watch: Watch, reference: Path | None = None, judge: str | None = None,
    judge_key: str | None = None, words: Sequence[str] = (), device: str = "cpu", say: Callable[[str], None],
) -> Path:  # fmt: skip
    """Measure a log and write monitor.json and flagged.jsonl; the folder.

    Raises:
        InputError: a log cannot be read or is too short, or the judge cannot be loaded.
    """
    if not 0 < watch.alpha < 1 or not 0 < watch.reference_share < 1:
        raise InputError(
            f"--alpha {watch.alpha:g}, --reference-share {watch.reference_share:g}: expected between 0 and 1"
        )
    with storing(out):  # before a judge reads for hours
        out.mkdir(parents=True, exist_ok=True)
    candidates = TimedCandidates(Candidates.load(words))
    reviewer = None
    if judge is not None:
        reviewer = reviewers.load_reviewer(judge, key_variable=judge_key, device=device, option="--judge")
    with contextlib.closing(candidates):
        dialogues, told = _measured(log, candidates, reviewer, say)
        others, told_before = _measured(reference, candidates, reviewer, say) if reference is not None else ([], Ungraded(0))
    if reference is not None:
        base, rest = others, dialogues
    else:
        cut = max(int(watch.reference_share * len(dialogues)), LEAST)
        base, rest = dialogues[:cut], dialogues[cut:]
    if len(base) < LEAST or len(rest) < LEAST:
        raise InputError(
            f"{log}: {len(base)} dialogues of reference and {len(rest)} after it; expected {LEAST} of each at least"
        )
    if watch.window is not None and watch.window > len(rest):
        raise InputError(f"--window {watch.window}: {log} has {len(rest)} dialogues after the reference")
    size = max(watch.window or len(rest) // 10, LEAST)
    num_windows = max(len(rest) // size, 1)
    bounds = [round(k * len(rest) / num_windows) for k in range(num_windows + 1)]
    windows = [rest[a:b] for a, b in pairwise(bounds)]
    alarms, num_tests = find_drift(base, windows, alpha=watch.alpha, seed=watch.seed)
    flagged = [each for each in dialogues if each.flags]
    found = {
        "log": str(log), "dialogues": len(dialogues), "from": _when(dialogues[0]), "to": _when(dialogues[-1]),
        "alpha": watch.alpha, "tests": num_tests, "flagged": len(flagged), "instruments": _known(dialogues),
        "meaning": INSTRUMENTS, "alarms": alarms, "judge": judge, "graded_nothing": told.is_all,
        "test": f"Permutation tests over users or conversations, {num_tests} p-values corrected together (Holm): of logs without "
        f"drift at most {100 * watch.alpha:g} % have any alarm.",
        "windows": [_window(-1, base, True), *(_window(k, each, False) for k, each in enumerate(windows))],
        "facts": [
            f"{len(dialogues)} dialogues of {log.name}; reference: {reference.name if reference else f'its first {len(base)}'}.",
            *_without_usage([*dialogues, *others]),
            *(f"{said}; they are in no figure of harm." for one in (told, told_before) if (said := one.sentence)),
            f"Harm told by {judge}." if judge else "No judge was named: harm is not measured; --judge names one.",
        ],
    }  # fmt: skip
    write_whole(out / "monitor.json", json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    rows = [{"id": d.id, "prompt": d.prompt, "response": d.trace.text, "flags": list(d.flags)} for d in flagged]
    write_whole(out / "flagged.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    for line in lines(found):
        say(line)
    return out


def _measured(
    path: Path, candidates: TimedCandidates, reviewer: reviewers.Reviewer | None, say: Callable[[str], None]
) -> tuple[list[Dialogue], Ungraded]:
    """The dialogues of a log, and of how many the reviewer could not say whether they are harmful."""
    dialogues, skipped = read_log(path)
    if skipped:
        say(f"{path}: {len(skipped)} lines passed over; the first: {skipped[0]}")
    found, why = [], Counter[str]()
    for each in dialogues:
        harm = None
        if reviewer is not None:
            verdict = reviewer(reviewers.Dialogue(each.messages, each.trace.thought, each.trace.answer))
            harm = None if verdict.score is None else float(verdict.score < 0.5)
            why.update([verdict.reason] if harm is None else [])
        found.append(measured(each, candidates, harm))
    return found, counted(len(dialogues) if reviewer is not None else 0, why, f"dialogues of {path.name}")


def find_drift(
    reference: Sequence[Dialogue], windows: Sequence[Sequence[Dialogue]], *, alpha: float, seed: int = 0
) -> tuple[list[dict[str, Any]], int]:
    """The alarms, and how many tests were made: each window and instrument against the reference, corrected together."""
    names = _known([*reference, *(each for window in windows for each in window)])
    tests = []
    for number, window in enumerate(windows):
        for name in names:
            base, now = cluster_means(reference, name), cluster_means(window, name)
            if len(base) >= LEAST // 2 and len(now) >= LEAST // 2:
                tests.append((number, name, base, now))
    most = int(2 * len(tests) / alpha) + 100
    p_values = []
    for k, (_, _, base, now) in enumerate(tests):
        p_values.append(permutation_p(base, now, most=most, rng=np.random.default_rng([seed, k])))
    alarms = []
    for (number, name, base, now), p in zip(tests, holm(p_values), strict=True):
        if p <= alpha:
            alarms.append({
                "window": number, "instrument": name, "from": _when(windows[number][0]), "reference": fmean(base),
                "value": fmean(now), "p": p,
            })  # fmt: skip
    return alarms, len(tests)


def permutation_p(base: Sequence[float], now: Sequence[float], *, most: int, rng: np.random.Generator) -> float:
    """Two-sided p-value of the difference of means, under exchangeability; at least 1 / (most + 1)."""
    values = np.array([*base, *now])
    size, observed = len(now), abs(fmean(now) - fmean(base))
    if np.ptp(values) == 0.0:
        return 1.0
    total, extremes, done = values.sum(), 0, 0
    while done < most:
        batch = min(_BATCH, most - done)
        drawn = values[np.argsort(rng.random((batch, len(values))), axis=1)[:, :size]].sum(axis=1)
        differences = np.abs(drawn / size - (total - drawn) / len(base))
        is_extreme = differences >= observed * (1 - 1e-9)
        if extremes + is_extreme.sum() >= _EXTREMES:
            where = np.flatnonzero(is_extreme)[_EXTREMES - extremes - 1]
            return _EXTREMES / float(done + where + 1)
        extremes, done = extremes + int(is_extreme.sum()), done + batch
    return (1 + extremes) / (1 + most)


def cluster_means(dialogues: Sequence[Dialogue], name: str) -> list[float]:
    """The mean of an instrument of each user or conversation that it says something of."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for each in dialogues:
        if (value := each.values.get(name)) is not None:
            found[each.cluster].append(value)
    return [fmean(values) for values in found.values()]


def export(flagged: Path, out: Path, apart: Sequence[Path], say: Callable[[str], None]) -> int:
    """Write the prompts of flagged dialogues as problems to train on, those left out that stand in evaluation files or share
    eight words in a row with one there; how many were written.

    Raises:
        InputError: no evaluation file is named, one cannot be read, or the file to write exists.
    """
    if not apart:
        raise InputError("--export: expected --apart FILE, the evaluation prompts that training must stay apart from")
    if out.exists():
        raise InputError(f"--export {str(out)!r}: exists already")
    held_out = [p for f in apart for p in load_problems(f, needs_answer=False, on_warning=say).problems]
    known = {normalised_prompt(problem) for problem in held_out}
    kept, left_out = {}, 0
    for line in flagged.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        is_risky = bool({"harmful", "risky and not refused"} & set(row["flags"]))
        problem = Problem(
            f"log/{row['id']}", ({"role": "user", "content": row["prompt"]},), kind="safety" if is_risky else "general"
        )
        name = normalised_prompt(problem)
        if name in known or overlap([problem], held_out).num_overlapping:
            left_out += 1
        elif name not in kept:
            kept[name] = {
                "id": problem.id,
                "prompt": row["prompt"],
                "kind": problem.kind,
                "flags": ", ".join(row["flags"]),
            }
    write_whole(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept.values()))
    say(
        f"{len(kept)} prompts written to {out}; {left_out} left out because evaluation files have them or eight words of theirs"
    )
    return len(kept)


def lines(found: dict[str, Any]) -> list[str]:
    """The result in sentences for a terminal."""
    alarms = [
        f"ALARM {a['instrument']} from {a['from']}: {a['reference']:.3g} -> {a['value']:.3g}, p = {a['p']:.2g} (corrected)"
        for a in found["alarms"]
    ]
    return [
        *found["facts"],
        *(alarms or ["No drift was found."]),
        found["test"],
        f"{found['flagged']} dialogues are flagged.",
    ]


def _known(dialogues: Sequence[Dialogue]) -> list[str]:
    return [name for name in INSTRUMENTS if any(each.values.get(name) is not None for each in dialogues)]


def _without_usage(dialogues: Sequence[Dialogue]) -> list[str]:
    lacking = sum(each.tokens is None for each in dialogues)
    if not 0 < lacking < len(dialogues):
        return []
    return [f"{lacking} of {len(dialogues)} lines have no usage: tokens are of the others alone, words of all."]


def _window(number: int, dialogues: Sequence[Dialogue], is_reference: bool) -> dict[str, Any]:
    means = {name: fmean(v) if (v := cluster_means(dialogues, name)) else None for name in INSTRUMENTS}
    return {
        "number": number, "n": len(dialogues), "from": _when(dialogues[0]), "to": _when(dialogues[-1]), "values": means,
        "is_reference": is_reference,
    }  # fmt: skip


def _when(dialogue: Dialogue) -> str:
    if dialogue.time is None:
        return f"dialogue {dialogue.id}"
    return datetime.fromtimestamp(dialogue.time, UTC).strftime("%Y-%m-%d %H:%M")
