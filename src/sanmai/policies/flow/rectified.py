"""What every rectified flow is as a policy: it draws by a few steps from noise, and says how likely it was to.

A sample's parts are its steps where they have noise of their own (log-probs are exact), or points of time and noise at which
the flow is asked what the sample's velocity is (a surrogate). Both stand in the batch whole, so policy, reference, better and
worse clip are scored at the same points. What predicts velocities, what a prompt tells it and how a latent becomes pixels is
the kind's own: policy.py has a small network on pixels, pipeline.py the pipelines of diffusers.

Shape key: B samples, T steps or points, K numbers of a prompt, F frames, H, W pixels, C = 3 colours where there are any; the
dots are the dimensions of a latent.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from sanmai.policies.contract import Policy
from sanmai.policies.flow.config import POINTS, FlowSamplingConfig
from sanmai.policies.flow.equations import (
    classifier_free,
    gaussian_kl,
    gaussian_logp,
    interpolate,
    logit_normal,
    noise_level,
    sde_step,
    times,
    velocity_logp,
    wide,
)
from sanmai.policies.text.sampler import uniforms
from sanmai.types import Batch, Drawn, Problem, StopReason

MOST_STORED = 1 << 20
"""Bytes of a clip in a run's record; of a larger one every second, third, ... row and column is kept."""


@dataclass(frozen=True)
class Sampled:
    """What was drawn, with its axes named: places[k] is where the flow was at times[k]."""

    prompt: str
    clip_FHW: Tensor
    """In 0..1: what is graded and shown; (F, H, W, 3) in colour."""
    latent: Tensor
    """What is learned from; see RectifiedFlow.learned."""
    places: Tensor | None
    """steps + 1 latents, from noise to the last; None where the steps have no noise and so no log-prob."""
    times: tuple[float, ...]
    sigmas: tuple[float, ...]
    """Noise level of each step."""
    scale: float
    """Of the log-probs: 1, or 1 / D for those per dimension."""


@dataclass(frozen=True)
class Steps(Batch):
    """Drawn samples with the steps that they were drawn by; parts are steps."""

    places_BT: Tensor
    """T + 1 places, (B, T + 1, ...)."""
    times_BT: Tensor
    """T + 1 times."""
    sigma_BT: Tensor
    scale_BT: Tensor
    prompt_BK: Tensor


@dataclass(frozen=True)
class Points(Batch):
    """Latents with times and noises at which the flow is asked for their velocity; parts are points."""

    latent_B: Tensor
    """(B, ...)."""
    noise_BT: Tensor
    """(B, T, ...)."""
    time_BT: Tensor
    scale_BT: Tensor
    prompt_BK: Tensor


