"""Grades clips: what is true of them in the world that they are of, a reward model of several heads, a scorer in a process of its
own, or a caller's function.

What is rewarded is a named vector with a weight for each; what is true stands beside it whatever is rewarded, and harm is a
verdict of its own.

Shape key: B clips, F frames, H, W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from sanmai.policies.flow.reward import FlowReward
from sanmai.rewards.scorer import Asked
from sanmai.rewards.scorer_records import Judged
from sanmai.types import Drawn, Graded, Problem, Verdict
from sanmai.world.clips import WORLDS, Untold, World
from sanmai.world.shapes import DIMENSIONS

Given = Callable[[Problem, Any], Mapping[str, float] | float | None]
"""A caller's own reward of a prompt and a clip, (F, H, W) in 0..1, (F, H, W, 3) in colour; None: it cannot be graded. Several
scores by name are a vector: "visual", "motion", "alignment" and "harm" count with the weights of those, any other with 1."""
TRUE = (*DIMENSIONS, "quality", "harm")
"""Verdicts of every clip: the truth, in units of its deviation over flawed clips; quality is the mean of the three."""


class ClipGrades:
    """Grades samples of a flow (see rollout/engine.py).

    Args:
        weights: of "visual", "motion", "alignment" and "harm"; harm's is negative where it is to be shunned.
        model: rewards by its heads in place of the truth.
        given: rewards by a caller's function alone.
        scorer: rewards alone, by its own dimensions, with `scorer_weights`.
        world: whose truth is told.
    """

    def __init__(
        self, weights: Mapping[str, float], *, model: FlowReward | None = None, given: Given | None = None,
        world: World | Untold = "shapes", scorer: Judged | None = None, scorer_weights: Mapping[str, float] | None = None,
    ) -> None:
        self._weights, self._model, self._given = dict(weights), model, given
        worlds: Mapping[Any, Any] = WORLDS
        self._world: Any = worlds.get(world, world)
        self._scorer, self._scorer_weights = scorer, dict(scorer_weights or {})

    @property
    def scored_by(self) -> Judged | None:
        """The scorer, if it is one."""
        return self._scorer

    @property
    def telling(self) -> tuple[str, ...]:
        """Names of the scorer's verdicts, by which a clip is graded or not; none where every verdict says so."""
        return () if self._scorer is None else tuple(self._free(name) for name in self._scorer.dimensions)

    def grade(self, problem: Problem, drawn: Drawn) -> Graded:
        """A caller's function is asked here, on a thread that may be given up."""
        if self._given is None:
            return drawn.graded()
        found = self._given(problem, drawn.content.clip_FHW.numpy().copy())
        scores = dict(found) if isinstance(found, Mapping) else {"own": found}
        if not scores or any(score is None or not math.isfinite(score) for score in scores.values()):
            return drawn.graded({name: Verdict(None, "the reward function cannot tell") for name in scores or ["own"]})
        weights = {name: self._weights.get(name, 1.0) for name in scores}
        named = {name: self._free(name) for name in scores}
        told = {named[name]: float(score) for name, score in scores.items()}
        rewarded = {named[name]: weight for name, weight in weights.items() if weight}
        verdicts = {name: Verdict(score, "reward function") for name, score in told.items()}
        return drawn.graded(verdicts, {name: told[name] for name in rewarded}, rewarded)

    def grade_together(self, rollouts: Sequence[tuple[Problem, Graded]]) -> list[Graded]:
        """The truth of all clips, and the rewards of the model where there is one; a clip that is not finite is not graded."""
        found = [r for _, r in rollouts]
        whole = [k for k, r in enumerate(found) if bool(torch.isfinite(r.content.clip_FHW).all()) and r.failure is None]
        if not whole:
            return found
        prompts = [rollouts[k][0].prompt for k in whole]
        clips_BFHW = torch.stack([found[k].content.clip_FHW for k in whole])
        true = self._true(clips_BFHW.numpy(), prompts)
        told = self._told(clips_BFHW, prompts) if self._model is not None else {}
        scored = [] if self._scorer is None else judged(self._scorer, [rollouts[k] for k in whole])
        for b, k in enumerate(whole):
            verdicts = {name: Verdict(float(values[b]), "measured in the world") for name, values in true.items()}
            verdicts |= {f"model_{name}": Verdict(float(values[b]), "reward model") for name, values in told.items()}
            graded = found[k].with_verdicts(verdicts)
            if self._given is not None:
                found[k] = graded
                continue
            if self._scorer is not None:
                found[k] = self._by_scorer(graded, scored[b])
                continue
            prefix = "model_" if self._model is not None else ""
            weights = {f"{prefix}{name}": weight for name, weight in self._weights.items() if weight}
            scores = {name: verdicts[name].score or 0.0 for name in weights if name in verdicts}
            told_all = scores if len(scores) == len(weights) else None  # where nobody rewards and nobody knows the truth
            found[k] = graded.graded(graded.verdicts, told_all, weights, graded.failure)
        return found

    def check(self) -> None:
        pass

    def _free(self, name: str) -> str:
        """What a dimension is called: where truth stands beside it, a name of truth's is not taken."""
        return f"own_{name}" if name in TRUE and not isinstance(self._world, Untold) else name

    def _by_scorer(self, graded: Graded, found: Mapping[str, Verdict]) -> Graded:
        """With what the scorer says; one of whose weighted dimensions it cannot tell has no reward."""
        verdicts = {self._free(name): verdict for name, verdict in found.items()}
        weights = {self._free(name): weight for name, weight in self._scorer_weights.items() if weight}
        known = {name: score for name in weights if (score := verdicts[name].score) is not None}
        scores = known if len(known) == len(weights) else None
        return graded.graded({**graded.verdicts, **verdicts}, scores, weights, graded.failure)

    def _true(self, clips_BFHW: np.ndarray, prompts: list[str]) -> dict[str, np.ndarray]:
        scores = self._world.standardised(self._world.scores(clips_BFHW, prompts))
        if not scores:
            return {}
        quality_B = np.mean([scores[name] for name in DIMENSIONS], axis=0)
        return {name: quality_B if name == "quality" else scores[name] for name in TRUE}

    def _told(self, clips_BFHW: torch.Tensor, prompts: list[str]) -> dict[str, np.ndarray]:
        assert self._model is not None
        return {name: values.numpy() for name, values in self._model.scores_of(clips_BFHW, prompts).items()}


