"""A rectified flow as a policy: it draws clips by a few steps from noise, and says how likely it was to.

A sample's parts are its steps where they have noise of their own (log-probs are exact), or points of time and noise at which
the flow is asked what the clip's velocity is (a surrogate). Both stand in the batch whole, so policy, reference, better and
worse clip are scored at the same points.

Shape key: B samples, T steps or points, F frames, H, W pixels, K words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sanmai.policies.contract import Policy
from sanmai.policies.cores import Cores
from sanmai.policies.flow.config import FlowModelConfig, FlowSamplingConfig
from sanmai.policies.flow.equations import (
    classifier_free,
    gaussian_kl,
    gaussian_logp,
    guided,
    interpolate,
    logit_normal,
    noise_level,
    sde_step,
    times,
    velocity_logp,
)
from sanmai.policies.flow.folders import first_line, network_of, read_folder, sizes_in, sizes_of, words_in, write_folder
from sanmai.policies.flow.network import Network
from sanmai.policies.flow.reward import FlowReward, load_flow_reward
from sanmai.policies.text.sampler import uniforms
from sanmai.types import Batch, Drawn, InputError, Problem, StopReason

KIND = "flow"
_AT_ONCE = 256
"""Clips that are drawn together."""


@dataclass(frozen=True)
class Sampled:
    """What was drawn, with its axes named: places[k] is where the flow was at times[k]."""

    prompt: str
    clip_FHW: Tensor
    """In 0..1: what is graded and shown."""
    places_TFHW: Tensor | None
    """steps + 1 places in -1..1, from noise to the clip; None where the steps have no noise and so no log-prob."""
    times: tuple[float, ...]
    sigmas: tuple[float, ...]
    """Noise level of each step."""
    scale: float
    """Of the log-probs: 1, or 1 / D for those per dimension."""


@dataclass(frozen=True)
class Steps(Batch):
    """Drawn clips with the steps that they were drawn by; parts are steps."""

    places_BTFHW: Tensor
    """T + 1 places."""
    times_BT: Tensor
    """T + 1 times."""
    sigma_BT: Tensor
    scale_BT: Tensor
    prompt_BK: Tensor


@dataclass(frozen=True)
class Points(Batch):
    """Clips with times and noises at which the flow is asked for their velocity; parts are points."""

    clip_BFHW: Tensor
    """In -1..1."""
    noise_BTFHW: Tensor
    time_BT: Tensor
    scale_BT: Tensor
    prompt_BK: Tensor


class FlowPolicy(Policy[Batch]):
    """A network that predicts velocities, with the words that its prompts are made of."""

    tells_entropy = False

    def __init__(self, network: Network, words: Sequence[str], config: FlowModelConfig, sizes: Mapping[str, Any]) -> None:
        self.network, self.words, self.config, self.sizes = network.eval(), tuple(words), config, dict(sizes)
        self.device = torch.device(config.device)
        self.cores = Cores(0, is_cpu=self.device.type == "cpu", is_one=False)
        self.weights = dict(network.named_parameters())
        self._guide: FlowReward | None = None

    @property
    def folder_is_whole(self) -> bool:
        return True

    def save(self, folder: Path) -> None:
        """config.json and model.safetensors; `load_flow` reads them."""
        write_folder(folder, KIND, self.sizes, self.words, self.tensors())

    def tensors(self) -> dict[str, Tensor]:
        return {name: p.detach() for name, p in self.weights.items()}

    def facts(self) -> dict[str, Any]:
        return super().facts() | {"name": self.config.name, "kind": KIND, "words": list(self.words)}

    def words_of(self, prompts: Sequence[str]) -> Tensor:
        """Which of its words each prompt has, bool (B, K).

        Raises:
            InputError: a prompt has none of them.
        """
        return words_in(self.words, prompts, "this flow")

    def draw(
        self, problems: Sequence[Problem], count: int, *, seed: tuple, version: int, sampling: FlowSamplingConfig,
        thought_tags: tuple[str, str],
    ) -> Iterator[tuple[int, Drawn]]:
        """`count` clips for each problem; noise is keyed by seed, problem and sample, so that two policies can share it."""
        wanted = [(index, problem, k) for index, problem in enumerate(problems) for k in range(count)]
        for part in (wanted[k : k + _AT_ONCE] for k in range(0, len(wanted), _AT_ONCE)):
            names = [(*seed, problem.id, k) for _, problem, k in part]
            prompts = [problem.prompt for _, problem, _ in part]
            places, logps, sigmas = self._flow(names, prompts, sampling)
            clips_BFHW = self.decode(places[-1])
            scale = self._scale(sampling.reduction)
            for b, (index, problem, k) in enumerate(part):
                own = torch.stack([place[b] for place in places]) if logps is not None else None
                content = Sampled(prompts[b], clips_BFHW[b], own, tuple(times(sampling.steps, sampling.shift)), sigmas, scale)
                yield index, Drawn(
                    problem.id, k, [], [], [] if logps is None else logps[b].tolist(), StopReason.STOP, version,
                    f"a clip of {clips_BFHW.shape[1]} frames", content=content, columns=clip_columns(clips_BFHW[b]),
                )

    @torch.no_grad()
    def _flow(
        self, names: Sequence[tuple], prompts: Sequence[str], sampling: FlowSamplingConfig
    ) -> tuple[list[Tensor], Tensor | None, tuple[float, ...]]:
        """Places from noise to clip (on the CPU), log-probs (B, T) of steps with noise, and each step's noise level."""
        grid = times(sampling.steps, sampling.shift)
        has_noise = sampling.noise != "none"
        noise_BNFHW = self._noises(names, 1 + (sampling.steps if has_noise else 0)).to(self.device)
        prompt_BK = self.words_of(prompts).to(self.device)
        places, logps, sigmas = [noise_BNFHW[:, 0]], [], []
        for k, (time, after) in enumerate(pairwise(grid)):
            x = places[-1]
            time_B, after_B = x.new_full((len(x),), time), x.new_full((len(x),), after)
            sigma = noise_level(time, after, sampling.noise, sampling.noise_size) if sampling.noise != "none" else 0.0
            velocity = self._velocity(x, time_B, prompt_BK, prompts, sampling)
            mean, std_B = sde_step(x, velocity, time_B, after_B, torch.full_like(time_B, sigma))
            sigmas.append(sigma)
            if not has_noise:
                places.append(mean)
                continue
            place = mean + std_B.reshape(-1, 1, 1, 1) * noise_BNFHW[:, k + 1]
            logps.append(self._scale(sampling.reduction) * gaussian_logp(place, mean, std_B))
            places.append(place)
        return [p.cpu() for p in places], torch.stack(logps, dim=1).cpu() if logps else None, tuple(sigmas)

    def _velocity(
        self, x: Tensor, time_B: Tensor, prompt_BK: Tensor, prompts: Sequence[str], sampling: FlowSamplingConfig
    ) -> Tensor:
        velocity = self.network(x, time_B, prompt_BK)
        if sampling.prompt_scale != 1.0:
            velocity = classifier_free(velocity, self.network(x, time_B, torch.zeros_like(prompt_BK)), sampling.prompt_scale)
        guide = sampling.guide
        if guide.reward is None or time_B[0] > guide.below_time:
            return velocity
        if self._guide is None or self._guide.name != guide.reward:
            named = FlowModelConfig(name=guide.reward, device=self.config.device)
            self._guide = load_flow_reward(named, self.network.shape)
        return guided(velocity, self._guide.gradient(x, time_B, prompts, guide.weights), time_B)

    def _noises(self, names: Sequence[tuple], count: int) -> Tensor:
        """Standard normal numbers (B, count, F, H, W), each row's from its name."""
        shape = (count, *self.network.shape)
        return torch.stack([normals(name, math.prod(shape)).reshape(shape) for name in names])

    def _scale(self, reduction: str) -> float:
        return 1.0 if reduction == "sum" else 1.0 / math.prod(self.network.shape)

    @staticmethod
    def decode(place: Tensor) -> Tensor:
        """Pixels in 0..1 of a latent in -1..1."""
        return ((place + 1.0) / 2.0).clamp(0.0, 1.0)

    @staticmethod
    def encode(clip: Tensor) -> Tensor:
        """The latent of pixels."""
        return clip * 2.0 - 1.0

    def pack(self, rollouts: Sequence[Drawn], *, newest_alone: bool = False) -> Steps:
        """Clips that were drawn with noise in their steps.

        Raises:
            ValueError: one has no log-probs.
        """
        paths = [r.content for r in rollouts]
        if any(path.places_TFHW is None for path in paths):
            raise ValueError("clips drawn without noise in their steps have no log-probs; use points() for them")
        logp_BT = torch.tensor([r.sampling_logp for r in rollouts])
        return Steps(
            torch.ones_like(logp_BT, dtype=torch.bool), logp_BT, {}, torch.stack([path.places_TFHW for path in paths]),
            torch.tensor([path.times for path in paths]), torch.tensor([path.sigmas for path in paths]),
            torch.tensor([[path.scale] * len(path.sigmas) for path in paths]), self.words_of([path.prompt for path in paths]),
        )

    def points(
        self, clips_BFHW: Tensor, prompts: Sequence[str], names: Sequence[tuple], *, count: int = 1, reduction: str = "mean",
        decay: float = 0.0, without_prompt: float = 0.0,
    ) -> Points:
        """Clips to be scored by their velocity at `count` times and noises each.

        Args:
            clips_BFHW: in 0..1.
            names: per clip, what its times and noises are keyed by: clips of one name share them.
            reduction: "mean" over dimensions, or their "sum": what a weight of the KL means depends on it.
            decay: points weigh (1 - t)^decay: 2 is Flow-DPO's beta as its derivation has it, 0 a constant one.
            without_prompt: share of names that are scored without their prompt, for classifier-free guidance.
        """
        shape = (count, *self.network.shape)
        drawn = [normals((*name, "points"), count + math.prod(shape)) for name in names]
        time_BT = logit_normal(torch.stack([numbers[:count] for numbers in drawn]))
        noise_BTFHW = torch.stack([numbers[count:].reshape(shape) for numbers in drawn])
        prompt_BK = self.words_of(prompts)
        if without_prompt:
            chance_B = torch.tensor([uniforms((*name, "prompt"), 1)[0] for name in names])
            prompt_BK = prompt_BK & (chance_B >= without_prompt).unsqueeze(1)
        mask_BT = torch.ones(len(names), count, dtype=torch.bool)
        scale_BT = self._scale(reduction) * (1.0 - time_BT) ** decay
        return Points(
            mask_BT, torch.zeros(len(names), count), {}, self.encode(clips_BFHW), noise_BTFHW, time_BT, scale_BT, prompt_BK
        )

    @torch.no_grad()
    def path_kl(self, other: FlowPolicy, rollouts: Sequence[Drawn]) -> Tensor:
        """KL(this || other) in nats of each clip that this policy drew with noise, (B,) on the CPU: of its steps in closed form,
        at the places that it came through, so that its mean over clips is the KL of the two paths (see equations.py)."""
        batch = self.pack(rollouts).to(self.device)
        kl_B = torch.zeros(len(rollouts))
        for k in range(batch.mask_BT.shape[1]):
            x, time_B, after_B = batch.places_BTFHW[:, k], batch.times_BT[:, k], batch.times_BT[:, k + 1]
            (mean, std_B), (theirs, _) = (
                sde_step(x, policy.network(x, time_B, batch.prompt_BK), time_B, after_B, batch.sigma_BT[:, k])
                for policy in (self, other)
            )
            kl_B += gaussian_kl(mean, theirs, std_B).cpu()
        return kl_B

    def score(
        self, batch: Batch, *, temperature: float = 1.0, entropy_gradient: bool = False
    ) -> tuple[Tensor, None]:
        """Of `Steps` exact log-probs of each step; of `Points` -scale / 2 |target - v|^2 at each point (see equations.py)."""
        mask_BT = batch.mask_BT
        row, part = mask_BT.nonzero(as_tuple=True)
        if isinstance(batch, Points):
            clip, noise, time_N = batch.clip_BFHW[row], batch.noise_BTFHW[row, part], batch.time_BT[row, part]
            velocity = self.network(interpolate(clip, noise, time_N), time_N, batch.prompt_BK[row])
            logp_N = velocity_logp(velocity, noise - clip, batch.scale_BT[row, part])
        elif isinstance(batch, Steps):
            x, time_N, after_N = batch.places_BTFHW[row, part], batch.times_BT[row, part], batch.times_BT[row, part + 1]
            velocity = self.network(x, time_N, batch.prompt_BK[row])
            mean, std_N = sde_step(x, velocity, time_N, after_N, batch.sigma_BT[row, part])
            logp_N = batch.scale_BT[row, part] * gaussian_logp(batch.places_BTFHW[row, part + 1], mean, std_N)
        else:
            raise ValueError(f"a flow scores Steps or Points; got {type(batch).__name__}")
        return torch.zeros_like(batch.sampling_logp_BT).index_put((row, part), logp_N), None


