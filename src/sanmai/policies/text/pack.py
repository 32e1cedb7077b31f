"""Rollouts and demonstrations to token batches.

Shape key: B sequences, T tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sanmai.types import Drawn, Image, TokenBatch

Example = tuple[list[int], list[int]] | tuple[list[int], list[int], tuple[Image, ...]]
"""Prompt tokens, completion tokens, and the prompt's pictures if it has any."""


def pack(
    sequences: Sequence[Example], *, sampling_logp: Sequence[list[float]] | None = None
) -> TokenBatch:
    """Prompt and completion pairs as one right-padded batch on the CPU, without streams.

    Args:
        sequences: (prompt tokens, completion tokens), and a prompt's pictures; the completion's tokens are the trained ones.
        sampling_logp: per sequence, the behaviour log-prob of each completion token; zeros when there was no sampling.
    """
    width = max(len(prompt) + len(completion) for prompt, completion, *_ in sequences)
    shape = (len(sequences), width)
    tokens_BT = torch.zeros(shape, dtype=torch.long)
    attention_BT, mask_BT = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.bool)
    logp_BT = torch.zeros(shape)
    for row, (prompt, completion, *_) in enumerate(sequences):
        start, end = len(prompt), len(prompt) + len(completion)
        tokens_BT[row, :end] = torch.tensor(prompt + completion)
        attention_BT[row, :end], mask_BT[row, start:end] = True, True
        if sampling_logp is not None:
            logp_BT[row, start:end] = torch.tensor(sampling_logp[row])
    images = tuple(sequence[2] if len(sequence) > 2 else () for sequence in sequences)
    return TokenBatch(mask_BT, logp_BT, {}, tokens_BT, attention_BT, images if any(images) else ())


def pack_rollouts(rollouts: Sequence[Drawn], *, newest_alone: bool = False) -> TokenBatch:
    """Rollouts as one batch, without streams.

    Args:
        newest_alone: of a rollout that several policies wrote, train the tokens of the newest; the others are read as its prompt.
    """
    starts = [sum(count for _, count in r.segments[:-1]) if newest_alone else 0 for r in rollouts]
    batch = pack(
        [
            (r.prompt_tokens + r.completion_tokens[:k], r.completion_tokens[k:], r.images)
            for r, k in zip(rollouts, starts, strict=True)
        ],
        sampling_logp=[r.sampling_logp[k:] for r, k in zip(rollouts, starts, strict=True)],
    )
    for row, r in enumerate(rollouts):
        for start, end in r.told:  # law 3: text that the policy did not write is not trained
            batch.mask_BT[row, len(r.prompt_tokens) + start : len(r.prompt_tokens) + end] = False
    return batch
