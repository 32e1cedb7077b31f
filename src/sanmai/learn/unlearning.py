"""What an update of unlearning is made of: parts with a loss each, of hidden states or of log-probs, and the step on their sum.

    rmu      L = MSE(h(forgotten answers), c u) + t MSE(h(their thoughts), c u) + a MSE(h, h0)(retained answers, with thoughts)
    ascent   L = -NLL(forgotten answers) - t NLL(their thoughts) + a NLL(retained answers, with thoughts)

h is what one layer gives, h0 the same of the starting weights. Each part has a denominator of its own, counted over the step.

Shape key: B sequences, T tokens, D model width.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from sanmai.learn.failure import with_bundle
from sanmai.losses.supervised import weighted_nll
from sanmai.losses.unlearning import anchoring, misdirection
from sanmai.policies.text.library import backbone, layers_of
from sanmai.policies.text.policy import TextPolicy
from sanmai.train.runs import Run
from sanmai.train.state import TrainingState
from sanmai.train.step import NonFiniteError, OptimizerConfig, guarded_move
from sanmai.types import InputError, Metrics, TokenBatch

Method = Literal["rmu", "ascent"]


@dataclass(frozen=True)
class Part:
    """Sequences of a step with what is done to them; the batch's mask says to which tokens."""

    name: str
    batch: TokenBatch
    weight: float
    forgets: bool
    """Else it is retained."""


class _LayerReachedError(Exception):
    """The layer has been computed; what is above it is not needed."""


def hidden_after(policy: TextPolicy, batch: TokenBatch, layer: int) -> Tensor:
    """What a layer (counted from 0) gives, hidden_BTD in float32, with gradient where it is on; nothing above it is computed."""
    found: list[Tensor] = []

    def keep(module: Any, given: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)
        raise _LayerReachedError

    handle = layers_of(policy.model)[layer].register_forward_hook(keep)
    try:
        with policy.autocast():
            backbone(policy.model)(input_ids=batch.tokens_BT, attention_mask=batch.attention_BT.long(), use_cache=False)
    except _LayerReachedError:
        pass
    finally:
        handle.remove()
    return found[0].float()


def chosen_weights(policy: TextPolicy, layers: Collection[int], parts: Sequence[str]) -> dict[str, torch.nn.Parameter]:
    """The weights of some layers by name, of modules that are called like one of `parts`; of all modules where none is named.

    Raises:
        InputError: there is none.
    """
    known = {id(p): name for name, p in policy.weights.items()}
    inside = [(known[id(p)], p) for layer in layers for p in layers_of(policy.model)[layer].parameters() if id(p) in known]
    found = {name: p for name, p in inside if not parts or any(part in name.split(".") for part in parts)}
    if not found:
        names = sorted({part for name, _ in inside for part in name.split(".")[-3:-1]})
        raise InputError(f"trained = {list(parts)}: no weights of these layers; expected among {', '.join(names)}")
    return found


def narrow(policy: TextPolicy, chosen: Mapping[str, torch.nn.Parameter]) -> None:
    """Train these weights alone."""
    for name, p in policy.weights.items():
        p.requires_grad_(name in chosen)
    policy.weights = dict(chosen)


@torch.no_grad()
def mean_norm(policy: TextPolicy, batch: TokenBatch, layer: int, micro_tokens: int) -> float:
    """Mean length of the hidden states of the batch's masked tokens after a layer."""
    total = 0.0
    for rows in policy.micro_rows(batch, micro_tokens):
        micro = batch.select(rows).to(policy.device)
        total += hidden_after(policy, micro, layer)[micro.mask_BT].norm(dim=-1).sum().item()
    return total / float(batch.mask_BT.sum())


def update(
    run: Run, state: TrainingState[TextPolicy], parts: Sequence[Part], *, method: Method, layer: int, target_D: Tensor, step: int,
    lr: float, config: OptimizerConfig,
) -> Metrics:
    """One optimizer step on the sum of all parts' losses: accumulated over micro-batches, guarded, clipped.

    Args:
        target_D: where forgotten states are led to; read with "rmu".

    Returns:
        `loss/<part>` (weighted), `policy/grad_norm` before clipping, `optimizer/lr`, `tokens/trained`.

    Raises:
        NonFiniteError: a loss or the gradient is not finite; the weights are as before, and a bundle shows the forgotten answers.
    """
    policy, optimizer = state.policy, state.optimizer
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.zero_grad(set_to_none=True)
    metrics: Metrics = {}
    for part in parts:
        total, count = 0.0, float(part.batch.mask_BT.sum())
        for rows in policy.micro_rows(part.batch, config.micro_tokens):
            micro = part.batch.select(rows).to(policy.device)
            loss = part.weight * _loss(state, micro, part.forgets, method, layer, target_D, count)
            loss.backward()
            total += loss.item()
        metrics[f"loss/{part.name}"] = total
    try:
        guarded_move(policy, optimizer, metrics, lr=lr, config=config)
    except NonFiniteError as error:
        shown = parts[0].batch.with_streams({"sft": parts[0].batch.mask_BT.float()})
        raise with_bundle(run, step, error, policy, shown, shows="rows", loss=None, temperature=1.0, max_tokens=1) from None
    tokens = float(sum(part.batch.mask_BT.sum() for part in parts))
    return metrics | {"tokens/trained": tokens}


def _loss(
    state: TrainingState[TextPolicy], micro: TokenBatch, forgets: bool, method: Method, layer: int, target_D: Tensor, count: float
) -> Tensor:
    policy = state.policy
    if method == "ascent":
        logp_BT, _ = policy.score(micro)
        nll, _ = weighted_nll(logp_BT, micro.mask_BT, weight_BT=micro.mask_BT.float(), denominator=count)
        return -nll if forgets else nll
    if forgets:
        return misdirection(hidden_after(policy, micro, layer), target_D, micro.mask_BT, token_count=count)
    assert state.reference is not None
    with torch.no_grad(), policy.swapped(state.reference):
        start_BTD = hidden_after(policy, micro, layer)
    return anchoring(hidden_after(policy, micro, layer), start_BTD, micro.mask_BT, token_count=count)
