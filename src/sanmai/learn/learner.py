"""What a step of RL learns: from graded groups to moved weights.

Shape key: see rollout/credit.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sanmai.learn.anchor import Anchor
from sanmai.learn.budgets import Budgets
from sanmai.learn.failure import with_bundle
from sanmai.losses import (
    best_of_group,
    decoupled_advantages,
    group_advantages,
    mirror_descent_targets,
    step_advantages,
)
from sanmai.rollout.credit import minibatches, trained_rollouts, with_advantages
from sanmai.rollout.measure import accuracy
from sanmai.train.components import LossConfig, rl_components, with_proximal_logp
from sanmai.train.runs import Run
from sanmai.train.state import TrainingState
from sanmai.train.step import (
    Component,
    NonFiniteError,
    OptimizerConfig,
    Part,
    StepResult,
    check_parity,
    learning_rate,
    optimizer_step,
)
from sanmai.types import Batch, Credited, Graded, Group, InputError, Metrics, RunError, regrouped, reward_of


class Learner:
    """Updates the policy of a run on each step's graded groups."""

    def __init__(
        self, run: Run, state: TrainingState, loss: LossConfig, optimizer: OptimizerConfig, *, seed: int,
        num_updates: int, temperature: float, max_tokens: int, newest_alone: bool, anchor: Anchor | None, budgets: Budgets | None,
    ) -> None:
        """Args:
            seed: names how a step's rollouts are cut into updates, and the anchor's demonstrations.
            num_updates: optimizer updates of a step, each on an equal share of its rollouts.
            temperature: at which the rollouts are sampled.
            max_tokens: the completion budget of a rollout.
            newest_alone: of a rollout that several policies wrote, train on what the newest wrote.
            anchor: demonstrations to imitate in the same updates, at the step's weight.
            budgets: whose multipliers weigh in the same updates.
        """
        if loss.entropy_weight and not state.policy.tells_entropy:
            raise InputError(f"loss.entropy_weight = {loss.entropy_weight:g}: this kind of policy cannot tell its entropy")
        self._run, self._state, self._loss, self._optimizer = run, state, loss, optimizer
        self._seed, self._num_updates, self._newest_alone = seed, num_updates, newest_alone
        self._temperature, self._max_tokens = temperature, max_tokens
        self._anchor, self._budgets = anchor, budgets

    def update(
        self, graded: Sequence[Group[Graded]], step: int, num_steps: int, left_out: frozenset[str] = frozenset()
    ) -> tuple[list[Group[Credited]], Metrics]:
        """Train the policy on a step's groups; the groups with their advantages and log-ratios, and metrics.

        Args:
            num_steps: steps that the run will have, for schedules.
            left_out: ids of problems whose groups are not trained on.
        """
        if left_out:
            trained, metrics = self.update([g for g in graded if g.problem.id not in left_out], step, num_steps)
            rest = iter(trained)
            aside = (Group(g.problem, tuple(r.credited(None) for r in g.rollouts)) for g in graded if g.problem.id in left_out)
            return [next(aside if g.problem.id in left_out else rest) for g in graded], metrics
        if self._loss.reference_reset_steps and step > 1 and (step - 1) % self._loss.reference_reset_steps == 0:
            self._state.reference = self._state.policy.snapshot()
        groups = self._credited(graded)
        rollouts = trained_rollouts(groups)
        if not groups:  # of partial rollouts none have ended
            return [], {}
        if not rollouts:
            self._run.warn(f"step {step}: no rollout could be graded, so nothing was learned")
            return groups, {}
        batch = self._batch(rollouts, step)
        components = rl_components(
            self._loss, self._max_tokens, has_cost="cost" in batch.streams, kl_weight=self._kl_weight(),
            num_updates=self._num_updates,
        )
        metrics, log_ratios = self._updates(batch, rollouts, components, step, num_steps)
        ratios = iter(log_ratios)
        every = (r for group in groups for r in group.rollouts)
        groups = regrouped(groups, (r if r.scores is None else replace(r, log_ratio=next(ratios)) for r in every))
        if self._budgets is not None:
            metrics |= self._budgets.metrics()
            self._budgets.observe(metrics)
        if self._loss.normalise_each:  # equal sums may hide a signal in the parts
            silent = [all(not r.advantage for r in group.rollouts) for group in groups]
            metrics["rollout/zero_signal_groups"] = sum(silent) / len(silent)
        return groups, metrics | {"tokens/trained": float(sum(r.length for r in rollouts))}

    def _credited(self, graded: Sequence[Group[Graded]]) -> list[Group[Credited]]:
        try:
            found = advantages(graded, self._loss)
        except ValueError as error:  # a reward that this advantage cannot take
            raise RunError(f"loss.preset = {self._loss.preset!r}: {error}") from None
        pairs = [pair for g, own in zip(graded, found, strict=True) for pair in zip(g.rollouts, own, strict=True)]
        groups = regrouped(graded, (r.credited(None if r.scores is None else advantage) for r, advantage in pairs))
        if self._budgets is not None and self._budgets.weight("cost"):
            return self._budgets.with_costs(groups, self._loss)
        return groups

    def _batch(self, rollouts: Sequence[Credited], step: int) -> Batch:
        """All that a step trains on; at a run's first one the sampler's log-probs are held against the trainer's (law 2)."""
        policy = self._state.policy
        shared: dict[str, Any] = {"temperature": self._temperature, "micro_tokens": self._optimizer.micro_tokens}
        fresh = [r for r in rollouts if r.policy_version == step - 1]
        if not self._state.has_parity and fresh:  # tokens that an earlier policy wrote differ, and should
            check_parity(policy, policy.pack(fresh, newest_alone=True), **shared)
            self._state.has_parity = True
        batch = with_advantages(policy.pack(rollouts, newest_alone=self._newest_alone), rollouts)
        if self._loss.importance_cap is not None:
            batch = with_proximal_logp(policy, batch, self._loss, **shared)
        return batch

    def _kl_weight(self) -> float | None:
        """In place of the loss's own weight, where budgets may move it."""
        if self._budgets is None or self._state.reference is None:
            return None
        return self._loss.kl_weight + self._budgets.weight("kl")

    def _updates(
        self, batch: Batch, rollouts: Sequence[Credited], components: dict[str, Component], step: int, num_steps: int
    ) -> tuple[Metrics, list[float | None]]:
        """The step's optimizer updates: metrics, and each rollout's log-ratio before the update that it was in.

        Metrics are means over the updates, but of the first one's mismatch, which alone is the sampler's.
        """
        if self._optimizer.reset_each_step:
            self._state.optimizer.state.clear()
        lr = learning_rate(self._optimizer, step, num_steps)
        anchor_weight = self._anchor.config.weight_at(step, num_steps) if self._anchor is not None else 0.0
        anchor_weight += self._budgets.weight("anchor") if self._budgets is not None else 0.0
        parts = minibatches(batch, self._num_updates, shuffle=np.random.default_rng([self._seed, step]))
        log_ratios: list[float | None] = [None] * len(rollouts)
        found, anchor_tokens = [], 0
        for k, (rows, part) in enumerate(parts, start=(step - 1) * self._num_updates + 1):
            shown = self._anchor.part(anchor_weight, seed=self._seed, update=k) if self._anchor is not None else None
            result = self._one(part, [rollouts[row] for row in rows], components, shown, lr, step)
            anchor_tokens += int(shown.batch.mask_BT.sum()) if shown is not None else 0
            for row, log_ratio in zip(rows, result.log_ratio_B, strict=True):
                log_ratios[row] = log_ratio
            found.append(result.metrics)
        names = sorted({name for m in found for name in m})  # an update without any advantage reports fewer
        metrics = {name: float(np.mean([m[name] for m in found if name in m])) for name in names}
        if self._anchor is not None:
            metrics |= {"anchor/weight": anchor_weight, "tokens/anchor": float(anchor_tokens)}
        return metrics | {"policy/logp_mismatch_max": found[0]["policy/logp_mismatch_max"]}, log_ratios

    def _one(
        self, part: Batch, rollouts: list[Credited], components: dict[str, Component], shown: Part | None, lr: float,
        step: int,
    ) -> StepResult:
        """One optimizer update; where it is refused, what replays it is left behind."""
        state, temperature = self._state, self._temperature
        try:
            return optimizer_step(
                state.policy, state.optimizer, part, components, lr=lr, temperature=temperature, config=self._optimizer,
                reference=state.reference, anchor=shown,
            )
        except NonFiniteError as error:
            at_fault = shown if error.is_anchors else None
            raise with_bundle(
                self._run, step, error, state.policy, at_fault.batch if at_fault else part,
                shows="demonstrations of the anchor" if at_fault else "rollouts", loss=None if at_fault else self._loss,
                temperature=at_fault.temperature if at_fault else temperature, max_tokens=self._max_tokens,
                rollouts=[] if at_fault else rollouts, reference=state.reference,
            ) from None


