"""Prompts are given, completions are trained (law 3)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rollouts import drawn, packed, paid
from sanmai.policies.text.pack import pack, pack_rollouts
from sanmai.rollout.credit import minibatches, trained_rollouts
from sanmai.types import Credited, Group, Problem
from tiny_models import random_policy

PROBLEM = Problem("p", ({"role": "user", "content": "?"},))


def rollout(prompt: list[int], completion: list[int], *, reward: float | None = 1.0, advantage: float = 1.0) -> Credited:
    logp = [-0.5 * (i + 1) for i in range(len(completion))]
    written = drawn(prompt_tokens=prompt, completion_tokens=completion, sampling_logp=logp)
    return written.graded(**paid(reward)).credited(advantage)


def test_completions_are_trained_with_their_stop_token_and_prompts_are_not():
    batch = packed([rollout([5, 6], [7, 1], advantage=2.0), rollout([8], [9], advantage=-3.0)])
    assert batch.tokens_BT.tolist() == [[5, 6, 7, 1], [8, 9, 0, 0]]
    assert batch.attention_BT.int().tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch.mask_BT.int().tolist() == [[0, 0, 1, 1], [0, 1, 0, 0]]
    assert batch.sampling_logp_BT.tolist() == [[0, 0, -0.5, -1], [0, -0.5, 0, 0]]
    assert batch.streams["rl"].tolist() == [[0, 0, 2, 2], [0, -3, 0, 0]]


def test_the_gradient_reaches_the_log_prob_of_the_stop_token():
    policy = random_policy()
    batch = pack([([5, 6], [7, policy.stop_tokens[0]])])
    logp_BT, _ = policy.score(batch)
    logits_TV = policy.model(input_ids=batch.tokens_BT).logits[0]
    # Position 2 (the token 7) predicts position 3 (the stop token).
    assert logp_BT[0, 3].item() == pytest.approx(logits_TV[2].log_softmax(-1)[policy.stop_tokens[0]].item(), abs=1e-5)
    logp_BT[0, 3].backward()
    assert sum(p.grad.abs().sum() for p in policy.weights.values()) > 0


def test_rollouts_without_a_reward_are_kept_and_leave_the_batch():
    group = Group(PROBLEM, (rollout([5], [1], reward=None), rollout([5], [7, 1], reward=0.0)))
    assert [r.reward for r in trained_rollouts([group])] == [0.0] and len(group.rollouts) == 2


def test_demonstrations_have_no_behaviour_log_probs():
    batch = pack([([5], [6, 1]), ([5], [7])])
    assert pack_rollouts([rollout([5], [6, 1])]).streams == {}
    assert not batch.sampling_logp_BT.any() and batch.streams == {}


def test_selected_rows_lose_the_padding_that_none_of_them_needs():
    batch = packed([rollout([1] * 3, [2] * length) for length in (1, 6, 2)])
    assert batch.tokens_BT.shape == (3, 9)
    part = batch.select([2, 0])
    assert part.tokens_BT.shape == part.streams["rl"].shape == (2, 5)
    assert part.mask_BT.sum(dim=1).tolist() == [2, 1]


def test_parts_are_full_but_never_above_the_token_budget_and_hold_each_row_once():
    # Lengths 4 4 5 9 9 30, budget 20, longest first: 30 is a part of its own; 2 x 9 fits and 3 x 9 does not; 3 x 5 fits.
    lengths = [9, 4, 30, 5, 4, 9]
    batch = pack([([1], [2] * (n - 1)) for n in lengths])
    parts = batch.micro_rows(20)
    assert [[lengths[row] for row in part] for part in parts] == [[30], [9, 9], [5, 4, 4]]
    assert sorted(row for part in parts for row in part) == list(range(6))


@pytest.mark.parametrize(("rows", "count", "sizes"), [(7, 3, [3, 2, 2]), (4, 1, [4]), (2, 5, [1, 1])])
def test_minibatches_hold_each_row_once_in_an_order_that_depends_on_the_seed_alone(rows, count, sizes):
    batch = pack([([1], [row + 2]) for row in range(rows)])
    once, again = (list(minibatches(batch, count, shuffle=np.random.default_rng([3, 1]))) for _ in range(2))
    assert [len(part) for part, _ in once] == sizes and [r for r, _ in once] == [r for r, _ in again]
    assert sorted(row for part, _ in once for row in part) == list(range(rows))
    for part, selected in once:
        assert selected.tokens_BT[:, 1].tolist() == [row + 2 for row in part]
    assert torch.equal(batch.tokens_BT[:, 1], torch.arange(rows) + 2)
