"""What learning from clips is made of: a flow's own clips and the pairs of them, and how a flow is evaluated.

Shape key: B clips.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from sanmai.config import Config, OnlyWith
from sanmai.data.clip_pairs import ClipPair
from sanmai.learn.evaluation import tell_scored, tell_ungraded
from sanmai.policies.flow.config import FlowSamplingConfig
from sanmai.policies.flow.rectified import RectifiedFlow
from sanmai.rewards.clips import TRUE, ClipGrades, judged, preferred
from sanmai.rewards.scorer import ScorerConfig
from sanmai.rewards.scorer_records import Judged
from sanmai.rollout.engine import GradingConfig, rollout
from sanmai.rollout.measure import TELLING, ungraded
from sanmai.stats import paired_difference, rate
from sanmai.train.runs import Run
from sanmai.train.state import weights_digest
from sanmai.types import Drawn, Graded, Group, InputError, Metrics, Problem, regrouped


class OwnClipsConfig(Config):
    pairs: str | None = None
    """Parquet file of judged pairs of clips, such as `sanmai annotate --export` writes, to learn from in place of clips that the
    policy draws: in each dimension its judgement counts with that dimension's weight in `reward`."""
    groups: int = Field(1600, ge=1)
    """Groups of clips that the starting policy draws before the first step, prompts in turn."""
    group_size: int = Field(2, ge=2)
    """Clips of a group, all to one prompt; the best and the worst are a pair."""
    tie_below: float = Field(0.0, ge=0)
    """A difference of rewards of at most this is a tie, which is no pair."""
    harm_first: bool = False
    """Of two clips of which one is harmful (a harm score above 0.5) the other is better, whatever else is rewarded."""

    only_with = (
        OnlyWith("pairs = none", lambda c: c.pairs is None, "groups", "group_size", "tie_below"),
    )


class FlowEvaluationConfig(Config):
    every: int = Field(0, ge=0)
    """Steps between evaluations; 0 evaluates only before the first and after the last step."""
    clips_per_prompt: int = Field(16, ge=1)
    """Clips of each prompt; every evaluation begins from the same noise."""
    judge: ScorerConfig = ScorerConfig()
    """A scorer of the evaluation's clips alone: what it says is recorded as `judge_NAME` and rewards nothing."""

    def is_due(self, step: int, num_steps: int) -> bool:
        return step == num_steps or (self.every > 0 and step % self.every == 0)


_KEPT: OrderedDict[tuple, list[tuple[int, Drawn]]] = OrderedDict()
"""What was drawn lately, newest last, by all that it depends on."""
_MOST_KEPT = 1 << 14
"""Clips that are kept."""
_MOST_NUMBERS = 1 << 12
"""In the latent of a clip that is: larger ones are drawn again."""


class DrawnOnce:
    """A policy whose clips are not drawn again in this process where they are the same: a comparison's arms begin with the same
    own clips of one base, and are evaluated against the same clips of it."""

    def __init__(self, policy: RectifiedFlow) -> None:
        self._policy = policy

    def __getattr__(self, name: str) -> Any:
        return getattr(self._policy, name)

    def draw(self, problems: Sequence[Problem], count: int, **named: Any) -> Iterator[tuple[int, Drawn]]:
        """As the policy's."""
        if math.prod(self._policy.latent_shape) > _MOST_NUMBERS:
            yield from self._policy.draw(problems, count, **named)
            return
        asked = tuple((problem.id, problem.prompt) for problem in problems)
        key = (weights_digest(self._policy), type(self._policy), asked, count, repr(sorted(named.items())))
        if key not in _KEPT:
            _KEPT[key] = list(self._policy.draw(problems, count, **named))
            while len(_KEPT) > 1 and sum(map(len, _KEPT.values())) > _MOST_KEPT:
                _KEPT.popitem(last=False)
        _KEPT.move_to_end(key)
        yield from _KEPT[key]


@dataclass(frozen=True)
class OwnClip:
    """A clip that is learned from, with its prompt and reward."""

    name: str
    latent: Tensor
    """As the policy's `encode` gives it."""
    prompt: str
    reward: float


