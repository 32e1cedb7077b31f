"""The conventions of rectified flow, stated once, and its steps; all pure.

    x_t = (1 - t) x_0 + t eps          t = 1 is noise, t = 0 the clip
    v = eps - x_0                      what the network predicts; dx/dt along the flow
    score = -(x_t + (1 - t) v) / t     gradient of the log-density of x_t

Shape key: B samples; the dots are the dimensions of a latent, the same everywhere.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

NoiseLevel = Literal["flow_grpo", "constant"]


def interpolate(clip: Tensor, noise: Tensor, time_B: Tensor) -> Tensor:
    """x_t of each sample: (B, ...)."""
    t = wide(time_B, clip)
    return (1.0 - t) * clip + t * noise


def score_of(x: Tensor, velocity: Tensor, time_B: Tensor) -> Tensor:
    """Gradient of the log-density of x_t, for t above 0: -(x + (1 - t) v) / t."""
    t = wide(time_B, x)
    return -(x + (1.0 - t) * velocity) / t


def times(steps: int, shift: float = 1.0) -> list[float]:
    """steps + 1 times from 1 down to 0; a shift above 1 spends more of them near the noise: s t / (1 + (s - 1) t).

    Source:
        The shift: SD3 (arXiv:2403.03206) section 5.3.2.
    """
    even = [1.0 - k / steps for k in range(steps + 1)]
    return [shift * t / (1.0 + (shift - 1.0) * t) for t in even]


def noise_level(time: float, next_time: float, kind: NoiseLevel, size: float) -> float:
    """sigma of the step from `time` to `next_time`.

        flow_grpo: size sqrt(t / (1 - t))        constant: size

    The first has no end at t = 1: the first step is made with the level of its end, as the authors' code does.

    Source:
        Flow-GRPO (arXiv:2505.05470) section 4.2, a = 0.7 there; constant: DanceGRPO (arXiv:2505.07818), 0.25 there.
    """
    if kind == "constant":
        return size
    t = next_time if time >= 1.0 else time
    return size * math.sqrt(t / (1.0 - t))


def sde_step(x: Tensor, velocity: Tensor, time_B: Tensor, next_time_B: Tensor, sigma_B: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the next place: the flow's marginals are kept whatever the noise.

        mean = x - (v + sigma^2 / (2 t) (x + (1 - t) v)) dt        std = sigma sqrt(dt)        dt = t - t_next

    sigma = 0 is an Euler step of the ODE.

    Returns:
        mean (B, ...), and std (B,).

    Source:
        Flow-GRPO (arXiv:2505.05470) eq. 9, from Fokker-Planck: the drift gains sigma^2 / 2 times the score.
    """
    dt, sigma = wide(time_B - next_time_B, x), wide(sigma_B, x)
    drift = velocity - sigma.square() / 2.0 * score_of(x, velocity, time_B)
    return x - drift * dt, sigma_B * (time_B - next_time_B).sqrt()


def gaussian_logp(place: Tensor, mean: Tensor, std_B: Tensor) -> Tensor:
    """Log-density (nats) of each place under N(mean, std^2), summed over its dimensions: (B,)."""
    distance_B = (place - mean).flatten(1).square().sum(dim=1)
    count = place[0].numel()
    return -distance_B / (2.0 * std_B.square()) - count * (std_B.log() + 0.5 * math.log(2.0 * math.pi))


def gaussian_kl(mean: Tensor, other_mean: Tensor, std_B: Tensor) -> Tensor:
    """KL(N(mean, std^2) || N(other_mean, std^2)) in nats, summed over dimensions: |mean - other|^2 / (2 std^2), (B,).

    std^2 has the step's dt in it. (Flow-GRPO's code leaves it out, which is a hidden factor of the KL's weight.)
    """
    return (mean - other_mean).flatten(1).square().sum(dim=1) / (2.0 * std_B.square())


def velocity_logp(velocity: Tensor, target: Tensor, scale_B: Tensor) -> Tensor:
    """What stands for the log-prob of a clip at one time and noise: -scale / 2 |target - v|^2 over its dimensions, (B,).

    Gradient and differences are those of Flow-DPO and Flow-RWR; it is no log-density of the clip.

    Args:
        target: eps - x_0.
        scale_B: 1 for the sum over dimensions, 1 / D for the mean, times the weight of the time.

    Source:
        Liu et al. 2025 (arXiv:2501.13918) eqs. 7 and 9.
    """
    return -0.5 * scale_B * (target - velocity).flatten(1).square().sum(dim=1)


def guided(velocity: Tensor, gradient: Tensor, time_B: Tensor) -> Tensor:
    """The velocity of p_t(x) exp(r(x, t)), of which `gradient` is that of r: v - t / (1 - t) grad r.

    Infinite at t = 1: guidance begins below it.

    Source:
        Flow-NRG, Liu et al. 2025 (arXiv:2501.13918) section 4.3; v = -(x + t score) / (1 - t) with score + grad r in its place.
    """
    t = wide(time_B, velocity)
    return velocity - t / (1.0 - t) * gradient


def classifier_free(with_prompt: Tensor, without: Tensor, scale: float) -> Tensor:
    """without + scale (with_prompt - without); 1 is the prompt's own velocity.

    Source:
        Ho and Salimans 2022 (arXiv:2207.12598) eq. 6, there w = scale - 1.
    """
    return without + scale * (with_prompt - without)


def wide(value_B: Tensor, like: Tensor) -> Tensor:
    """(B,) as (B, 1, ..., 1), to go with `like`."""
    return value_B.reshape(-1, *[1] * (like.dim() - 1))


def logit_normal(normal_B: Tensor) -> Tensor:
    """Times in (0, 1) of standard normal numbers: sigmoid(n), fewer near both ends (SD3, arXiv:2403.03206, eq. 19)."""
    return torch.sigmoid(normal_B)
