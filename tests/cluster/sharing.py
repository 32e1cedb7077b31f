"""What trainers do together in test_trainers.py; the others import it, too."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sanmai.policies.team import Team, together
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.policy import TextPolicy
from sanmai.train.step import (
    Component,
    OptimizerConfig,
    Part,
    accumulate,
    add_auxiliary,
    make_optimizer,
    optimizer_step,
)
from sanmai.types import Batch, Metrics
from tiny_models import bpe_tokenizer, random_policy

OPTIMIZER = OptimizerConfig(lr=1e-2, micro_tokens=40, max_grad_norm=0.5, weight_decay=0.01)


@together
def make(team: Team | None, *, lora: bool = False, layers: bool = False, **changes: Any) -> TextPolicy:
    """The same small policy with a value head on every trainer, shared by them; of one process without a team."""
    policy = random_policy("qwen3", initializer_range=0.15, **changes)
    if lora or layers:
        settings = ModelConfig(fast_path=not layers, lora_rank=4 * lora)
        policy = TextPolicy(_adapted(policy.model) if lora else policy.model, bpe_tokenizer(), settings)
    policy.stop_tokens = tuple(range(0, 300, 15))
    policy.attach_value_head()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for p in policy.weights.values():
            p.add_(0.02 * torch.randn(p.shape, generator=generator))
    if team is not None:
        team.sharding = "layers" if layers else "model"
        policy.share(team)
    return policy


def _adapted(model: Any) -> Any:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    return get_peft_model(model.requires_grad_(False), LoraConfig(r=4, lora_alpha=8, target_modules="all-linear")).eval()


@together
def teacher_of(team: Team | None) -> TextPolicy:
    """Another small model, frozen, whole on every trainer, as `load_teacher` makes one."""
    policy = random_policy("qwen3", initializer_range=0.3)
    policy.model.requires_grad_(False)
    if team is not None:
        policy.team = team
        team.share(policy)
    return policy


@together
def reference_of(policy: TextPolicy, size: float) -> dict[str, Tensor]:
    """Weights a little away from the policy's, as a run's reference is."""
    before = {name: p.detach().clone() for name, p in policy.weights.items()}
    with torch.no_grad():
        for p in policy.weights.values():
            p.mul_(1 + size)
        copy = policy.snapshot()
        for name, p in policy.weights.items():
            p.copy_(before[name])
    return copy


@together
def gradient(
    policy: TextPolicy, batch: Batch, components: Mapping[str, Component], reference: Mapping[str, Tensor] | None,
    auxiliary: Part | None, micro_tokens: int,
) -> tuple[dict[str, Tensor], Metrics, list[float | None]]:
    """The whole gradient of a step, its metrics and log-ratios."""
    for p in policy.weights.values():
        p.grad = None
    result = accumulate(policy, batch, components, 0.8, micro_tokens, reference)
    metrics = dict(result.metrics)
    if auxiliary is not None:
        metrics |= add_auxiliary(policy, auxiliary, micro_tokens)
    grads = policy.gathered({name: p.grad for name, p in policy.weights.items() if p.grad is not None})
    return {name: grad.clone() for name, grad in grads.items()}, metrics, result.log_ratio_B


@together
def trained(
    policy: TextPolicy, batch: Batch, components: Mapping[str, Component], steps: int
) -> tuple[dict[str, Tensor], Metrics]:
    """All weights after so many optimizer steps, and the last one's metrics."""
    optimizer, metrics = make_optimizer(policy, OPTIMIZER), {}
    for _ in range(steps):
        metrics = optimizer_step(policy, optimizer, batch, components, lr=1e-2, temperature=0.8, config=OPTIMIZER).metrics
    return policy.gathered({name: p.detach().clone() for name, p in policy.weights.items()}), metrics


@together
def moved(policy: TextPolicy, batch: Batch, components: Mapping[str, Component]) -> torch.optim.Optimizer:
    """The policy's optimizer after a step, one on every trainer."""
    optimizer = make_optimizer(policy, OPTIMIZER)
    optimizer_step(policy, optimizer, batch, components, lr=1e-2, temperature=0.8, config=OPTIMIZER)
    assert policy.team is not None
    return policy.team.share(optimizer)


@together
def all_moments(policy: TextPolicy, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Those of every weight, whole."""
    return policy.gathered({f"{name}/{key}": x for name, p in policy.weights.items() for key, x in optimizer.state[p].items()})


@together
def fail(team: Team, rank: int, how: str) -> None:
    """One trainer raises or hangs, while the others wait for it."""
    if team.rank == rank:
        if how == "raises":
            raise ValueError("no such luck")
        time.sleep(60)
    team.sum([1.0])