def normals(name: tuple, count: int) -> Tensor:
    """Standard normal numbers of a name; the same everywhere and in any order."""
    chance = np.clip(uniforms(name, count), 1e-12, 1.0 - 1e-12)
    return torch.special.ndtri(torch.from_numpy(chance)).float()


def clip_columns(clip_FHW: Tensor) -> dict[str, Any]:
    """What the record of a clip says of it: grey values of a byte, black where not finite, and its frames, height and width."""
    frames = (clip_FHW.nan_to_num(0.0, 0.0, 0.0) * 255.0).round().to(torch.uint8).numpy()
    return {"clip": frames.tobytes(), "clip_shape": list(frames.shape)}


def new_flow(config: FlowModelConfig, shape: tuple[int, int, int], words: Sequence[str]) -> FlowPolicy:
    """A flow with random weights that its settings name."""
    sizes = sizes_of(config, shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.init_seed)
        network = network_of(sizes, len(words), is_velocity=True)
    return FlowPolicy(network.to(config.device), words, config, sizes)


def load_flow(config: FlowModelConfig, shape: tuple[int, int, int], words: Sequence[str]) -> FlowPolicy:
    """The flow that the settings name: a folder, or a new one for clips of this shape and prompts of these words.

    Raises:
        InputError: no flow is there, or it is one of other clips.
    """
    if config.name == "new":
        return new_flow(config, shape, words)
    facts, tensors = read_folder(config.name, KIND, config.device)
    try:
        network = network_of(facts, len(facts["words"]), is_velocity=True)
        network.load_state_dict(tensors)
        found = FlowPolicy(network.to(config.device), facts["words"], config, sizes_in(facts))
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise InputError(f"{config.name}: weights and config.json do not belong together ({first_line(error)})") from None
    if tuple(facts["shape"]) != tuple(shape):
        raise InputError(f"{config.name}: makes clips of {facts['shape']} (frames, height, width); expected {list(shape)}")
    return found
