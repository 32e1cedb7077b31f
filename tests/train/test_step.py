"""One optimizer step: the same gradient however it is cut, and no move on numbers that are not finite."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from rollouts import packed
from sanmai.losses import PRESETS, group_advantages
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import SamplingConfig
from sanmai.train.components import LossConfig, rl_components, sft_component, with_proximal_logp
from sanmai.train.step import (
    Component,
    NonFiniteError,
    OptimizerConfig,
    Part,
    accumulate,
    add_auxiliary,
    check_parity,
    learning_rate,
    make_optimizer,
    optimizer_step,
)
from sanmai.types import RunError, TokenBatch
from tiny_models import random_policy, sampled_groups

MAX_TOKENS = 12
SAMPLING = SamplingConfig(max_tokens=MAX_TOKENS, temperature=0.8)
GRPO = LossConfig(preset="grpo")


def some_policy() -> TextPolicy:
    policy = random_policy(initializer_range=0.15)
    policy.stop_tokens = tuple(range(0, 300, 15))
    return policy


def sampled_batch(policy: TextPolicy, rewards: list[float] | None = None) -> TokenBatch:
    """8 rollouts of 2 prompts, of many lengths; their advantages are those of `rewards`, or of 0 1 2 3 0 1 2 3."""
    groups = sampled_groups(policy, [[5, 6, 7, 8, 9], [40, 41]], 4, config=SAMPLING)
    rollouts = []
    for group, start in zip(groups, (0, 4), strict=True):
        advantages = group_advantages(rewards[start:start + 4] if rewards else [0.0, 1.0, 2.0, 3.0])
        rollouts += [r.graded().credited(advantage) for r, advantage in zip(group.rollouts, advantages, strict=True)]
    batch = packed(rollouts)
    assert len(set(batch.attention_BT.sum(dim=1).tolist())) > 3
    return batch


def moved(policy: TextPolicy, size: float, seed: int = 5) -> TextPolicy:
    """The same policy after a small random step, so that ratios are not 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in policy.weights.values():
            p.add_(torch.randn(p.shape, generator=generator) * size)
    return policy


def gradient(policy: TextPolicy, batch: TokenBatch, components, *, micro_tokens: int = 100_000, reference=None):
    """The whole gradient as one vector, and the step's result."""
    for p in policy.weights.values():
        p.grad = None
    result = accumulate(policy, batch, components, SAMPLING.temperature, micro_tokens, reference)
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in policy.weights.values()]
    return torch.cat([g.flatten() for g in grads]).clone(), result


@pytest.mark.parametrize(
    ("preset", "normalisation"), [("grpo", "token"), ("grpo", "rollout"), ("grpo", "constant"), ("gspo", "sequence")])
def test_micro_batches_add_up_to_the_same_gradient(preset, normalisation):
    policy = some_policy()
    batch, reference = sampled_batch(policy), policy.snapshot()
    moved(policy, 0.01)
    config = LossConfig(preset=preset, normalisation=normalisation, kl_weight=0.1, entropy_weight=0.05)
    components = rl_components(config, MAX_TOKENS)
    whole, expected = gradient(policy, batch, components, reference=reference)
    assert len(batch.micro_rows(64)) >= 3 and len(batch.micro_rows(1)) == 8
    for micro_tokens in (1, 64):
        cut, found = gradient(policy, batch, components, micro_tokens=micro_tokens, reference=reference)
        assert (cut - whole).norm() < 1e-6 * whole.norm()
        assert found.metrics == pytest.approx(expected.metrics, rel=1e-4, abs=1e-6)
        assert found.log_ratio_B == pytest.approx(expected.log_ratio_B, abs=1e-5)