class RectifiedFlow(Policy[Batch]):
    """Draws and scores by what the kind says of velocities, prompts and pixels."""

    tells_entropy = False
    tells_kl = True
    unit = POINTS
    at_once: int = 256
    """Samples that are drawn together."""

    @property
    @abstractmethod
    def latent_shape(self) -> tuple[int, ...]:
        """Of one sample."""

    @property
    @abstractmethod
    def clip_shape(self) -> tuple[int, ...]:
        """Of what it draws: frames, height, width, and 3 in colour."""

    @abstractmethod
    def told(self, prompts: Sequence[str]) -> Tensor:
        """What the prompts tell the network, (B, K) on the CPU; InputError where a prompt tells it nothing."""

    @abstractmethod
    def untold(self, prompt_BK: Tensor) -> Tensor:
        """What no prompt tells it, in the shape of `prompt_BK`."""

    @abstractmethod
    def velocity(self, x: Tensor, time_B: Tensor, prompt_BK: Tensor) -> Tensor:
        """eps - x_0 as predicted, (B, ...) in float32, with gradient."""

    @abstractmethod
    def decode(self, latent: Tensor) -> Tensor:
        """Pixels in 0..1 of latents, on the CPU."""

    @abstractmethod
    def encode(self, clip: Tensor) -> Tensor:
        """The latents of pixels, on the CPU."""

    def learned(self, latent: Tensor, clip: Tensor) -> Tensor:
        """What is learned of a drawn sample: where the flow ended; or what its clip is encoded to."""
        return latent

    def guide(self, velocity: Tensor, x: Tensor, time_B: Tensor, prompts: Sequence[str], sampling: FlowSamplingConfig) -> Tensor:
        """The velocity under a guide of the sampling settings; this kind has none."""
        return velocity

    def as_started(self) -> Self | None:
        """This flow as it was before it was trained, with no second copy of it; None where only loading it again gives that."""
        return None

    def draw(
        self, problems: Sequence[Problem], count: int, *, seed: tuple, version: int, sampling: FlowSamplingConfig,
        thought_tags: tuple[str, str],
    ) -> Iterator[tuple[int, Drawn]]:
        """`count` clips for each problem; noise is keyed by seed, problem and sample, so that two policies can share it."""
        wanted = [(index, problem, k) for index, problem in enumerate(problems) for k in range(count)]
        for part in (wanted[k : k + self.at_once] for k in range(0, len(wanted), self.at_once)):
            names = [(*seed, problem.id, k) for _, problem, k in part]
            prompts = [problem.prompt for _, problem, _ in part]
            places, logps, sigmas = self._flow(names, prompts, sampling)
            clips = self.decode(places[-1])
            scale, grid = self._scale(sampling.reduction), times(sampling.steps, sampling.shift)
            for b, (index, problem, k) in enumerate(part):
                own = torch.stack([place[b] for place in places]) if logps is not None else None
                latent = self.learned(places[-1][b], clips[b])
                content = Sampled(prompts[b], clips[b], latent, own, tuple(grid), sigmas, scale)
                yield index, Drawn(
                    problem.id, k, [], [], [] if logps is None else logps[b].tolist(), StopReason.STOP, version,
                    f"a clip of {clips.shape[1]} frames", content=content, columns=clip_columns(clips[b]),
                )

    @torch.no_grad()
    def _flow(
        self, names: Sequence[tuple], prompts: Sequence[str], sampling: FlowSamplingConfig
    ) -> tuple[list[Tensor], Tensor | None, tuple[float, ...]]:
        """Places from noise to clip (on the CPU), log-probs (B, T) of steps with noise, and each step's noise level.

        Without noise only the first and the last place are kept.
        """
        grid = times(sampling.steps, sampling.shift)
        has_noise = sampling.noise != "none"
        noise_BN = self._noises(names, 1 + (sampling.steps if has_noise else 0))
        prompt_BK = self.told(prompts).to(self.device)
        x = noise_BN[:, 0].to(self.device)
        places, logps, sigmas = [x.cpu()], [], []
        for k, (time, after) in enumerate(pairwise(grid)):
            time_B, after_B = x.new_full((len(x),), time), x.new_full((len(x),), after)
            sigma = noise_level(time, after, sampling.noise, sampling.noise_size) if sampling.noise != "none" else 0.0
            velocity = self.velocity(x, time_B, prompt_BK)
            if sampling.prompt_scale != 1.0:
                without = self.velocity(x, time_B, self.untold(prompt_BK))
                velocity = classifier_free(velocity, without, sampling.prompt_scale)
            mean, std_B = sde_step(
                x, self.guide(velocity, x, time_B, prompts, sampling), time_B, after_B, torch.full_like(time_B, sigma)
            )
            sigmas.append(sigma)
            x = mean
            if has_noise:
                x = mean + wide(std_B, mean) * noise_BN[:, k + 1].to(self.device)
                logps.append(self._scale(sampling.reduction) * gaussian_logp(x, mean, std_B))
                places.append(x.cpu())
        places = places if has_noise else [places[0], x.cpu()]
        return places, torch.stack(logps, dim=1).cpu() if logps else None, tuple(sigmas)

    def _noises(self, names: Sequence[tuple], count: int) -> Tensor:
        """Standard normal numbers (B, count, ...), each row's from its name."""
        shape = (count, *self.latent_shape)
        return torch.stack([normals(name, math.prod(shape)).reshape(shape) for name in names])

    def _scale(self, reduction: str) -> float:
        return 1.0 if reduction == "sum" else 1.0 / math.prod(self.latent_shape)

    def pack(self, rollouts: Sequence[Drawn], *, newest_alone: bool = False) -> Steps:
        """Clips that were drawn with noise in their steps.

        Raises:
            ValueError: one has no log-probs.
        """
        paths = [r.content for r in rollouts]
        if any(path.places is None for path in paths):
            raise ValueError("clips drawn without noise in their steps have no log-probs; use points() for them")
        logp_BT = torch.tensor([r.sampling_logp for r in rollouts])
        return Steps(
            torch.ones_like(logp_BT, dtype=torch.bool), logp_BT, {}, torch.stack([path.places for path in paths]),
            torch.tensor([path.times for path in paths]), torch.tensor([path.sigmas for path in paths]),
            torch.tensor([[path.scale] * len(path.sigmas) for path in paths]), self.told([path.prompt for path in paths]),
        )

    def points(
        self, latent_B: Tensor, prompts: Sequence[str], names: Sequence[tuple], *, count: int = 1, reduction: str = "mean",
        decay: float = 0.0, without_prompt: float = 0.0,
    ) -> Points:
        """Latents to be scored by their velocity at `count` times and noises each.

        Args:
            latent_B: as `encode` and `Sampled.latent` have them, (B, ...).
            names: per sample, what its times and noises are keyed by: samples of one name share them.
            reduction: "mean" over dimensions, or their "sum": what a weight of the KL means depends on it.
            decay: points weigh (1 - t)^decay: 2 is Flow-DPO's beta as its derivation has it, 0 a constant one.
            without_prompt: share of names that are scored without their prompt, for classifier-free guidance.
        """
        shape = (count, *self.latent_shape)
        drawn = [normals((*name, "points"), count + math.prod(shape)) for name in names]
        time_BT = logit_normal(torch.stack([numbers[:count] for numbers in drawn]))
        noise_BT = torch.stack([numbers[count:].reshape(shape) for numbers in drawn])
        prompt_BK = self.told(prompts)
        if without_prompt:
            chance_B = torch.tensor([uniforms((*name, "prompt"), 1)[0] for name in names])
            prompt_BK = torch.where((chance_B >= without_prompt).unsqueeze(1), prompt_BK, self.untold(prompt_BK))
        mask_BT = torch.ones(len(names), count, dtype=torch.bool)
        scale_BT = self._scale(reduction) * (1.0 - time_BT) ** decay
        return Points(mask_BT, torch.zeros(len(names), count), {}, latent_B, noise_BT, time_BT, scale_BT, prompt_BK)

    @torch.no_grad()
    def path_kl(self, other: RectifiedFlow, rollouts: Sequence[Drawn]) -> Tensor:
        """KL(this || other) in nats of each clip that this policy drew with noise, (B,) on the CPU: of its steps in closed form,
        at the places that it came through, so that its mean over clips is the KL of the two paths (see equations.py)."""
        kl_B = torch.zeros(len(rollouts))
        for start in range(0, len(rollouts), self.at_once):
            rows = slice(start, start + self.at_once)
            batch = self.pack(rollouts[rows]).to(self.device)
            for k in range(batch.mask_BT.shape[1]):
                x, time_B, after_B = batch.places_BT[:, k], batch.times_BT[:, k], batch.times_BT[:, k + 1]
                (mean, std_B), (theirs, _) = (
                    sde_step(x, policy.velocity(x, time_B, batch.prompt_BK), time_B, after_B, batch.sigma_BT[:, k])
                    for policy in (self, other)
                )
                kl_B[rows] += gaussian_kl(mean, theirs, std_B).cpu()
        return kl_B

    def score(
        self, batch: Batch, *, temperature: float = 1.0, entropy_gradient: bool = False
    ) -> tuple[Tensor, None]:
        """Of `Steps` exact log-probs of each step; of `Points` -scale / 2 |target - v|^2 at each point (see equations.py)."""
        mask_BT = batch.mask_BT
        row, part = mask_BT.nonzero(as_tuple=True)
        if isinstance(batch, Points):
            latent, noise, time_N = batch.latent_B[row], batch.noise_BT[row, part], batch.time_BT[row, part]
            velocity = self.velocity(interpolate(latent, noise, time_N), time_N, batch.prompt_BK[row])
            logp_N = velocity_logp(velocity, noise - latent, batch.scale_BT[row, part])
        elif isinstance(batch, Steps):
            mean, std_N = self._steps_from(batch, row, part)
            logp_N = batch.scale_BT[row, part] * gaussian_logp(batch.places_BT[row, part + 1], mean, std_N)
        else:
            raise ValueError(f"a flow scores Steps or Points; got {type(batch).__name__}")
        return torch.zeros_like(batch.sampling_logp_BT).index_put((row, part), logp_N), None

    def _steps_from(self, batch: Steps, row: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of where each step leads."""
        x, time_N, after_N = batch.places_BT[row, part], batch.times_BT[row, part], batch.times_BT[row, part + 1]
        return sde_step(x, self.velocity(x, time_N, batch.prompt_BK[row]), time_N, after_N, batch.sigma_BT[row, part])

    def expects(self, batch: Batch) -> Tensor:
        """The mean of each of `Steps`, (B, T, ...)."""
        assert isinstance(batch, Steps)
        row, part = batch.mask_BT.nonzero(as_tuple=True)
        return torch.zeros_like(batch.places_BT[:, 1:]).index_put((row, part), self._steps_from(batch, row, part)[0])

    def score_with_kl(self, batch: Batch, expected_BT: Tensor) -> tuple[Tensor, None, Tensor]:
        """Of `Steps`: two Gaussians of one deviation, so that the KL is the same either way, and per dimension where the
        log-probs are (an estimate from those would be D times too small)."""
        assert isinstance(batch, Steps)
        row, part = batch.mask_BT.nonzero(as_tuple=True)
        mean, std_N = self._steps_from(batch, row, part)
        scale_N, nothing_BT = batch.scale_BT[row, part], torch.zeros_like(batch.sampling_logp_BT)
        logp_N = scale_N * gaussian_logp(batch.places_BT[row, part + 1], mean, std_N)
        kl_N = scale_N * gaussian_kl(mean, expected_BT[row, part], std_N)
        return nothing_BT.index_put((row, part), logp_N), None, nothing_BT.index_put((row, part), kl_N)


def normals(name: tuple, count: int) -> Tensor:
    """Standard normal numbers of a name; the same everywhere and in any order."""
    chance = np.clip(uniforms(name, count), 1e-12, 1.0 - 1e-12)
    return torch.special.ndtri(torch.from_numpy(chance)).float()


def clip_columns(clip_FHW: Tensor) -> dict[str, Any]:
    """What the record of a clip says of it: values of a byte, black where not finite, and its frames, height and width, and 3 in
    colour. One of more than MOST_STORED bytes is thinned evenly in rows and columns."""
    every = 1
    while math.prod(clip_FHW[:, ::every, ::every].shape) > MOST_STORED:
        every += 1
    clip_FHW = clip_FHW[:, ::every, ::every]
    frames = (clip_FHW.nan_to_num(0.0, 0.0, 0.0) * 255.0).round().to(torch.uint8).numpy()
    return {"clip": frames.tobytes(), "clip_shape": list(frames.shape)}
