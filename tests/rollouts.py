"""Rollouts in a line, for tests that are about what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sanmai.policies.text.pack import pack_rollouts
from sanmai.rewards.rubric import Rubric
from sanmai.rollout.credit import with_advantages
from sanmai.types import Credited, Drawn, Problem, StopReason, TokenBatch, Trace


def drawn(text: str = "", trace: Trace | None = None, **changes: Any) -> Drawn:
    """A rollout of one token to a prompt of one."""
    facts = {
        "problem_id": "p", "sample": 0, "prompt_tokens": [1], "completion_tokens": [2],
        "sampling_logp": [0.0] * len(changes.get("completion_tokens", [2])),
        "stop_reason": StopReason.STOP, "policy_version": 0, "text": text, "trace": trace,
    }  # fmt: skip
    return Drawn(**{**facts, **changes})


def paid(reward: float | None) -> dict[str, Any]:
    """The fields of a graded rollout whose reward is this, as that of one component; None is ungradable."""
    return {"scores": None if reward is None else {"accuracy": reward}, "weights": {"accuracy": 1.0}}


def grade(rubric: Rubric, problem: Problem, trace: Trace) -> tuple[Any, float | None]:
    """The verdicts and the reward of a completion."""
    graded = rubric.grade(problem, drawn(trace.text, trace))
    return graded.verdicts, graded.reward


def packed(rollouts: Sequence[Credited]) -> TokenBatch:
    """As the learner packs them."""
    return with_advantages(pack_rollouts(rollouts), rollouts)