def with_values(policy: TextPolicy, batch: TokenBatch, spread: float) -> TokenBatch:
    """The batch with values and targets of this size, for a policy with a head that says something."""
    policy.attach_value_head()
    assert policy.value_head is not None
    torch.manual_seed(3)
    torch.nn.init.normal_(policy.value_head.weight, std=spread)
    found_BT = spread * torch.randn(2, *batch.mask_BT.shape)
    return batch.with_streams({"value": found_BT[0] * batch.mask_BT, "value_target": found_BT[1] * batch.mask_BT})


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_invariant_to_micro_batches_row_order_and_padding(preset):
    policy = some_policy()
    batch = sampled_batch(policy)
    moved(policy, 0.01)
    batch = with_values(policy, batch, 1.0) if preset == "ppo" else batch
    components = rl_components(LossConfig(preset=preset), MAX_TOKENS)
    whole, _ = gradient(policy, batch, components)
    cut, _ = gradient(policy, batch, components, micro_tokens=30)
    order = [5, 2, 7, 0, 3, 6, 1, 4]
    shuffled, result = gradient(policy, batch.select(order), components)
    wider = TokenBatch(**{
        name: torch.nn.functional.pad(getattr(batch, f"{name}"), (0, 9), value=0)
        for name in ("tokens_BT", "attention_BT", "mask_BT", "sampling_logp_BT")
    }, streams={name: torch.nn.functional.pad(s, (0, 9), value=float("nan")) for name, s in batch.streams.items()})
    padded, _ = gradient(policy, wider, components)
    for other in (cut, shuffled, padded):
        assert (other - whole).norm() < 2e-6 * whole.norm()
    in_order = gradient(policy, batch, components)[1].log_ratio_B
    assert result.log_ratio_B == pytest.approx([in_order[row] for row in order], abs=1e-5)


@pytest.mark.parametrize("preset", PRESETS)
def test_groups_of_equal_rewards_have_exactly_no_gradient(preset):
    policy = some_policy()
    # The float mean of three 0.05's is not 0.05; neither is that of 0.1's.
    batch = sampled_batch(policy, [0.05] * 4 + [0.1] * 4)
    moved(policy, 0.01)
    batch = with_values(policy, batch, 0.0) if preset == "ppo" else batch  # a head that is right, too
    grad, result = gradient(policy, batch, rl_components(LossConfig(preset=preset), MAX_TOKENS))
    assert not grad.any() and result.metrics["loss/rl"] == 0.0


def test_only_a_group_with_a_signal_has_a_say():
    policy = some_policy()
    batch = sampled_batch(policy, [1.0] * 4 + [0.0, 1.0, 0.0, 0.0])
    constant = rl_components(LossConfig(preset="dr_grpo"), MAX_TOKENS)  # divides by a count of rollouts alone
    whole, _ = gradient(policy, batch, constant)
    half, _ = gradient(policy, batch.select([4, 5, 6, 7]), constant)
    assert (whole - half / 2).norm() < 1e-6 * whole.norm() and whole.any()


def test_the_loss_is_the_sum_of_its_components():
    policy = some_policy()
    batch = sampled_batch(policy)
    demonstrations = pack([([5, 6], [7, 8, 1]), ([9], [1])])
    demonstrations = demonstrations.with_streams({"sft": torch.tensor([[2.0], [0.5]]) * demonstrations.mask_BT})
    batch = batch.with_streams({"sft": batch.mask_BT * 0.25})
    rl, sft = rl_components(GRPO, MAX_TOKENS), {"sft": sft_component(0.3)}
    both, result = gradient(policy, batch, rl | sft)
    only_rl, _ = gradient(policy, batch, rl)
    only_sft, sft_result = gradient(policy, batch, sft)
    assert (both - only_rl - only_sft).norm() < 1e-6 * both.norm()
    assert result.metrics["loss/sft"] == pytest.approx(sft_result.metrics["loss/sft"], rel=1e-5)
    # Weighted mean of the negative log-probs, weights 2 on three tokens and 0.5 on one: 2 * 3 + 0.5 = 6.5.
    with torch.no_grad():
        logp_BT, _ = policy.score(demonstrations, temperature=SAMPLING.temperature)
    expected = -0.3 * (2 * logp_BT[0].sum() + 0.5 * logp_BT[1].sum()) / 6.5
    assert gradient(policy, demonstrations, sft)[1].metrics["loss/sft"] == pytest.approx(expected.item(), rel=1e-5)


def test_at_the_reference_the_kl_and_its_gradient_are_exactly_zero_and_away_from_it_they_pull_back():
    policy = some_policy()
    batch, reference = sampled_batch(policy), policy.snapshot()
    kl = {"kl_to_reference": rl_components(LossConfig(kl_weight=0.5), MAX_TOKENS)["kl_to_reference"]}
    grad, result = gradient(policy, batch, kl, reference=reference)
    assert not grad.any() and result.metrics["loss/kl_to_reference"] == 0.0
    moved(policy, 0.02)
    grad, result = gradient(policy, batch, kl, reference=reference)
    value = result.metrics["policy/kl_to_reference_k3"]
    assert value > 0 and result.metrics["loss/kl_to_reference"] == pytest.approx(0.5 * value)
    away = torch.cat([(p.detach() - reference[name]).flatten() for name, p in policy.weights.items()])
    assert grad @ away > 0  # so that a step against the gradient goes back


