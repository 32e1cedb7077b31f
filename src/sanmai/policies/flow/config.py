"""Settings of flow policies."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.policies.flow.equations import NoiseLevel


class FlowModelConfig(Config):
    name: str = "new"
    """A folder with a flow policy, such as a checkpoint of a run; or "new": random weights of the size below."""
    device: str = "cpu"
    """Where it computes: "cpu", "cuda", "mps"."""
    init_seed: int = Field(0, ge=0)
    """Names the random weights of a new one."""
    width: int = Field(96, ge=8, multiple_of=4)
    """Numbers per patch inside a new network."""
    depth: int = Field(3, ge=1)
    """Blocks of a new network."""
    heads: int = Field(4, ge=1)
    """Attention heads of a new network; they divide the width."""
    patch: int = Field(2, ge=1)
    """Side in pixels of a new network's patches; it divides height and width of the clips."""

    only_with = (
        OnlyWith('name = "new"', lambda c: c.name == "new", "init_seed", "width", "depth", "heads", "patch"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads = {self.heads} do not divide width = {self.width}")
        return self


class GuideConfig(Config):
    reward: str | None = None
    """Folder of a reward model of noised clips (recipe flow_reward) whose gradient guides sampling (Flow-NRG). None: no guide."""
    visual: float = 1.0
    """What a deviation of the head of visual quality weighs; a negative weight shuns what the head likes."""
    motion: float = 1.0
    """The same of motion."""
    alignment: float = 1.0
    """The same of what the prompt asks for."""
    harm: float = -2.0
    """The same of harm, which is shunned unless this is changed: guidance by quality alone draws harm that goes with it."""
    below_time: float = Field(0.9, gt=0, lt=1)
    """Guidance begins once time is at most this: its factor t / (1 - t) has no end at noise."""

    only_with = (
        OnlyWith("reward", lambda c: c.reward is not None, "visual", "motion", "alignment", "harm", "below_time"),
    )

    @property
    def weights(self) -> dict[str, float]:
        """By head."""
        return {"visual": self.visual, "motion": self.motion, "alignment": self.alignment, "harm": self.harm}


class FlowSamplingConfig(Config):
    steps: int = Field(16, ge=1, le=1000)
    """Steps from noise to clip."""
    shift: float = Field(1.0, gt=0)
    """Above 1: more of the steps near the noise."""
    noise: Literal["none"] | NoiseLevel = "none"
    """What a step adds: nothing (ODE), or noise at a level of "flow_grpo" or "constant" (SDE): each step then has a log-prob."""
    noise_size: float = Field(0.7, gt=0)
    """Size of that level: a of Flow-GRPO (0.7), eta of DanceGRPO (0.25)."""
    reduction: Literal["sum", "mean"] = "sum"
    """Log-probs of a step: of the whole latent (exact), or per dimension as Flow-GRPO's code has it, whose ratios are near 1."""
    prompt_scale: float = Field(1.0, ge=0)
    """Classifier-free guidance: 1 is the prompt's own velocity, above 1 exaggerates what the prompt adds."""
    guide: GuideConfig = GuideConfig()

    only_with = (
        OnlyWith('noise = "flow_grpo" or "constant"', lambda c: c.noise != "none", "noise_size", "reduction"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.noise != "none" and self.steps < 2:
            raise ValueError("steps = 1 with noise: the one step would begin and end where its level has no bound")
        if self.noise != "none" and (self.prompt_scale != 1.0 or self.guide.reward is not None):
            raise ValueError("noise with prompt_scale or a guide: what is trained must be what draws, so neither may be set")
        return self