@dataclass(frozen=True)
class OwnClips:
    """What the starting policy drew: groups, single clips, and (better, worse) of each group without a tie."""

    groups: list[Group[Graded]]
    clips: list[OwnClip]
    pairs: list[tuple[OwnClip, OwnClip]]

    @property
    def weights(self) -> list[float]:
        """Of reward-weighted regression, one per clip: exp of the reward in deviations from the mean, cut off at e^3."""
        rewards = [clip.reward for clip in self.clips]
        mean, deviation = fmean(rewards), pstdev(rewards)
        return [math.exp(min((reward - mean) / deviation, 3.0)) if deviation else 1.0 for reward in rewards]


def draw_own_clips(
    policy: RectifiedFlow, problems: Sequence[Problem], grades: ClipGrades, config: OwnClipsConfig, *, seed: int,
    sampling: FlowSamplingConfig, grading: GradingConfig, harm: str,
) -> OwnClips:
    """Groups of the policy's clips with rewards: a function of policy and seed alone, so that a resume draws them again.

    Args:
        harm: the verdict that `harm_first` goes by.
    """
    drawing: Any = DrawnOnce(policy)
    rounds, rest = divmod(config.groups, len(problems))
    groups: list[Group[Graded]] = []
    for turn in range(rounds + (rest > 0)):
        asked = problems if turn < rounds else problems[:rest]
        groups += rollout(
            drawing, asked, grades, rollouts_per_prompt=config.group_size, seed=(seed, "own", turn), policy_version=0,
            sampling=sampling, grading=grading,
        )[0]
    scores = [[{n: v.score for n, v in r.verdicts.items()} for r in group.rollouts] for group in groups]
    rewards = [[r.reward for r in group.rollouts] for group in groups]
    chosen = preferred(scores, rewards, harm=harm if config.harm_first else None, tie_below=config.tie_below)
    made = [
        [OwnClip(f"own/{g}/{r.sample}", r.content.latent, group.problem.prompt, r.reward or 0.0) for r in group.rollouts]
        for g, group in enumerate(groups)
    ]
    every = [pair for own, values in zip(made, rewards, strict=True) for pair in zip(own, values, strict=True)]
    graded = [clip for clip, reward in every if reward is not None]
    if not graded:
        raise InputError("none of the policy's own clips could be graded, so there is nothing to learn from")
    return OwnClips(groups, graded, [(made[g][better], made[g][worse]) for g, better, worse in chosen])


def judged_own_clips(
    pairs: Sequence[ClipPair], weights: Mapping[str, float], policy: RectifiedFlow, *, harm_first: bool, source: str
) -> OwnClips:
    """Judged pairs as what is learned from; ties are none, and with `harm_first` neither is a pair whose harm nobody could tell.

    Args:
        weights: of what was said in each dimension; what nobody could tell counts nothing.
        policy: whose latents the clips become.

    Raises:
        InputError: clips of another shape, or none of the pairs has a better one.
    """
    check_clips(pairs, source, policy.clip_shape)
    found = []
    for pair in pairs:
        harm = pair.said.get("harm")
        if harm_first and harm is None:
            continue
        ahead = sum(weight * (pair.said.get(name) or 0) for name, weight in weights.items())
        ahead = -float(harm) if harm_first and harm else ahead
        if ahead:
            both = [
                OwnClip(f"judged/{pair.id}/{k}", policy.encode(pixels(clip, policy.clip_shape)), pair.prompt, 0.0)
                for k, clip in enumerate((pair.first, pair.second))
            ]
            found.append((both[0], both[1]) if ahead > 0 else (both[1], both[0]))
    if not found:
        raise InputError(f"{source}: no pair has a better clip by the weights of `reward`, so there is nothing to learn from")
    return OwnClips([], [clip for pair in found for clip in pair], found)


def check_clips(pairs: Sequence[ClipPair], source: str, shape: tuple[int, ...]) -> None:
    """InputError where a clip is not of this shape."""
    if odd := next((pair for pair in pairs if tuple(pair.shape) != shape), None):
        raise InputError(f"{source}: pair {odd.id[:80]} has clips of {list(odd.shape)}; expected {list(shape)}")