def test_a_kl_without_a_reference_is_an_error_and_without_kl_none_is_read():
    policy = some_policy()
    batch = sampled_batch(policy)
    with pytest.raises(ValueError, match="needs a reference"):
        gradient(policy, batch, rl_components(LossConfig(kl_weight=0.5), MAX_TOKENS))
    assert not any(c.needs_reference for c in rl_components(LossConfig(entropy_weight=1.0), MAX_TOKENS).values())
    gradient(policy, batch, rl_components(LossConfig(), MAX_TOKENS), reference={"not": "read"})


def test_the_reported_entropy_is_the_mean_over_tokens_and_its_component_raises_it():
    policy = some_policy()
    batch = sampled_batch(policy)
    with torch.no_grad():
        _, entropy_BT = policy.score(batch, temperature=SAMPLING.temperature)
    mean = entropy_BT[batch.mask_BT].mean().item()
    bonus = {"entropy": rl_components(LossConfig(preset="dapo", entropy_weight=0.2), MAX_TOKENS)["entropy"]}
    _, result = gradient(policy, batch, bonus, micro_tokens=40)
    assert result.metrics["policy/entropy"] == pytest.approx(mean, rel=1e-5)
    assert result.metrics["loss/entropy"] == pytest.approx(-0.2 * mean, rel=1e-5)
    optimizer = torch.optim.SGD(policy.weights.values(), lr=0.0)
    config = OptimizerConfig(max_grad_norm=100.0)
    for _ in range(3):
        after = optimizer_step(policy, optimizer, batch, bonus, lr=0.1, temperature=SAMPLING.temperature, config=config)
    assert after.metrics["policy/entropy"] > mean


def test_the_gradient_is_scaled_down_to_the_largest_norm_and_never_up():
    for max_norm in (0.01, 1e6):
        policy = some_policy()
        before, batch = policy.snapshot(), sampled_batch(policy)
        optimizer = torch.optim.SGD(policy.weights.values(), lr=99.0)  # the step's own learning rate counts
        result = optimizer_step(
            policy, optimizer, batch, rl_components(GRPO, MAX_TOKENS),
            lr=0.5, temperature=SAMPLING.temperature, config=OptimizerConfig(max_grad_norm=max_norm))
        way = torch.cat([(p.detach() - before[name]).flatten() for name, p in policy.weights.items()]).norm().item()
        norm = result.metrics["policy/grad_norm"]
        assert norm > 0.01 and way == pytest.approx(0.5 * min(norm, max_norm), rel=1e-3)
        assert result.metrics["optimizer/lr"] == 0.5


@pytest.mark.parametrize("where", ["advantage", "logp", "weights"])
def test_what_is_not_finite_stops_before_anything_has_moved(where):
    policy = some_policy()
    batch, components = sampled_batch(policy), rl_components(GRPO, MAX_TOKENS)
    optimizer = make_optimizer(policy, OptimizerConfig())

    def step() -> None:
        optimizer_step(
            policy, optimizer, batch, components, lr=1e-3, temperature=SAMPLING.temperature,
            config=OptimizerConfig(micro_tokens=40))

    step()
    if where == "advantage":
        batch.streams["rl"][3] = float("nan")
    elif where == "logp":
        batch.sampling_logp_BT[3] = -float("inf")
    else:
        with torch.no_grad():
            policy.weights["model.layers.0.mlp.up_proj.weight"][0, 0] = float("inf")
    weights = policy.snapshot()
    state = {(name, key): v.clone() for name, p in policy.weights.items() for key, v in optimizer.state[p].items()}
    with pytest.raises(NonFiniteError, match=r"nan|inf"):
        step()
    assert all(torch.equal(weights[name], p) and p.grad is None for name, p in policy.weights.items())
    assert all(torch.equal(state[name, key], v) for name, p in policy.weights.items() for key, v in optimizer.state[p].items())


