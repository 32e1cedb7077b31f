"""Log-probs of given tokens without a (tokens x vocabulary) matrix, and how token losses add up to a step's loss.

Shape key: N tokens of all rollouts in a row, C tokens of a chunk, D model width, V vocabulary, B rollouts, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from sanmai.losses._streams import check_streams


def token_logp_and_entropy(
    hidden_ND: Tensor,
    head: Callable[[Tensor], Tensor],
    targets_N: Tensor,
    *,
    temperature: float = 1.0,
    chunk_tokens: int = 512,
    entropy_gradient: bool = True,
    compiled: Callable[[Tensor, Tensor, float], tuple[Tensor, Tensor] | None] | None = None,
) -> tuple[Tensor, Tensor]:
    """Log-prob of each target token and entropy of its distribution, computed chunk by chunk.

        logp_n = log p_n[targets_n]     entropy_n = -sum_v p_nv log p_nv     p_n = softmax(head(hidden_n) / temperature)

    With gradients enabled each chunk, if there are several, is computed again in the backward pass, so that neither pass
    ever holds more than chunk_tokens rows of the vocabulary.

    Args:
        hidden_ND: the last hidden states that predict the targets (each at the position before its target).
        head: hidden_CD -> logits_CV, row by row, in any float dtype, finite; called once per chunk and pass.
        targets_N: int64 token ids.
        temperature: what logits are divided by, > 0; that of sampling, for ratios to be of one distribution.
        chunk_tokens: rows of the vocabulary in memory at a time.
        entropy_gradient: false when the entropy is only looked at: it then costs two passes over the logits less.
        compiled: logits_CV, targets_C, temperature -> the same of a chunk without the entropy's gradient, or None if it
            cannot compute with these logits; taken before PyTorch's operations where that gradient is not needed.

    Returns:
        logp_N (float32, nats) and entropy_N (float32, nats), with gradients.

    Raises:
        ValueError: shapes differ, or temperature or chunk_tokens is not positive.

    Source:
        derived: softmax and entropy are functions of one row, so rows may be computed in any grouping. The
        recomputation is that of Chen et al. 2016 (arXiv:1604.06174).
    """
    if hidden_ND.dim() != 2 or targets_N.shape != hidden_ND.shape[:1]:
        raise ValueError(
            f"hidden_ND has shape {tuple(hidden_ND.shape)} and targets_N {tuple(targets_N.shape)};"
            " expected (N, D) and (N,)"
        )
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; expected a number above 0")
    if chunk_tokens < 1:
        raise ValueError(f"chunk_tokens is {chunk_tokens}; expected at least 1")

    def chunk(hidden_CD: Tensor, targets_C: Tensor) -> tuple[Tensor, Tensor]:
        logits_CV = head(hidden_CD)
        if compiled is not None and not entropy_gradient:
            found = compiled(logits_CV, targets_C, temperature)
            if found is not None:
                return found
        logits_CV = logits_CV.float()
        if temperature != 1.0:
            logits_CV = logits_CV / temperature
        if not entropy_gradient:
            return _LogpAndEntropy.apply(logits_CV, targets_C)
        logp_CV = torch.log_softmax(logits_CV, dim=-1)
        return logp_CV.gather(1, targets_C[:, None])[:, 0], -(logp_CV.exp() * logp_CV).sum(dim=-1)

    return in_chunks(chunk, hidden_ND, targets_N, chunk_tokens=chunk_tokens)


def in_chunks(
    chunk: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], first_ND: Tensor, second_N: Tensor, *, chunk_tokens: int
) -> tuple[Tensor, Tensor]:
    """What a function of rows says of all of them, asked chunk by chunk.

    With gradients enabled each chunk, if there are several, is computed again in the backward pass.

    Args:
        chunk: chunk_tokens rows of both tensors at most -> two tensors with an entry per row, each from its own row alone.
        first_ND, second_N: as many rows each, of any shape.

    Raises:
        ValueError: they have different numbers of chunks.
    """
    chunks = list(zip(first_ND.split(chunk_tokens), second_N.split(chunk_tokens), strict=True))
    if torch.is_grad_enabled() and len(chunks) > 1:
        pieces = [checkpoint(chunk, *parts, use_reentrant=False, preserve_rng_state=False) for parts in chunks]
    else:
        pieces = [chunk(*parts) for parts in chunks]
    one_N, other_N = (torch.cat(columns) for columns in zip(*pieces, strict=True))
    return one_N, other_N


class _LogpAndEntropy(torch.autograd.Function):
    """The same of a chunk's logits, with the gradient of the log-prob alone: one or two buffers of their size.

    d logp_c / d logits_cv = [v = target_c] - p_cv
    """

    @staticmethod
    def forward(ctx: Any, logits_CV: Tensor, targets_C: Tensor) -> tuple[Tensor, Tensor]:
        highest_C1 = logits_CV.amax(
            dim=-1, keepdim=True
        )  # taken off first: sums of large logits lose the small differences
        shifted_CV = logits_CV - highest_C1
        total_C1 = torch.logsumexp(shifted_CV, dim=-1, keepdim=True)
        ctx.save_for_backward(logits_CV, highest_C1, total_C1, targets_C)
        logp_C = (shifted_CV.gather(1, targets_C[:, None]) - total_C1)[:, 0]
        entropy_C = total_C1[:, 0] - (shifted_CV - total_C1).exp_().mul_(shifted_CV).sum(dim=-1)
        ctx.mark_non_differentiable(entropy_C)
        return logp_C, entropy_C

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        logits_CV, highest_C1, total_C1, targets_C = ctx.saved_tensors
        grad_C1 = grads[0][:, None]
        grad_CV = (logits_CV - highest_C1).sub_(total_C1).exp_().mul_(-grad_C1)
        return grad_CV.scatter_add_(1, targets_C[:, None], grad_C1), None


class Normalisation(StrEnum):
    """What one token counts in the loss of a step. The papers do not agree, and the four are not equivalent."""

    TOKEN = "token"
    """Every token of the step counts the same: sum over tokens / number of tokens (DAPO)."""
    ROLLOUT = "rollout"
    """Mean over each rollout's tokens, then over rollouts (DeepSeekMath). A token of a long rollout counts less,
    so that long wrong answers are cheap per token."""
    CONSTANT = "constant"
    """Sum over tokens / (rollouts x token budget) (Dr. GRPO): the policy gradient up to a constant factor."""
    SEQUENCE = "sequence"
    """Mean over rollouts, each with one ratio for its whole sequence (the equation of R1, GSPO); goes with
    `sequence_clipped_surrogate`. The weights are those of ROLLOUT: what differs is the ratio."""


def normalise(mask_BT: Tensor, normalisation: Normalisation, *, max_tokens: int | None = None) -> tuple[Tensor, float]:
    """The weight of each token and what the weighted sum is divided by.

        L = sum_bt w_bt l_bt / N
        token:              w_bt = 1        N = number of tokens
        rollout, sequence:  w_bt = 1 / T_b  N = number of rollouts      T_b = tokens of rollout b
        constant:           w_bt = 1        N = number of rollouts * max_tokens

    Weights depend on their own row alone and N adds up over rows. So it may be called on the whole step, or on each
    micro-batch with the N of all of them added: the sum of the micro-batches' losses is the same.

    Args:
        mask_BT: bool, true on tokens that the policy wrote. A row without any is no rollout and counts nowhere.
        normalisation: which of the four.
        max_tokens: completion budget in tokens; for `constant` only.

    Returns:
        weight_BT (float32, 0 outside the mask) and N, which is 0 if the mask is empty.

    Raises:
        ValueError: mask_BT is not a (B, T) bool; max_tokens is missing or below 1 for `constant`, or given for another.

    Source:
        token: DAPO (arXiv:2503.14476) section 3.3. rollout: DeepSeekMath (arXiv:2402.03300) eq. 3. constant: Dr. GRPO
        (arXiv:2503.20783), MAX_TOKENS of its listing. sequence: DeepSeek-R1 (arXiv:2501.12948) eq. 1.
    """
    normalisation = Normalisation(normalisation)
    check_streams(mask_BT, 1.0)
    if normalisation is Normalisation.CONSTANT and (max_tokens is None or max_tokens < 1):
        raise ValueError(f"max_tokens is {max_tokens}; normalisation 'constant' needs the completion budget in tokens")
    if normalisation is not Normalisation.CONSTANT and max_tokens is not None:
        raise ValueError(f"max_tokens is {max_tokens}; normalisation {normalisation.value!r} does not read it")

    weight_BT = mask_BT.float()
    length_B1 = weight_BT.sum(dim=1, keepdim=True)
    num_rollouts = float((length_B1 > 0).sum())
    if normalisation is Normalisation.TOKEN:
        return weight_BT, float(mask_BT.sum())
    if max_tokens is not None:
        return weight_BT, num_rollouts * max_tokens
    return weight_BT / length_B1.clamp(min=1), num_rollouts