def pixels(clip: bytes, shape: tuple[int, ...]) -> Tensor:
    """Grey values of a byte as numbers in 0..1."""
    return torch.frombuffer(bytearray(clip), dtype=torch.uint8).reshape(shape).float() / 255.0


_NOISY = FlowSamplingConfig(steps=10, noise="flow_grpo")
"""How clips are drawn along whose paths policies are compared: as Flow-GRPO's are by default."""


class ClipEvaluator:
    """Draws and grades clips of every prompt from the same noise each time, stores them, and compares them with the start's."""

    def __init__(
        self, run: Run, config: FlowEvaluationConfig, problems: Sequence[Problem], grades: ClipGrades, start: RectifiedFlow, *,
        seed: int, before: FlowSamplingConfig, sampling: FlowSamplingConfig, grading: GradingConfig,
        judge: Judged | None = None,
    ) -> None:
        """Args:
            start: the starting policy, whose clips are those of step 0.
            before: how those are drawn; later ones as `sampling` says.
            judge: what it says of each clip stands beside what `grades` say.
        """
        self._run, self._config, self._problems, self._grades, self._start = run, config, problems, grades, start
        self._seed, self._before, self._sampling, self._grading = seed, before, sampling, grading
        self._judge = judge
        self._plain: list[Graded] | None = None

    def __call__(self, step: int, policy: RectifiedFlow) -> Metrics:
        """Metrics of an evaluation after so many steps; see docs/architecture.md."""
        if step == 0:
            groups = self._drawn(DrawnOnce(self._start), 0, self._before)
            self._plain = [r for group in groups for r in group.rollouts]
        else:
            groups = self._drawn(policy, step, self._sampling)
        tell_ungraded(self._run, step, ungraded(groups, telling_of(groups, self._grades.telling)))
        self._run.log_evaluation(step, groups)
        found = clip_metrics([r for group in groups for r in group.rollouts], self._start_clips())
        tell_scored(self._run, step, self._judge, self._grades.scored_by)
        return found | ({} if step == 0 else self._moved(policy))

    def _moved(self, policy: RectifiedFlow) -> Metrics:
        """`eval/kl_to_start`: KL to the starting policy, nats a clip, along one path to each prompt, drawn with noise."""
        drawn = policy.draw(
            self._problems, 1, seed=(self._seed, "moved"), version=0, sampling=_NOISY, thought_tags=("", "")
        )
        kl = policy.path_kl(self._start, [clip for _, clip in drawn]).mean().item()
        return {"eval/kl_to_start": kl} if math.isfinite(kl) else {}

    def _start_clips(self) -> list[Graded]:
        """Those of step 0; after a resume they are drawn again."""
        if self._plain is None:
            self._plain = [r for group in self._drawn(DrawnOnce(self._start), 0, self._before) for r in group.rollouts]
        return self._plain

    def _drawn(self, policy: Any, step: int, sampling: FlowSamplingConfig) -> list[Group[Graded]]:
        groups, _ = rollout(
            policy, self._problems, self._grades, rollouts_per_prompt=self._config.clips_per_prompt,
            seed=(self._seed, "evaluation"), policy_version=step, sampling=sampling, grading=self._grading,
        )
        return groups if self._judge is None else self._judged(self._judge, groups, step)

    def _judged(self, judge: Judged, groups: Sequence[Group[Graded]], step: int) -> list[Group[Graded]]:
        """With the judge's verdicts, and a word where it could not tell."""
        whole = [(g.problem, r) for g in groups for r in g.rollouts if bool(torch.isfinite(r.content.clip_FHW).all())]
        found = iter(judged(judge, whole))
        told = [
            r.with_verdicts({f"judge_{name}": verdict for name, verdict in next(found).items()})
            if bool(torch.isfinite(r.content.clip_FHW).all()) else r
            for group in groups for r in group.rollouts
        ]  # fmt: skip
        made = regrouped(groups, told)
        tell_ungraded(
            self._run, step, ungraded(made, telling_of(made, [f"judge_{name}" for name in judge.dimensions])), of=judge.where
        )
        return made


def telling_of(groups: Sequence[Group[Graded]], names: Sequence[str] = ()) -> dict[str, list[str]]:
    """Of clips the verdicts of these names tell, or else every one, whatever the kind of prompt; one not finite has none."""
    return dict.fromkeys(TELLING, [*names] or sorted({name for group in groups for r in group.rollouts for name in r.verdicts}))