def test_values_that_are_not_trained_are_never_read():
    policy = some_policy()
    batch = sampled_batch(policy)
    components = rl_components(GRPO, MAX_TOKENS)
    expected, _ = gradient(policy, batch, components)
    for tensor in (batch.sampling_logp_BT, batch.streams["rl"]):
        tensor[~batch.mask_BT] = float("nan")
    found, result = gradient(policy, batch, components)
    assert torch.equal(found, expected) and math.isfinite(result.metrics["policy/logp_mismatch_max"])


def test_log_ratios_are_means_over_each_rows_own_tokens():
    policy = some_policy()
    batch = sampled_batch(policy)
    rows = torch.arange(8.0).unsqueeze(1)
    shifted_BT = batch.sampling_logp_BT - 0.1 * rows * batch.mask_BT  # trainer minus sampler is now 0.1 times the row
    batch = dataclasses.replace(batch, sampling_logp_BT=shifted_BT)
    _, result = gradient(policy, batch, rl_components(GRPO, MAX_TOKENS), micro_tokens=30)
    assert result.log_ratio_B == pytest.approx([0.1 * row for row in range(8)], abs=1e-5)
    assert result.metrics["policy/logp_mismatch_max"] == pytest.approx(0.7, abs=1e-4)


def test_parity_holds_after_sampling_and_fails_when_the_weights_have_changed():
    policy = some_policy()
    batch = sampled_batch(policy)
    check_parity(policy, batch, temperature=SAMPLING.temperature, micro_tokens=64)
    with pytest.raises(RunError, match="sampler and trainer disagree"):
        check_parity(policy, batch, temperature=1.0, micro_tokens=64)
    with pytest.raises(RunError, match="sampler and trainer disagree"):
        check_parity(moved(policy, 0.05), batch, temperature=SAMPLING.temperature, micro_tokens=64)
    batch.sampling_logp_BT[:] = float("nan")
    with pytest.raises(RunError, match="nan"):
        check_parity(policy, batch, temperature=SAMPLING.temperature, micro_tokens=64)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [  # warm-up 4 of 14 steps: 1/4 at step 1, all at 4 and 5; half-way down at step 10: 0.55, as (1 + cos(pi/2))/2 is 1/2
        ("constant", {1: 0.5, 2: 1.0, 4: 2.0, 9: 2.0, 14: 2.0}),
        ("linear", {1: 0.5, 4: 2.0, 5: 2.0, 10: 1.1, 14: 2 * (1 - 0.9 * 0.9)}),
        # step 7 is two tenths down: cos(pi/5) = 0.809017
        ("cosine", {1: 0.5, 4: 2.0, 5: 2.0, 7: 2 * (0.1 + 0.9 * 1.809017 / 2), 10: 1.1}),
    ],
)
def test_learning_rates_worked_by_hand(schedule, expected):
    ratio = 0.0 if schedule == "constant" else 0.1
    config = OptimizerConfig(lr=2.0, warmup_steps=4, schedule=schedule, final_lr_ratio=ratio)
    assert {step: learning_rate(config, step, 14) for step in expected} == pytest.approx(expected)


def test_without_warm_up_the_first_step_is_taken_and_a_run_shorter_than_its_warm_up_only_rises():
    assert learning_rate(OptimizerConfig(lr=2.0), 1, 1) == 2.0
    assert learning_rate(OptimizerConfig(lr=2.0, schedule="linear"), 1, 1) == 2.0  # a run of one step is not lost
    assert learning_rate(OptimizerConfig(lr=2.0, warmup_steps=10, schedule="linear"), 5, 5) == 1.0


