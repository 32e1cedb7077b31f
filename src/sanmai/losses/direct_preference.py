"""Preferences trained into the policy itself, without a reward model: DPO, IPO, SimPO, ORPO and KTO.

All read log-probs of whole completions, from `sequence_logp`. The losses of pairs need both completions of a pair at once;
where a micro-batch does not hold both, `preference_weights` gives the same gradient.

Shape key: B pairs, or labelled completions; T tokens.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from sanmai.losses._streams import check_streams, read
from sanmai.types import Metrics

PreferenceLoss = Literal["dpo", "ipo", "simpo", "orpo", "kto"]


def sequence_logp(logp_BT: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Log-prob of each row's completion, the sum over its tokens, and how many tokens it has.

    Args:
        logp_BT: log-probs (nats) of the tokens; the sums carry their gradient.
        mask_BT: bool, true on the completion's tokens, stop token included. Values elsewhere are never read.

    Returns:
        logp_B (float32, or float64 as given; 0 for a row without tokens) and length_B (int64).

    Raises:
        ValueError: shapes differ, or mask_BT is not a (B, T) bool.
    """
    check_streams(mask_BT, 1.0, logp_BT=logp_BT)
    return read(mask_BT, logp_BT).sum(dim=1), mask_BT.sum(dim=1)


def dpo(
    chosen_logp_B: Tensor,
    rejected_logp_B: Tensor,
    reference_chosen_logp_B: Tensor,
    reference_rejected_logp_B: Tensor,
    *,
    beta: float,
    label_smoothing: float = 0.0,
    denominator: float,
) -> tuple[Tensor, Metrics]:
    """Negative log-likelihood that the chosen completion beats the rejected one, by implicit rewards.

        L = -1/N sum_b [(1 - e) log sigmoid(h_b) + e log sigmoid(-h_b)]
        h = beta (d_chosen - d_rejected)        d = logp - reference_logp

    beta d is the reward under which the policy would be the optimum of RL with a KL of weight beta to the reference, up to a
    constant of the prompt. The loss restrains the difference alone: both log-probs may fall, and `reward_chosen` below 0
    shows it.

    Args:
        chosen_logp_B, rejected_logp_B: log-probs (nats) of the completions under the policy; both carry the gradient.
        reference_chosen_logp_B, reference_rejected_logp_B: the same under the reference policy; detached here.
        beta: weight of the KL, reward per nat, > 0: the larger, the less the policy moves.
        label_smoothing: e, the share of pairs taken to be the wrong way round, 0 to below 1/2.
        denominator: N, the pairs of the whole step.

    Returns:
        The loss (scalar, nats); `pair_accuracy`, the share of N with a larger implicit reward of the chosen completion;
        `reward_chosen`, `reward_rejected` and `reward_margin`, the implicit rewards beta d and their difference, summed
        over N. All add up over micro-batches.

    Raises:
        ValueError: shapes differ or are not (B,), beta or denominator is not above 0, or label_smoothing is out of range.

    Source:
        DPO (arXiv:2305.18290) eq. 7; label_smoothing: conservative DPO (Mitchell 2023), as TRL 1.16's CPOTrainer has it
        (its DPOTrainer has none but in "robust", where the loss is also divided by 1 - 2e).
    """
    _check(
        denominator, beta,
        chosen_logp_B=chosen_logp_B, rejected_logp_B=rejected_logp_B,
        reference_chosen_logp_B=reference_chosen_logp_B, reference_rejected_logp_B=reference_rejected_logp_B,
    )  # fmt: skip
    chosen_B = beta * (_wide(chosen_logp_B) - _wide(reference_chosen_logp_B.detach()))
    rejected_B = beta * (_wide(rejected_logp_B) - _wide(reference_rejected_logp_B.detach()))
    loss = _pair_nll(chosen_B - rejected_B, label_smoothing) / denominator
    return loss, _pair_metrics(chosen_B, rejected_B, denominator)


