"""Rectified flow: closed forms of its steps, one distribution for drawing and scoring, and losses that are those of text."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from sanmai.learn.pairs import pair_metrics, score_pairs
from sanmai.losses import DPO, dpo, preference_weights
from sanmai.policies.flow.config import FlowModelConfig, FlowSamplingConfig
from sanmai.policies.flow.equations import (
    gaussian_kl,
    gaussian_logp,
    guided,
    interpolate,
    noise_level,
    score_of,
    sde_step,
    times,
)
from sanmai.policies.flow.policy import FlowPolicy, load_flow
from sanmai.train.components import LossConfig, rl_components
from sanmai.train.step import accumulate, check_parity
from sanmai.types import InputError
from sanmai.world import shapes

SMALL = FlowModelConfig(width=16, depth=1, heads=2)
SHAPE = (shapes.FRAMES, shapes.SIDE, shapes.SIDE)
NOISY = FlowSamplingConfig(steps=6, noise="flow_grpo")


def flow(**changed) -> FlowPolicy:
    """A small flow whose output is not 0, as that of a new one is."""
    policy = load_flow(SMALL.model_copy(update=changed), SHAPE, shapes.WORDS)
    with torch.no_grad():
        for name in ("write.weight", "modulation.weight"):
            policy.weights[name].normal_(0.0, 0.1, generator=torch.Generator().manual_seed(1))
    return policy


def drawn(policy, count=3, sampling=NOISY, seed=(1,)):
    asked = {"seed": seed, "version": 0, "sampling": sampling, "thought_tags": ("", "")}
    return [d for _, d in policy.draw(shapes.problems()[:2], count, **asked)]


def gaussian_velocity(x, time, mean, deviation):
    """Of data N(mean, deviation^2) in one dimension: v = E[eps - x_0 | x_t]."""
    variance = (1 - time) ** 2 * deviation**2 + time**2
    centred = x - (1 - time) * mean
    clip = mean + (1 - time) * deviation**2 / variance * centred
    noise = time / variance * centred
    return noise - clip


def test_an_sde_step_has_the_marginals_of_the_flow_whatever_the_noise():
    # Data N(0.5, 0.3^2): at time t the place is N(0.5 (1 - t), ((1 - t) 0.3)^2 + t^2). One small step from t = 0.6 to 0.59.
    generator = torch.Generator().manual_seed(0)
    count, t, after = 400_000, 0.6, 0.59
    x = 0.5 * (1 - t) + math.sqrt((0.4 * 0.3) ** 2 + t**2) * torch.randn(count, 1, generator=generator, dtype=torch.float64)
    for sigma in (0.0, 0.5, 1.0):
        velocity = gaussian_velocity(x, t, 0.5, 0.3)
        mean, std_B = sde_step(x, velocity, *(torch.full((count,), v, dtype=torch.float64) for v in (t, after, sigma)))
        place = mean + std_B[:, None] * torch.randn(count, 1, generator=generator, dtype=torch.float64)
        assert place.mean().item() == pytest.approx(0.5 * (1 - after), abs=4e-3), sigma
        wanted = math.sqrt(((1 - after) * 0.3) ** 2 + after**2)
        assert place.std().item() == pytest.approx(wanted, rel=4e-3), sigma  # of order dt^2, and Monte Carlo


def test_the_score_is_that_of_a_gaussian():
    # x_t ~ N((1 - t) m, s^2), s^2 = ((1 - t) d)^2 + t^2: score = -(x - (1 - t) m) / s^2.
    x, t, m, d = torch.tensor([[0.7]]), 0.3, 0.5, 0.2
    wanted = -(0.7 - 0.7 * m) / ((0.7 * d) ** 2 + t**2)
    assert score_of(x, gaussian_velocity(x, t, m, d), torch.tensor([t])).item() == pytest.approx(wanted, rel=1e-5)


def test_the_log_prob_of_a_step_is_the_gaussian_density_and_the_kl_its_expectation():
    mean, other, std_B = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.3, 0.8]]), torch.tensor([0.5])
    place = torch.tensor([[0.2, 0.1]])
    density = torch.distributions.Normal(mean, 0.5).log_prob(place).sum()
    assert gaussian_logp(place, mean, std_B).item() == pytest.approx(density.item(), rel=1e-6)
    # (0.3^2 + 0.2^2) / (2 * 0.25) = 0.26
    assert gaussian_kl(mean, other, std_B).item() == pytest.approx(0.26, rel=1e-6)
    draws = mean + 0.5 * torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0))
    wide = std_B.expand(len(draws))
    monte_carlo = (gaussian_logp(draws, mean.expand_as(draws), wide) - gaussian_logp(draws, other.expand_as(draws), wide)).mean()
    assert monte_carlo.item() == pytest.approx(0.26, abs=0.01)


def test_guidance_by_a_quadratic_reward_gives_the_analytic_tilt_of_a_gaussian():
    # p = N(0.2, 0.5^2) at t = 0; r_t(x) such that p_t exp(r_t) is the noised N(m', d'^2), the tilt of p by r(x) = -(x - 1)^2 / 2:
    # 1 / d'^2 = 1 / 0.25 + 1 = 5, m' = (0.2 / 0.25 + 1) / 5 = 0.36.
    m, d, tilted_m, tilted_d = 0.2, 0.5, 0.36, math.sqrt(0.2)
    x = torch.linspace(-2, 2, 9).unsqueeze(1)
    for t in (0.1, 0.5, 0.9):
        var, tilted_var = ((1 - t) * d) ** 2 + t**2, ((1 - t) * tilted_d) ** 2 + t**2
        gradient = -(x - (1 - t) * tilted_m) / tilted_var + (x - (1 - t) * m) / var
        found = guided(gaussian_velocity(x, t, m, d), gradient, torch.full((9,), t))
        assert torch.allclose(found, gaussian_velocity(x, t, tilted_m, tilted_d), atol=1e-5)


def test_the_noise_level_has_an_end_at_pure_noise_and_times_run_from_noise_to_clip():
    assert times(4) == [1.0, 0.75, 0.5, 0.25, 0.0] and times(2, shift=3.0) == [1.0, 0.75, 0.0]
    assert noise_level(0.5, 0.25, "flow_grpo", 0.7) == 0.7  # sqrt(0.5 / 0.5) = 1
    assert noise_level(1.0, 0.5, "flow_grpo", 0.7) == 0.7  # that of its end
    assert noise_level(1.0, 0.5, "constant", 0.25) == 0.25


def test_what_draws_and_what_scores_are_one_distribution():
    policy = flow()
    batch = policy.pack(drawn(policy, 5))
    check_parity(policy, batch, temperature=1.0, micro_tokens=20)


def test_the_final_latent_decodes_to_the_sample_that_is_scored():
    # A reference implementation stacked (batch, step, ...) and took [-1]: the last sample's path, not the last place.
    policy = flow()
    for one in drawn(policy):
        assert torch.equal(policy.decode(one.content.places[-1]), one.content.clip_FHW)
    batch = policy.pack(drawn(policy))
    for row, one in enumerate(drawn(policy)):
        assert torch.equal(policy.decode(batch.places_BT[row, -1]), one.content.clip_FHW)


def test_a_sample_depends_on_its_own_name_alone_and_two_policies_share_its_noise():
    policy, other = flow(), flow(init_seed=1)
    alone = drawn(policy, 1)[0].content.places
    among = drawn(policy, 4)[0].content.places
    assert torch.allclose(alone, among, atol=1e-5)
    assert torch.equal(alone[0], drawn(other, 1)[0].content.places[0])


def pairs_of(policy):
    made = shapes.clean_clips(6, seed=(0,))
    names = [("a", k // 2) for k in range(6)]
    return policy.points(policy.encode(torch.from_numpy(made.clips_BFHW)), made.prompts, names, count=2)


def test_better_and_worse_clip_are_scored_at_the_same_times_and_noises():
    batch = pairs_of(flow())
    assert torch.equal(batch.time_BT[::2], batch.time_BT[1::2]) and torch.equal(batch.noise_BT[::2], batch.noise_BT[1::2])
    assert not torch.equal(batch.time_BT[0], batch.time_BT[2])


@dataclasses.dataclass
class State:
    policy: FlowPolicy
    reference: dict


def test_flow_dpo_is_log_2_at_the_reference_and_has_the_reference_codes_gradient():
    policy = flow()
    batch, settings = pairs_of(policy), dataclasses.replace(DPO, beta=100.0)
    scores = score_pairs(State(policy, policy.snapshot()), batch, settings, micro_tokens=3)
    chosen_B, _, found = preference_weights(settings, *scores, denominator=3.0)
    assert found["preference_loss"] == pytest.approx(math.log(2.0), abs=1e-6)
    assert torch.allclose(chosen_B, torch.full((3,), 100.0 / 2 / 3))  # -dL/dlogp = beta sigmoid(0) / N
    assert pair_metrics(settings, scores)["margin"] == 0.0


def test_dpo_of_text_is_flow_dpo_on_what_stands_for_log_probs():
    # -log sigmoid(-beta / 2 ((e_w - e_w_ref) - (e_l - e_l_ref))) of mean squared errors, as the published code has it.
    policy = flow()
    batch = pairs_of(policy)
    logp_BT, _ = policy.score(batch)
    row, part = torch.arange(6).repeat_interleave(2), torch.arange(2).repeat(6)
    noised = interpolate(batch.latent_B[row], batch.noise_BT[row, part], batch.time_BT[row, part])
    velocity = policy.network(noised, batch.time_BT[row, part], batch.prompt_BK[row])
    error_BT = (batch.noise_BT[row, part] - batch.latent_B[row] - velocity).square().flatten(1).mean(1).reshape(6, 2)
    assert torch.allclose(logp_BT, -0.5 * error_BT, atol=1e-6)
    e_B, reference_B = error_BT.sum(dim=1), torch.tensor([1.1, 0.9, 1.0, 1.2, 0.8, 1.0])
    inside_B = -0.5 * 7.0 * ((e_B[::2] - reference_B[::2]) - (e_B[1::2] - reference_B[1::2]))
    wanted = -torch.nn.functional.logsigmoid(inside_B).mean()
    logp_B = logp_BT.sum(dim=1)
    loss, _ = dpo(logp_B[::2], logp_B[1::2], -0.5 * reference_B[::2], -0.5 * reference_B[1::2], beta=7.0, denominator=3.0)
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_a_beta_by_the_mean_is_one_by_the_sum_divided_by_the_dimensions_and_may_fall_with_time():
    policy, made = flow(), shapes.clean_clips(2, seed=(0,))
    given = (policy.encode(torch.from_numpy(made.clips_BFHW)), made.prompts, [("a",), ("b",)])
    by_mean, by_sum, falling = (
        policy.score(policy.points(*given, **more))[0] for more in ({}, {"reduction": "sum"}, {"decay": 2.0})
    )
    assert torch.allclose(by_mean * 256.0, by_sum, rtol=1e-5)
    time_BT = policy.points(*given).time_BT
    assert torch.allclose(falling, by_mean * (1.0 - time_BT) ** 2, rtol=1e-5)


def test_saved_and_loaded_it_is_the_same_to_the_bit_and_another_folder_is_told_apart(tmp_path):
    policy = flow()
    policy.save(tmp_path / "model")
    again = load_flow(FlowModelConfig(name=str(tmp_path / "model")), SHAPE, shapes.WORDS)
    assert all(torch.equal(t, again.tensors()[name]) for name, t in policy.tensors().items())
    (tmp_path / "model" / "config.json").write_text('{"kind": "flow"}')
    with pytest.raises(InputError, match="do not belong together"):
        load_flow(FlowModelConfig(name=str(tmp_path / "model")), SHAPE, shapes.WORDS)
    for text in ('{"model_type": "llama"}', "[]", "{", "\xff"):
        (tmp_path / "model" / "config.json").write_text(text, encoding="latin-1")
        with pytest.raises(InputError) as refused:
            load_flow(FlowModelConfig(name=str(tmp_path / "model")), SHAPE, shapes.WORDS)
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="no flow can be read there"):
        load_flow(FlowModelConfig(name=str(tmp_path / "nowhere")), SHAPE, shapes.WORDS)


def test_a_prompt_without_a_word_that_it_knows_is_refused():
    with pytest.raises(InputError, match="knows none of its words"):
        flow().told(["a circle"])


def test_without_noise_there_is_no_log_prob_and_packing_says_so():
    policy = flow()
    with pytest.raises(ValueError, match="have no log-probs"):
        policy.pack(drawn(policy, sampling=FlowSamplingConfig(steps=2)))


def test_classifier_free_guidance_at_1_is_the_prompts_own_velocity():
    policy = flow()
    plain, scaled = (drawn(policy, 1, FlowSamplingConfig(steps=3, prompt_scale=s))[0].content.clip_FHW for s in (1.0, 3.0))
    assert not torch.equal(plain, scaled) and np.isfinite(scaled.numpy()).all()


def test_the_kl_of_two_paths_is_the_mean_log_ratio_and_nothing_of_a_policy_to_itself():
    policy, other = (load_flow(FlowModelConfig(width=16, depth=1, heads=2), SHAPE, shapes.WORDS) for _ in range(2))
    with torch.no_grad():
        other.weights["write.bias"].add_(0.05)
    noisy = FlowSamplingConfig(steps=3, noise="constant", noise_size=1.0)
    drawn = [d for _, d in policy.draw(shapes.problems(), 16, seed=(0,), version=0, sampling=noisy, thought_tags=("", ""))]
    kl_B = policy.path_kl(other, drawn)
    assert policy.path_kl(policy, drawn).abs().max() == 0.0
    # Velocities differ by 0.05 in each of 256 dimensions: (0.05 (1 + sigma^2 (1 - t) / (2 t)) dt)^2 / (2 sigma^2 dt) a step.
    wanted = sum(256 * (0.05 * (1 + (1 - t) / (2 * t)) / 3) ** 2 / (2 / 3) for t in (1.0, 2 / 3, 1 / 3))
    assert torch.allclose(kl_B, torch.full_like(kl_B, wanted), rtol=1e-3)
    batch = policy.pack(drawn)
    with torch.no_grad():
        ratio_B = (policy.score(batch)[0] - other.score(batch)[0]).sum(dim=1)
    assert ratio_B.mean().item() == pytest.approx(wanted, abs=4 * ratio_B.std().item() / len(drawn) ** 0.5)


@pytest.mark.parametrize(("reduction", "per"), [("sum", 1), ("mean", 256)])
def test_the_kl_that_is_trained_is_the_closed_form_in_the_units_of_the_log_probs(reduction, per):
    """An estimate from what was drawn is D times too small where log-probs are per dimension: k3 is quadratic in them."""
    policy, other = (load_flow(FlowModelConfig(width=16, depth=1, heads=2), SHAPE, shapes.WORDS) for _ in range(2))
    with torch.no_grad():
        other.weights["write.bias"].add_(0.05)
    noisy = FlowSamplingConfig(steps=3, noise="constant", noise_size=1.0, reduction=reduction)
    drawn = [d for _, d in policy.draw(shapes.problems(), 4, seed=(0,), version=0, sampling=noisy, thought_tags=("", ""))]
    batch = policy.pack(drawn).with_streams({"rl": torch.zeros(len(drawn), 3)})
    component = {"kl": rl_components(LossConfig(kl_weight=0.5), 3)["kl_to_reference"]}

    def found(reference):
        for p in policy.weights.values():
            p.grad = None
        metrics = accumulate(policy, batch, component, 1.0, 50, reference).metrics
        return metrics, torch.cat([p.grad.flatten() for p in policy.weights.values()])

    metrics, gradient = found(other.snapshot())
    # (0.05 (1 + sigma^2 (1 - t) / (2 t)) dt)^2 / (2 sigma^2 dt) a dimension and step; the mean over three steps.
    wanted = sum(256 * (0.05 * (1 + (1 - t) / (2 * t)) / 3) ** 2 / (2 / 3) for t in (1.0, 2 / 3, 1 / 3)) / 3 / per
    assert metrics["policy/kl_to_reference_exact"] == pytest.approx(wanted, rel=1e-3)
    assert metrics["loss/kl"] == pytest.approx(0.5 * wanted, rel=1e-3) and metrics["policy/logp_mismatch_max"] < 1e-2
    # d KL / d bias = 2 KL / (bias - its), of which -0.05 is the difference in each of the numbers that it has.
    bias = dict(zip(policy.weights, gradient.split([p.numel() for p in policy.weights.values()]), strict=True))["write.bias"]
    assert bias.sum().item() * -0.05 == pytest.approx(2 * 0.5 * wanted, rel=1e-3)
    metrics, gradient = found(policy.snapshot())
    assert metrics["policy/kl_to_reference_exact"] == 0.0 and not gradient.any()