def test_the_proximal_policy_takes_the_samplers_place_and_the_difference_becomes_a_capped_weight():
    policy = some_policy()
    batch = sampled_batch(policy)
    own = batch.sampling_logp_BT.clone()
    shift_B = torch.tensor([math.log(2), -math.log(2), 0, 0, 0, 0, 0, math.log(9)])
    batch = dataclasses.replace(batch, sampling_logp_BT=torch.where(batch.mask_BT, own - shift_B.unsqueeze(1), 0.0))
    loss = LossConfig(importance_cap=1.5)
    proximal = with_proximal_logp(policy, batch, loss, temperature=SAMPLING.temperature, micro_tokens=40)
    assert torch.allclose(proximal.streams["proximal_logp"], own, atol=1e-4)
    assert torch.equal(proximal.sampling_logp_BT, batch.sampling_logp_BT)  # the mismatch stays to be seen
    for row, weight in enumerate([1.5, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.5]):  # ratios 2 and 9 are cut off at 1.5
        assert torch.allclose(proximal.streams["importance"][row][batch.mask_BT[row]], torch.tensor(weight), atol=1e-3)
    assert "importance" not in batch.streams and torch.equal(proximal.streams["rl"], batch.streams["rl"])
    # With ratios of 1 the gradient is REINFORCE's, each token by its weight: twice the weight, twice its part.
    components = rl_components(LossConfig(preset="dapo", importance_cap=1.5), MAX_TOKENS)
    grad, _ = gradient(policy, proximal, components)
    by_hand = dataclasses.replace(
        proximal, sampling_logp_BT=proximal.streams["proximal_logp"],
        streams={"rl": proximal.streams["rl"] * proximal.streams["importance"]},
    )
    expected, _ = gradient(policy, by_hand, components)
    assert (grad - expected).norm() < 1e-5 * expected.norm()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"reference_reset_steps": 5}, "reference_reset_steps = 5 is read only with kl_weight"),
        ({"reference_reset_steps": 1, "kl_weight": 0.1}, "distance of the policy to itself"),
        ({"preset": "grpo", "ratio_cap": 2.0}, "ratio_cap"), ({"preset": "cispo", "clip_low": 0.2}, "clip_low"),
        ({"preset": "grpo", "normalisation": "sequence"}, "normalisation"), ({"clip_low": -0.1}, "clip_low = -0.1"),
        ({"clip_high": -0.1}, "clip_high = -0.1"), ({"preset": "cispo", "ratio_cap": 0.0}, "ratio_cap = 0"),
        ({"kl_estimator": "k4"}, "kl_estimator = 'k4'"), ({"importance_cap": 0.0}, "importance_cap = 0"),
    ],
)
def test_settings_that_cannot_work_are_refused_when_they_are_read(settings, says):
    with pytest.raises(ValueError, match=says):
        LossConfig.read(settings)


def test_a_preset_with_a_replaced_part_keeps_the_others():
    settings = LossConfig(preset="dapo", clip_high=0.5, normalisation="rollout").settings()
    assert settings == dataclasses.replace(PRESETS["dapo"], clip_high=0.5, normalisation="rollout")
    assert all(LossConfig(preset=name).settings() == PRESETS[name] for name in PRESETS)
    assert list(rl_components(LossConfig(), 5)) == ["rl"]


def with_workers(policy: TextPolicy, threads: int) -> TextPolicy:
    """The same weights, computed with by so many workers."""
    found = TextPolicy(policy.model, policy.tokenizer, ModelConfig(threads=threads))
    assert found.cores.workers == threads
    return found


def test_workers_add_up_to_the_same_gradient():
    # To the bit: gradients are added in the order of the micro-batches, whoever computes them. The workers share the budget.
    policy = some_policy()
    batch = sampled_batch(policy)
    components = rl_components(LossConfig(kl_weight=0.1), MAX_TOKENS)
    reference = {name: p.detach() + 0.01 for name, p in policy.weights.items()}
    results, gradients = [], []
    for threads in (1, 2, 3):
        policy.model.zero_grad()
        results.append(accumulate(with_workers(policy, threads), batch, components, 0.8, 40 * threads, reference))
        gradients.append({name: p.grad.clone() for name, p in policy.weights.items()})
    assert results[1] == results[0] and results[2] == results[0]
    for name, gradient in gradients[0].items():
        assert torch.equal(gradients[1][name], gradient) and torch.equal(gradients[2][name], gradient)


