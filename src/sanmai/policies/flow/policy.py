"""The flow of a small network on pixels, with the words that its prompts are made of; and how any flow is loaded.

Shape key: B samples, F frames, H, W pixels, K words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sanmai.policies.cores import Cores
from sanmai.policies.flow.config import FlowModelConfig, FlowSamplingConfig
from sanmai.policies.flow.equations import guided
from sanmai.policies.flow.folders import (
    first_line,
    network_of,
    passes_of,
    read_folder,
    sizes_in,
    sizes_of,
    words_in,
    write_folder,
)
from sanmai.policies.flow.network import Network
from sanmai.policies.flow.rectified import RectifiedFlow
from sanmai.policies.flow.reward import FlowReward
from sanmai.policies.flow.video_reward import load_reward_of_clips
from sanmai.types import InputError

KIND = "flow"


class FlowPolicy(RectifiedFlow):
    """A network that predicts velocities, with the words that its prompts are made of; latents are pixels in -1..1."""

    def __init__(self, network: Network, words: Sequence[str], config: FlowModelConfig, sizes: Mapping[str, Any]) -> None:
        self.network, self.words, self.config, self.sizes = network.eval(), tuple(words), config, dict(sizes)
        self.device = torch.device(config.device)
        self.cores = Cores(0, is_cpu=self.device.type == "cpu", is_one=False)
        self.weights = dict(network.named_parameters())
        self._guide: FlowReward | None = None

    @property
    def folder_is_whole(self) -> bool:
        return True

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return self.network.shape

    @property
    def clip_shape(self) -> tuple[int, ...]:
        return self.network.shape

    def save(self, folder: Path) -> None:
        """config.json and model.safetensors; `load_flow` reads them."""
        write_folder(folder, KIND, self.sizes, self.words, self.tensors())

    def tensors(self) -> dict[str, Tensor]:
        return {name: p.detach() for name, p in self.weights.items()}

    def facts(self) -> dict[str, Any]:
        counted = {"unit": self.unit, "passes": passes_of(self.sizes)}
        return super().facts() | {"name": self.config.name, "kind": KIND, "words": list(self.words), **counted}

    def told(self, prompts: Sequence[str]) -> Tensor:
        """Which of its words each prompt has, bool (B, K).

        Raises:
            InputError: a prompt has none of them.
        """
        return words_in(self.words, prompts, "this flow")

    def untold(self, prompt_BK: Tensor) -> Tensor:
        return torch.zeros_like(prompt_BK)

    def velocity(self, x: Tensor, time_B: Tensor, prompt_BK: Tensor) -> Tensor:
        return self.network(x, time_B, prompt_BK)

    def guide(self, velocity: Tensor, x: Tensor, time_B: Tensor, prompts: Sequence[str], sampling: FlowSamplingConfig) -> Tensor:
        guide = sampling.guide
        if guide.reward is None or time_B[0] > guide.below_time:
            return velocity
        if self._guide is None or self._guide.name != guide.reward:
            named = FlowModelConfig(name=guide.reward, device=self.config.device)
            self._guide = load_reward_of_clips(named, self.network.shape)
        return guided(velocity, self._guide.gradient(x, time_B, prompts, guide.weights), time_B)

    def decode(self, latent: Tensor) -> Tensor:
        return ((latent + 1.0) / 2.0).clamp(0.0, 1.0)

    def encode(self, clip: Tensor) -> Tensor:
        return clip * 2.0 - 1.0

    def learned(self, latent: Tensor, clip: Tensor) -> Tensor:
        return self.encode(clip)  # within -1..1, as the clips that it was pre-trained on


def new_flow(config: FlowModelConfig, shape: tuple[int, int, int], words: Sequence[str]) -> FlowPolicy:
    """A flow with random weights that its settings name."""
    sizes = sizes_of(config, shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.init_seed)
        network = network_of(sizes, len(words), is_velocity=True)
    return FlowPolicy(network.to(config.device), words, config, sizes)


def load_any(config: FlowModelConfig, shape: tuple[int, int, int], words: Sequence[str]) -> RectifiedFlow:
    """The pipeline of diffusers that the settings name, or else as `load_flow`."""
    from sanmai.policies.flow.pipeline import is_pipeline, load_pipeline

    return load_pipeline(config) if is_pipeline(config.name) else load_flow(config, shape, words)


def load_flow(config: FlowModelConfig, shape: tuple[int, int, int], words: Sequence[str]) -> FlowPolicy:
    """The flow that the settings name: a folder, or a new one for clips of this shape and prompts of these words.

    Raises:
        InputError: no flow is there, or it is one of other clips.
    """
    if config.name == "new":
        return new_flow(config, shape, words)
    if config.size is not None or config.lora_rank or config.recompute_layers:
        raise InputError(f"{config.name}: model.size, lora_rank and recompute_layers are of pipelines of diffusers alone")
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
