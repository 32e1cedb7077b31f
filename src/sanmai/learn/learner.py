"""What a step of RL learns: from graded groups to moved weights.

Shape key: see rollout/credit.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from sanmai.learn.auxiliary_sft import AuxiliarySft
from sanmai.learn.credit import Shown, credited, flattened, silent_share, token_metrics
from sanmai.learn.entropy import AdaptiveEntropy
from sanmai.learn.failure import with_bundle
from sanmai.learn.multipliers import Multipliers
from sanmai.learn.step_rollouts import Written
from sanmai.policies.text.flops import arithmetic_of, batch_flops
from sanmai.rollout.credit import minibatches, trained_rollouts, with_advantages
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
    forget_moments,
    learning_rate,
    optimizer_step,
    score_all,
    values_of,
)
from sanmai.types import Batch, Credited, Group, InputError, Metrics, RunError, TokenBatch, regrouped


class Learner:
    """Updates the policy of a run on each step's graded groups."""

    def __init__(
        self, run: Run, state: TrainingState, loss: LossConfig, optimizer: OptimizerConfig, *, seed: int,
        num_updates: int, temperature: float, max_tokens: int, newest_alone: bool,
        auxiliary_sft: AuxiliarySft | None, constraints: Multipliers | None,
    ) -> None:
        """Args:
            seed: names how a step's rollouts are cut into updates, and those of the auxiliary SFT loss.
            num_updates: optimizer updates of a step, each on an equal share of its rollouts.
            temperature: at which the rollouts are sampled.
            max_tokens: the completion budget of a rollout.
            newest_alone: of a rollout that several policies wrote, train on what the newest wrote.
            auxiliary_sft: demonstrations to imitate in the same updates, at the step's weight.
            constraints: whose multipliers weigh in the same updates.
        """
        if not state.policy.tells_entropy and (loss.entropy_weight or loss.entropy.target is not None):
            weight, target = f"loss.entropy_weight = {loss.entropy_weight:g}", f"loss.entropy.target = {loss.entropy.target}"
            raise InputError(f"{weight if loss.entropy_weight else target}: this kind of policy cannot tell its entropy")
        self._run, self._state, self._loss, self._optimizer = run, state, loss, optimizer
        self._seed, self._num_updates, self._newest_alone = seed, num_updates, newest_alone
        self._temperature, self._max_tokens = temperature, max_tokens
        self._auxiliary_sft, self._constraints = auxiliary_sft, constraints
        self._entropy = AdaptiveEntropy(loss.entropy, loss.entropy_weight) if loss.entropy.target is not None else None
        if self._entropy is not None:
            self._entropy.restore(state.extra)

    def update(
        self, written: Written, step: int, num_steps: int
    ) -> tuple[list[Group[Credited]], Metrics]:
        """Train the policy on a step's groups; the groups with their advantages and log-ratios, and metrics.

        Args:
            num_steps: steps that the run will have, for schedules.
        """
        if aside := written.left_out:
            trained, metrics = self.update(written.without(aside), step, num_steps)
            rest = iter(trained)
            not_trained = (Group(g.problem, tuple(r.credited(None) for r in g.rollouts)) for g in written.groups)
            pairs = zip(written.groups, not_trained, strict=True)
            return [other if g.problem.id in aside else next(rest) for g, other in pairs], metrics
        if self._loss.reference_reset_steps and step > 1 and (step - 1) % self._loss.reference_reset_steps == 0:
            self._state.reference = self._state.policy.snapshot()
        groups, of_tokens = self._credited(written)
        rollouts = trained_rollouts(groups)
        if not groups:  # of partial rollouts none have ended
            return [], {}
        if not rollouts:
            self._run.warn(f"step {step}: no rollout could be graded, so nothing was learned")
            return groups, {}
        batch = self._batch(rollouts, step)
        components = rl_components(
            self._loss, self._max_tokens, has_cost="cost" in batch.streams, kl_weight=self._kl_weight(),
            num_updates=self._num_updates, entropy_weight=self._entropy.weight if self._entropy is not None else None,
        )
        metrics, log_ratios = self._updates(batch, rollouts, components, step, num_steps)
        ratios = iter(log_ratios)
        every = (r for group in groups for r in group.rollouts)
        groups = regrouped(groups, (r if r.scores is None else replace(r, log_ratio=next(ratios)) for r in every))
        if self._entropy is not None:
            metrics |= self._entropy.observe(metrics)
        if self._constraints is not None:
            metrics |= self._constraints.metrics()
            self._constraints.observe(metrics)
        # Equal sums may hide a signal in the parts, and in what else the advantage looks at.
        is_per_token = self._loss.kl_in_reward or written.steps is not None
        if self._loss.normalise_each or is_per_token or self._loss.settings().baseline in ("greedy", "value"):
            metrics["rollout/zero_signal_groups"] = silent_share(groups)
        metrics |= of_tokens
        return groups, metrics | {"tokens/trained": float(sum(r.length for r in rollouts))}

    def state(self) -> dict[str, Tensor]:
        """For the run state; nothing where no weight is moved here."""
        return self._entropy.state() if self._entropy is not None else {}

    def _credited(self, written: Written) -> tuple[list[Group[Credited]], Metrics]:
        shown = self._shown(written)
        try:
            groups = credited(written.groups, self._loss, shown)
        except ValueError as error:  # a reward that this advantage cannot take
            raise RunError(f"loss.preset = {self._loss.preset!r}: {error}") from None
        if self._constraints is not None and self._constraints.weight("cost"):
            groups = self._constraints.with_costs(groups, self._loss)
        return groups, token_metrics(groups, shown)

    def _shown(self, written: Written) -> Shown:
        """What the advantages are made of beside the groups: as the policy is before the step's first update."""
        greedy = {g.problem.id: g.rollouts[0].reward for g in written.greedy}
        rollouts = trained_rollouts(written.groups)
        needs_values, kl = self._loss.settings().baseline == "value", self._loss.kl_in_reward
        if not rollouts or not (needs_values or kl):
            return Shown(greedy, steps=written.steps)
        policy = self._state.policy
        batch = policy.pack(rollouts)
        parts = policy.micro_rows(batch, self._optimizer.micro_tokens)
        micros = [batch.select(rows) for rows in parts]
        log_ratios: list[Tensor] = []
        if kl:
            assert self._state.reference is not None
            references = score_all(policy, micros, self._temperature, self._state.reference)
            log_ratios = [m.sampling_logp_BT - found.cpu() for m, found in zip(micros, references, strict=True)]
        values = [found.cpu() for found in values_of(policy, micros)] if needs_values else []
        found = [_of_tokens(parts, micros, each) if each else [] for each in (log_ratios, values)]
        of_kl, of_values = (flattened(written.groups, each) if each else () for each in found)
        return Shown(greedy, of_kl, of_values, written.steps)

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
        """In place of the loss's own weight, where constraints may move it."""
        if self._constraints is None or self._state.reference is None:
            return None
        return self._loss.kl_weight + self._constraints.weight("kl")

    def _updates(
        self, batch: Batch, rollouts: Sequence[Credited], components: dict[str, Component], step: int, num_steps: int
    ) -> tuple[Metrics, list[float | None]]:
        """The step's optimizer updates: metrics, and each rollout's log-ratio before the update that it was in.

        Metrics are means over the updates, but of the first one's mismatch, which alone is the sampler's.
        """
        if self._optimizer.reset_each_step:
            forget_moments(self._state.policy, self._state.optimizer)
        lr = learning_rate(self._optimizer, step, num_steps)
        demonstrations = self._auxiliary_sft
        auxiliary_weight = demonstrations.config.weight_at(step, num_steps) if demonstrations is not None else 0.0
        auxiliary_weight += self._constraints.weight("auxiliary_sft") if self._constraints is not None else 0.0
        parts = minibatches(batch, self._num_updates, shuffle=np.random.default_rng([self._seed, step]))
        log_ratios: list[float | None] = [None] * len(rollouts)
        found, auxiliary_tokens, auxiliary_flops = [], 0, 0.0
        arithmetic, _ = arithmetic_of(self._state.policy.model) if demonstrations is not None else (None, "")
        for k, (rows, part) in enumerate(parts, start=(step - 1) * self._num_updates + 1):
            shown = demonstrations.part(auxiliary_weight, seed=self._seed, update=k) if demonstrations is not None else None
            result = self._one(part, [rollouts[row] for row in rows], components, shown, lr, step)
            if shown is not None:
                auxiliary_tokens += int(shown.batch.mask_BT.sum())
                if arithmetic is not None and isinstance(shown.batch, TokenBatch):
                    auxiliary_flops += batch_flops(arithmetic, shown.batch)
            for row, log_ratio in zip(rows, result.log_ratio_B, strict=True):
                log_ratios[row] = log_ratio
            found.append(result.metrics)
        names = sorted({name for m in found for name in m})  # an update without any advantage reports fewer
        metrics = {name: float(np.mean([m[name] for m in found if name in m])) for name in names}
        if self._auxiliary_sft is not None:
            metrics |= {"auxiliary_sft/weight": auxiliary_weight, "tokens/auxiliary_sft": float(auxiliary_tokens)}
            metrics |= {"flops/auxiliary_sft": auxiliary_flops} if auxiliary_flops else {}
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
                reference=state.reference, auxiliary=shown,
            )
        except NonFiniteError as error:
            at_fault = shown if error.is_auxiliary else None
            raise with_bundle(
                self._run, step, error, state.policy, at_fault.batch if at_fault else part,
                shows="demonstrations of the auxiliary SFT loss" if at_fault else "rollouts",
                loss=None if at_fault else self._loss,
                temperature=at_fault.temperature if at_fault else temperature, max_tokens=self._max_tokens,
                rollouts=[] if at_fault else rollouts, reference=state.reference,
            ) from None


def _of_tokens(parts: Sequence[list[int]], micros: Sequence[Batch], found_BT: Sequence[Tensor]) -> list[list[float]]:
    """The trained tokens' numbers of every row, in the order of the rows that micro-batches were made of."""
    of_row: dict[int, list[float]] = {}
    for rows, micro, own_BT in zip(parts, micros, found_BT, strict=True):
        of_row |= {row: own_BT[k, micro.mask_BT[k]].tolist() for k, row in enumerate(rows)}
    return [of_row[row] for row in sorted(of_row)]
