"""One optimizer step on a sum of named loss components (law 1). It does not know which algorithm it runs.

Shape key: B sequences, T tokens.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from sanmai.activity import NOW
from sanmai.config import Config, OnlyWith
from sanmai.policies.contract import Policy, Trained
from sanmai.policies.sharded import is_spread, own, whole
from sanmai.policies.team import Team, together
from sanmai.policies.text.cpu.allocator import apart, sets_apart
from sanmai.types import Batch, Metrics, RunError


class OptimizerConfig(Config):
    lr: float = Field(1e-6, ge=0)
    """Peak learning rate of AdamW."""
    warmup_steps: int = Field(0, ge=0)
    """Steps over which the learning rate rises linearly from 0 to lr."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """What the learning rate does after warm-up; linear and cosine end at final_lr_ratio times lr."""
    final_lr_ratio: float = Field(0.0, ge=0, le=1)
    """Where a linear or cosine schedule ends, as a share of lr."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's decay rates of the first and second moment."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this L2 norm when above it."""
    reset_each_step: bool = False
    """Forget AdamW's moments before the first update of a step, as Kimi k1.5 does: the problem changes with its reference."""
    micro_tokens: int = Field(8192, ge=1)
    """Padded tokens in forward and backward passes at a time, shared by the workers: the memory knob. It does not change
    the result."""

    only_with = (
        OnlyWith('schedule = "linear" or "cosine"', lambda c: c.schedule != "constant", "final_lr_ratio"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError("betas are decay rates: each at least 0 and below 1")
        return self


@dataclass(frozen=True)
class Scored:
    """A micro-batch with what the policy says of its tokens; outside batch.mask_BT values mean nothing."""

    batch: Batch
    logp_BT: Tensor
    entropy_BT: Tensor | None
    """None of a kind of policy that cannot tell."""
    reference_logp_BT: Tensor | None
    step_tokens: int
    """Trained tokens of the whole step."""
    value_BT: Tensor | None = None
    """What the value head expects before each token, where a component reads it."""
    kl_BT: Tensor | None = None
    """KL to the reference in closed form, with gradient, of a kind of policy that tells it."""


@dataclass(frozen=True)
class Component:
    """One named term of the loss: weight * loss(scored, denominator), the denominator counted over the whole step."""

    weight: float
    loss: Callable[[Scored, float], tuple[Tensor, Metrics]]
    """Its loss and metrics must add up over micro-batches."""
    denominator: Callable[[Batch], float]
    needs_reference: bool = False
    needs_entropy_gradient: bool = False
    reads_values: Literal["no", "frozen", "trained"] = "no"
    """Of the value head; "trained" lets the gradient through to the hidden states."""
    stream: str | None = None
    """The stream that its loss is proportional to: rows where it is 0 everywhere need no forward pass. None: all rows count."""


@dataclass(frozen=True)
class Part:
    """Sequences beside the step's own, with the components that read them: the demonstrations of an auxiliary SFT loss."""

    batch: Batch
    components: Mapping[str, Component]
    temperature: float = 1.0
    """Of the softmax that its log-probs are taken under."""


@dataclass(frozen=True)
class StepResult:
    metrics: Metrics
    log_ratio_B: list[float | None]
    """Per row: the mean of trainer's minus sampler's log-prob over its tokens, before the update; None without a forward pass."""


class NonFiniteError(RunError):
    """A loss or gradient that is not a finite number; raised before the optimizer has moved."""

    is_auxiliary = False
    """The auxiliary loss is at fault, and the batch's is not."""


def optimizer_words(config: OptimizerConfig, unit: str | None = "padded tokens") -> str:
    """The optimizer in a sentence, for a plan.

    Args:
        unit: what `micro_tokens` are of; None where an update is not cut.
    """
    o = config
    warmup = f" after {o.warmup_steps} steps of warm-up" if o.warmup_steps else ""
    cut = f"; {o.micro_tokens:,} {unit} at a time" if unit else ""
    return f"AdamW at {o.lr:g} ({o.schedule}){warmup}; gradients clipped to norm {o.max_grad_norm:g}{cut}."


@together
def forget_moments(policy: Trained, optimizer: torch.optim.Optimizer) -> None:
    """Begin anew with the moments of every trainer."""
    optimizer.state.clear()


def make_optimizer(policy: Trained, config: OptimizerConfig) -> torch.optim.AdamW:
    """The optimizer of all that is trained but of heads, which have a learning rate of their own."""
    own = [p for name, p in policy.weights.items() if name not in policy.heads]
    return torch.optim.AdamW(own, lr=config.lr, betas=config.betas, weight_decay=config.weight_decay, fused=True)


def learning_rate(config: OptimizerConfig, step: int, num_steps: int) -> float:
    """The learning rate of a step, counted from 1.

    Linear warm-up to lr at step warmup_steps, then constant, or from lr at the next step down towards final_lr_ratio * lr,
    which the step after the last would have: linearly, or as final + (1 - final) * (1 + cos(pi * progress)) / 2.
    """
    if step <= config.warmup_steps:
        return config.lr * step / config.warmup_steps
    progress = (step - 1 - config.warmup_steps) / max(num_steps - config.warmup_steps, 1)
    floor = config.final_lr_ratio
    share = {
        "constant": 1.0,
        "linear": 1.0 - (1.0 - floor) * progress,
        "cosine": floor + (1.0 - floor) * (1.0 + math.cos(math.pi * progress)) / 2.0,
    }[config.schedule]
    return config.lr * share


@together
def optimizer_step(
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    components: Mapping[str, Component],
    *,
    lr: float,
    temperature: float,
    config: OptimizerConfig,
    reference: Mapping[str, Tensor] | None = None,
    auxiliary: Part | None = None,
) -> StepResult:
    """Accumulate the gradient of every component over micro-batches, guard it, clip it, and move the weights once.

    Args:
        batch: the whole step, on the CPU.
        lr: learning rate of this step.
        temperature: what the completions were sampled at; log-probs are taken at it (law 2).
        reference: weights of the reference policy; needed when a component needs it.
        auxiliary: more sequences with components of their own, whose gradient is added in the same update.

    Returns:
        metrics: `loss/<component>` (weighted, nats), what the components report, `policy/entropy` (nats per token),
        `policy/grad_norm` before clipping, `policy/logp_mismatch_max`, `optimizer/lr`, with an auxiliary part those of
        `add_auxiliary`; and the log-ratios of the batch's rows.

    Raises:
        NonFiniteError: a loss or the gradient is not finite; weights and optimizer state are as before.
    """
    for group in optimizer.param_groups:
        group["lr"] = group["own_lr"] * (lr / config.lr if config.lr else 1.0) if "own_lr" in group else lr
    optimizer.zero_grad(set_to_none=True)
    result = accumulate(policy, batch, components, temperature, config.micro_tokens, reference)
    auxiliary_metrics: Metrics = {}
    if auxiliary is not None:
        auxiliary_metrics = add_auxiliary(policy, auxiliary, config.micro_tokens)
    is_own = all(math.isfinite(value) for value in result.metrics.values())
    result.metrics.update(auxiliary_metrics)
    try:
        guarded_move(policy, optimizer, result.metrics, lr=lr, config=config)
    except NonFiniteError as error:
        losses = (value for name, value in auxiliary_metrics.items() if name.startswith("loss/"))
        error.is_auxiliary = is_own and not all(map(math.isfinite, losses))
        raise
    return result


def guarded_move(
    policy: Policy, optimizer: torch.optim.Optimizer, metrics: Metrics, *, lr: float, config: OptimizerConfig
) -> None:
    """Clip the gradient that is there and move the weights once; `policy/grad_norm` and `optimizer/lr` join the metrics.

    Raises:
        NonFiniteError: a metric or the gradient is not finite; weights and optimizer state are as before.
    """
    trained = [p for name, p in policy.weights.items() if name not in policy.heads]
    norm = whole(torch.nn.utils.clip_grad_norm_(trained, config.max_grad_norm)).item()
    metrics.update({"policy/grad_norm": norm, "optimizer/lr": lr})
    if policy.heads:  # a norm of its own: its error says nothing of how far the policy should go
        of_heads = torch.nn.utils.clip_grad_norm_(list(policy.heads.values()), config.max_grad_norm)
        metrics["value/grad_norm"] = of_heads.item()
    bad = [name for name, value in metrics.items() if not math.isfinite(value)]
    if bad:
        optimizer.zero_grad(set_to_none=True)
        raise NonFiniteError(f"{', '.join(f'{n} = {metrics[n]}' for n in bad)} before the optimizer step")
    is_first = not optimizer.state
    optimizer.step()
    if is_first:  # its moments stay
        for state in optimizer.state.values():
            state |= {name: _like(x).copy_(x) for name, x in state.items()}
    policy.end_phase()


def add_auxiliary(policy: Policy, auxiliary: Part, micro_tokens: int) -> Metrics:
    """Add the auxiliary part's gradient to the one that is there, and say how the two compare.

    Returns:
        `loss/<component>` of the auxiliary part; `gradient/auxiliary_share`, |a| / (|a| + |b|) of the L2 norms of its gradient a
        and the other b; `gradient/auxiliary_cosine`, the cosine of their angle: below 0 they pull apart. 0 where a norm is 0.
    """
    weights = list(policy.weights.values())
    before = [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in weights]
    result = accumulate(policy, auxiliary.batch, auxiliary.components, auxiliary.temperature, micro_tokens)
    added = [(p.grad - b) if p.grad is not None else b for p, b in zip(weights, before, strict=True)]
    squared, squared_before, dot = _products(policy, ((added, added), (before, before), (added, before)))
    own, other = math.sqrt(squared), math.sqrt(squared_before)
    return {name: value for name, value in result.metrics.items() if name.startswith("loss/")} | {
        "gradient/auxiliary_share": own / (own + other) if own + other else 0.0,
        "gradient/auxiliary_cosine": dot / (own * other) if own * other else 0.0,
    }


def _products(policy: Policy, pairs: Sequence[tuple[Sequence[Tensor], Sequence[Tensor]]]) -> list[float]:
    """Inner products of gradients, each a tensor per weight."""
    found = [[(own(a).double() * own(b).double()).sum().item() for a, b in zip(x, y, strict=True)] for x, y in pairs]
    if policy.team is None:
        return [sum(each) for each in found]
    spread = [is_spread(tensor) for tensor in pairs[0][0]]
    parts = policy.team.sum([sum(v for v, is_part in zip(each, spread, strict=True) if is_part) for each in found])
    alike = [sum(v for v, is_part in zip(each, spread, strict=True) if not is_part) for each in found]
    return [a + b for a, b in zip(parts, alike, strict=True)]


def check_parity(policy: Policy, batch: Batch, *, temperature: float, micro_tokens: int) -> None:
    """Compare the sampler's log-probs with the trainer's on freshly sampled rollouts (law 2).

    Raises:
        RunError: their largest difference is above 1e-2 nats in float32, or their mean difference above 0.1 in bfloat16:
            the sampler does not sample from the policy that is trained, and every ratio would be wrong.
    """
    micros = [batch.select(rows) for rows in policy.micro_rows(batch, micro_tokens)]
    logps = score_all(policy, micros, temperature)
    gaps = [(a.cpu() - m.sampling_logp_BT)[m.mask_BT].abs() for a, m in zip(logps, micros, strict=True)]
    gap_N = torch.cat(gaps)
    kind, gap, bound = "largest", gap_N.max().item(), 1e-2
    if policy.dtype != "float32":  # single tokens differ widely in bfloat16
        kind, gap, bound = "mean", gap_N.mean().item(), 0.1
    if not gap <= bound:
        raise RunError(
            f"sampler and trainer disagree: the {kind} difference of their log-probs is {gap:.3g} nats, "
            f"expected at most {bound}"
        )


def accumulate(
    policy: Policy,
    batch: Batch,
    components: Mapping[str, Component],
    temperature: float,
    micro_tokens: int,
    reference: Mapping[str, Tensor] | None = None,
) -> StepResult:
    """Add the gradient of the whole step onto the policy's weights, one micro-batch at a time.

    The policy's workers take micro-batches in turn. Gradients are added in the order of the micro-batches: which worker is
    faster does not change the result. Trainers that share the policy deal them out; what comes back is the same on all.
    """
    denominators = {name: component.denominator(batch) for name, component in components.items()}
    rows = _rows_that_count(batch, components)
    parts = [[rows[i] for i in part] for part in _cut(policy, batch.select(rows), micro_tokens)] if rows else []
    turns = [(i, True) for i in range(len(parts))] if policy.team is None else policy.team.turns(len(parts))
    micros = [batch.select(parts[i]) for i, _ in turns]
    num_tokens, num_scored = int(batch.mask_BT.sum()), int(batch.mask_BT[rows].sum())
    references: Sequence[Tensor | None] = [None] * len(micros)  # log-probs, or what a closed form of the KL is taken from
    if any(c.needs_reference for c in components.values()):
        if reference is None:
            raise ValueError("a loss component needs a reference policy, and none was given")
        with policy.swapped(reference):  # for all workers at once: a policy has one set of weights at a time
            references = _expected(policy, micros) if policy.tells_kl else _scored(policy, micros, temperature)
    # Otherwise the first gradients are taken as they come, and stay where they were made: on the heap.
    if policy.cores.workers > 1 or policy.team is not None or sets_apart():
        _fill_gradients(policy)

    def part_of_the_step(k: int) -> tuple[Tensor, Metrics, list[float]]:
        micro = micros[k].to(policy.device)
        needs_entropy = any(c.needs_entropy_gradient for c in components.values())
        read = {c.reads_values for c in components.values()} - {"no"}
        settings: dict[str, Any] = {"temperature": temperature, "entropy_gradient": needs_entropy}
        value_BT: Tensor | None = None
        kl_BT: Tensor | None = None
        reference_BT = references[k]
        if policy.tells_kl and reference_BT is not None:
            logp_BT, entropy_BT, kl_BT = policy.score_with_kl(micro, reference_BT)
        elif read:
            logp_BT, entropy_BT, value_BT = policy.score_with_values(micro, **settings, through="trained" in read)
        else:
            logp_BT, entropy_BT = policy.score(micro, **settings)
        scored = Scored(micro, logp_BT, entropy_BT, None if policy.tells_kl else reference_BT, num_tokens, value_BT, kl_BT)
        total, metrics = torch.zeros((), device=policy.device), dict[str, float]()
        for name, component in components.items():
            loss, found = component.loss(scored, denominators[name])
            total = total + component.weight * loss
            metrics |= {f"loss/{name}": component.weight * loss.item(), **found}
        gap_BT = torch.where(micro.mask_BT, logp_BT.detach() - micro.sampling_logp_BT, 0.0)
        means_B = gap_BT.sum(dim=1) / micro.mask_BT.sum(dim=1).clamp(min=1)
        if entropy_BT is not None:
            metrics["policy/entropy"] = entropy_BT.detach().sum().item() / num_scored
        metrics["policy/logp_mismatch_max"] = gap_BT.abs().max().item()
        return total if turns[k][1] else total * 0.0, metrics, means_B.tolist()

    metrics: Metrics = {f"loss/{name}": 0.0 for name in components}
    metrics |= {"policy/entropy": 0.0} if policy.tells_entropy else {}
    metrics["policy/logp_mismatch_max"] = 0.0
    log_ratio_B: list[float | None] = [None] * len(batch)
    with policy.unchanged():
        of_parts = _all_backward(policy, turns, part_of_the_step)
    _fill_gradients(policy)
    for part, (found, means_B) in zip(parts, of_parts, strict=True):
        # max() of a tensor with a NaN is NaN, Python's is not: the guard must see it.
        worst = max(metrics["policy/logp_mismatch_max"], found.pop("policy/logp_mismatch_max"), key=_nan_first)
        for name, value in found.items():
            metrics[name] = metrics.get(name, 0.0) + value
        metrics["policy/logp_mismatch_max"] = worst
        for row, mean in zip(part, means_B, strict=True):
            log_ratio_B[row] = mean
    return StepResult(metrics, log_ratio_B)


def _fill_gradients(policy: Policy) -> None:
    """Zeros for weights without a gradient."""
    for p in policy.weights.values():
        if p.grad is None:
            p.grad = _like(p)


def _like(p: Tensor) -> Tensor:
    """Zeros that stay for a while."""
    return apart(p.shape, p.dtype) if p.device.type == "cpu" and not is_spread(p) else torch.zeros_like(p)


@together
def score_all(
    policy: Policy, micros: Sequence[Batch], temperature: float, weights: Mapping[str, Tensor] | None = None
) -> list[Tensor]:
    """Log-probs logp_BT of every micro-batch, without gradient, on the policy's device.

    Args:
        weights: of a reference policy, in place of the policy's own.
    """
    with contextlib.nullcontext() if weights is None else policy.swapped(weights):
        return _dealt(policy, micros, lambda own: _scored(policy, own, temperature))


@together
def values_of(policy: Policy, micros: Sequence[Batch]) -> list[Tensor]:
    """What the value head expects before each part of every micro-batch, value_BT, without gradient."""

    def values(own: Sequence[Batch]) -> list[Tensor]:
        def value(i: int) -> Tensor:
            with torch.no_grad():
                return policy.values(own[i].to(policy.device))

        return policy.cores.map(value, len(own))

    return _dealt(policy, micros, values)


def _expected(policy: Policy, micros: Sequence[Batch]) -> list[Tensor]:
    def expected(i: int) -> Tensor:
        with torch.no_grad():
            return policy.expects(micros[i].to(policy.device))

    with policy.unchanged():
        return policy.cores.map(expected, len(micros))


def _scored(policy: Policy, micros: Sequence[Batch], temperature: float) -> list[Tensor]:
    def score(i: int) -> Tensor:
        with torch.no_grad():
            return policy.score(micros[i].to(policy.device), temperature=temperature)[0]

    with policy.unchanged():
        return policy.cores.map(score, len(micros))


def _dealt(policy: Policy, micros: Sequence[Batch], found: Callable[[Sequence[Batch]], list[Tensor]]) -> list[Tensor]:
    """What a function finds of every micro-batch, each trainer computing some of them."""
    if policy.team is None:
        return found(micros)
    turns = policy.team.turns(len(micros))
    own = found([micros[i] for i, _ in turns])
    if policy.sharded is not None:
        policy.sharded.let_go()  # a pass without gradient leaves gathered what the optimizer is about to change
    every = _in_order(policy.team, turns, [tensor.cpu() for tensor in own])
    return [tensor.to(policy.device) for tensor in every]


def _in_order(team: Team, turns: Sequence[tuple[int, bool]], own: Sequence[Any]) -> list[Any]:
    """What all trainers found in their turns, in the order of what was dealt out."""
    counted = [(i, found) for (i, counts), found in zip(turns, own, strict=True) if counts]
    return [found for _, found in sorted((one for each in team.gather(counted) for one in each), key=lambda one: one[0])]


def _cut(policy: Policy, batch: Batch, micro_tokens: int) -> list[list[int]]:
    """Rows of micro-batches; for trainers as many as they can share evenly, and all of nearly the same size."""
    parts = policy.micro_rows(batch, micro_tokens)
    if policy.team is None:
        return parts
    most = min(-(-len(parts) // policy.team.size) * policy.team.size, len(batch))
    low, high = 1, micro_tokens
    while low < high:  # the smallest budget that makes no more of them
        middle = (low + high) // 2
        low, high = (low, middle) if len(policy.micro_rows(batch, middle)) <= most else (middle + 1, high)
    return policy.micro_rows(batch, low)


def _rows_that_count(batch: Batch, components: Mapping[str, Component]) -> list[int]:
    """Rows whose forward pass can change the loss of any component."""
    streams = [component.stream for component in components.values()]
    if any(name is None for name in streams):
        return list(range(len(batch)))
    counts_B = torch.stack([(batch.streams[name] != 0).any(dim=1) for name in streams if name is not None]).any(dim=0)
    return counts_B.nonzero().squeeze(1).tolist()


def _all_backward(
    policy: Policy, turns: Sequence[tuple[int, bool]], forward: Callable[[int], tuple[Tensor, Metrics, list[float]]]
) -> list[tuple[Metrics, list[float]]]:
    """`_backward_in_order`, and where trainers share the policy the sum of their gradients and what all of them found."""
    if policy.team is None or policy.sharded is None:
        return _backward_in_order(policy, len(turns), forward)
    alike = [p.grad for p in policy.weights.values() if not is_spread(p) and p.grad is not None]
    before = [grad.clone() for grad in alike]
    for grad in alike:
        grad.zero_()
    own = _backward_in_order(policy, len(turns), forward)
    policy.sharded.let_go()
    for grad, first in zip(alike, before, strict=True):
        policy.team.add_up(grad)
        grad.add_(first)
    return _in_order(policy.team, turns, own)


def _backward_in_order(
    policy: Policy, count: int, forward: Callable[[int], tuple[Tensor, Metrics, list[float]]]
) -> list[tuple[Metrics, list[float]]]:
    """Run forward(i), add the gradient of its first result to the weights' in the order of i, and return the rest."""
    weights = list(policy.weights.values())
    turn = threading.Condition()
    next_up, is_over = 0, False

    def stop_waiting() -> None:
        nonlocal is_over
        with turn:
            is_over = True
            turn.notify_all()

    def part(i: int) -> tuple[Metrics, list[float]]:
        nonlocal next_up
        total, metrics, means_B = forward(i)
        if policy.cores.workers == 1:
            if policy.sharded is not None:
                policy.sharded.sums_now(is_last=i == count - 1)
            total.backward()
            NOW.one_more()
            del total
            policy.end_pass()
            return metrics, means_B
        grads = torch.autograd.grad(total, weights, allow_unused=True)
        NOW.one_more()
        with turn:
            turn.wait_for(lambda: next_up == i or is_over)
            if not is_over:
                for p, grad in zip(weights, grads, strict=True):
                    if grad is not None and p.grad is not None:
                        p.grad.add_(grad)
                next_up += 1
                turn.notify_all()
        return metrics, means_B

    NOW.count(count, "micro-batches")
    return policy.cores.map(part, count, on_error=stop_waiting)


def _nan_first(value: float) -> float:
    return math.inf if math.isnan(value) else value
