"""Policy-gradient losses and their published settings.

Shape key: B rollouts, T tokens. A 1 in place of T: one value per rollout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from sanmai.losses._streams import check_streams, read
from sanmai.losses.advantages import AdvantageScale, Baseline, Best, Expected
from sanmai.losses.mirror_descent import MirrorBaseline, mirror_descent
from sanmai.losses.tokens import Normalisation
from sanmai.types import Metrics

Surrogate = Literal[
    "clipped", "soft_gate", "sequence_sum", "sequence_mean", "cispo", "reinforce", "mirror_token", "mirror_sequence"
]
MIRROR = ("mirror_token", "mirror_sequence")
"""Surrogates whose loss is losses/mirror_descent.py, with the log-ratio per token or per sequence."""


def clipped_surrogate(
    logp_BT: Tensor,
    sampling_logp_BT: Tensor,
    advantage_BT: Tensor,
    mask_BT: Tensor,
    *,
    clip_low: float,
    clip_high: float,
    weight_BT: Tensor,
    denominator: float,
) -> tuple[Tensor, Metrics]:
    """Clipped policy-gradient loss with one ratio per token.

        L = -1/N sum_bt w_bt min(r_bt A_bt, clip(r_bt, 1 - clip_low, 1 + clip_high) A_bt)
        r_bt = exp(logp_bt - sampling_logp_bt)

    Args:
        logp_BT: log-probs (nats) of the completion tokens under the policy; carries the gradient.
        sampling_logp_BT: the same tokens under the distribution they were drawn from; detached here.
        advantage_BT: one advantage per token; an outcome reward's is the same on all tokens of a rollout.
        mask_BT: bool, true on tokens that the policy wrote. Values elsewhere are never read.
        clip_low, clip_high: distances of the two bounds from 1, >= 0.
        weight_BT, denominator: w and N, from `normalise`; N is counted over every micro-batch of the step. Further
            weights, such as `importance_weight`, multiply w.

    Returns:
        The loss (scalar), `clip_fraction`, the share sum_bt w_bt c_bt / N of tokens whose gradient was cut (c), and
        `num_clipped`, their plain count. All three add up over micro-batches.

    Raises:
        ValueError: shapes differ, a bound is negative, or denominator is not above 0.

    Source:
        DeepSeekMath (arXiv:2402.03300) eq. 3 without its KL term; separate bounds: DAPO (arXiv:2503.14476) section 3.1.
    """
    check_streams(
        mask_BT, denominator,
        logp_BT=logp_BT, sampling_logp_BT=sampling_logp_BT, advantage_BT=advantage_BT, weight_BT=weight_BT,
    )
    log_ratio_BT = read(mask_BT, logp_BT) - read(mask_BT, sampling_logp_BT.detach())
    return _clipped(log_ratio_BT, advantage_BT, mask_BT, clip_low, clip_high, weight_BT, denominator)


def sequence_clipped_surrogate(
    logp_BT: Tensor,
    sampling_logp_BT: Tensor,
    advantage_BT: Tensor,
    mask_BT: Tensor,
    *,
    ratio: Literal["sum", "mean"],
    clip_low: float,
    clip_high: float,
    weight_BT: Tensor,
    denominator: float,
) -> tuple[Tensor, Metrics]:
    """Clipped policy-gradient loss with one ratio per rollout.

        L = -1/N sum_bt w_bt min(r_b A_bt, clip(r_b, 1 - clip_low, 1 + clip_high) A_bt)
        r_b = exp(sum_t log_ratio_bt)  or  exp(mean_t log_ratio_bt)       log_ratio = logp - sampling_logp

    With the weights of normalisation `sequence` and one advantage per rollout, L is the mean over rollouts of the
    papers. An advantage that differs between tokens enters as its weighted mean: it gives no credit to single tokens.

    Args:
        logp_BT, sampling_logp_BT, advantage_BT, mask_BT, clip_low, clip_high, weight_BT, denominator: as for
            `clipped_surrogate`.
        ratio: "sum" is the ratio of the sequences' probabilities, which leaves any clip range within some hundred
            tokens; "mean" its geometric mean per token.

    Returns:
        As for `clipped_surrogate`; the tokens of a cut rollout all count as cut.

    Raises:
        ValueError: as for `clipped_surrogate`, or ratio is none of its choices.

    Source:
        sum: DeepSeek-R1 (arXiv:2501.12948) eq. 1 without its KL term. mean: GSPO (arXiv:2507.18071) section 4.1.
    """
    check_streams(
        mask_BT, denominator,
        logp_BT=logp_BT, sampling_logp_BT=sampling_logp_BT, advantage_BT=advantage_BT, weight_BT=weight_BT,
    )
    log_ratio_BT = read(mask_BT, logp_BT) - read(mask_BT, sampling_logp_BT.detach())
    log_ratio_B1 = log_ratio_BT.sum(dim=1, keepdim=True)
    if ratio == "mean":
        log_ratio_B1 = log_ratio_B1 / mask_BT.sum(dim=1, keepdim=True).clamp(min=1)
    elif ratio != "sum":
        raise ValueError(f"ratio is {ratio!r}; expected 'sum' or 'mean'")
    return _clipped(
        log_ratio_B1.expand(mask_BT.shape), advantage_BT, mask_BT, clip_low, clip_high, weight_BT, denominator
    )


def soft_gate_surrogate(
    logp_BT: Tensor,
    sampling_logp_BT: Tensor,
    advantage_BT: Tensor,
    mask_BT: Tensor,
    *,
    gate_positive: float,
    gate_negative: float,
    weight_BT: Tensor,
    denominator: float,
) -> tuple[Tensor, Metrics]:
    """Policy-gradient loss whose ratio per token is bounded by a smooth gate in place of a clip.

        L = -1/N sum_bt w_bt f_bt A_bt        f_bt = 4/g sigmoid(g (r_bt - 1))
        g = gate_positive where A_bt > 0, else gate_negative
        dL/dlogp_bt = -1/N w_bt A_bt r_bt sech^2(g/2 (r_bt - 1))        r_bt = exp(logp_bt - sampling_logp_bt)

    At r = 1 the gradient is that of `reinforce`; it fades as the ratio leaves 1 to either side, and no token's vanishes at once.

    Args:
        logp_BT, sampling_logp_BT, advantage_BT, mask_BT, weight_BT, denominator: as for `clipped_surrogate`.
        gate_positive, gate_negative: g, > 0: the larger, the sooner a token's gradient fades. Negative advantages raise all the
            tokens that were not drawn, so theirs fades sooner.

    Returns:
        The loss (scalar), `clip_fraction`, the share sum_bt w_bt c_bt / N of tokens with an advantage whose gate has taken more
        than half of their gradient (c), and `num_clipped`, their plain count.

    Raises:
        ValueError: shapes differ, a gate is not above 0, or denominator is not above 0.

    Source:
        SAPO (arXiv:2511.20347) eq. 5-7.
    """
    check_streams(
        mask_BT, denominator,
        logp_BT=logp_BT, sampling_logp_BT=sampling_logp_BT, advantage_BT=advantage_BT, weight_BT=weight_BT,
    )
    if not (gate_positive > 0 and gate_negative > 0):
        raise ValueError(f"gate_positive is {gate_positive} and gate_negative {gate_negative}; expected numbers above 0")
    advantage_BT = read(mask_BT, advantage_BT)
    # Far beyond 1 the gate is flat, and a ratio that overflows would make a NaN of its gradient of 0.
    log_ratio_BT = (read(mask_BT, logp_BT) - read(mask_BT, sampling_logp_BT.detach())).clamp(max=60)
    gate_BT = torch.where(advantage_BT > 0, gate_positive, gate_negative)
    sigmoid_BT = torch.sigmoid(gate_BT * (log_ratio_BT.exp() - 1))
    is_faded_BT = (4 * sigmoid_BT * (1 - sigmoid_BT) < 0.5) & (advantage_BT != 0)
    return _total(-4 / gate_BT * sigmoid_BT * advantage_BT, is_faded_BT, read(mask_BT, weight_BT), denominator)


def cispo(
    logp_BT: Tensor,
    sampling_logp_BT: Tensor,
    advantage_BT: Tensor,
    mask_BT: Tensor,
    *,
    ratio_cap: float,
    weight_BT: Tensor,
    denominator: float,
) -> tuple[Tensor, Metrics]:
    """Policy-gradient loss that clips the ratio's value and never a token's gradient.

        L = -1/N sum_bt w_bt stop_gradient(min(r_bt, ratio_cap)) A_bt logp_bt

    This is `reinforce` with the same cap: the field has two names for it, after what the ratio corrects (several
    updates per rollout, or a sampler that computes other log-probs than the trainer).

    Args:
        logp_BT, sampling_logp_BT, advantage_BT, mask_BT, weight_BT, denominator: as for `clipped_surrogate`.
        ratio_cap: the largest ratio used, > 0; the bound itself and not its distance from 1.

    Returns:
        The loss (scalar; only its gradient has a meaning), `clip_fraction`, the share sum_bt w_bt c_bt / N of tokens
        whose ratio was capped (c), of either sign of advantage, and `num_clipped`, their plain count.

    Raises:
        ValueError: shapes differ, ratio_cap is not positive, or denominator is not above 0.

    Source:
        MiniMax-M1 (arXiv:2506.13585) eq. 4-5 without a lower bound, as the authors ran it.
    """
    return reinforce(
        logp_BT, sampling_logp_BT, advantage_BT, mask_BT,
        ratio_cap=ratio_cap, weight_BT=weight_BT, denominator=denominator,
    )


def reinforce(
    logp_BT: Tensor,
    sampling_logp_BT: Tensor,
    advantage_BT: Tensor,
    mask_BT: Tensor,
    *,
    ratio_cap: float | None = None,
    weight_BT: Tensor,
    denominator: float,
) -> tuple[Tensor, Metrics]:
    """Plain policy-gradient loss, with a truncated importance weight if a cap is given.

        L = -1/N sum_bt w_bt c_bt A_bt logp_bt        c_bt = 1, or stop_gradient(min(r_bt, ratio_cap))

    Args:
        logp_BT, sampling_logp_BT, advantage_BT, mask_BT, weight_BT, denominator: as for `clipped_surrogate`;
            without a cap sampling_logp_BT is not used.
        ratio_cap: the largest importance weight, > 0; None for no weight (right for one update per rollout).

    Returns:
        The loss (scalar; only its gradient has a meaning), `clip_fraction`, the share of tokens whose weight was
        truncated, weighted as the loss, and `num_clipped`, their plain count. All three add up over micro-batches.

    Raises:
        ValueError: shapes differ, ratio_cap is not positive, or denominator is not above 0.

    Source:
        Williams 1992; the weight as in `importance_weight`.
    """
    check_streams(
        mask_BT, denominator,
        logp_BT=logp_BT, sampling_logp_BT=sampling_logp_BT, advantage_BT=advantage_BT, weight_BT=weight_BT,
    )
    loss_BT = -read(mask_BT, advantage_BT) * read(mask_BT, logp_BT)
    is_capped_BT = torch.zeros_like(mask_BT)
    if ratio_cap is not None:
        loss_BT = loss_BT * importance_weight(logp_BT, sampling_logp_BT, mask_BT, ratio_cap)
        is_capped_BT = mask_BT & ((logp_BT - sampling_logp_BT).exp() > ratio_cap)
    return _total(loss_BT, is_capped_BT, read(mask_BT, weight_BT), denominator)


Correction = Literal["truncate", "mask", "icepop", "sequence_truncate", "sequence_mask"]
"""What becomes of an importance weight beyond its bounds; see `importance_weight`."""


def importance_weight(
    logp_BT: Tensor, sampling_logp_BT: Tensor, mask_BT: Tensor, cap: float, correction: Correction = "truncate"
) -> Tensor:
    """Importance weight of each token from the sampling policy to the policy, bounded by a cap.

        r_bt = exp(logp_bt - sampling_logp_bt), R_b = prod_t r_bt, both without gradient

        truncate            c_bt = min(r_bt, cap)
        mask                c_bt = r_bt if r_bt <= cap, else 0
        icepop              c_bt = r_bt if 1/cap <= r_bt <= cap, else 0
        sequence_truncate   c_bt = min(R_b, cap)
        sequence_mask       c_bt = R_b if R_b <= cap, else 0

    Truncated, a token far off still pulls; masked, it does not. A ratio per sequence is unbiased where one per token is not, and
    has the variance of a product: for a sampler that is far off it leaves little.

    Multiply it into the weight_BT of a loss whose own ratio is taken to the trainer's log-probs before the update, to
    correct a sampler that computes slightly other ones. Where ratios are taken to the sampler's log-probs themselves
    (law 2), as in `clipped_surrogate`, they already correct that.

    Args:
        logp_BT: log-probs (nats) of the tokens under the trainer's policy.
        sampling_logp_BT: the same tokens under the distribution they were drawn from.
        mask_BT: bool, true on tokens that the policy wrote. Values elsewhere are never read.
        cap: the largest weight, > 0; above 1 for "icepop".
        correction: what becomes of weights beyond it.

    Returns:
        c_BT, detached, 0 outside the mask.

    Raises:
        ValueError: shapes differ, cap is not positive (for "icepop": not above 1), or correction is none of its choices.

    Source:
        Ionides 2008, "Truncated importance sampling"; per token for language models: Yao et al. 2025, "Your efficient
        RL framework secretly brings you off-policy RL training". Both bounds: IcePop, of Ling's "Every Step Evolves"
        (arXiv:2510.18855). Masks and sequences as TRL 1.16 and verl have them.
    """
    check_streams(mask_BT, 1.0, logp_BT=logp_BT, sampling_logp_BT=sampling_logp_BT)
    if not cap > 0 or (correction == "icepop" and not cap > 1):
        raise ValueError(f"cap is {cap}; expected a number above {1 if correction == 'icepop' else 0}")
    if correction not in get_args(Correction):
        raise ValueError(f"correction is {correction!r}; expected one of {', '.join(get_args(Correction))}")
    log_ratio_BT = read(mask_BT, logp_BT.detach()) - read(mask_BT, sampling_logp_BT.detach())
    if correction.startswith("sequence"):
        log_ratio_BT = log_ratio_BT.sum(dim=1, keepdim=True).expand(mask_BT.shape)
    ratio_BT = log_ratio_BT.exp()
    if correction in ("truncate", "sequence_truncate"):
        bounded_BT = ratio_BT.clamp(max=cap)
    else:
        is_kept_BT = (ratio_BT <= cap) & ((ratio_BT >= 1 / cap) if correction == "icepop" else True)
        bounded_BT = torch.where(is_kept_BT, ratio_BT, 0.0)
    return torch.where(mask_BT, bounded_BT, 0.0)


class _Kind(NamedTuple):
    """A surrogate: its loss, and the numbers of the settings that it needs or may be given."""

    loss: Callable[..., tuple[Tensor, Metrics]]
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()


_KINDS: dict[Surrogate, _Kind] = {
    "clipped": _Kind(clipped_surrogate, ("clip_low", "clip_high")),
    "soft_gate": _Kind(soft_gate_surrogate, ("gate_positive", "gate_negative")),
    "sequence_sum": _Kind(partial(sequence_clipped_surrogate, ratio="sum"), ("clip_low", "clip_high")),
    "sequence_mean": _Kind(partial(sequence_clipped_surrogate, ratio="mean"), ("clip_low", "clip_high")),
    "cispo": _Kind(cispo, ("ratio_cap",)),
    "reinforce": _Kind(reinforce, (), ("ratio_cap",)),
    "mirror_token": _Kind(partial(mirror_descent, log_ratio="token"), ("tau",)),
    "mirror_sequence": _Kind(partial(mirror_descent, log_ratio="sequence"), ("tau",)),
}
NUMBERS = tuple(dict.fromkeys(name for kind in _KINDS.values() for name in kind.needed + kind.optional))


@dataclass(frozen=True)
class PolicyLossSettings:
    """A published variant: which loss, with which bounds, normalisation and advantage.

    Example:
        PolicyLossSettings("clipped", Normalisation.TOKEN, "std", "mean", clip_low=0.2, clip_high=0.28)
    """

    surrogate: Surrogate
    normalisation: Normalisation
    advantage_scale: AdvantageScale
    baseline: Baseline | MirrorBaseline | Best | Expected = "mean"
    clip_low: float | None = None
    """Distance of the ratio's lower bound from 1; for "clipped" and "sequence_*"."""
    clip_high: float | None = None
    """Distance of the ratio's upper bound from 1; for "clipped" and "sequence_*"."""
    gate_positive: float | None = None
    """How soon the gradient of a token with an advantage above 0 fades as its ratio leaves 1; needed by "soft_gate"."""
    gate_negative: float | None = None
    """The same of the other tokens."""
    ratio_cap: float | None = None
    """Largest importance weight, the bound itself; needed by "cispo", optional for "reinforce"."""
    tau: float | None = None
    """Weight of the squared log-ratio, in units of the reward per nat; needed by "mirror_*"."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "normalisation", Normalisation(self.normalisation))
        is_mirror = self.surrogate in MIRROR
        if self.surrogate not in _KINDS:
            raise ValueError(f"surrogate is {self.surrogate!r}; expected one of {', '.join(_KINDS)}")
        _, needed, optional = _KINDS[self.surrogate]
        if missing := [name for name in needed if getattr(self, name) is None]:
            raise ValueError(f"surrogate {self.surrogate!r} needs {' and '.join(missing)}")
        if unread := [name for name in NUMBERS if name not in needed + optional and getattr(self, name) is not None]:
            raise ValueError(f"surrogate {self.surrogate!r} does not read {' and '.join(unread)}")
        if is_mirror and self.advantage_scale != "none":
            raise ValueError(f"surrogate {self.surrogate!r} takes rewards as they are: advantage_scale 'none'")
        if self.baseline not in get_args(MirrorBaseline) if is_mirror else self.baseline == "log_mean_exp":
            raise ValueError(f"baseline {self.baseline!r} does not go with surrogate {self.surrogate!r}")
        if self.baseline == "batch" and self.advantage_scale not in ("batch_std", "none"):
            raise ValueError("baseline 'batch' goes with advantage_scale 'batch_std' or 'none'")
        if self.baseline == "greedy" and self.advantage_scale != "none":
            raise ValueError("baseline 'greedy' goes with advantage_scale 'none'")
        if self.baseline == "value" and self.advantage_scale not in ("batch_std", "none"):
            raise ValueError("baseline 'value' goes with advantage_scale 'batch_std' or 'none'")
        if self.baseline == "value" and self.surrogate.startswith("sequence"):
            raise ValueError(f"baseline 'value' is an advantage per token, and {self.surrogate!r} has one ratio per sequence")
        if self.baseline == "best" and (self.surrogate != "reinforce" or self.advantage_scale != "none"):
            raise ValueError("baseline 'best' is imitation: surrogate 'reinforce' and advantage_scale 'none'")
        is_sequence = self.surrogate in ("sequence_sum", "sequence_mean", "mirror_sequence")
        if is_sequence != (self.normalisation is Normalisation.SEQUENCE):
            raise ValueError(
                f"normalisation {self.normalisation.value!r} does not go with surrogate {self.surrogate!r}:"
                " a ratio per sequence and a mean over sequences need each other"
            )


GRPO = PolicyLossSettings("clipped", Normalisation.ROLLOUT, "std", clip_low=0.2, clip_high=0.2)
"""DeepSeekMath (arXiv:2402.03300)."""
DR_GRPO = PolicyLossSettings("clipped", Normalisation.CONSTANT, "none", clip_low=0.2, clip_high=0.2)
"""Dr. GRPO (arXiv:2503.20783): neither the deviation nor the rollout's length divides."""
DAPO = PolicyLossSettings("clipped", Normalisation.TOKEN, "std", clip_low=0.2, clip_high=0.28)
"""DAPO (arXiv:2503.14476): the loss only; dynamic sampling and the length penalty are not losses."""
GSPO = PolicyLossSettings("sequence_mean", Normalisation.SEQUENCE, "std", clip_low=3e-4, clip_high=4e-4)
"""GSPO (arXiv:2507.18071)."""
CISPO = PolicyLossSettings("cispo", Normalisation.TOKEN, "std", ratio_cap=5.0)
"""MiniMax-M1 (arXiv:2506.13585) does not state its bound: 5 is ScaleRL's (arXiv:2510.13786), which TRL 1.16 recommends.
ScaleRL divides by the deviation of the whole batch; this by the group's, as MiniMax-M1."""
SAPO = PolicyLossSettings("soft_gate", Normalisation.ROLLOUT, "std", gate_positive=1.0, gate_negative=1.05)
"""SAPO (arXiv:2511.20347), with its values."""
R1 = PolicyLossSettings("sequence_sum", Normalisation.SEQUENCE, "std", clip_low=10.0, clip_high=10.0)
"""DeepSeek-R1 (arXiv:2501.12948; Nature 645:633): its equation with its value. The lower bound, -9, is never reached
and the upper is a ratio of 11, so that almost nothing is clipped. Its text speaks of clipping tokens: what was run was
probably GRPO with these bounds. A sum over tokens per rollout: its gradient is about a length larger than GRPO's."""
REINFORCE = PolicyLossSettings("reinforce", Normalisation.CONSTANT, "none")
"""Williams 1992, with the group's mean as baseline. As published the loss is a sum over tokens; `constant` is that
divided by the token budget."""
RLOO = PolicyLossSettings("reinforce", Normalisation.CONSTANT, "none", "leave_one_out")
"""Ahmadian et al. 2024 (arXiv:2402.14740); divided by the token budget as REINFORCE."""
REINFORCE_PP = PolicyLossSettings("clipped", Normalisation.TOKEN, "batch_std", "batch", clip_low=0.2, clip_high=0.2)
"""REINFORCE++ (arXiv:2501.03262): the whole step's mean and deviation in place of the group's. Its penalty per token, the KL to
the reference in the reward, is a component of the loss here: kl_weight, with kl_estimator "k2" as in its other variant."""
REINFORCE_PP_BASELINE = PolicyLossSettings("clipped", Normalisation.TOKEN, "batch_std", clip_low=0.2, clip_high=0.2)
"""Its variant with a baseline: less the group's mean, over the whole step's deviation."""
MAXRL = PolicyLossSettings("reinforce", Normalisation.TOKEN, "mean")
"""MaxRL: (r - mean)/mean, the gradient of the log of a problem's success rate: what is rarely solved weighs more."""
OPO = PolicyLossSettings("reinforce", Normalisation.TOKEN, "none", "length")
"""OPO (arXiv:2505.23585): the baseline of least variance, the mean weighed by length; exactly on policy, nothing else."""
REMAX = PolicyLossSettings("reinforce", Normalisation.CONSTANT, "none", "greedy")
"""ReMax (arXiv:2310.10505): less the reward of the prompt's greedy completion; divided by the token budget as REINFORCE."""
PPO = PolicyLossSettings("clipped", Normalisation.TOKEN, "batch_std", "value", clip_low=0.2, clip_high=0.2)
"""PPO (arXiv:1707.06347): per token, GAE against a value head, over the step's deviation as TRL and verl have it."""
GPG = PolicyLossSettings("reinforce", Normalisation.TOKEN, "signal")
"""GPG (arXiv:2504.02546): plain policy gradient, made larger by the share of the groups that have no signal."""
KIMI = PolicyLossSettings("mirror_token", Normalisation.TOKEN, "none", tau=0.002)
"""Kimi k1.5 (arXiv:2501.12599): online mirror descent. Its tau is not published; this is prime-rl's default (0.001 without the
half), as is the log-ratio per token. The paper's equation squares the sum over a sequence: "mirror_sequence", "sequence"."""
REST = PolicyLossSettings("reinforce", Normalisation.TOKEN, "none", "best")
"""ReST (arXiv:2308.08998) as a policy gradient: SFT on the best sample of each prompt; see `best_of_group`."""