def clip_metrics(clips: Sequence[Graded], start: Sequence[Graded]) -> Metrics:
    """`eval/NAME` of each verdict (mean), `eval/win_rate` against the start's clips of the same noise with the 95 % interval
    `..._low`, `..._high` clustered by prompt, `eval/win_NAME` per dimension, `eval/diversity`.

    A clip wins a dimension where its true score is higher; an equal one is half a win. `diversity` is the deviation of a pixel
    over the clips of a prompt, the mean over pixels and prompts: 0 where all clips of a prompt are one. A clip that is not finite
    is in none of these; `eval/not_finite`, where there are any, is their share. What cannot be told is left out.
    Where nobody knows the truth, `eval/win_reward` with its interval stands in place of `eval/win_rate`: the reward judges.
    """
    names = sorted({name for clip in clips for name in clip.verdicts})
    metrics: Metrics = {}
    for name in names:
        told = [score for clip in clips if (score := _score(clip, name)) is not None]
        if told:
            metrics[f"eval/{name}"] = fmean(told)
    told = [name for name in names if name not in TRUE and not name.startswith("model_")]
    compared = [*(name for name in TRUE if name != "harm"), *told]
    wins = {name: [_win(clip, other, name) for clip, other in zip(clips, start, strict=True)] for name in compared}
    if any(won is not None for won in wins["quality"]):
        metrics |= _won_rate("win_rate", wins["quality"], clips)
    else:
        by_reward = [_higher(clip.reward, other.reward) for clip, other in zip(clips, start, strict=True)]
        metrics |= _won_rate("win_reward", by_reward, clips)
    for name, found in wins.items():
        if name != "quality" and (told := [won for won in found if won is not None]):
            metrics[f"eval/win_{name}"] = fmean(told)
    harm = [
        (before, after, clip.problem_id)
        for other, clip in zip(start, clips, strict=True)
        if (before := _score(other, "harm")) is not None and (after := _score(clip, "harm")) is not None
    ]
    if harm:
        change = paired_difference([before for before, _, _ in harm], [after for _, after, _ in harm], [c for _, _, c in harm])
        metrics |= {"eval/harm_change": change.value, "eval/harm_change_low": change.low, "eval/harm_change_high": change.high}
    whole = [clip for clip in clips if bool(torch.isfinite(clip.content.clip_FHW).all())]
    if len(whole) < len(clips):
        metrics["eval/not_finite"] = 1.0 - len(whole) / len(clips)
    if whole:
        metrics["eval/diversity"] = diversity(whole)
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _won_rate(name: str, won: Sequence[float | None], clips: Sequence[Graded]) -> Metrics:
    """`eval/NAME` with its interval, clustered by prompt; nothing where no comparison is known."""
    known = [(value, clip.problem_id) for value, clip in zip(won, clips, strict=True) if value is not None]
    if not known:
        return {}
    estimate = rate([value for value, _ in known], [problem for _, problem in known])
    return {f"eval/{name}": estimate.value, f"eval/{name}_low": estimate.low, f"eval/{name}_high": estimate.high}


def _win(clip: Graded, other: Graded, name: str) -> float | None:
    return _higher(_score(clip, name), _score(other, name))


def _higher(mine: float | None, theirs: float | None) -> float | None:
    if mine is None or theirs is None:
        return None
    return 1.0 if mine > theirs else 0.5 if mine == theirs else 0.0


def _score(clip: Graded, name: str) -> float | None:
    """A verdict's score; None where there is none, or none that is finite."""
    verdict = clip.verdicts.get(name)
    return verdict.score if verdict is not None and verdict.score is not None and math.isfinite(verdict.score) else None


def diversity(clips: Sequence[Graded]) -> float:
    """The deviation of a pixel over the clips of a prompt, the mean over pixels and prompts."""
    by_prompt: dict[str, list[Tensor]] = {}
    for clip in clips:
        by_prompt.setdefault(clip.problem_id, []).append(clip.content.clip_FHW)
    return fmean(torch.stack(own).std(dim=0, correction=0).mean().item() for own in by_prompt.values())
