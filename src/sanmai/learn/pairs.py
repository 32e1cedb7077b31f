"""Pairs of a better and a worse sample in one update, of whatever kind the policy is: rows are better and worse in turn.

A step scores its pairs once without gradient, takes from the loss how much each sample's log-prob should rise, and trains on
rows with these weights: a pair may be cut apart by micro-batches, and the gradient is that of the whole step.

Shape key: B rows or pairs, T parts of a sample (see types.Batch).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from sanmai.losses import PreferenceLossSettings, preference_loss, sequence_logp, weighted_nll
from sanmai.policies.contract import BatchT
from sanmai.train.state import TrainingState
from sanmai.train.step import Component, Scored, score_all
from sanmai.types import Batch, Metrics

PairScores = tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor, Tensor]
"""What the preference losses read: log-probs of chosen and rejected under the policy, under the reference, and lengths."""


def score_pairs(
    state: TrainingState, batch: Batch, settings: PreferenceLossSettings, micro_tokens: int
) -> PairScores:
    """Log-probs (nats) of the completions, without gradient, on the CPU; rows of the batch are chosen and rejected in turn."""
    logp_B, reference_B = row_logps(state, batch, settings.needs_reference, micro_tokens)
    length_B = batch.mask_BT.sum(dim=1)
    reference = (None, None) if reference_B is None else (reference_B[::2], reference_B[1::2])
    return logp_B[::2], logp_B[1::2], *reference, length_B[::2], length_B[1::2]


def pair_metrics(settings: PreferenceLossSettings, scores: PairScores) -> Metrics:
    """Share of pairs with the larger implicit reward on the chosen side, and means of the rewards and their difference.

    Of KTO, which knows no pairs, with DPO's reward, which is its own.
    """
    if settings.loss == "kto":
        settings = PreferenceLossSettings("dpo", beta=settings.beta)
    _, found = preference_loss(settings, *scores, denominator=float(len(scores[0])))
    return {
        "accuracy": found["pair_accuracy"],
        "margin": found["reward_margin"],
        "reward_chosen": found["reward_chosen"],
        "reward_rejected": found["reward_rejected"],
    }


def pairs_component() -> Component:
    """The preference loss of rows that `with_pair_weights` has weighed."""
    return Component(1.0, _weighted, _one, stream="dpo")


def _one(batch: Batch) -> float:
    return 1.0


def with_pair_weights(batch: BatchT, chosen_B: Tensor, rejected_B: Tensor) -> BatchT:
    """The batch with the weights that `preference_weights` found for better and worse samples as its stream "dpo"."""
    weight_B1 = torch.stack([chosen_B, rejected_B], dim=1).reshape(-1, 1)
    return batch.with_streams({"dpo": torch.where(batch.mask_BT, weight_B1, 0.0)})


def _weighted(scored: Scored, denominator: float) -> tuple[Tensor, Metrics]:
    """-sum_bt v_b logp_bt: its value says nothing, its gradient is that of the preference loss."""
    batch = scored.batch
    return weighted_nll(scored.logp_BT, batch.mask_BT, weight_BT=batch.streams["dpo"], denominator=denominator)[0], {}


def row_logps(
    state: TrainingState, batch: Batch, needs_reference: bool, micro_tokens: int
) -> tuple[Tensor, Tensor | None]:
    """Log-prob of each row's completion under policy and reference; None where no reference is asked for."""
    parts = state.policy.micro_rows(batch, micro_tokens)
    micros = [batch.select(rows) for rows in parts]

    def score(weights: Mapping[str, Tensor] | None = None) -> Tensor:
        logp_B = torch.zeros(len(batch))
        for rows, micro, logp_BT in zip(parts, micros, score_all(state.policy, micros, 1.0, weights), strict=True):
            logp_B[rows] = sequence_logp(logp_BT.cpu(), micro.mask_BT)[0]
        return logp_B

    own_B = score()
    if not needs_reference:
        return own_B, None
    assert state.reference is not None
    return own_B, score(state.reference)
