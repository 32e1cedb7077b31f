"""Settings of flow policies."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.policies.flow.equations import NoiseLevel

POINTS = "points"
"""What the work of a flow, or of a reward model of clips, is counted in: a clip at one time. That is a step of its drawing, or a
time and noise that it is learned at."""


class FlowModelConfig(Config):
    name: str = "new"
    """A folder with a flow policy, such as a checkpoint of a run; a folder or hub name of a pipeline of diffusers (Stable
    Diffusion 3, Flux, LTX, Wan); or "new": random weights of the size below."""
    device: str = "cpu"
    """Where it computes: "cpu", "cuda", "mps"."""
    init_seed: int = Field(0, ge=0)
    """Names the random weights of a new one, or of adapters."""
    width: int = Field(96, ge=8, multiple_of=4)
    """Numbers per patch inside a new network."""
    depth: int = Field(3, ge=1)
    """Blocks of a new network."""
    heads: int = Field(4, ge=1)
    """Attention heads of a new network; they divide the width."""
    patch: int = Field(2, ge=1)
    """Side in pixels of a new network's patches; it divides height and width of the clips."""

    size: tuple[int, int, int] | None = None
    """Of a pipeline: frames, height and width of what it draws; an image has 1 frame. None: what it draws by default."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of a pipeline: arithmetic of its passes. Trained weights and optimizer state are float32 either way."""
    lora_rank: int = Field(0, ge=0)
    """Of a pipeline: rank of LoRA adapters in the attention of its transformer; 0 trains all of the transformer."""
    lora_alpha: int = Field(32, ge=1)
    """LoRA scale; the update is multiplied by lora_alpha / lora_rank."""
    recompute_layers: bool = False
    """Of a pipeline: keep each layer's input alone and compute the layer again in the backward pass. Saves memory."""
    draw_at_once: int = Field(4, ge=1)
    """Of a pipeline: samples that are drawn together."""

    only_with = (
        OnlyWith('name = "new", or lora_rank above 0', lambda c: c.name == "new" or c.lora_rank > 0, "init_seed"),
        OnlyWith('name = "new"', lambda c: c.name == "new", "width", "depth", "heads", "patch"),
        OnlyWith(
            "name of a pipeline", lambda c: c.name != "new", "size", "dtype", "lora_rank", "recompute_layers", "draw_at_once"
        ),
        OnlyWith("lora_rank above 0", lambda c: c.lora_rank > 0, "lora_alpha"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.dtype != "float32" and not self.lora_rank:
            raise ValueError(f"dtype = {self.dtype!r} with lora_rank = 0: weights that are trained are float32; set lora_rank")
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"size = {list(self.size)}: expected frames, height and width of at least 1")
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
