"""Small random models of real architectures, with a tokenizer trained on a given text, as policies or as folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from sanmai.types import Drawn, Group, Problem, StopReason

TEXT = "what is 3 plus 4 ? <think> 3 plus 4 is 7 </think> the answer is 7 . the sum of seven and five is twelve . "
ARCHITECTURES = ["qwen3", "qwen2", "llama", "gemma2", "gemma3_text", "gpt2"]
NAMES = {
    "qwen3": "Qwen3", "qwen2": "Qwen2", "llama": "Llama", "mistral": "Mistral", "gemma2": "Gemma2", "gemma3_text": "Gemma3Text",
    "phi3": "Phi3", "olmo2": "Olmo2", "smollm3": "SmolLM3", "granite": "Granite", "gpt2": "GPT2", "cohere": "Cohere"}


def bpe_tokenizer(text: str = TEXT, vocab_size: int = 300) -> Any:
    """A byte-level BPE tokenizer trained on the text, as `transformers` sees it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=["<pad>", "<eos>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([text], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<pad>", clean_up_tokenization_spaces=False)


def random_model(
    architecture: str, vocab_size: int, *, seed: int = 0, layers: int = 2, initializer_range: float = 0.3, **changes: Any
) -> Any:
    """A model of width 32 whose weights are large enough that every token before a position changes its logits."""
    import transformers

    config: dict[str, Any] = {
        "vocab_size": vocab_size, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": layers,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 256,
        "initializer_range": initializer_range, "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0,
        "tie_word_embeddings": True,
    }
    if architecture == "mistral":
        config["sliding_window"] = None
    if architecture == "gpt2":
        config = {
            "vocab_size": vocab_size, "n_embd": 32, "n_layer": layers, "n_head": 4, "n_positions": 256,
            "initializer_range": initializer_range, "bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}
    if architecture in ("llama", "qwen2", "gemma3_text"):
        config["tie_word_embeddings"] = False
    if architecture == "gemma2":
        config |= {"final_logit_softcapping": 3.0, "attn_logit_softcapping": 5.0, "query_pre_attn_scalar": 8}
    if architecture == "phi3":
        config["sliding_window"] = 4
    if architecture == "smollm3":
        config["no_rope_layer_interval"] = 2
    if architecture == "granite":
        config |= {"embedding_multiplier": 3.0, "residual_multiplier": 0.6, "attention_multiplier": 0.25, "logits_scaling": 2.0}
    if architecture in ("gemma2", "gemma3_text"):  # one layer that sees 4 tokens back, one that sees all
        config |= {"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"] * (layers // 2)}
    config |= changes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        settings = getattr(transformers, NAMES[architecture] + "Config")(**config)
        return transformers.AutoModelForCausalLM.from_config(settings).float()


def save_folder(folder: Path, architecture: str = "qwen3", *, text: str = TEXT, vocab_size: int = 300, **changes: Any) -> Path:
    """A complete `transformers` folder: config, safetensors, tokenizer."""
    tokenizer = bpe_tokenizer(text, vocab_size)
    random_model(architecture, len(tokenizer), **changes).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def random_policy(architecture: str = "qwen3", **changes: Any) -> TextPolicy:
    """A policy in memory, as `load_policy` would make it."""
    tokenizer = bpe_tokenizer()
    return TextPolicy(random_model(architecture, len(tokenizer), **changes).eval(), tokenizer, ModelConfig())


def sampled_groups(
    policy: TextPolicy, prompts: list[list[int]], group_size: int, *, seed: int = 0, step: int = 1, config: SamplingConfig,
) -> list[Group[Drawn]]:
    """One group per prompt, not graded; problem ids are "0", "1", ..."""
    requests = [Request(tokens, [(seed, step, str(p), g) for g in range(group_size)]) for p, tokens in enumerate(prompts)]
    written: list[list[Drawn]] = [[] for _ in prompts]
    for done in sample(policy, requests, config):
        tokens = done.tokens[:-1] if done.stop_reason is StopReason.STOP else done.tokens
        written[done.request].append(Drawn(
            str(done.request), done.sample, prompts[done.request], done.tokens, done.logp, done.stop_reason, step - 1,
            policy.tokenizer.decode(tokens)))
    return [
        Group(Problem(str(p), ({"role": "user", "content": "?"},)), tuple(sorted(rollouts, key=lambda r: r.sample)))
        for p, rollouts in enumerate(written)
    ]


VISION_TOKENS = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
VISION_TEMPLATE = (  # as Qwen2-VL's, without its system message
    "{% for m in messages %}{{ '<' + m['role'] + '> ' }}{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for part in m['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %} {% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)


def save_vision_folder(
    folder: Path, architecture: str = "qwen2_vl", *, seed: int = 0, initializer_range: float = 0.3, text: str = TEXT
) -> Path:
    """A complete folder of a vision-language model of width 32: pictures in patches of 4 x 4 pixels, four of them a token."""
    import transformers
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    tokenizer = bpe_tokenizer(text)
    tokenizer.add_special_tokens({"additional_special_tokens": VISION_TOKENS})
    tokenizer.chat_template = VISION_TEMPLATE
    start, end, pad = tokenizer.convert_tokens_to_ids(VISION_TOKENS)
    vision: dict[str, Any] = {"depth": 1, "num_heads": 2, "patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 2}
    if architecture == "qwen2_vl":
        vision |= {"embed_dim": 16, "hidden_size": 32, "mlp_ratio": 2}
    else:
        vision |= {
            "hidden_size": 16, "out_hidden_size": 32, "intermediate_size": 32, "window_size": 32, "fullatt_block_indexes": [0]}
    words = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256, "bos_token_id": None,
        "eos_token_id": 1, "pad_token_id": 0, "initializer_range": initializer_range,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}}
    names = {"qwen2_vl": "Qwen2VL", "qwen2_5_vl": "Qwen2_5_VL"}
    config = getattr(transformers, names[architecture] + "Config")(
        text_config=words, vision_config={**vision, "initializer_range": initializer_range}, image_token_id=pad,
        video_token_id=len(tokenizer) + 1, vision_start_token_id=start, vision_end_token_id=end, tie_word_embeddings=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.AutoModelForImageTextToText.from_config(config).float()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    size = {"shortest_edge": 8 * 8, "longest_edge": 48 * 32}
    Qwen2VLImageProcessorPil(size=size, patch_size=4, merge_size=2).save_pretrained(folder)
    return folder
