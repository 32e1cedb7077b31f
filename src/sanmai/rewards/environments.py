"""Scores a completion by the reward of the taskset that its problem comes from; the verifier "verifiers"."""

from __future__ import annotations

import json
from typing import Any

from sanmai.data.environments import Taskset, environment_of
from sanmai.types import Problem, Trace, Verdict


def verify_environment(problem: Problem, trace: Trace) -> Verdict:
    """The reward of a taskset of `verifiers`, on the scale from 0 to 1 that its settings state.

    None where there is none: it raised (which the package itself counts as 0), took too long, is not finite, lies outside the
    stated scale, or the taskset makes another task now. The environment sees the answer, and the thought apart from it.
    """
    spec = _spec(problem.answer)
    if isinstance(spec, Verdict):
        return spec
    if not trace.is_complete:
        return Verdict(0.0, "no finished answer", "incomplete")
    environment = environment_of(Taskset(spec["taskset"], spec["settings"], spec["limit"]))
    said = environment.score(spec["index"], spec["key"], trace.thought, trace.answer, seconds=spec["seconds"])
    if "reward" not in said:
        return Verdict(None, f"the environment gave no reward: {said.get('raised')}"[:300], "ungradable")
    low, high = spec["low"], spec["high"]
    score = (said["reward"] - low) / (high - low)
    if not 0.0 <= score <= 1.0:
        reason = f"a reward of {said['reward']:g}; problems.verifiers.low and .high say {low:g} to {high:g}"
        return Verdict(None, reason, "ungradable")
    parts = ", ".join(f"{name} {value:.4g}" for name, value in said["rewards"].items())
    return Verdict(score, f"the environment's reward: {parts}"[:300], "graded")


def _spec(reference: str | None) -> dict[str, Any] | Verdict:
    names = {"taskset": str, "settings": str, "index": int, "key": str, "low": float, "high": float, "seconds": float}
    try:
        spec = json.loads(reference or "")
        return {name: kind(spec[name]) for name, kind in names.items()} | {"limit": spec["limit"]}
    except (ValueError, TypeError, KeyError) as error:
        return Verdict(None, f"the reference is no task of verifiers: {error}", "ungradable")
