"""`sanmai doctor --cluster` for trainers that share a policy: they meet, score as one process does, and make its update."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sanmai.cluster.canary import Canary, fixed_tokens, gap_of
from sanmai.cluster.trainers import Trainers
from sanmai.plan.words import size
from sanmai.policies.sharded import own
from sanmai.policies.team import Team, together
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.recipes.zero import ZeroConfig
from sanmai.train.components import sft_component
from sanmai.train.step import OptimizerConfig, make_optimizer, optimizer_step, score_all
from sanmai.types import RunError, TokenBatch

_RATE = 1e-5
"""Of the update: it moves log-probs by far more than rounding does."""
_ROUNDING = {"float32": (0.02, 1e-3)}
"""How far two ways of computing the update may be apart: log-probs, as a share of how far it moves them, and the gradient's
norm. In bfloat16 a half and 5 %."""


def trainer_lines(config: ZeroConfig) -> Iterator[str]:
    """What the trainers of these settings did, a line each. The model is also trained by this process alone, to compare.

    Raises:
        RunError, InputError: what a run with these settings would stop at, or an update that is another one.
    """
    count, start = config.cluster.trainers, time.monotonic()
    with Trainers(config.cluster) as trainers:
        assert trainers.team is not None
        yield f"{count} trainers met: {time.monotonic() - start:.1f} s"
        start = time.monotonic()
        policy = _loaded(trainers.team, config)
        held = ", ".join(size(number) for number in _held(policy))
        yield f"each has loaded {config.model.name} in {time.monotonic() - start:.1f} s and keeps trained weights of {held}"
        shared_before, shared_after, shared_norm, took = _tried(policy, config.optimizer)
        yield f"an update by all: {took:.1f} s"
    alone_before, alone_after, norm, _ = _tried(load_policy(config.model), config.optimizer)
    moved = gap_of(alone_after, alone_before.logp_CT)[0]
    before, after = gap_of(shared_before, alone_before.logp_CT)[0], gap_of(shared_after, alone_after.logp_CT)[0]
    said = f"a mean of {before:.2g} nats before an update and {after:.2g} after it; it moves them by {moved:.2g}"
    bound, bound_of_norm = _ROUNDING.get(alone_after.dtype, (0.5, 0.05))
    if not max(before, after, key=lambda gap: gap if gap == gap else float("inf")) <= bound * moved:
        raise RunError(f"{count} trainers do not compute what one process does: their log-probs differ by {said}")
    if not abs(shared_norm - norm) <= bound_of_norm * norm:  # AdamW's first step is the same for a gradient of any size
        other = f"their gradient has norm {shared_norm:g}, not {norm:g}"
        raise RunError(f"{count} trainers do not compute what one process does: {other}")
    yield f"as one process alone: gradient of norm {norm:.4g}; log-probs differ by {said}"


@together
def _loaded(team: Team, config: ZeroConfig) -> TextPolicy:
    policy = load_policy(team.placed(config.model))
    policy.share(team)
    return policy


@together
def _held(policy: TextPolicy) -> list[float]:
    """Bytes of the trained weights that each trainer keeps."""
    assert policy.team is not None
    return policy.team.gather(float(sum(own(p).numel() * p.element_size() for p in policy.weights.values())))


def _tried(policy: TextPolicy, optimizer: OptimizerConfig) -> tuple[Canary, Canary, float, float]:
    """Log-probs of fixed tokens before and after one update on them, the norm of its gradient, and its seconds."""
    tokens = fixed_tokens(policy)
    batch = pack([(row[:1], row[1:]) for row in tokens])
    before, start = _canary(policy, tokens, batch), time.monotonic()
    norm = _update(policy, batch.with_streams({"sft": batch.mask_BT.float()}), optimizer)
    return before, _canary(policy, tokens, batch), norm, time.monotonic() - start


def _canary(policy: TextPolicy, tokens: list[list[int]], batch: TokenBatch) -> Canary:
    (logp_CT,) = score_all(policy, [batch], 1.0)
    return Canary(tokens, [logp_CT[c, 1 : len(row)].tolist() for c, row in enumerate(tokens)], policy.dtype)


@together
def _update(policy: TextPolicy, batch: TokenBatch, config: OptimizerConfig) -> float:
    made = make_optimizer(policy, config)
    result = optimizer_step(policy, made, batch, {"sft": sft_component()}, lr=_RATE, temperature=1.0, config=config)
    return result.metrics["policy/grad_norm"]
