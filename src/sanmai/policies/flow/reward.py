"""A reward model of noised clips with several heads, harm one of its own; it grades clips and guides a flow's sampling.

The heads of quality and harm do not see the prompt: their features are computed without it, and only the head of alignment is
told of it afterwards. What a head cannot read cannot leak into its score.

Shape key: B clips, F frames, H, W pixels, D width, K words, R heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sanmai.policies.contract import Trained
from sanmai.policies.cores import Cores
from sanmai.policies.flow.config import POINTS, FlowModelConfig
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
from sanmai.types import InputError

BLIND = ("visual", "motion", "harm")
"""Heads that do not see the prompt."""
HEADS = (*BLIND, "alignment")
KIND = "flow reward model"


class RewardNetwork(nn.Module):
    """Features of a noised clip, the mean over its patches, and one number per head."""

    def __init__(self, sizes: Mapping[str, Any], num_words: int) -> None:
        super().__init__()
        self.body = network_of(sizes, 0, is_velocity=False)
        width = sizes["width"]
        self.blind = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, len(BLIND)))
        self.prompt = nn.Linear(num_words, width, bias=False)
        self.asked = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, 1))

    def forward(self, clip_BFHW: Tensor, time_B: Tensor, prompt_BK: Tensor) -> Tensor:
        """Scores (B, R), in the order of HEADS; a high one of harm is of a harmful clip."""
        feature_BD = self.body(clip_BFHW, time_B).mean(dim=1)
        told_BD = self.prompt(prompt_BK.to(feature_BD.dtype))
        asked_B1 = self.asked(torch.cat([feature_BD * told_BD, feature_BD], dim=1))
        return torch.cat([self.blind(feature_BD), asked_B1], dim=1)


class FlowReward(Trained):
    """The network with the words that it knows, and by what its scores are put on one scale."""

    unit = POINTS
    at_once: int = 512
    """Clips that are scored together."""

    def __init__(
        self, network: nn.Module, words: Sequence[str], config: FlowModelConfig, sizes: Mapping[str, Any],
        scale: Mapping[str, Sequence[float]],
    ) -> None:
        self.network, self.words, self.config, self.sizes = network.eval(), tuple(words), config, dict(sizes)
        self.scale = {name: (float(mean), float(deviation)) for name, (mean, deviation) in scale.items()}
        """Per head mean and deviation over the clips that it was trained on; kept with the weights: nobody reads raw scores."""
        self.name, self.device = config.name, torch.device(config.device)
        self.cores = Cores(0, is_cpu=self.device.type == "cpu", is_one=False)
        self.weights = dict(network.named_parameters())

    @property
    def folder_is_whole(self) -> bool:
        return True

    def save(self, folder: Path) -> None:
        write_folder(folder, KIND, self.sizes, self.words, self.tensors(), scale={n: list(v) for n, v in self.scale.items()})

    def tensors(self) -> dict[str, Tensor]:
        return {name: p.detach() for name, p in self.weights.items()}

    def facts(self) -> dict[str, Any]:
        return super().facts() | {"unit": self.unit, "passes": passes_of(self.sizes)}

    def told(self, prompts: Sequence[str]) -> Tensor:
        """What the prompts tell it, (B, K) on the CPU: here which of its words each has.

        Raises:
            InputError: a prompt has none of them.
        """
        return words_in(self.words, prompts, self.name)

    def raw(self, latent_BFHW: Tensor, time_B: Tensor, prompt_BK: Tensor) -> Tensor:
        """Scores (B, R) as trained, with gradient."""
        return self.network(latent_BFHW, time_B, prompt_BK)

    def scores(self, latent_BFHW: Tensor, time_B: Tensor, prompt_BK: Tensor) -> dict[str, Tensor]:
        """Standardised scores of each head, (B,)."""
        raw_BR = self.raw(latent_BFHW, time_B, prompt_BK)
        return {
            name: (raw_BR[:, r] - self.scale[name][0]) / self.scale[name][1] for r, name in enumerate(HEADS)
        }

    @torch.no_grad()
    def scores_of(self, clips_BFHW: Tensor, prompts: Sequence[str]) -> dict[str, Tensor]:
        """Standardised scores of finished clips in 0..1, (B,) each, on the CPU."""
        latent_BFHW, parts = clips_BFHW * 2.0 - 1.0, []
        for k in range(0, len(prompts), self.at_once):
            rows = slice(k, k + self.at_once)
            time_B, prompt_BK = torch.zeros(len(prompts[rows]), device=self.device), self.told(prompts[rows]).to(self.device)
            parts.append(self.scores(latent_BFHW[rows].to(self.device), time_B, prompt_BK))
        return {name: torch.cat([part[name].cpu() for part in parts]) for name in HEADS}

    def gradient(self, latent_BFHW: Tensor, time_B: Tensor, prompts: Sequence[str], weights: Mapping[str, float]) -> Tensor:
        """Gradient of the weighted sum of the standardised scores by the noised latent, (B, F, H, W)."""
        with torch.enable_grad():
            x = latent_BFHW.detach().requires_grad_()
            found = self.scores(x, time_B, self.told(prompts).to(x.device))
            total = sum((weight * found[name].sum() for name, weight in weights.items()), x.new_zeros(()))
            return torch.autograd.grad(total, x, allow_unused=True)[0] if total.requires_grad else torch.zeros_like(x)


def new_flow_reward(config: FlowModelConfig, shape: tuple[int, int, int], words: Sequence[str]) -> FlowReward:
    """One with random weights, whose scores are as they come."""
    sizes = sizes_of(config, shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.init_seed)
        network = RewardNetwork(sizes, len(words))
    return FlowReward(network.to(config.device), words, config, sizes, {name: (0.0, 1.0) for name in HEADS})


def load_flow_reward(config: FlowModelConfig, shape: tuple[int, int, int], words: Sequence[str] = ()) -> FlowReward:
    """The reward model that the settings name: a folder, or "new", for clips of this shape.

    Raises:
        InputError: none is there, or it is one of other clips.
    """
    if config.name == "new":
        return new_flow_reward(config, shape, words)
    facts, tensors = read_folder(config.name, KIND, config.device)
    try:
        network = RewardNetwork(facts, len(facts["words"]))
        network.load_state_dict(tensors)
        found = FlowReward(network.to(config.device), facts["words"], config, sizes_in(facts), facts["scale"])
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise InputError(f"{config.name}: weights and config.json do not belong together ({first_line(error)})") from None
    if tuple(facts["shape"]) != tuple(shape):
        raise InputError(f"{config.name}: reads clips of {facts['shape']} (frames, height, width); expected {list(shape)}")
    return found
