"""What the layers of every architecture that the fast path knows are made of, read from a `transformers` config.

A family is one entry of `FAMILIES`. dense.py, decoder.py and flops.py compute what an `Architecture` says and ask for
no name: a feature that no entry uses (a norm that is not there, a scale of 1, no cap) costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

_FIXED_ROTATIONS = ("default", "linear", "llama3", "yarn")  # the others depend on the length at hand
_ACTIVATIONS = ("silu", "gelu_pytorch_tanh")


class FastPathError(Exception):
    """Why a model takes the general path."""


@dataclass(frozen=True)
class Norms:
    """Names of a layer's RMSNorm modules, None where there is none: x + after(part(before(x))) for attention, then the MLP."""

    attention_before: str | None = "input_layernorm"
    attention_after: str | None = None
    mlp_before: str | None = "post_attention_layernorm"
    mlp_after: str | None = None


_AFTER = Norms(None, "post_attention_layernorm", None, "post_feedforward_layernorm")
_AROUND = Norms("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm")


@dataclass(frozen=True)
class Architecture:
    """A decoder with RMSNorm, rotary positions, grouped-query attention and a gated MLP.

    Example:
        Architecture.of(config) of Mistral 7B v0.1: windows == (4096,) * 32, everything else as in Llama.
    """

    windows: tuple[int | None, ...]
    """For each layer how many tokens one sees, itself included; None: all before it."""
    rotations: tuple[str | None, ...]
    """For each layer the key of its rotary angles in models with several sets, "" in those with one; None: no positions."""
    activation: str = "silu"
    """Of the gate: "silu", or "gelu_pytorch_tanh"."""
    norms: Norms = Norms()
    norm_offset: float = 0.0
    """Added to every norm's weight."""
    head_norm: Literal["none", "head", "projection"] = "none"
    """RMSNorm of queries and keys: of every head, or of all heads of the projection together."""
    qkv: tuple[str, ...] = ("q_proj", "k_proj", "v_proj")
    gate_up: tuple[str, ...] = ("gate_proj", "up_proj")
    embedding_scale: float = 1.0
    residual_scale: float = 1.0
    """What attention and MLP are multiplied by before they are added."""
    score_cap: float | None = None
    """Attention scores s become cap tanh(s / cap) before the softmax."""

    @classmethod
    def of(cls, config: Any) -> Architecture:
        """Raises FastPathError when it is none of `FAMILIES`, or does what no entry there describes."""
        if config.model_type not in FAMILIES:
            raise FastPathError(f"its architecture, {config.model_type}, is none of {', '.join(FAMILIES)}")
        layers = config.num_hidden_layers
        activation = getattr(config, "hidden_activation", None) or config.hidden_act
        settings = {"windows": (None,) * layers, "rotations": ("",) * layers, "activation": activation}
        found = cls(**{**settings, **FAMILIES[config.model_type](config)})
        if found.activation not in _ACTIVATIONS:
            raise FastPathError(f"its activation is {found.activation!r}, none of {', '.join(_ACTIVATIONS)}")
        if getattr(config, "use_bidirectional_attention", False):
            raise FastPathError("its tokens see those after them")
        rotations = config.rope_parameters if any(found.rotations) else {"": config.rope_parameters}
        for key in sorted({key for key in found.rotations if key is not None}):
            if (kind := rotations[key].get("rope_type", "default")) not in _FIXED_ROTATIONS:
                raise FastPathError(f"its rotary positions ({kind}) depend on the length at hand")
        return found


def attention_windows(config: Any) -> tuple[int | None, ...]:
    """For each layer how many tokens one sees, None for all; by the types of its layers where the family is not known here."""
    if config.model_type in FAMILIES:
        return FAMILIES[config.model_type](config).get("windows", (None,) * config.num_hidden_layers)
    return _windows_by_type(config) if getattr(config, "layer_types", None) else (None,) * config.num_hidden_layers


def _windows_by_type(config: Any) -> tuple[int | None, ...]:
    window, kinds = getattr(config, "sliding_window", None), config.layer_types
    return tuple(window if kind == "sliding_attention" else None for kind in kinds)


def _one_window(config: Any) -> tuple[int | None, ...]:
    """Mistral and Phi-3 apply the window in every layer, whatever its type."""
    return (config.sliding_window,) * config.num_hidden_layers


def _gemma(config: Any) -> dict[str, Any]:
    return {
        "windows": _windows_by_type(config), "norms": _AROUND, "norm_offset": 1.0, "embedding_scale": config.hidden_size**0.5,
    }  # fmt: skip


FAMILIES: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "llama": lambda c: {},
    "mistral": lambda c: {"windows": _one_window(c)},
    "qwen2": lambda c: {"windows": _windows_by_type(c)},
    "qwen3": lambda c: {"windows": _windows_by_type(c), "head_norm": "head"},
    "gemma2": lambda c: {**_gemma(c), "score_cap": c.attn_logit_softcapping},
    "gemma3_text": lambda c: {**_gemma(c), "rotations": tuple(c.layer_types), "head_norm": "head"},
    "phi3": lambda c: {"windows": _one_window(c), "qkv": ("qkv_proj",), "gate_up": ("gate_up_proj",)},
    "olmo2": lambda c: {"norms": _AFTER, "head_norm": "projection"},
    "smollm3": lambda c: {
        "windows": _windows_by_type(c),
        "rotations": tuple("" if rotated else None for rotated in c.no_rope_layers[: c.num_hidden_layers]),
    },
    "granite": lambda c: {"embedding_scale": c.embedding_multiplier, "residual_scale": c.residual_multiplier},
}
"""By `model_type`, in what a family differs from Llama. The scale of attention scores is that of the attention module."""
ARCHITECTURES = tuple(FAMILIES)


def scaled_logits(config: Any) -> Callable[[Tensor], Tensor]:
    """What architectures do to their logits after the head: a scale and a soft cap, either under the names in use."""
    cap = getattr(config, "final_logit_softcapping", None)
    scale = getattr(config, "logit_scale", None) or 1.0 / (getattr(config, "logits_scaling", None) or 1.0)

    def scaled(logits: Tensor) -> Tensor:
        logits = logits if scale == 1.0 else logits * scale
        return torch.tanh(logits / cap) * cap if cap else logits

    return scaled
