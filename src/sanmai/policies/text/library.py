"""What is read off a `transformers` model, and done to it, from outside: head, stop tokens, merged adapters, recomputation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from sanmai.data.turns import turn_end
from sanmai.policies.text.architectures import scaled_logits
from sanmai.policies.text.loading import first_line
from sanmai.types import InputError

_PROBE_TEXT = (
    "Every morning the baker carries 24 loaves to the market, sells 17 of them, and gives the rest to his neighbours. "
    "How many does he give away? He has 24 - 17 = 7 loaves left."
)


def backbone(model: Any) -> Any:
    """The model below its language-model head."""
    return plain(model).base_model


def plain(model: Any) -> Any:
    """The `transformers` model, whose layers have the adapters in them where there are any."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def probe_tokens(tokenizer: Any, vocabulary: int) -> Tensor | None:
    """Two rows of ordinary text, on which ways of computing are compared; None where the tokenizer makes too little of it."""
    tokens = [token for token in tokenizer.encode(_PROBE_TEXT, add_special_tokens=False) if token < vocabulary]
    width = min(len(tokens) // 2, 24)
    return torch.tensor(tokens[: 2 * width]).view(2, width) if width > 1 else None


def verified_head(model: Any, autocast: Callable[[], AbstractContextManager]) -> Callable[[Tensor], Tensor] | None:
    """The map hidden_ND -> logits_NV, if it reproduces the model's own logits on a probe; else None.

    Architectures scale or cap their logits after the head in their own ways; the known ones are built here and every
    one is checked, so that an unknown one falls back to the model's own forward instead of training on wrong log-probs.
    """
    linear, scaled = model.get_output_embeddings(), scaled_logits(model.config.get_text_config())

    def head(hidden_ND: Tensor) -> Tensor:
        return scaled(linear(hidden_ND))

    probe_BT = _few_tokens(model)
    with torch.no_grad(), autocast():
        expected_BTV = model(input_ids=probe_BT, use_cache=False).logits
        try:
            actual_BTV = head(backbone(model)(input_ids=probe_BT, use_cache=False).last_hidden_state)
        except (AttributeError, TypeError, RuntimeError):
            return None
    same = actual_BTV.shape == expected_BTV.shape and torch.allclose(actual_BTV, expected_BTV, atol=1e-4, rtol=1e-3)
    return head if same else None


def recompute_layers(model: Any, name: str, autocast: Callable[[], AbstractContextManager]) -> None:
    """Turn on activation checkpointing in a `transformers` model that stays in evaluation mode.

    Raises:
        InputError: the architecture has none, or does something else in training mode than in evaluation (dropout).
    """
    layers = layers_of(model)
    probe_BT = _few_tokens(model)
    with autocast():
        expected_BTV = model(input_ids=probe_BT, use_cache=False).logits
        try:
            model.activation_checkpointing_enable({"use_reentrant": False})
        except ValueError as error:
            raise InputError(f"model.recompute_layers: {name!r} cannot do that: {first_line(error)}") from error
        for layer in layers:
            layer.training = True  # the layer alone: what is in it stays in evaluation mode
        same = torch.allclose(model(input_ids=probe_BT, use_cache=False).logits, expected_BTV, atol=1e-4, rtol=1e-3)
    if not layers or not same:
        raise InputError(f"model.recompute_layers: {name!r} cannot do that without changing what it computes")


def layers_of(model: Any) -> list[Any]:
    """The layers of a `transformers` model, in order; none where it does not say what they are."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    return [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]


def plain_state(model: Any) -> dict[str, Tensor]:
    """What `model.state_dict()` gives, of a model that trainers share: to ask for that would take its gathered weights away."""
    state = {name: p.detach() for name, p in model.named_parameters(remove_duplicate=False)}
    for prefix, module in model.named_modules():
        kept = {n: b for n, b in module._buffers.items() if b is not None and n not in module._non_persistent_buffers_set}
        state |= {f"{prefix}.{name}" if prefix else name: buffer for name, buffer in kept.items()}
    return state


def _few_tokens(model: Any) -> Tensor:
    device, vocabulary = next(model.parameters()).device, model.get_input_embeddings().weight.shape[0]
    return torch.arange(1, 6, device=device).remainder(vocabulary).unsqueeze(0)


def merged_state(model: Any, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state of a model under LoRA with W + delta in place of W, under the plain model's names.

    Computed beside the live weights: merging and unmerging in place would not give the same bits back.
    """
    layers = dict(model.named_modules())
    merged = {}
    for name, tensor in state.items():
        if ".lora_" in name:
            continue
        plain = name.replace(".base_layer.", ".")
        if plain != name and name.endswith(".weight"):
            delta = layers[name.removesuffix(".base_layer.weight")].get_delta_weight("default")
            tensor = (tensor.float() + delta.float()).to(tensor.dtype)
        merged[plain] = tensor
    return merged


def stop_tokens(model: Any, tokenizer: Any) -> tuple[int, ...]:
    configured: Any = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    candidates = [*(configured if isinstance(configured, list) else [configured]), tokenizer.eos_token_id, turn_end(tokenizer)]
    found = {int(token) for token in candidates if token is not None}
    if not found:
        raise InputError(
            "the model names no end-of-sequence token: set eos_token in its tokenizer or generation config"
        )
    return tuple(sorted(found))


def model_facts(model: Any, *, chunked_scoring: bool, path: str) -> dict[str, Any]:
    """What a run's record says of a policy or reward model."""
    return {
        "name": model.config.name,
        "architecture": type(model.model).__name__,
        "parameters": model.num_parameters,
        "trained_parameters": sum(p.numel() for p in model.weights.values()),
        "chunked_scoring": chunked_scoring,
        "dtype": model.config.dtype,
        "path": path,
        "notes": list(model.notes),
    }