def test_where_gradients_and_moments_lie_changes_no_bit(monkeypatch):
    """Two updates with them on the heap, and on pages of their own as a large model's are."""
    found = []
    for is_apart in (False, True):
        monkeypatch.setattr("sanmai.policies.text.cpu.allocator._is_shared", is_apart)
        monkeypatch.setattr("sanmai.policies.text.cpu.allocator._SMALLEST_APART", 0)
        torch.manual_seed(0)
        policy = some_policy()
        batch, config = sampled_batch(policy), OptimizerConfig(lr=0.01, micro_tokens=40)
        optimizer, components = make_optimizer(policy, config), rl_components(LossConfig(), MAX_TOKENS)
        for _ in range(2):
            optimizer_step(policy, optimizer, batch, components, lr=0.01, temperature=SAMPLING.temperature, config=config)
        state = [x for moments in optimizer.state.values() for x in moments.values()]
        found.append([p.detach().clone() for p in policy.weights.values()] + state)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_rows_without_advantage_need_no_forward_pass(monkeypatch):
    policy = some_policy()
    batch = sampled_batch(policy)
    batch.streams["rl"][::2] = 0.0
    scored: list[int] = []
    score = TextPolicy.score

    def counted(self, part, **kwargs):
        scored.append(len(part))
        return score(self, part, **kwargs)

    monkeypatch.setattr(TextPolicy, "score", counted)
    skipping = rl_components(LossConfig(), MAX_TOKENS)
    whole = {name: dataclasses.replace(component, stream=None) for name, component in skipping.items()}
    results, counts, gradients = [], [], []
    for components in (skipping, whole):
        policy.model.zero_grad()
        scored.clear()
        results.append(accumulate(policy, batch, components, 0.8, 60))
        counts.append(sum(scored))
        gradients.append({name: p.grad.clone() for name, p in policy.weights.items()})
    assert counts == [len(batch) // 2, len(batch)]
    assert results[0].metrics["loss/rl"] == pytest.approx(results[1].metrics["loss/rl"], abs=1e-6)
    assert [ratio is None for ratio in results[0].log_ratio_B] == [True, False] * (len(batch) // 2)
    for name, gradient in gradients[0].items():
        assert torch.allclose(gradient, gradients[1][name], atol=1e-6)
    scored.clear()  # an entropy term counts every row
    accumulate(policy, batch, rl_components(LossConfig(entropy_weight=0.1), MAX_TOKENS), 0.8, 60)
    assert sum(scored) == len(batch)


def test_a_step_without_any_advantage_has_a_gradient_of_zero():
    policy = some_policy()
    batch = sampled_batch(policy)
    batch.streams["rl"][:] = 0.0
    result = accumulate(policy, batch, rl_components(LossConfig(), MAX_TOKENS), 0.8, 60)
    assert result.metrics["loss/rl"] == 0.0 and set(result.log_ratio_B) == {None}
    assert all(p.grad is not None and not p.grad.any() for p in policy.weights.values())


def test_a_worker_that_fails_is_heard_and_keeps_nobody_waiting():
    policy, calls = some_policy(), []
    batch = sampled_batch(policy)

    def fail_the_second_time(scored, denominator):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("broken loss")
        return scored.logp_BT.sum(), {}

    component = Component(1.0, fail_the_second_time, lambda batch: 1.0)
    with pytest.raises(RuntimeError, match="broken loss"):
        accumulate(with_workers(policy, 2), batch, {"rl": component}, 0.8, 20)


def test_an_auxiliary_parts_gradient_is_added_to_the_steps_and_compared_with_it():
    policy = some_policy()
    batch, components = sampled_batch(policy), rl_components(GRPO, MAX_TOKENS)
    shown = pack([([5, 6], [7, 8, 1]), ([9], [10, 1])])
    shown = shown.with_streams({"sft": shown.mask_BT.float()})
    rl, _ = gradient(policy, batch, components)
    policy.model.zero_grad()
    accumulate(policy, shown, {"sft": sft_component(0.5)}, 1.0, 100_000)
    sft = torch.cat([p.grad.flatten() for p in policy.weights.values()]).clone()
    gradient(policy, batch, components)
    metrics = add_auxiliary(policy, Part(shown, {"sft": sft_component(0.5)}), 100_000)
    both = torch.cat([p.grad.flatten() for p in policy.weights.values()])
    torch.testing.assert_close(both, rl + sft, rtol=1e-5, atol=1e-7)
    assert metrics["gradient/auxiliary_share"] == pytest.approx((sft.norm() / (sft.norm() + rl.norm())).item(), rel=1e-4)
    assert metrics["gradient/auxiliary_cosine"] == pytest.approx(torch.cosine_similarity(sft, rl, dim=0).item(), rel=1e-3)
    assert set(metrics) == {"loss/sft", "gradient/auxiliary_share", "gradient/auxiliary_cosine"}


def test_an_auxiliary_part_alone_is_all_of_the_gradient():
    policy = some_policy()
    shown = pack([([5, 6], [7, 8, 1])])
    shown = shown.with_streams({"sft": shown.mask_BT.float()})
    metrics = add_auxiliary(policy, Part(shown, {"sft": sft_component()}), 100_000)
    assert metrics["gradient/auxiliary_share"] == 1.0 and metrics["gradient/auxiliary_cosine"] == 0.0
