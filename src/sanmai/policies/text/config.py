"""Which model, on which device, in which numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import torch
from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.policies.text.tiny import EMBEDDED_MODEL, is_embedded

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class ModelConfig(Config):
    name: str = EMBEDDED_MODEL
    """"tiny" (the embedded base), a `transformers` folder, a Sanmai run folder (its newest checkpoint), or a hub name."""
    device: str = Field("cpu", pattern=r"^(cpu|mps|cuda(:\d+)?)$")
    """"cpu", "cuda", "cuda:1", "mps"."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the forward and backward pass. Trained weights and optimizer state are float32 either way."""
    threads: int = Field(0, ge=0, le=1024)
    """CPU cores to use; 0: OMP_NUM_THREADS, or all. A small model splits the rollouts over them, a large one each product."""
    fast_path: bool = True
    """Run the architectures that dense.py knows by Sanmai's own functions; false takes the library's forward for all."""
    recompute_layers: bool = False
    """Activation checkpointing: keep each layer's input alone and compute the layer again in the backward pass. Saves memory."""
    lora_rank: int = Field(0, ge=0)
    """Rank of LoRA adapters on every linear layer; 0 trains all weights."""
    lora_alpha: int = Field(32, ge=1)
    """LoRA scale; the update is multiplied by lora_alpha / lora_rank."""
    revision: str | None = None
    """Commit, tag or branch of a hub model."""
    trust_remote_code: bool = False
    """Run Python code that comes with the model. Off unless you turn it on by name."""

    only_with = (
        OnlyWith("lora_rank above 0", lambda c: c.lora_rank > 0, "lora_alpha"),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.revision is not None and (is_embedded(self.name) or Path(self.name).is_dir()):
            raise ValueError(f"revision of {self.name!r}: only a hub model has revisions")
        return self