Preset = Literal[
    "grpo", "dr_grpo", "dapo", "gspo", "cispo", "sapo", "r1", "reinforce", "rloo", "reinforce++", "reinforce++_baseline", "maxrl",
    "opo", "gpg", "remax", "ppo", "kimi", "rest",
]  # fmt: skip
PRESETS: dict[Preset, PolicyLossSettings] = {
    "grpo": GRPO, "dr_grpo": DR_GRPO, "dapo": DAPO, "gspo": GSPO, "cispo": CISPO, "sapo": SAPO, "r1": R1,
    "reinforce": REINFORCE, "rloo": RLOO, "reinforce++": REINFORCE_PP, "reinforce++_baseline": REINFORCE_PP_BASELINE,
    "maxrl": MAXRL, "opo": OPO, "gpg": GPG, "remax": REMAX, "ppo": PPO, "kimi": KIMI, "rest": REST,
}  # fmt: skip


def policy_loss(
    settings: PolicyLossSettings,
    logp_BT: Tensor,
    sampling_logp_BT: Tensor,
    advantage_BT: Tensor,
    mask_BT: Tensor,
    *,
    weight_BT: Tensor,
    denominator: float,
    token_count: float | None = None,
) -> tuple[Tensor, Metrics]:
    """The loss that the settings name, with their bounds; see the functions above for everything else.

    Args:
        token_count: trained tokens of the whole step, for the metrics of "mirror_*"; None: those of this mask.

    Advantages and weights are the caller's: `group_advantages(rewards, settings.advantage_scale, settings.baseline)`
    and `normalise(mask_BT, settings.normalisation, ...)`.

    Raises:
        ValueError: as for the function called.
    """
    streams = (logp_BT, sampling_logp_BT, advantage_BT, mask_BT)
    loss, needed, optional = _KINDS[settings.surrogate]
    numbers = {name: getattr(settings, name) for name in needed + optional}
    if settings.surrogate in MIRROR:
        numbers["token_count"] = float(mask_BT.sum()) if token_count is None else token_count
    return loss(*streams, **numbers, weight_BT=weight_BT, denominator=denominator)


