"""From a step's graded groups to what each rollout, or each of its tokens, is trained with: the algorithms, one function each.

A further one is a function here and a name in losses/policy_gradient.py. Ragged: x_B_T[b][t] is token t of the step's rollout b,
counted over all groups; () where a rollout has no reward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import fmean, pvariance

from sanmai.learn.step_credit import Steps, StepsOf
from sanmai.losses import (
    best_of_group,
    credit_of_leaves,
    credit_of_steps,
    decoupled_advantages,
    gae,
    group_advantages,
    mirror_descent_targets,
    returns_of_steps,
    returns_to_go,
    scaled_tokens,
    step_advantages,
    token_rewards,
)
from sanmai.losses.policy_gradient import PolicyLossSettings
from sanmai.rollout.measure import accuracy
from sanmai.train.components import LossConfig
from sanmai.types import Credited, Graded, Group, Metrics, regrouped, reward_of

Tokens = Sequence[Sequence[float]]

_BASELINES = {
    "mean": "the group's mean", "leave_one_out": "the group's leave one out", "length": "the group's mean by length",
    "median": "the group's median", "batch": "the step's mean", "log_mean_exp": "the group's log mean exp", "best": "",
    "greedy": "that of its prompt's greedy completion", "value": "what the value head expects",
}  # fmt: skip
_SCALES = {
    "std": ", over its deviation", "none": "", "mean": ", over it", "batch_std": ", over the step's deviation",
    "signal": ", over the share of groups with a signal",
}  # fmt: skip


def words(settings: PolicyLossSettings) -> str:
    """The advantage in a few words, for a plan."""
    if settings.baseline == "best":
        return "1 for the group's best rollout, if its reward is above 0"
    return f"the reward less {_BASELINES[settings.baseline]}{_SCALES[settings.advantage_scale]}"


@dataclass(frozen=True)
class Shown:
    """What the advantages of a step are made of, beside its groups; an algorithm is given what it asks for."""

    greedy: Mapping[str, float | None] = field(default_factory=dict)
    """For baseline "greedy": by problem id the reward of its greedy completion, None where it cannot be graded."""
    log_ratio_B_T: Tokens = ()
    """For loss.kl_in_reward: log-prob of each token when it was drawn, less that under the reference."""
    value_B_T: Tokens = ()
    """For baseline "value": the reward that was expected before each token."""
    steps: Steps | None = None
    """Where steps get the credit, or segments of a tree."""


def credited(groups: Sequence[Group[Graded]], loss: LossConfig, shown: Shown | None = None) -> list[Group[Credited]]:
    """The groups with their advantages; a rollout without a reward has none.

    Raises:
        ValueError: a reward that this algorithm cannot take.
    """
    shown = shown or Shown()
    if shown.steps is not None:
        by_head = loss.settings().baseline == "value"
        return _above_head(groups, loss, shown) if by_head else _per_step(groups, loss, shown.steps)
    if loss.settings().baseline == "value" or loss.kl_in_reward:
        return _per_token(groups, loss, shown)
    pairs = [
        pair for g, own in zip(groups, advantages(groups, loss, shown), strict=True) for pair in zip(g.rollouts, own, strict=True)
    ]
    return regrouped(groups, (r.credited(None if r.scores is None else advantage) for r, advantage in pairs))


def advantages(groups: Sequence[Group[Graded]], loss: LossConfig, shown: Shown | None = None) -> list[list[float]]:
    """One advantage per rollout of each group of a step, as the loss's settings say, from what is rewarded and its weights."""
    settings = loss.settings()
    if settings.baseline == "greedy":
        return [_above_greedy(group, (shown or Shown()).greedy) for group in groups]
    if settings.advantage_scale in ("batch_std", "signal") or settings.baseline in ("length", "batch"):
        assert settings.baseline not in ("log_mean_exp", "best", "value")  # see PolicyLossSettings
        lengths = [[r.length for r in group.rollouts] for group in groups]
        rewards = [[r.reward for r in group.rollouts] for group in groups]
        return step_advantages(rewards, settings.advantage_scale, settings.baseline, lengths=lengths)
    return [_within(group, loss) for group in groups]


