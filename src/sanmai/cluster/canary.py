"""Fixed tokens whose log-probs say which weights a sampler really computes with.

A digest says what was sent, or what lies in a sampler's memory; an engine that packs weights into copies of its own may go on
with old ones all the same. The trainer scores the same tokens when it publishes, and each sampler answers before it writes.

Shape key: C sequences, T tokens of each; the first token of a sequence has no log-prob.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sanmai.policies.text.asking import Completion, Request
from sanmai.policies.text.policy import TextPolicy
from sanmai.types import TokenBatch

_TEXT = (
    "Question: A box holds 17 red and 25 blue marbles. 9 are taken out. How many are left?\n"
    "First, 17 + 25 = 42. Then 42 - 9 = 33. The answer is 33."
)
_LENGTH, _RANDOM = 48, 3
"""Tokens of each sequence; sequences of random tokens beside the text."""
SCORED = 8
"""Completions of a sampler that cannot say what it holds, that are scored by the trainer."""
MEAN_FLOAT32, LARGEST_FLOAT32, MEAN_BFLOAT16 = 1e-4, 1e-2, 0.1
"""Nats. One update at a learning rate of 1e-6 moves the mean by 1e-3 to 1e-2; two engines in float32 differ by 1e-6 to 1e-5. In
bfloat16 no bound tells one update from rounding: there the digest of what is held has to."""


@dataclass(frozen=True)
class Canary:
    tokens_CT: list[list[int]]
    logp_CT: list[list[float]]
    """Nats at temperature 1, of each token but the first, as the trainer has them."""
    dtype: str
    """Of the trainer's passes."""


def canary_of(policy: TextPolicy) -> Canary:
    """The canary of the weights that the policy has now."""
    tokens_CT = fixed_tokens(policy)
    return Canary(tokens_CT, score_tokens(policy, tokens_CT), policy.dtype)


def fixed_tokens(policy: TextPolicy) -> list[list[int]]:
    """A text, and sequences from all over the vocabulary, so that every row of an embedding may be told; the same each time."""
    words = policy.tokenizer.encode(_TEXT, add_special_tokens=False)
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, policy.tokenizer.vocab_size, _LENGTH).tolist() for _ in range(_RANDOM)]
    return [row for row in (words[:_LENGTH], *drawn) if len(row) > 1]


def score_tokens(
    policy: TextPolicy, tokens_CT: Sequence[Sequence[int]], *, prompts_C: Sequence[int] | None = None, temperature: float = 1.0
) -> list[list[float]]:
    """Log-probs of every token after the first ones.

    Args:
        prompts_C: how many of each sequence come first; None: one of each.
    """
    prompts_C = prompts_C or [1] * len(tokens_CT)
    width = max(map(len, tokens_CT))
    attention_CT = torch.tensor([[t < len(row) for t in range(width)] for row in tokens_CT])
    tokens = torch.tensor([[*row, *[0] * (width - len(row))] for row in tokens_CT])
    place_1T, prompt_C1 = torch.arange(width).unsqueeze(0), torch.tensor(prompts_C).unsqueeze(1)
    mask_CT = attention_CT & (place_1T >= prompt_C1)
    zeros_CT = torch.zeros(mask_CT.shape)
    batch = TokenBatch(mask_CT, zeros_CT, {}, tokens, attention_CT).to(policy.device)
    with torch.no_grad():
        logp_CT = policy.score(batch, temperature=temperature)[0].cpu()
    return [logp_CT[c, prompts_C[c] : len(row)].tolist() for c, row in enumerate(tokens_CT)]


def canary_fails(canary: Canary, logp_CT: Sequence[Sequence[float]]) -> str | None:
    """Why these log-probs are not those of the published weights; None where they are.

    Example:
        canary_fails(Canary([[5, 6]], [[-1.0]], "float32"), [[-1.5]]) is "its log-probs of the canary differ by a mean of 0.5 nats
        and at most 0.5; in float32 expected at most 0.0001 and 0.01"
    """
    if [len(row) for row in logp_CT] != [len(row) for row in canary.logp_CT]:
        return f"it scored {sum(map(len, logp_CT))} tokens of the canary; expected {sum(map(len, canary.logp_CT))}"
    mean, largest = gap_of(canary, logp_CT)
    said = f"its log-probs of the canary differ by a mean of {mean:.3g} nats and at most {largest:.3g}"
    if canary.dtype != "float32":
        return None if mean <= MEAN_BFLOAT16 else f"{said}; in {canary.dtype} expected a mean of at most {MEAN_BFLOAT16:g}"
    if mean <= MEAN_FLOAT32 and largest <= LARGEST_FLOAT32:
        return None
    return f"{said}; in float32 expected at most {MEAN_FLOAT32:g} and {LARGEST_FLOAT32:g}"


def drawn_fails(
    policy: TextPolicy, requests: Sequence[Request], done: Sequence[Completion], temperature: float
) -> str | None:
    """Why the log-probs of what was drawn are not the policy's own of it; None where they are.

    So it is seen whether it was drawn from the whole distribution, at this temperature and with these weights.
    """
    rows = [[*requests[c.request].prompt_tokens, *c.tokens] for c in done]
    prompts = [len(requests[c.request].prompt_tokens) for c in done]
    own = score_tokens(policy, rows, prompts_C=prompts, temperature=temperature) if rows else []
    why = canary_fails(Canary(rows, own, policy.dtype), [c.logp for c in done]) if rows else None
    return why and (
        f"{why.replace('the canary', 'what it drew')}. Expected are log-probs of the whole distribution at temperature "
        f"{temperature:g}: no top_p, top_k or min_p, and --logprobs-mode processed_logprobs"
    )


def gap_of(canary: Canary, logp_CT: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Mean and largest difference (nats) of log-probs from the canary's; as many of them are expected."""
    expected = np.array([x for row in canary.logp_CT for x in row])
    found = np.array([x for row in logp_CT for x in row], dtype=float)
    # Where the trainer's own are not finite its weights are broken, which is not the sampler's fault.
    with np.errstate(invalid="ignore"):
        gap = np.where(~np.isfinite(expected) & ~np.isfinite(found), 0.0, np.abs(found - expected))
    return float(gap.mean()), float(gap.max())
