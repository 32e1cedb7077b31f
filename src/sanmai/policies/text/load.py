"""A policy from what a configuration names: loaded by `transformers`, checked, on its device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from sanmai.policies.cores import native_bfloat16
from sanmai.policies.text.config import DTYPES, ModelConfig
from sanmai.policies.text.general import cache_works
from sanmai.policies.text.gguf_files import gguf_note
from sanmai.policies.text.loading import (
    check_folder,
    check_template,
    first_line,
    loading,
    quiet_transformers,
    refuse_lacking,
)
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.resolve import resolve_model
from sanmai.policies.text.vision import ARCHITECTURES, Vision
from sanmai.types import InputError


def load_policy(config: ModelConfig, *, for_training: bool = True) -> TextPolicy:
    """The policy that a configuration names.

    Raises:
        InputError: no such folder or hub model, no safetensors weights, no tokenizer, or no such device.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer

    name = resolve_model(config.name)
    options: dict[str, Any] = {"trust_remote_code": config.trust_remote_code, "revision": config.revision or "main"}
    frozen_base = config.lora_rank > 0 or not for_training
    failed = f"model.name = {config.name!r}: cannot load it as a causal language model with a tokenizer"
    if Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        raise InputError(f"model.name = {config.name!r}: no config.json in that folder; expected a transformers model's")
    check_folder(config.name, Path(name))
    with loading(f"model.name = {config.name!r}: cannot load its tokenizer"), quiet_transformers():
        tokenizer: Any = AutoTokenizer.from_pretrained(name, **options)
    with loading(failed), quiet_transformers():
        has_vision = AutoConfig.from_pretrained(name, **options).model_type in ARCHITECTURES
        architectures = AutoModelForImageTextToText if has_vision else AutoModelForCausalLM
        loaded: Any = architectures.from_pretrained(
            name,
            dtype=DTYPES[config.dtype] if frozen_base else torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
        vision = Vision.of(name, loaded[0], tokenizer, options) if has_vision else None
    model, found = loaded
    refuse_lacking(f"model.name = {config.name!r}", found["missing_keys"], tokenizer)
    try:
        model = model.to(config.device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"model.device = {config.device!r}: not usable on this machine: {first_line(error)}"
        ) from error
    # Dropout would make the trainer's log-probs differ from the sampler's; eval() turns it off for good.
    model.eval().requires_grad_(not frozen_base)
    if config.lora_rank and for_training:
        from peft import LoraConfig, get_peft_model

        torch.manual_seed(0)  # the adapters' start is part of the configuration, not of chance
        with quiet_transformers():
            adapters = LoraConfig(r=config.lora_rank, lora_alpha=config.lora_alpha, target_modules="all-linear")
            model = get_peft_model(model, adapters).eval()
    # Added tokens that never occur may lie outside; the vocabulary itself may not.
    if tokenizer.vocab_size > model.get_input_embeddings().weight.shape[0]:
        raise InputError(
            f"model.name = {config.name!r}: its tokenizer has {tokenizer.vocab_size} words, more than its embedding"
        )
    notes = check_template(config.name, tokenizer)
    if quantised := gguf_note(Path(name)):
        notes = (*notes, f"model.name = {config.name!r}: {quantised}")
    with loading(failed):  # it is tried on a few tokens
        policy = TextPolicy(model, tokenizer, config, vision)
        if policy.dense is None:
            policy.cache_works = cache_works(policy)
    slower = [f"{policy.path}; it gives the same results, but takes longer"] if ":" in policy.path else []
    if policy.cache_works is False:
        slower.append("this model's state is not a key-value cache that is known here: sampling recomputes it, slowly")
    if config.dtype == "bfloat16" and policy.device.type == "cpu" and native_bfloat16() is False:
        slower.append("this processor has no instructions for bfloat16: products take several times as long as in float32")
    policy.notes = (*notes, *slower)
    return policy
