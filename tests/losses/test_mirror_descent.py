"""Kimi k1.5's online mirror descent: the paper's own equations on a policy small enough to enumerate.

Shape key: B rollouts, T tokens, V vocabulary.
"""

from __future__ import annotations

import itertools
import math
import random

import pytest
import torch
from torch import Tensor

from sanmai.losses import normalise, reinforce
from sanmai.losses.mirror_descent import mirror_descent, mirror_descent_targets

torch.set_num_threads(1)
V, T = 3, 4
LEVELS = pytest.mark.parametrize("log_ratio", ["token", "sequence"])
EVERY = torch.tensor(list(itertools.product(range(V), repeat=T)))  # all 81 sequences


def logps(logits: Tensor, tokens_BT: Tensor) -> Tensor:
    """A policy whose next token depends on the last: row 0 of the (V + 1, V) logits begins, row 1 + v follows v."""
    rows_BT = torch.cat([torch.zeros_like(tokens_BT[:, :1]), tokens_BT[:, :-1] + 1], dim=1)
    return torch.log_softmax(logits[rows_BT], dim=-1).gather(2, tokens_BT[..., None])[..., 0]


def score(logits: Tensor, tokens_T: Tensor) -> Tensor:
    """grad log pi(tokens), by the closed form: one-hot minus probabilities at each row that was visited."""
    gradient = torch.zeros_like(logits)
    for row, token in zip([0, *(tokens_T[:-1] + 1).tolist()], tokens_T.tolist(), strict=True):
        gradient[row] -= torch.softmax(logits[row], 0)
        gradient[row, token] += 1
    return gradient


def bed(seed: int = 0, num_rollouts: int = 6):
    """The policy of the iteration's start, one that has moved on, and a group that the first wrote, with rewards."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(V + 1, V, generator=generator, dtype=torch.float64)
    moved = start + 0.5 * torch.randn(V + 1, V, generator=generator, dtype=torch.float64)
    drawn = torch.multinomial(logps(start, EVERY).sum(1).exp(), num_rollouts, replacement=True, generator=generator)
    rewards = [float(i % 3 == 0) for i in range(num_rollouts)]
    return start, moved, EVERY[drawn], rewards


def loss_of(logits, start, tokens_BT, targets, tau, log_ratio):
    """With the weights of the docstring under which both levels are the paper's sum over tokens, mean over rollouts."""
    mask_BT = torch.ones_like(tokens_BT, dtype=torch.bool)
    weight_BT, denominator = (
        normalise(mask_BT, "constant", max_tokens=1) if log_ratio == "token" else normalise(mask_BT, "sequence")
    )
    return mirror_descent(
        logps(logits, tokens_BT), logps(start, tokens_BT), torch.tensor(targets, dtype=torch.float64)[:, None].expand(-1, T),
        mask_BT, tau=tau, log_ratio=log_ratio, weight_BT=weight_BT,
        denominator=denominator, token_count=mask_BT.sum().item(),
    )  # fmt: skip


def test_worked_numbers():
    # One rollout of two tokens, log-ratios ln 2 and -ln 4, sum -ln 2; A = 1, tau = 1/2; L2 = (ln 2)^2 = 0.4804530.
    # token:    sum_t tau/2 d^2 - A d = 1/4 (1 + 4) L2 - (ln 2 - 2 ln 2) = 0.6005663 + 0.6931472 = 1.2937134
    #           squared error sum_t (1 - d/2)^2 = (1 - 0.3465736)^2 + (1 + 0.6931472)^2 = 0.4269661 + 2.8667474 = 3.2937135
    # sequence: 1/4 L2 + ln 2 = 0.1201133 + 0.6931472 = 0.8132604;   (1 + 0.3465736)^2 = 1.8132605
    # k3: (2 - 1 - ln 2) + (1/4 - 1 + 2 ln 2) = 1/4 + ln 2, over 2 tokens 0.4715736; |d|: 3 ln 2 / 2 = 1.0397208
    reference_BT = torch.tensor([[0.25, 0.8]], dtype=torch.float64).log()
    logp_BT = torch.tensor([[0.5, 0.2]], dtype=torch.float64).log()
    ones_BT, mask_BT = torch.ones(1, 2, dtype=torch.float64), torch.ones(1, 2, dtype=torch.bool)
    for level, weight, loss, error in (("token", 1.0, 1.2937134, 3.2937135), ("sequence", 0.5, 0.8132604, 1.8132605)):
        found, metrics = mirror_descent(
            logp_BT, reference_BT, ones_BT, mask_BT,
            tau=0.5, log_ratio=level, weight_BT=weight * ones_BT, denominator=1, token_count=2,
        )  # fmt: skip
        assert found.item() == pytest.approx(loss)
        assert metrics == pytest.approx(
            {"squared_error": error, "kl_reference_to_policy_k3": 0.4715736, "abs_log_ratio": 1.0397208}
        )
        # (squared error - A^2 per term) / (2 tau), with 2 tau = 1
        assert found.item() == pytest.approx(error - (2 if level == "token" else 1))