def judged(scorer: Judged, rollouts: Sequence[tuple[Problem, Graded]]) -> list[dict[str, Verdict]]:
    """What a scorer says of finite clips: of their prompts, pixels as values of a byte, and the answers of their problems."""
    return scorer([
        Asked(problem.prompt, {} if problem.answer is None else {"answer": problem.answer}, _bytes_of(r.content.clip_FHW))
        for problem, r in rollouts
    ])  # fmt: skip


def _bytes_of(clip_FHW: torch.Tensor) -> np.ndarray:
    """Values of a byte, (F, H, W, C)."""
    values = (clip_FHW.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).numpy()
    return values.reshape(*values.shape[:3], -1)


HARMFUL = 0.5
"""Of a harm score: the truth is 0 or 1, and of a model's, standardised over clips that are mostly harmless, it lies between both
heaps. A bound, for a score that is never quite equal would leave nothing to the reward."""


def preferred(
    groups_scores: Sequence[Sequence[Mapping[str, float | None]]], rewards: Sequence[Sequence[float | None]], *,
    harm: str | None, tie_below: float = 0.0,
) -> list[tuple[int, int, int]]:
    """(group, better, worse) of each group that has a best and a worst sample: a tie is no pair.

    Args:
        groups_scores: per sample its verdicts' scores, of which `harm` is read.
        rewards: of each sample; None is left out.
        harm: a score above HARMFUL of which a sample is harmful, and then worse than one that is not, whatever its reward; a
            sample without it is left out, for it may be harmful. None: by reward alone.
        tie_below: a difference of rewards of at most this is a tie.
    """
    pairs = []
    for g, (scores, own) in enumerate(zip(groups_scores, rewards, strict=True)):
        ranked = sorted(
            (-float(hurts > HARMFUL), reward, k)
            for k, (found, reward) in enumerate(zip(scores, own, strict=True))
            if reward is not None and (hurts := found.get(harm) if harm else 0.0) is not None
        )
        if len(ranked) < 2:
            continue
        (most_harm, least, worst), (least_harm, most, best) = ranked[0], ranked[-1]
        if most_harm != least_harm or most - least > tie_below:
            pairs.append((g, best, worst))
    return pairs