def advantages(groups: Sequence[Group[Graded]], loss: LossConfig) -> list[list[float]]:
    """One advantage per rollout of each group of a step, as the loss's settings say, from what is rewarded and its weights."""
    settings = loss.settings()
    if settings.advantage_scale in ("batch_std", "signal") or settings.baseline in ("length", "batch"):
        assert settings.baseline not in ("log_mean_exp", "best")  # see PolicyLossSettings
        lengths = [[r.length for r in group.rollouts] for group in groups]
        rewards = [[r.reward for r in group.rollouts] for group in groups]
        return step_advantages(rewards, settings.advantage_scale, settings.baseline, lengths=lengths)
    return [_within(group, loss) for group in groups]


def _within(group: Group[Graded], loss: LossConfig) -> list[float]:
    scores = [r.scores for r in group.rollouts]
    weights = {name: weight for r in group.rollouts for name, weight in r.weights.items()}
    rewards = [reward_of(score, weights) for score in scores]
    settings = loss.settings()
    baseline = settings.baseline
    if settings.tau is not None and baseline in ("mean", "log_mean_exp"):
        return [target or 0.0 for target in mirror_descent_targets(rewards, settings.tau, baseline)]
    assert baseline != "log_mean_exp"  # of mirror descent alone, see PolicyLossSettings
    if baseline == "best":
        # Form is rewarded, too: of answers that can be told right or wrong only a right one is imitated.
        wrong = [accuracy(r) == 0.0 for r in group.rollouts]
        return best_of_group([None if is_wrong else r for r, is_wrong in zip(rewards, wrong, strict=True)])
    if loss.normalise_each:
        return decoupled_advantages(scores, weights, settings.advantage_scale, baseline)
    return group_advantages(rewards, settings.advantage_scale, baseline)