def ipo(
    chosen_logp_B: Tensor,
    rejected_logp_B: Tensor,
    reference_chosen_logp_B: Tensor,
    reference_rejected_logp_B: Tensor,
    chosen_length_B: Tensor | None = None,
    rejected_length_B: Tensor | None = None,
    *,
    beta: float,
    denominator: float,
) -> tuple[Tensor, Metrics]:
    """Squared error between the difference of log-ratios and a fixed distance, which keeps it from growing without end.

        L = 1/N sum_b (d_chosen - d_rejected - 1/(2 beta))^2        d = logp - reference_logp, or that per token

    Args:
        chosen_logp_B, rejected_logp_B, reference_chosen_logp_B, reference_rejected_logp_B, denominator: as for `dpo`.
        chosen_length_B, rejected_length_B: tokens of the completions, at least 1: d is then a mean over tokens; or neither.
        beta: the paper's tau, > 0: the larger, the less the policy moves. Per token the same beta asks for a difference
            that is about a length larger.

    Returns:
        The loss (scalar, nats squared) and metrics as for `dpo`, with the d of the loss. (TRL logs that of the sum.)

    Raises:
        ValueError: as for `dpo`; one length without the other; a length below 1.

    Source:
        IPO (arXiv:2310.12036) eq. 17, where d is the sum. Means over tokens: TRL 1.16's DPOTrainer, which says that the
        authors' experiments had them.
    """
    _check(
        denominator, beta,
        chosen_logp_B=chosen_logp_B, rejected_logp_B=rejected_logp_B,
        reference_chosen_logp_B=reference_chosen_logp_B, reference_rejected_logp_B=reference_rejected_logp_B,
    )  # fmt: skip
    chosen_B = _wide(chosen_logp_B) - _wide(reference_chosen_logp_B.detach())
    rejected_B = _wide(rejected_logp_B) - _wide(reference_rejected_logp_B.detach())
    if chosen_length_B is not None and rejected_length_B is not None:
        _check_lengths(chosen_logp_B, chosen_length_B, rejected_length_B)
        chosen_B, rejected_B = chosen_B / chosen_length_B, rejected_B / rejected_length_B
    elif chosen_length_B is not None or rejected_length_B is not None:
        raise ValueError("chosen_length_B and rejected_length_B go together; expected both or neither")
    loss = (chosen_B - rejected_B - 1.0 / (2.0 * beta)).square().sum() / denominator
    return loss, _pair_metrics(beta * chosen_B, beta * rejected_B, denominator)


def simpo(
    chosen_logp_B: Tensor,
    rejected_logp_B: Tensor,
    chosen_length_B: Tensor,
    rejected_length_B: Tensor,
    *,
    beta: float,
    gamma: float,
    label_smoothing: float = 0.0,
    denominator: float,
) -> tuple[Tensor, Metrics]:
    """Negative log-likelihood that the chosen completion is ahead by a margin, by mean log-probs and without a reference.

        L = -1/N sum_b [(1 - e) log sigmoid(h_b) + e log sigmoid(-h_b)]
        h = beta (logp_chosen / T_chosen - logp_rejected / T_rejected) - gamma

    The mean does not reward length, as a sum of log-ratios does. Nothing but the learning rate holds the policy near where
    it began.

    Args:
        chosen_logp_B, rejected_logp_B, label_smoothing, denominator: as for `dpo`.
        chosen_length_B, rejected_length_B: T, tokens of the completions, at least 1.
        beta: reward per nat per token, > 0; the authors take 2 to 10, where DPO takes 0.1.
        gamma: the margin, in units of the reward, at least 0. (The authors' code and later text give gamma / beta.)

    Returns:
        The loss (scalar, nats) and metrics as for `dpo`, the implicit reward being beta logp / T.

    Raises:
        ValueError: as for `dpo`; a length below 1; gamma is negative or not finite.

    Source:
        SimPO (arXiv:2405.14734) eq. 6; label_smoothing as in TRL 1.16's CPOTrainer.
    """
    _check(denominator, beta, chosen_logp_B=chosen_logp_B, rejected_logp_B=rejected_logp_B)
    _check_lengths(chosen_logp_B, chosen_length_B, rejected_length_B)
    _check_amounts(gamma=gamma)
    chosen_B = beta * _wide(chosen_logp_B) / chosen_length_B
    rejected_B = beta * _wide(rejected_logp_B) / rejected_length_B
    loss = _pair_nll(chosen_B - rejected_B - gamma, label_smoothing) / denominator
    return loss, _pair_metrics(chosen_B, rejected_B, denominator)


