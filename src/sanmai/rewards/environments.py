"""Scores a completion, or a dialogue, by the environment that its problem comes from: "verifiers" and "environment"."""

from __future__ import annotations

import json
from typing import Any

from sanmai.data.environments import NOT_NAMED, environment_of, opened, taskset_of
from sanmai.types import Problem, Trace, Turn, Verdict


def verify_environment(problem: Problem, trace: Trace) -> Verdict:
    """The reward of an environment, on the scale from 0 to 1 that its settings state.

    None where there is none: it raised (which `verifiers` itself counts as 0), took too long, is not finite, lies outside the
    stated scale, gave no reply to a turn, or the environment makes another task now. It sees the answer of each turn, and the
    thought apart from it.
    """
    spec = _spec(problem.answer)
    if isinstance(spec, Verdict):
        return spec
    if trace.unanswered:
        return Verdict(None, trace.unanswered, "ungradable")
    if not trace.is_complete:
        return Verdict(0.0, "no finished answer", "incomplete")
    turns = (*trace.earlier, Turn("assistant", trace.answer, trace.thought))
    environment = environment_of(taskset_of(spec)) if not spec["is_own"] else opened(taskset_of(spec))
    if environment is None:
        return Verdict(None, NOT_NAMED.format(spec["taskset"]), "ungradable")
    said = environment.ask("score", spec["index"], spec["key"], turns, seconds=spec["seconds"])
    if "reward" not in said:
        return Verdict(None, f"the environment gave no reward: {said.get('raised')}"[:300], "ungradable")
    low, high = spec["low"], spec["high"]
    score = (said["reward"] - low) / (high - low)
    if not 0.0 <= score <= 1.0:
        reason = f"a reward of {said['reward']:g}; the settings low and high say {low:g} to {high:g}"
        return Verdict(None, reason, "ungradable")
    parts = ", ".join(f"{name} {value:.4g}" for name, value in said["rewards"].items())
    return Verdict(score, f"the environment's reward: {parts}"[:300], "graded")


def _spec(reference: str | None) -> dict[str, Any] | Verdict:
    names = {"taskset": str, "settings": str, "index": int, "key": str, "low": float, "high": float, "seconds": float}
    try:
        spec = json.loads(reference or "")
        return {name: kind(spec[name]) for name, kind in names.items()} | {
            "limit": spec["limit"],
            "is_own": spec.get("is_own"),
        }
    except (ValueError, TypeError, KeyError) as error:
        return Verdict(None, f"the reference is no task of an environment: {error}", "ungradable")