@pytest.mark.parametrize("tau", [0.01, 0.3, 1.0, 20.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_papers_direction_is_minus_the_gradient_of_its_surrogate_over_two_tau_and_minus_ours(tau, seed):
    start, moved, tokens_BT, rewards = bed(seed)
    k, mean = len(rewards), sum(rewards) / len(rewards)
    # (1/k) sum_j [grad log pi (r_j - mean) - tau/2 grad (log pi/pi_i)^2], by the score function and no autograd
    displayed = torch.zeros_like(moved)
    for tokens_T, reward in zip(tokens_BT, rewards, strict=True):
        log_ratio = (logps(moved, tokens_T[None]) - logps(start, tokens_T[None])).sum()
        displayed += score(moved, tokens_T) * ((reward - mean) - tau * log_ratio) / k

    moved.requires_grad_()
    log_ratio_B = (logps(moved, tokens_BT) - logps(start, tokens_BT)).sum(1)
    surrogate = (torch.tensor(rewards) - mean - tau * log_ratio_B).square().mean()
    (gradient,) = torch.autograd.grad(surrogate, moved)
    torch.testing.assert_close(-gradient / (2 * tau), displayed)

    loss, metrics = loss_of(moved, start, tokens_BT, mirror_descent_targets(rewards, tau), tau, "sequence")
    torch.testing.assert_close(-torch.autograd.grad(loss, moved)[0], displayed)
    assert metrics["squared_error"] == pytest.approx(surrogate.item())


@pytest.mark.parametrize("tau", [1e-6, 0.1, 1e3])
@LEVELS
def test_with_one_update_per_rollout_it_is_reinforce_with_the_mean_baseline_whatever_tau(tau, log_ratio):
    start, _, tokens_BT, rewards = bed()
    logits, targets = start.clone().requires_grad_(), mirror_descent_targets(rewards, tau)
    loss, metrics = loss_of(logits, start, tokens_BT, targets, tau, log_ratio)
    advantage_BT = torch.tensor(rewards, dtype=torch.float64)[:, None].expand(-1, T) - sum(rewards) / len(rewards)
    logp_BT, mask_BT = logps(logits, tokens_BT), torch.ones_like(tokens_BT, dtype=torch.bool)
    expected, _ = reinforce(
        logp_BT, logp_BT, advantage_BT, mask_BT, weight_BT=torch.ones_like(advantage_BT), denominator=len(rewards)
    )
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], torch.autograd.grad(expected, logits)[0])
    assert loss.item() == metrics["kl_reference_to_policy_k3"] == metrics["abs_log_ratio"] == 0.0


@pytest.mark.parametrize("seed", range(3))
@LEVELS
def test_a_larger_tau_stays_closer_after_eight_updates_and_changes_nothing_after_one(log_ratio, seed):
    start, _, tokens_BT, rewards = bed(seed)
    drift = {1: [], 8: []}
    for tau, updates in itertools.product([0.01, 0.1, 0.3, 1.0, 3.0], drift):
        logits = start.clone().requires_grad_()
        for _ in range(updates):
            loss, _ = loss_of(logits, start, tokens_BT, mirror_descent_targets(rewards, tau), tau, log_ratio)
            (gradient,) = torch.autograd.grad(loss, logits)
            logits = (logits - 0.1 * gradient).detach().requires_grad_()
        new, old = logps(logits, EVERY).sum(1), logps(start, EVERY).sum(1)
        drift[updates].append((new.exp() * (new - old)).sum().item())  # KL(policy || start) over all sequences
    assert drift[1] == pytest.approx([drift[1][0]] * 5, rel=1e-9) and drift[1][0] > 0
    assert all(near < far for far, near in itertools.pairwise(drift[8]))


def test_the_exact_optimum_of_mirror_descent_is_where_the_surrogate_is_zero():
    # pi* = pi_i exp(r / tau) / Z: with the true Z every residual r - tau log Z - tau log(pi* / pi_i) is 0.
    # One token, so that any distribution is a policy, and both levels are the same loss.
    start, tau, reward_V = torch.log_softmax(torch.tensor([0.3, -1.0, 0.5]).double(), 0), 0.7, torch.tensor([1.0, 0.0, 0.4])
    target_V = reward_V - tau * torch.logsumexp(start + reward_V / tau, 0)
    best = torch.log_softmax(start + reward_V / tau, 0).requires_grad_()
    for level in ("token", "sequence"):
        loss, metrics = mirror_descent(
            best[:, None], start[:, None], target_V[:, None], torch.ones(3, 1, dtype=torch.bool),
            tau=tau, log_ratio=level, weight_BT=start.exp()[:, None], denominator=1, token_count=3,
        )  # fmt: skip
        assert metrics["squared_error"] == pytest.approx(0.0, abs=1e-12)
        torch.testing.assert_close(torch.autograd.grad(loss, best)[0], torch.zeros(3).double(), rtol=0, atol=1e-7)