def orpo(
    chosen_logp_B: Tensor,
    rejected_logp_B: Tensor,
    chosen_length_B: Tensor,
    rejected_length_B: Tensor,
    *,
    beta: float,
    denominator: float,
) -> tuple[Tensor, Metrics]:
    """How much the odds of the chosen completion are above the rejected one's: the part of ORPO beside SFT, without a reference.

        L = -beta/N sum_b log sigmoid(o_chosen - o_rejected)
        o = log(p / (1 - p))        p = exp(logp / T), the geometric mean of the tokens' probabilities

    ORPO is this plus the negative log-likelihood of the chosen completion, which `dpo` adds with sft_weight: alone, the odds
    let both completions fall.

    Args:
        chosen_logp_B, rejected_logp_B, denominator: as for `dpo`.
        chosen_length_B, rejected_length_B: T, tokens of the completions, at least 1.
        beta: the paper's lambda, > 0. A completion of probability 1 counts as one of 1 - 1e-6 a token.

    Returns:
        The loss (scalar, nats times beta) and metrics as for `dpo`, the implicit reward being beta logp / T, as TRL has it.

    Raises:
        ValueError: as for `dpo`; a length below 1.

    Source:
        ORPO (arXiv:2403.07691) eq. 4 to 7.
    """
    _check(denominator, beta, chosen_logp_B=chosen_logp_B, rejected_logp_B=rejected_logp_B)
    _check_lengths(chosen_logp_B, chosen_length_B, rejected_length_B)
    means = (_wide(chosen_logp_B) / chosen_length_B, _wide(rejected_logp_B) / rejected_length_B)
    chosen_B, rejected_B = (mean_B.clamp(max=-1e-6) for mean_B in means)
    odds_B = (chosen_B - (-torch.expm1(chosen_B)).log()) - (rejected_B - (-torch.expm1(rejected_B)).log())
    loss = beta * _pair_nll(odds_B, 0.0) / denominator
    return loss, _pair_metrics(beta * chosen_B, beta * rejected_B, denominator)


def kto(
    logp_B: Tensor,
    reference_logp_B: Tensor,
    is_desirable_B: Tensor,
    *,
    beta: float,
    reference_kl: float,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
    denominator: float,
) -> tuple[Tensor, Metrics]:
    """Loss of single labelled completions: how far each is on the wrong side of a reference point, with a bounded value.

        L = 1/N sum_b w_b (1 - sigmoid(s_b beta (d_b - z)))     d = logp - reference_logp
        s = 1, w = desirable_weight for desirable completions; s = -1, w = undesirable_weight for the others

    Args:
        logp_B: log-probs (nats) of the completions under the policy; carries the gradient.
        reference_logp_B: the same under the reference policy; detached here.
        is_desirable_B: bool.
        beta: reward per nat, > 0: the larger, the sooner a completion counts as right and its gradient fades.
        reference_kl: z (nats), at least 0, from `kto_reference_kl`, one for the whole step; no gradient goes through it.
        desirable_weight, undesirable_weight: at least 0; they make up for unequal numbers of the two.
        denominator: N, the labelled completions of the whole step.

    Returns:
        The loss (scalar, units of the weights); `label_accuracy`, the share of N on the side of its label (d above z, or
        below); `reward_desirable` and `reward_undesirable`, the sums of beta d over N; `desirable_share`, what to divide
        the one by (and the other by what it leaves of 1) for means. All add up over micro-batches.

    Raises:
        ValueError: shapes differ or are not (B,), is_desirable_B is not bool, or a number is out of range.

    Source:
        KTO (arXiv:2402.01306) section 4.1, lambda_y - v. TRL 1.16's KTOTrainer has the same terms and differs around them:
        z is of each micro-batch (over all devices), so that another micro-batch size is another loss, and the sum is divided
        by that micro-batch's size. Here both are the step's, and given.
    """
    _check(denominator, beta, logp_B=logp_B, reference_logp_B=reference_logp_B, is_desirable_B=is_desirable_B)
    if is_desirable_B.dtype != torch.bool:
        raise ValueError(f"is_desirable_B is {is_desirable_B.dtype}; expected bool")
    _check_amounts(reference_kl=reference_kl, desirable_weight=desirable_weight, undesirable_weight=undesirable_weight)
    difference_B = _wide(logp_B) - _wide(reference_logp_B.detach())
    ahead_B = torch.where(is_desirable_B, difference_B - reference_kl, reference_kl - difference_B)
    weights = difference_B.new_tensor([undesirable_weight, desirable_weight])
    loss = (weights[is_desirable_B.long()] * torch.sigmoid(-beta * ahead_B)).sum() / denominator
    with torch.no_grad():
        desirable_sum = torch.where(is_desirable_B, difference_B, 0.0).sum()
        undesirable_sum = torch.where(is_desirable_B, 0.0, difference_B).sum()
        sums = [(ahead_B > 0).sum(), beta * desirable_sum, beta * undesirable_sum, is_desirable_B.sum()]
        found = [value / denominator for value in torch.stack(sums).tolist()]
    names = ("label_accuracy", "reward_desirable", "reward_undesirable", "desirable_share")
    return loss, dict(zip(names, found, strict=True))