def _above_greedy(group: Group[Graded], greedy: Mapping[str, float | None]) -> list[float]:
    """ReMax (arXiv:2310.10505) eq. 8: the reward less that of the greedy completion of the same prompt.

    All equal rewards say something, too, where the greedy completion's differs. Without its reward there is no baseline: 0.
    """
    baseline = greedy[group.problem.id]
    return [0.0 if r.reward is None or baseline is None else r.reward - baseline for r in group.rollouts]


def _within(group: Group[Graded], loss: LossConfig) -> list[float]:
    scores = [r.scores for r in group.rollouts]
    weights = {name: weight for r in group.rollouts for name, weight in r.weights.items()}
    rewards = [reward_of(score, weights) for score in scores]
    settings = loss.settings()
    baseline = settings.baseline
    if settings.tau is not None and baseline in ("mean", "log_mean_exp"):
        return [target or 0.0 for target in mirror_descent_targets(rewards, settings.tau, baseline)]
    assert baseline not in ("log_mean_exp", "greedy", "value")  # of mirror descent alone, see PolicyLossSettings; see above
    if baseline == "best":
        # Form is rewarded, too: of answers that can be told right or wrong only a right one is imitated.
        wrong = [accuracy(r) == 0.0 for r in group.rollouts]
        return best_of_group([None if is_wrong else r for r, is_wrong in zip(rewards, wrong, strict=True)])
    if loss.normalise_each:
        return decoupled_advantages(scores, weights, settings.advantage_scale, baseline)
    return group_advantages(rewards, settings.advantage_scale, baseline)


def _per_token(groups: Sequence[Group[Graded]], loss: LossConfig, shown: Shown) -> list[Group[Credited]]:
    """REINFORCE++ with its KL in the reward: returns to go. PPO: GAE against the value head, whose targets come along."""
    settings = loss.settings()
    rollouts = [r for group in groups for r in group.rollouts]
    earned = [_earned(r, b, loss.kl_in_reward, shown) for b, r in enumerate(rollouts)]
    streams: list[dict[str, Sequence[float]]] = [{} for _ in rollouts]
    if settings.baseline == "value":
        value_B_T = shown.value_B_T or [()] * len(rollouts)  # where none has a reward, no value was asked for
        found = [gae(own, v, decay=loss.value.gae_lambda) for own, v in zip(earned, value_B_T, strict=True)]
        for stream, value_T, own in zip(streams, value_B_T, found, strict=True):
            stream |= {"value": value_T, "value_target": [a + v for a, v in zip(own, value_T, strict=True)]}
    else:
        found = [returns_to_go(own) for own in earned]
    is_centred = settings.baseline == "batch" or settings.advantage_scale == "batch_std"
    scaled = scaled_tokens(found, settings.advantage_scale, centred=is_centred)
    for stream, own in zip(streams, scaled, strict=True):
        stream["rl"] = own
    return regrouped(
        groups,
        (r.credited(None) if r.reward is None else r.credited_per_token(own) for r, own in zip(rollouts, streams, strict=True)),
    )


def _per_step(groups: Sequence[Group[Graded]], loss: LossConfig, steps: Steps) -> list[Group[Credited]]:
    """VinePPO: what each step adds to the expected reward, that of a prompt being its group's. TreeRL: what each segment is worth
    against the root and its parent. One number for all tokens of a step."""
    settings = loss.settings()
    found: list[list[float]] = []
    for group in groups:
        names = [(group.problem.id, r.sample) for r in group.rollouts]
        rewards = [r.reward for r in group.rollouts]
        if steps.segments:
            found += credit_of_leaves(rewards, [steps.segments[name] for name in names])
            continue
        known = [reward for reward in rewards if reward is not None]
        for r, name in zip(group.rollouts, names, strict=True):
            if r.reward is None:
                found.append([])
                continue
            leaves_out = settings.baseline == "leave_one_out" and len(known) > 1
            start = (sum(known) - r.reward) / (len(known) - 1) if leaves_out else fmean(known)
            own = steps.of.get(name, StepsOf((), ()))
            found.append(credit_of_steps(r.reward, start, own.values, own.ends, r.length, decay=steps.decay))
    scaled = scaled_tokens(found, settings.advantage_scale, centred=settings.advantage_scale == "batch_std")
    rollouts = (r for group in groups for r in group.rollouts)
    pairs = zip(rollouts, scaled, strict=True)
    return regrouped(groups, (r.credited(None) if r.reward is None else r.credited_per_token({"rl": own}) for r, own in pairs))


