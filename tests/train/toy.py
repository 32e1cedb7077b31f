"""The smallest whole run: sample, reward by a rule on tokens, step, record, commit; as the recipes do it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rollouts import packed, paid
from sanmai.config import Config
from sanmai.losses import group_advantages
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.rollout.credit import trained_rollouts
from sanmai.train.components import LossConfig, rl_components
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.train.state import start_or_resume
from sanmai.train.step import OptimizerConfig, StepResult, learning_rate, make_optimizer, optimizer_step
from sanmai.types import Credited, Drawn, Group
from tiny_models import sampled_groups

PROMPTS = [[5, 6, 7], [8, 9], [10]]


class ToyConfig(Config):
    num_steps: int = 6
    model: ModelConfig = ModelConfig()
    sampling: SamplingConfig = SamplingConfig(max_tokens=6)
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-2, warmup_steps=2, schedule="cosine", micro_tokens=60)
    checkpoints: CheckpointsConfig = CheckpointsConfig(every=3, keep=2)


def has_even_token(rollout: Drawn) -> float:
    return float(any(token % 2 == 0 for token in rollout.completion_tokens[:3]))


def graded_groups(
    policy: TextPolicy, reward: Callable[[Drawn], float], config: ToyConfig, step: int, *, sign: float = 1.0, size: int = 6,
) -> list[Group[Credited]]:
    groups = sampled_groups(policy, PROMPTS, size, step=step, config=config.sampling)
    settings = config.loss.settings()
    found = []
    for group in groups:
        rewards = [reward(r) for r in group.rollouts]
        advantages = group_advantages(rewards, settings.advantage_scale, settings.baseline)
        found.append(Group(group.problem, tuple(
            r.graded(**paid(earned)).credited(sign * advantage)
            for r, earned, advantage in zip(group.rollouts, rewards, advantages, strict=True)
        )))  # fmt: skip
    return found


def step_on(
    policy: TextPolicy, optimizer, groups: list[Group[Credited]], config: ToyConfig, step: int, reference=None
) -> StepResult:
    return optimizer_step(
        policy, optimizer, packed(trained_rollouts(groups)), rl_components(config.loss, config.sampling.max_tokens),
        lr=learning_rate(config.optimizer, step, config.num_steps), temperature=config.sampling.temperature,
        config=config.optimizer, reference=reference)


def run_toy(folder: Path, config: ToyConfig, until: int | None = None) -> TextPolicy:
    """Train in a run folder up to a step, or go on with it."""
    with Run(folder, "toy", config) as run:
        state = start_or_resume(run, config.model, config.optimizer, keep_reference=config.loss.kl_weight > 0, load=load_policy)
        assert (state.reference is not None) == (config.loss.kl_weight > 0)
        for step in run.steps(until or config.num_steps):
            groups = graded_groups(state.policy, has_even_token, config, step)
            resets = config.loss.reference_reset_steps
            if resets and step > 1 and (step - 1) % resets == 0:
                state.reference = state.policy.snapshot()
            result = step_on(state.policy, state.optimizer, groups, config, step, state.reference)
            run.log_step(step, result.metrics, groups)
            if run.commits(step, config.num_steps, config.checkpoints):
                run.save(step, state.save, config.checkpoints)
    return state.policy


def train_toy(policy: TextPolicy, reward: Callable[[Drawn], float], num_steps: int, *, sign: float = 1.0) -> list[float]:
    """Mean reward of each step."""
    config = ToyConfig(num_steps=num_steps, optimizer=OptimizerConfig(lr=1e-2))
    optimizer, means = make_optimizer(policy, config.optimizer), []
    for step in range(1, num_steps + 1):
        groups = graded_groups(policy, reward, config, step, sign=sign, size=12)
        rewards = [r.reward or 0.0 for group in groups for r in group.rollouts]
        means.append(sum(rewards) / len(rewards))
        step_on(policy, optimizer, groups, config, step)
    return means