def kto_reference_kl(logp_B: Tensor, reference_logp_B: Tensor) -> float:
    """The reference point of KTO: an estimate of KL(policy || reference) from mismatched prompts and completions.

        z = max(0, mean_b [logp_b - reference_logp_b])

    Biased: the policy did not write these completions, and the mean is cut off at 0. It is cheap, and enough to tell a
    policy that has moved everywhere from one that has moved on what it is taught.

    Args:
        logp_B, reference_logp_B: log-probs (nats) of completions after prompts that they do not belong to, under the policy
            and the reference policy, of the whole step; `mismatched_completions` pairs them.

    Raises:
        ValueError: shapes differ or are not (B,), there is none, or the mean is not finite.

    Source:
        KTO (arXiv:2402.01306) section 4.1, there over a micro-batch.
    """
    _check(1.0, 1.0, logp_B=logp_B, reference_logp_B=reference_logp_B)
    mean = (_wide(logp_B.detach()) - _wide(reference_logp_B.detach())).mean().item()
    if not math.isfinite(mean):
        raise ValueError(
            f"the mean log-ratio of {len(logp_B)} mismatched completions is {mean}; expected a finite number"
        )
    return max(0.0, mean)


def mismatched_completions(prompts: Sequence[Hashable]) -> list[int]:
    """For each row, the number of another row whose completion is put after its prompt: each once, and of another prompt.

    Rows of one prompt stand together, all are moved on by the size of the largest such block, and so none stays in its own.
    (TRL moves by one: where a prompt's completions stand together, all but one of them come after that prompt again.)

    Raises:
        ValueError: one prompt has more than half of the rows: they cannot all be mismatched.
    """
    blocks: dict[Hashable, list[int]] = {}
    for row, prompt in enumerate(prompts):
        blocks.setdefault(prompt, []).append(row)
    largest = max((len(rows) for rows in blocks.values()), default=0)
    if 2 * largest > len(prompts):
        raise ValueError(
            f"one prompt has {largest} of {len(prompts)} rows; expected at most half, to mismatch them all"
        )
    order = [row for rows in blocks.values() for row in rows]
    other = [0] * len(order)
    for place, row in enumerate(order):
        other[row] = order[(place + largest) % len(order)]
    return other


# Above the presets, which are checked when this file is read.
def _check(denominator: float, beta: float, **values_B: Tensor) -> None:
    first, like = next(iter(values_B.items()), ("", torch.empty(0)))
    for name, value_B in values_B.items():
        if value_B.dim() != 1 or value_B.shape != like.shape:
            raise ValueError(f"{name} has shape {tuple(value_B.shape)}; expected (B,), as {first}: {tuple(like.shape)}")
    if not (math.isfinite(beta) and beta > 0):
        raise ValueError(f"beta is {beta}; expected a finite number above 0")
    if not (math.isfinite(denominator) and denominator > 0):
        raise ValueError(f"denominator is {denominator}; expected a count above 0 over the whole step")


def _check_amounts(**numbers: float) -> None:
    for name, value in numbers.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} is {value}; expected a finite number of at least 0")


def _check_smoothing(label_smoothing: float) -> None:
    if not 0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing is {label_smoothing}; expected a share from 0 to below 1/2")


