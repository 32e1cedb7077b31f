"""What a table of scale is made for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config

Share = Annotated[float, Field(gt=0, le=1)]


class WorkSettings(Config):
    """A step, where no run says it."""

    prompts_per_step: int = Field(512, ge=1)
    """Problems drawn in one step."""
    rollouts_per_prompt: int = Field(16, ge=1)
    """Completions of each problem."""
    prompt_tokens: float = Field(200.0, ge=1)
    """Mean tokens of a prompt."""
    mean_tokens: float = Field(2000.0, ge=1)
    """Mean tokens of a completion, before any is cut off."""
    spread: float = Field(0.8, ge=0, le=3)
    """Deviation of the logarithm of lengths (log-normal); half of its square between prompts, half within."""
    max_tokens: int = Field(8192, ge=1)
    """Longer completions are cut off here."""
    micro_tokens: int = Field(16384, ge=1)
    """Tokens of a micro-batch of a rank."""
    recompute_layers: bool = True
    """As model.recompute_layers: activations are computed again in the backward pass."""
    shard: Literal["layers", "whole"] = "layers"
    """As cluster.sharding: trainers gather a layer at a time, or the whole model."""
    extra_forwards: int = Field(0, ge=0, le=4)
    """Passes without gradient: one for a reference policy, one for proximal log-probs (loss.importance_cap with staleness)."""


class UseSettings(Config):
    """Which shares of a data sheet's numbers are taken for granted."""

    bandwidth: Share = 0.6
    """Of the memory's, by decoding."""
    sampling_flops: Share = 0.5
    """Of the dense bfloat16 products, by prefill and large decode batches."""
    training_flops: Share = 0.4
    """Of the same, by forward and backward passes. Llama 3 405B: 38 to 43 % on H100 (arXiv:2407.21783, table 4)."""
    link: Share = 0.7
    """Of the links', by gathering weights and summing gradients."""
    memory: Share = 0.9
    """Of a GPU's memory that may be filled."""
    step_overhead: float = Field(0.001, ge=0)
    """Seconds of a decode step beside memory and products."""
    storage_gigabytes: float = Field(20.0, gt=0)
    """GB/s of the storage that published weights go through, all nodes that read them together."""
    digest_gigabytes: float = Field(8.0, gt=0)
    """GB/s that are hashed when weights are published and when they are taken in."""


class FailureSettings(Config):
    gpu_hours: float = Field(50000.0, gt=0)
    """GPU hours between two deaths of a node. Llama 3 405B: 419 unexpected interruptions in 54 days of 16,384 GPUs, one in
    50,700 (arXiv:2407.21783, section 3.3.4)."""
    sampler_restart: float = Field(180.0, ge=0)
    """Seconds until the samplers of a dead node are back."""
    trainer_restart: float = Field(600.0, ge=0)
    """Seconds until trainers go on from the last commit."""
    commit_every: int = Field(10, ge=1)
    """Steps between commits (checkpoints.every); what was done after the last is done again."""


class ScaleConfig(Config):
    """Settings of `sanmai scale`."""

    gpus: tuple[int, ...] = (8, 32, 128, 512, 1024)
    """Numbers of GPUs to look at; of a run without a GPU's name, of machines like its own."""
    gpus_per_node: int = Field(8, ge=1)
    """GPUs of one machine, which share its links."""
    tensor: int = Field(0, ge=0)
    """GPUs that a sampler is spread over; 0: the fewest whose memory holds the weights and a quarter for keys and values."""
    network_gigabytes: float = Field(50.0, gt=0)
    """GB/s of a GPU to another node, in one direction; 50 is 400 Gb/s."""
    staleness: tuple[int, ...] = (0, 1, 4)
    """Bounds to look at: steps that rollouts are written ahead of training."""
    parts_per_sampler: int = Field(2, ge=1)
    """Parts that a step's rollouts are cut into, per sampler: more of them even out lengths, fewer fill a GPU better."""
    steps: int = Field(20, ge=4)
    """Steps that are simulated."""
    seed: int = 0
    """Of the lengths."""
    price: float | None = Field(None, ge=0)
    """Of a GPU and hour, in any currency; without it the table says GPU hours."""
    load_seconds: float = Field(0.0, ge=0)
    """Of a run without a GPU's name: seconds in which a sampler takes in new weights."""
    work: WorkSettings = WorkSettings()
    use: UseSettings = UseSettings()
    failures: FailureSettings = FailureSettings()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.gpus or min(self.gpus) < 2:
            raise ValueError(f"gpus = {list(self.gpus)}: expected numbers of at least 2, one for a sampler and one for a trainer")
        if not self.staleness or min(self.staleness) < 0:
            raise ValueError(f"staleness = {list(self.staleness)}: expected numbers of at least 0")
        return self