@LEVELS
def test_the_reported_kl_is_the_exact_one_in_expectation(log_ratio):
    # Over all sequences, each weighed by the probability that the start writes it: sum_b p_b sum_t k3 = KL(start || moved).
    start, moved, _, _ = bed(5)
    old_B, new_B = logps(start, EVERY).sum(1), logps(moved, EVERY).sum(1)
    found = [loss_of(moved, start, row[None], [0.0], 1.0, log_ratio)[1]["kl_reference_to_policy_k3"] * T for row in EVERY]
    expected = (old_B.exp() * (old_B - new_B)).sum().item()
    assert sum(p * kl for p, kl in zip(old_B.exp().tolist(), found, strict=True)) == pytest.approx(expected)


def streams(seed: int, num_rollouts: int = 7, width: int = 5):
    generator = torch.Generator().manual_seed(seed)
    normal = lambda: torch.randn(num_rollouts, width, generator=generator, dtype=torch.float64)  # noqa: E731
    logp_BT, length_B1 = normal() - 2, torch.randint(1, width + 1, (num_rollouts, 1), generator=generator)
    mask_BT = torch.arange(width).expand(num_rollouts, -1) < length_B1
    return dict(
        logp_BT=logp_BT, reference_logp_BT=logp_BT + 0.3 * normal(), target_BT=normal()[:, :1].expand(-1, width),
        mask_BT=mask_BT, weight_BT=mask_BT / length_B1,
    )  # fmt: skip


@LEVELS
def test_gradient_equals_finite_differences_and_none_reaches_reference_or_target(log_ratio):
    given = streams(0)
    others = [given[name].clone().requires_grad_() for name in ("reference_logp_BT", "target_BT")]
    call = lambda logp_BT: mirror_descent(  # noqa: E731
        logp_BT, *others, given["mask_BT"],
        tau=0.4, log_ratio=log_ratio, weight_BT=given["weight_BT"], denominator=7, token_count=20,
    )[0]  # fmt: skip
    assert torch.autograd.gradcheck(call, (given["logp_BT"].requires_grad_(),))
    call(given["logp_BT"]).backward()
    assert all(other.grad is None for other in others)


@LEVELS
@pytest.mark.parametrize("seed", range(4))
def test_any_order_and_any_split_into_micro_batches_give_the_same_loss_gradient_and_metrics(log_ratio, seed):
    given = streams(seed)
    numbers = dict(tau=0.4, log_ratio=log_ratio, denominator=7, token_count=int(given["mask_BT"].sum()))
    given["logp_BT"].requires_grad_()
    loss, metrics = mirror_descent(**given, **numbers)
    (gradient,) = torch.autograd.grad(loss, given["logp_BT"])

    rows = list(range(7))
    random.Random(seed).shuffle(rows)
    cuts = [0, *sorted(random.Random(seed).sample(range(1, 7), k=seed % 3 + 1)), 7]
    total, found = 0.0, dict.fromkeys(metrics, 0.0)
    for start, end in itertools.pairwise(cuts):
        part = rows[start:end]
        width = int(given["mask_BT"][part].sum(1).max())  # as TokenBatch.select cuts it
        micro, more = mirror_descent(**{key: stream[part, :width] for key, stream in given.items()}, **numbers)
        micro.backward()
        total += micro.item()
        found = {key: value + more[key] for key, value in found.items()}
    assert total == pytest.approx(loss.item(), rel=1e-9)
    assert found == pytest.approx(metrics)
    torch.testing.assert_close(given["logp_BT"].grad, gradient)


@LEVELS
@pytest.mark.parametrize("garbage", [math.nan, math.inf])
def test_what_is_outside_the_mask_is_never_read(log_ratio, garbage):
    given = streams(1)
    spoiled = {k: s if k == "mask_BT" else torch.where(given["mask_BT"], s, garbage) for k, s in given.items()}
    results = []
    for each in (given, spoiled):
        each["logp_BT"] = each["logp_BT"].detach().requires_grad_()
        loss, metrics = mirror_descent(**each, tau=0.4, log_ratio=log_ratio, denominator=7, token_count=20)
        results.append((loss.item(), metrics, torch.autograd.grad(loss, each["logp_BT"])[0]))
    assert results[0][:2] == results[1][:2] and torch.equal(results[0][2], results[1][2])