def _above_head(groups: Sequence[Group[Graded]], loss: LossConfig, shown: Shown) -> list[Group[Credited]]:
    """What each token's step leads to, less what the value head expects before the token; the head learns the former.

    Where nobody else says what is expected after a step, the head does.
    """
    settings, steps = loss.settings(), shown.steps
    assert steps is not None
    rollouts = [(group.problem.id, r) for group in groups for r in group.rollouts]
    value_B_T = shown.value_B_T or [()] * len(rollouts)
    found: list[list[float]] = []
    streams: list[dict[str, Sequence[float]]] = []
    for (id_, r), value_T in zip(rollouts, value_B_T, strict=True):
        if r.reward is None:
            found.append([])
            streams.append({})
            continue
        own = steps.of.get((id_, r.sample), StepsOf((), ()))
        values = [value_T[end] if end < r.length else None for end in own.ends] if steps.by_head else own.values
        target_T = returns_of_steps(r.reward, values, own.ends, r.length, decay=steps.decay)
        found.append([g - v for g, v in zip(target_T, value_T, strict=True)])
        streams.append({"value": value_T, "value_target": target_T})
    scaled = scaled_tokens(found, settings.advantage_scale, centred=settings.advantage_scale == "batch_std")
    pairs = zip(rollouts, scaled, streams, strict=True)
    each = (r.credited(None) if r.reward is None else r.credited_per_token({"rl": own} | given) for (_, r), own, given in pairs)
    return regrouped(groups, each)


def _earned(r: Graded, b: int, kl_weight: float, shown: Shown) -> list[float]:
    """What each token of a rollout earns; nothing of one without a reward."""
    if r.reward is None:
        return []
    log_ratio_T = shown.log_ratio_B_T[b] if kl_weight else [0.0] * r.length
    return token_rewards(r.reward, log_ratio_T, kl_weight)


def token_metrics(groups: Sequence[Group[Credited]], shown: Shown) -> Metrics:
    """What per-token advantages were made of.

    Returns:
        `reward/kl_per_token`, the mean log-ratio to the reference over tokens (nats), before it is weighed;
        `value/explained_variance`, 1 - Var(R - V) / Var(R) of the targets R and the values V before the step's updates: 1 of a
        perfect head, 0 of one that says the same everywhere; absent where all targets are equal; `value/step_error`, the
        root mean square of what the head says after each step less what continuations, or a potential, say.
    """
    metrics: Metrics = {}
    if log_ratios := [x for row in shown.log_ratio_B_T for x in row]:
        metrics["reward/kl_per_token"] = fmean(log_ratios)
    streams = [r.streams for group in groups for r in group.rollouts if "value" in r.streams]
    targets = [x for s in streams for x in s["value_target"]]
    values = [x for s in streams for x in s["value"]]
    if targets and (variance := pvariance(targets)):
        metrics["value/explained_variance"] = 1 - pvariance([a - b for a, b in zip(targets, values, strict=True)]) / variance
    if shown.steps is not None and not shown.steps.by_head and (errors := _step_errors(groups, shown.steps)):
        metrics["value/step_error"] = sqrt(fmean(error * error for error in errors))
    return metrics


def _step_errors(groups: Sequence[Group[Credited]], steps: Steps) -> list[float]:
    """What the head expects after each step, less what others say of it; () without a head."""
    found = []
    for group in groups:
        for r in group.rollouts:
            own, value_T = steps.of.get((group.problem.id, r.sample)), r.streams.get("value", ())
            for end, value in zip(own.ends, own.values, strict=True) if own is not None and value_T else ():
                if value is not None and end < len(value_T):
                    found.append(value_T[end] - value)
    return found


def silent_share(groups: Sequence[Group[Credited]]) -> float:
    """Share of groups in which no rollout has an advantage; equal rewards alone do not say so of every algorithm."""
    silent = [all(not r.advantage and not any(r.streams.get("rl", ())) for r in group.rollouts) for group in groups]
    return sum(silent) / len(silent)


def flattened(groups: Sequence[Group[Graded]], found: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    """Values of the rollouts that have a reward, with () for the others, in the order of all groups."""
    rest = iter(found)
    return [() if r.reward is None else next(rest) for group in groups for r in group.rollouts]