@dataclass(frozen=True)
class PreferenceLossSettings:
    """A published variant: which loss, with which numbers.

    Example:
        PreferenceLossSettings("simpo", beta=2.0, gamma=1.0)
    """

    loss: PreferenceLoss
    beta: float
    label_smoothing: float = 0.0
    """Share of pairs taken to be the wrong way round; for "dpo" and "simpo"."""
    gamma: float | None = None
    """Margin in units of the reward; for "simpo"."""
    per_token: bool = False
    """Means over tokens in place of sums; for "ipo" ("simpo" always has them)."""
    desirable_weight: float = 1.0
    undesirable_weight: float = 1.0
    """Weights of the two labels; for "kto"."""

    def __post_init__(self) -> None:
        if self.loss not in get_args(PreferenceLoss):
            raise ValueError(f"loss is {self.loss!r}; expected one of {', '.join(get_args(PreferenceLoss))}")
        _check(1.0, self.beta)
        _check_smoothing(self.label_smoothing)
        if self.label_smoothing and self.loss not in ("dpo", "simpo"):
            raise ValueError(f"loss {self.loss!r} does not read label_smoothing")
        if (self.gamma is not None) != (self.loss == "simpo"):
            raise ValueError(f"loss {self.loss!r} {'needs' if self.loss == 'simpo' else 'does not read'} gamma")
        if self.per_token and self.loss != "ipo":
            raise ValueError(f"loss {self.loss!r} does not read per_token")
        if self.gamma is not None:
            _check_amounts(gamma=self.gamma)
        _check_amounts(desirable_weight=self.desirable_weight, undesirable_weight=self.undesirable_weight)
        if (self.desirable_weight, self.undesirable_weight) != (1.0, 1.0) and self.loss != "kto":
            raise ValueError(f"loss {self.loss!r} does not read desirable_weight and undesirable_weight")
        if not self.desirable_weight + self.undesirable_weight > 0:
            raise ValueError("desirable_weight and undesirable_weight are both 0: no completion would count")

    @property
    def needs_reference(self) -> bool:
        return self.loss not in ("simpo", "orpo")


DPO = PreferenceLossSettings("dpo", beta=0.1)
"""DPO (arXiv:2305.18290), its beta for most tasks."""
CDPO = PreferenceLossSettings("dpo", beta=0.1, label_smoothing=0.1)
"""Conservative DPO (Mitchell 2023). The 0.1 stands for the share of your pairs that are the wrong way round."""
IPO = PreferenceLossSettings("ipo", beta=0.1, per_token=True)
"""IPO (arXiv:2310.12036) per token, as TRL 1.16 has it, whose default beta this is."""
SIMPO = PreferenceLossSettings("simpo", beta=2.0, gamma=1.0)
"""SimPO (arXiv:2405.14734): gamma / beta = 0.5, where the authors advise to begin, with their numbers for Llama-3-Base."""
ORPO = PreferenceLossSettings("orpo", beta=0.1)
"""ORPO (arXiv:2403.07691): its lambda, and TRL's; to be had with sft_weight = 1."""
KTO = PreferenceLossSettings("kto", beta=0.1)
"""KTO (arXiv:2402.01306); equal weights, which are right for pairs taken apart."""

PREFERENCE_PRESETS: dict[str, PreferenceLossSettings] = {
    "dpo": DPO,
    "cdpo": CDPO,
    "ipo": IPO,
    "simpo": SIMPO,
    "orpo": ORPO,
    "kto": KTO,
}


def preference_loss(
    settings: PreferenceLossSettings,
    chosen_logp_B: Tensor,
    rejected_logp_B: Tensor,
    reference_chosen_logp_B: Tensor | None,
    reference_rejected_logp_B: Tensor | None,
    chosen_length_B: Tensor,
    rejected_length_B: Tensor,
    *,
    denominator: float,
    reference_kl: float | None = None,
) -> tuple[Tensor, Metrics]:
    """The loss of pairs that the settings name; see the functions above for everything else.

    KTO takes each pair apart into a desirable and an undesirable completion and counts two labelled ones for it.

    Args:
        reference_chosen_logp_B, reference_rejected_logp_B: None where settings.needs_reference is false.
        denominator: N, the pairs of the whole step.
        reference_kl: for "kto" alone, which needs it.

    Raises:
        ValueError: as for the function called; what it needs is None, or reference_kl is given to another.
    """
    if (reference_kl is not None) != (settings.loss == "kto"):
        raise ValueError(
            f"loss {settings.loss!r} {'needs' if settings.loss == 'kto' else 'does not read'} reference_kl"
        )
    chosen, lengths = (chosen_logp_B, rejected_logp_B), (chosen_length_B, rejected_length_B)
    beta, smoothing = settings.beta, settings.label_smoothing
    if settings.loss == "simpo":
        assert settings.gamma is not None  # __post_init__ has refused anything else
        return simpo(
            *chosen, *lengths, beta=beta, gamma=settings.gamma, label_smoothing=smoothing, denominator=denominator
        )
    if settings.loss == "orpo":
        return orpo(*chosen, *lengths, beta=beta, denominator=denominator)
    if reference_chosen_logp_B is None or reference_rejected_logp_B is None:
        raise ValueError(f"loss {settings.loss!r} needs reference_chosen_logp_B and reference_rejected_logp_B")
    reference = (reference_chosen_logp_B, reference_rejected_logp_B)
    if settings.loss == "dpo":
        return dpo(*chosen, *reference, beta=beta, label_smoothing=smoothing, denominator=denominator)
    if settings.loss == "ipo":
        return ipo(*chosen, *reference, *(lengths if settings.per_token else ()), beta=beta, denominator=denominator)
    assert reference_kl is not None
    labels = torch.ones_like(chosen_logp_B, dtype=torch.bool), torch.zeros_like(rejected_logp_B, dtype=torch.bool)
    return kto(
        torch.cat(chosen), torch.cat(reference), torch.cat(labels),
        beta=beta, reference_kl=reference_kl,
        desirable_weight=settings.desirable_weight, undesirable_weight=settings.undesirable_weight,
        denominator=2 * denominator,
    )  # fmt: skip


