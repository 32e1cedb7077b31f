"""Distance of a student from a teacher on the student's own tokens: over the whole vocabulary, or as an advantage.

Shape key: B rollouts, T tokens, N tokens of all rollouts in a row, C tokens of a chunk, D and E widths of student and teacher,
V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from sanmai.losses._streams import check_streams, read
from sanmai.losses.tokens import in_chunks
from sanmai.types import Metrics


def token_divergence(
    hidden_ND: Tensor,
    head: Callable[[Tensor], Tensor],
    teacher_hidden_NE: Tensor,
    teacher_head: Callable[[Tensor], Tensor],
    *,
    beta: float = 1.0,
    chunk_tokens: int = 512,
) -> tuple[Tensor, Tensor]:
    """Divergence of student and teacher at each token over the whole vocabulary, computed chunk by chunk.

        beta = 1:      d_n = KL(p_n || q_n) = sum_v p_nv (log p_nv - log q_nv)        reverse
        beta = 0:      d_n = KL(q_n || p_n)                                           forward
        0 < beta < 1:  d_n = beta KL(q_n || m_n) + (1 - beta) KL(p_n || m_n)          m = (1 - beta) p + beta q
        p_n = softmax(head(hidden_n))      q_n = softmax(teacher_head(teacher_hidden_n))

    The ends are not the limits of the middle, which goes to 0 at both: d / (1 - beta) has the limit KL(p || q) at beta = 1
    and d / beta the limit KL(q || p) at beta = 0. With gradients enabled each chunk, if there are several, is computed again
    in the backward pass, so that neither pass ever holds more than chunk_tokens rows of a vocabulary.

    Args:
        hidden_ND: the student's last hidden states that predict the tokens; carries the gradient.
        head: hidden_CD -> logits_CV of the student, row by row, in any float dtype, finite; called once per chunk and pass.
        teacher_hidden_NE, teacher_head: the same of the teacher; no gradient goes there.
        beta: which divergence, 0 to 1.
        chunk_tokens: rows of the vocabulary in memory at a time.

    Returns:
        divergence_N (float32, nats), with gradient, and KL(p || q) as reverse_kl_N (float32, nats), without.

    Raises:
        ValueError: shapes or vocabularies differ, beta is outside 0 to 1, or chunk_tokens is below 1.

    Source:
        GKD (arXiv:2306.13649) section 3, eq. 1 with P the teacher and Q the student; the ends as in TRL 1.16's
        `GKDTrainer.generalized_jsd_loss`. Reverse KL on the student's samples is also MiniLLM's (arXiv:2306.08543), there
        as a sequence's with the effect of a token on later ones.
    """
    if hidden_ND.dim() != 2 or teacher_hidden_NE.dim() != 2 or len(hidden_ND) != len(teacher_hidden_NE):
        raise ValueError(
            f"hidden_ND has shape {tuple(hidden_ND.shape)} and teacher_hidden_NE {tuple(teacher_hidden_NE.shape)};"
            " expected (N, D) and (N, E)"
        )
    if not 0 <= beta <= 1:
        raise ValueError(f"beta is {beta}; expected 0 (forward KL) to 1 (reverse KL)")
    if chunk_tokens < 1:
        raise ValueError(f"chunk_tokens is {chunk_tokens}; expected at least 1")

    def chunk(hidden_CD: Tensor, teacher_hidden_CE: Tensor) -> tuple[Tensor, Tensor]:
        logits_CV = _wide(head(hidden_CD))
        with torch.no_grad():
            teacher_logits_CV = _wide(teacher_head(teacher_hidden_CE))
        if logits_CV.shape != teacher_logits_CV.shape:
            raise ValueError(
                f"student and teacher have {logits_CV.shape[1]} and {teacher_logits_CV.shape[1]} words;"
                " expected one vocabulary"
            )
        return _divergence(torch.log_softmax(logits_CV, dim=-1), torch.log_softmax(teacher_logits_CV, dim=-1), beta)

    return in_chunks(chunk, hidden_ND, teacher_hidden_NE, chunk_tokens=chunk_tokens)


def distillation_loss(
    divergence_BT: Tensor, mask_BT: Tensor, *, weight_BT: Tensor, denominator: float
) -> tuple[Tensor, Metrics]:
    """Mean divergence from the teacher over the tokens of the whole step.

        L = sum_bt w_bt d_bt / N

    Args:
        divergence_BT: from `token_divergence` (nats); carries the gradient.
        mask_BT: bool, true on tokens that the student wrote. Values elsewhere are never read.
        weight_BT, denominator: w and N, from `normalise`; N is counted over every micro-batch of the step.

    Returns:
        The loss (scalar, nats) and its value as `divergence`. Both add up over micro-batches.

    Raises:
        ValueError: shapes differ, or denominator is not above 0.

    Source:
        GKD (arXiv:2306.13649) section 3: on the student's own samples no gradient goes through the sampling, so that the
        effect of a token on the divergence of later ones is left out.
    """
    check_streams(mask_BT, denominator, divergence_BT=divergence_BT, weight_BT=weight_BT)
    loss = (read(mask_BT, weight_BT) * read(mask_BT, divergence_BT)).sum() / denominator
    return loss, {"divergence": loss.item()}


def distillation_advantages(teacher_logp_BT: Tensor, sampling_logp_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """How much more likely the teacher finds each token that the student sampled than the student did.

        A_bt = log q(token_bt) - log p(token_bt)

    A policy-gradient loss on these advantages has, over the student's samples, the gradient of the reverse KL of each
    token's distribution, that of `token_divergence` with beta = 1, and needs no more of the teacher than one log-prob per
    token. The mean of -A estimates that KL without bias.

    Args:
        teacher_logp_BT: log-probs (nats) of the sampled tokens under the teacher.
        sampling_logp_BT: the same tokens under the student's distribution that they were drawn from.
        mask_BT: bool, true on tokens that the student wrote. Values elsewhere are never read.

    Returns:
        A_BT (nats), detached, 0 outside the mask.

    Raises:
        ValueError: shapes differ.

    Source:
        Thinking Machines 2025, "On-Policy Distillation". Gradient derived: with s = grad log p and E_p[s] = 0,
        grad sum_v p_v (log p_v - log q_v) = E_p[(log p - log q) s] + E_p[s] = -E_p[A s].
    """
    check_streams(mask_BT, 1.0, teacher_logp_BT=teacher_logp_BT, sampling_logp_BT=sampling_logp_BT)
    return read(mask_BT, teacher_logp_BT.detach()) - read(mask_BT, sampling_logp_BT.detach())


def _divergence(logp_CV: Tensor, teacher_logp_CV: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """The divergence of each row and, without gradient, KL(student || teacher)."""
    if beta == 1:
        reverse_kl_C = _kl(logp_CV, teacher_logp_CV)
        return reverse_kl_C, reverse_kl_C.detach()
    reverse_kl_C = _kl(logp_CV.detach(), teacher_logp_CV)
    if beta == 0:
        return _kl(teacher_logp_CV, logp_CV), reverse_kl_C
    mixture_CV = torch.logaddexp(logp_CV + math.log1p(-beta), teacher_logp_CV + math.log(beta))
    return beta * _kl(teacher_logp_CV, mixture_CV) + (1 - beta) * _kl(logp_CV, mixture_CV), reverse_kl_C


def _wide(logits_CV: Tensor) -> Tensor:
    """The logits in float32; float64 stays."""
    return logits_CV.to(torch.promote_types(logits_CV.dtype, torch.float32))


def _kl(logp_CV: Tensor, other_logp_CV: Tensor) -> Tensor:
    """KL(p || other) of each row, in nats."""
    return (logp_CV.exp() * (logp_CV - other_logp_CV)).sum(dim=-1)