def _clipped(
    log_ratio_BT: Tensor,
    advantage_BT: Tensor,
    mask_BT: Tensor,
    clip_low: float,
    clip_high: float,
    weight_BT: Tensor,
    denominator: float,
) -> tuple[Tensor, Metrics]:
    """-1/N sum_bt w_bt min(r_bt A_bt, clip(r_bt, 1 - clip_low, 1 + clip_high) A_bt), and its metrics."""
    if not (clip_low >= 0 and clip_high >= 0):
        raise ValueError(f"clip_low is {clip_low} and clip_high {clip_high}; expected distances from 1, at least 0")
    advantage_BT, weight_BT = read(mask_BT, advantage_BT), read(mask_BT, weight_BT)
    ratio_BT = log_ratio_BT.detach().exp()
    is_cut_BT = ((advantage_BT > 0) & (ratio_BT > 1 + clip_high)) | ((advantage_BT < 0) & (ratio_BT < 1 - clip_low))
    # min() by its cases. Where the bound holds or the advantage is 0 the ratio must not enter the graph: a sequence's
    # ratio may overflow, and 0 * inf would be a NaN gradient (or value) where the equation says 0.
    is_constant_BT = is_cut_BT | (advantage_BT == 0)
    bound_BT = ratio_BT.clamp(1 - clip_low, 1 + clip_high)
    ratio_BT = torch.where(is_constant_BT, bound_BT, torch.where(is_constant_BT, 0.0, log_ratio_BT).exp())
    return _total(-ratio_BT * advantage_BT, is_cut_BT, weight_BT, denominator)


def _total(loss_BT: Tensor, is_cut_BT: Tensor, weight_BT: Tensor, denominator: float) -> tuple[Tensor, Metrics]:
    """sum_bt w_bt l_bt / N, with the cut tokens as a share and as a count."""
    loss = (weight_BT * loss_BT).sum() / denominator
    share, count = torch.stack([(weight_BT * is_cut_BT).sum() / denominator, is_cut_BT.sum()]).tolist()
    return loss, {"clip_fraction": share, "num_clipped": count}