def preference_weights(
    settings: PreferenceLossSettings,
    chosen_logp_B: Tensor,
    rejected_logp_B: Tensor,
    reference_chosen_logp_B: Tensor | None,
    reference_rejected_logp_B: Tensor | None,
    chosen_length_B: Tensor,
    rejected_length_B: Tensor,
    *,
    denominator: float,
    reference_kl: float | None = None,
) -> tuple[Tensor, Tensor, Metrics]:
    """How much the loss wants each completion's log-prob to rise: as weights of its tokens they give the loss's gradient.

        v_b = -dL/dlogp_b       grad L = -sum_b v_b grad logp_b = grad weighted_nll(weight_bt = v_b, denominator = 1)

    So a step may score its sequences once without gradient, take the weights of all pairs, and train on rows cut into
    micro-batches in any way, a pair's two rows apart too: the gradient is that of the whole step.

    Args:
        as for `preference_loss`, of the whole step.

    Returns:
        The weights of chosen and rejected completions (detached), and the metrics of the loss with its value as
        `preference_loss`.

    Raises:
        ValueError: as for `preference_loss`.

    Source:
        The chain rule: L depends on the weights of the model through the completions' log-probs alone.
    """
    with torch.enable_grad():
        leaves = chosen_logp_B.detach().requires_grad_(), rejected_logp_B.detach().requires_grad_()
        loss, metrics = preference_loss(
            settings, *leaves, reference_chosen_logp_B, reference_rejected_logp_B, chosen_length_B, rejected_length_B,
            denominator=denominator, reference_kl=reference_kl,
        )  # fmt: skip
        chosen_B, rejected_B = torch.autograd.grad(loss, leaves)
    return -chosen_B, -rejected_B, {"preference_loss": loss.item(), **metrics}


def _pair_nll(ahead_B: Tensor, label_smoothing: float) -> Tensor:
    """-sum_b [(1 - e) log sigmoid(h_b) + e log sigmoid(-h_b)]."""
    _check_smoothing(label_smoothing)
    loss = -(1.0 - label_smoothing) * logsigmoid(ahead_B).sum()
    return loss - label_smoothing * logsigmoid(-ahead_B).sum() if label_smoothing else loss


def _pair_metrics(chosen_B: Tensor, rejected_B: Tensor, denominator: float) -> Metrics:
    with torch.no_grad():
        sums = torch.stack([(chosen_B > rejected_B).sum(), chosen_B.sum(), rejected_B.sum()])
        accuracy, chosen, rejected = (value / denominator for value in sums.tolist())
    return {
        "pair_accuracy": accuracy, "reward_chosen": chosen, "reward_rejected": rejected, "reward_margin": chosen - rejected,
    }  # fmt: skip


def _check_lengths(logp_B: Tensor, chosen_length_B: Tensor, rejected_length_B: Tensor) -> None:
    for name, length_B in (("chosen_length_B", chosen_length_B), ("rejected_length_B", rejected_length_B)):
        if length_B.shape != logp_B.shape or not bool((length_B >= 1).all()):
            raise ValueError(
                f"{name} is {length_B.tolist()}; expected {tuple(logp_B.shape)} token counts of at least 1"
            )


def _wide(value_B: Tensor) -> Tensor:
    """In float32; float64 stays."""
    return value_B.to(torch.promote_types(value_B.dtype, torch.float32))
