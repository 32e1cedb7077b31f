"""One step's update of a policy: from graded groups to moved weights.

Shape key: see rollout/pack.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sanmai.learn.anchor import Anchor
from sanmai.learn.budgets import Budgets
from sanmai.learn.failure import with_bundle
from sanmai.losses import best_of_group, decoupled_advantages, group_advantages, mirror_descent_targets
from sanmai.rewards.rubric import Rubric
from sanmai.rollout.measure import accuracy
from sanmai.rollout.pack import minibatches, pack_rollouts, trained_rollouts
from sanmai.train.components import LossConfig, rl_components, with_proximal_logp
from sanmai.train.runs import Run
from sanmai.train.state import TrainingState
from sanmai.train.step import NonFiniteError, check_parity, learning_rate, optimizer_step
from sanmai.types import Group, Metrics

if TYPE_CHECKING:
    from sanmai.recipes.zero import ZeroConfig


def update(
    run: Run,
    state: TrainingState,
    groups: Sequence[Group],
    config: ZeroConfig,
    step: int,
    num_steps: int,
    rubric: Rubric,
    anchor: Anchor | None = None,
    budgets: Budgets | None = None,
) -> Metrics:
    """Train the policy on a step's graded groups; advantages and log-ratios are written onto the rollouts.

    Args:
        num_steps: steps that the run will have, for schedules.
        anchor: demonstrations to imitate in the same updates, at the step's weight.
        budgets: whose multipliers weigh in the same updates.
    """
    if config.loss.reference_reset_steps and step > 1 and (step - 1) % config.loss.reference_reset_steps == 0:
        state.reference = state.policy.snapshot()
    for group in groups:
        for r, advantage in zip(group.rollouts, advantages(group, config.loss, rubric), strict=True):
            r.advantage = None if r.reward is None else advantage
    if budgets is not None and budgets.weight("cost"):
        budgets.add_costs(groups, config.loss)
    rollouts = trained_rollouts(groups)
    if not groups:  # of partial rollouts none have ended
        return {}
    if not rollouts:
        run.warn(f"step {step}: no rollout could be graded, so nothing was learned")
        return {}
    batch = pack_rollouts(rollouts, newest_alone=config.partial.earlier == "exclude")
    temperature, micro_tokens = config.sampling.temperature, config.optimizer.micro_tokens
    fresh = [r for r in rollouts if r.policy_version == step - 1]
    if not state.has_parity and fresh:  # tokens that an earlier policy wrote differ, and should
        newest = pack_rollouts(fresh, newest_alone=True)
        check_parity(state.policy, newest, temperature=temperature, micro_tokens=micro_tokens)
        state.has_parity = True
    if config.loss.importance_cap is not None:
        batch = with_proximal_logp(
            state.policy, batch, cap=config.loss.importance_cap, temperature=temperature, micro_tokens=micro_tokens
        )
    kl_weight = None
    if budgets is not None and config.keeps_reference:
        kl_weight = config.loss.kl_weight + budgets.weight("kl")
    has_cost = "cost" in batch.streams
    components = rl_components(
        config.loss,
        config.sampling.max_tokens,
        has_cost=has_cost,
        kl_weight=kl_weight,
        num_updates=config.updates_per_step,
    )
    if config.optimizer.reset_each_step:
        state.optimizer.state.clear()
    lr = learning_rate(config.optimizer, step, num_steps)
    anchor_weight = anchor.config.weight_at(step, num_steps) if anchor is not None else 0.0
    anchor_weight += budgets.weight("anchor") if budgets is not None else 0.0
    parts = minibatches(batch, config.updates_per_step, shuffle=np.random.default_rng([config.seed, step]))
    results, anchor_tokens = [], 0
    for k, (rows, part) in enumerate(parts, start=(step - 1) * config.updates_per_step + 1):
        shown = anchor.part(anchor_weight, seed=config.seed, update=k) if anchor is not None else None
        try:
            result = optimizer_step(
                state.policy,
                state.optimizer,
                part,
                components,
                lr=lr,
                temperature=temperature,
                config=config.optimizer,
                reference=state.reference,
                anchor=shown,
            )
        except NonFiniteError as error:
            at_fault = shown if error.is_anchors else None
            raise with_bundle(
                run,
                step,
                error,
                state.policy,
                at_fault.batch if at_fault else part,
                shows="demonstrations of the anchor" if at_fault else "rollouts",
                loss=None if at_fault else config.loss,
                temperature=at_fault.temperature if at_fault else temperature,
                max_tokens=config.sampling.max_tokens,
                rollouts=[] if at_fault else [rollouts[row] for row in rows],
                reference=state.reference,
            ) from None
        anchor_tokens += int(shown.batch.mask_BT.sum()) if shown is not None else 0
        for row, log_ratio in zip(rows, result.log_ratio_B, strict=True):
            rollouts[row].log_ratio = log_ratio
        results.append(result.metrics)
    # Later updates of a step are off-policy, so only the first one's mismatch is the sampler's.
    names = sorted({name for m in results for name in m})  # an update without any advantage reports fewer
    metrics = {name: float(np.mean([m[name] for m in results if name in m])) for name in names}
    if anchor is not None:
        metrics |= {"anchor/weight": anchor_weight, "tokens/anchor": float(anchor_tokens)}
    if budgets is not None:
        metrics |= budgets.metrics()
        budgets.observe(metrics)
    if config.loss.normalise_each:  # equal sums may hide a signal in the parts
        silent = [all(not r.advantage for r in group.rollouts) for group in groups]
        metrics["rollout/zero_signal_groups"] = sum(silent) / len(silent)
    return metrics | {
        "policy/logp_mismatch_max": results[0]["policy/logp_mismatch_max"],
        "tokens/trained": float(sum(len(r.completion_tokens) for r in rollouts)),
    }


def advantages(group: Group, loss: LossConfig, rubric: Rubric) -> list[float]:
    """One advantage per rollout of a graded group, as the loss's settings say."""
    settings = loss.settings()
    baseline = settings.baseline
    if settings.tau is not None and baseline in ("mean", "log_mean_exp"):
        return [target or 0.0 for target in mirror_descent_targets(group.rewards, settings.tau, baseline)]
    assert baseline != "log_mean_exp"  # of mirror descent alone, see PolicyLossSettings
    if baseline == "best":
        # Form is rewarded, too: of answers that can be told right or wrong only a right one is imitated.
        return best_of_group([None if accuracy(r) == 0.0 else r.reward for r in group.rollouts])
    if not loss.normalise_each:
        return group_advantages(group.rewards, settings.advantage_scale, baseline)
    scores = [
        rubric.scores(group.problem, r.trace, r.verdicts) if r.reward is not None and r.trace is not None else None
        for r in group.rollouts
    ]
    return decoupled_advantages(scores, rubric.weights, settings.advantage_scale, baseline)