def test_opposite_drifts_cancel_in_a_sequence_and_not_in_its_tokens():
    # d = (1, -1), A = 0, tau = 2: token 1 + 1, sequence 0. With d = (1, 1): token 2, sequence 2^2.
    mask_BT, zero_BT = torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, 2)
    cases = (([1, -1], "token", 2), ([1, -1], "sequence", 0), ([1, 1], "token", 2), ([1, 1], "sequence", 4))
    for drift, level, expected in cases:
        loss, _ = mirror_descent(
            torch.tensor([drift]).float(), zero_BT, zero_BT, mask_BT, tau=2.0, log_ratio=level,
            weight_BT=torch.ones(1, 2) / (2 if level == "sequence" else 1), denominator=1, token_count=2,
        )  # fmt: skip
        assert loss.item() == pytest.approx(expected)


def test_worked_targets():
    # Rewards 1, 0, 0, 0. mean 1/4. log-mean-exp with tau = 1/ln 2: exp(r/tau) = 2, 1, 1, 1; mean 5/4; log2(5/4) = 0.3219281.
    assert mirror_descent_targets([1.0, 0.0, 0.0, 0.0], 5.0) == [0.75, -0.25, -0.25, -0.25]
    found = mirror_descent_targets([1.0, 0.0, 0.0, 0.0], 1 / math.log(2), "log_mean_exp")
    assert found == pytest.approx([0.6780719, -0.3219281, -0.3219281, -0.3219281])


def test_log_mean_exp_goes_from_the_largest_reward_to_the_mean_as_tau_grows():
    rewards = [0.3, 1.0, -0.5, 0.9]
    baselines = [rewards[0] - mirror_descent_targets(rewards, tau, "log_mean_exp")[0] for tau in (1e-300, 1e-3, 0.1, 1, 10, 1e9)]
    assert baselines == sorted(baselines, reverse=True)
    assert baselines[0] == 1.0 and baselines[1] == pytest.approx(1.0 - 1e-3 * math.log(4))
    # mean + variance/(2 tau) + ...: at 1e9 the mean to 1e-9, which log(sum(exp)) would have rounded away.
    assert baselines[-1] == pytest.approx(0.425, abs=1e-9)
    assert baselines[3] == pytest.approx(math.log(sum(math.exp(r) for r in rewards) / 4))


@pytest.mark.parametrize("baseline", ["mean", "log_mean_exp"])
def test_equal_rewards_and_lone_rollouts_have_target_exactly_zero_and_ungradable_ones_none(baseline):
    targets = lambda *rewards: mirror_descent_targets(list(rewards), 0.3, baseline)  # noqa: E731
    assert targets(0.05, 0.05, 0.05) == [0.0] * 3 and targets(*[0.1] * 7) == [0.0] * 7
    assert targets(1.0) == [0.0] and targets() == [] and targets(None) == [None]
    assert targets(None, 1.0, None) == [None, 0.0, None]
    with_none = targets(1.0, None, 0.0, 0.5)
    assert with_none.pop(1) is None and with_none == targets(1.0, 0.0, 0.5)
    assert targets(0.5, 0.0, 1.0) == pytest.approx([with_none[i] for i in (2, 1, 0)])
    assert all(math.isfinite(t) for t in mirror_descent_targets([1e6, -1e6], 1e-3, baseline))


def call(**changes):
    one_BT = torch.ones(1, 1)
    streams_BT = dict(logp_BT=one_BT, reference_logp_BT=one_BT, target_BT=one_BT, mask_BT=one_BT.bool(), weight_BT=one_BT)
    return mirror_descent(**{**streams_BT, "tau": 1.0, "denominator": 1, "token_count": 1, **changes})


@pytest.mark.parametrize(("attempt", "says"), [
    (lambda: call(tau=0.0), "tau is 0.0"), (lambda: call(tau=math.inf), "tau is inf"),
    (lambda: call(denominator=0), "denominator is 0"), (lambda: call(token_count=0), "token_count is 0"),
    (lambda: call(log_ratio="word"), "log_ratio is 'word'"), (lambda: call(target_BT=torch.ones(2, 1)), "target_BT has shape"),
    (lambda: mirror_descent_targets([1.0, math.nan], 1.0), "rewards are"),
    (lambda: mirror_descent_targets([1.0], -1.0), "tau is -1.0"),
    (lambda: mirror_descent_targets([1.0], 1.0, "max"), "baseline is 'max'"),
])  # fmt: skip
def test_what_cannot_work_is_refused_by_name(attempt, says):
    with pytest.raises(ValueError, match=says):
        attempt()
