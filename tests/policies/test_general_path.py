"""The general path on architectures that keep other state than keys and values, or keep them in other ways."""

from __future__ import annotations

import pytest
import torch

from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from tiny_models import bpe_tokenizer

SMALL = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
    "head_dim": 8, "max_position_embeddings": 256, "initializer_range": 0.3, "bos_token_id": None, "eos_token_id": 1,
    "pad_token_id": 0, "moe_intermediate_size": 16, "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4,
    "num_experts_per_tok": 2, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8,
    "v_head_dim": 8, "n_group": 1, "topk_group": 1, "state_size": 8, "sliding_window": 64, "first_k_dense_replace": 1,
}  # fmt: skip
KINDS = {
    "deepseek_v3": True, "mixtral": True, "jamba": False, "mamba": False, "lfm2": None, "deepseek_v4": False,
    "inkling_text": False,
}  # fmt: skip
"""And whether the sampler's cache serves them; None: either way."""


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_sampled_has_the_log_probs_of_whole_forward_passes(kind, tmp_path):
    """Prompts of two lengths with groups of two sizes, one cut down when its shorter rollouts end."""
    import transformers

    tokenizer = bpe_tokenizer()
    known = transformers.CONFIG_MAPPING[kind]
    plain = known()
    left_out = {"head_dim"} if kind.startswith("deepseek") else set()
    config = known(**{k: v for k, v in SMALL.items() if hasattr(plain, k) and k not in left_out}, vocab_size=len(tokenizer))
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).float().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    policy = load_policy(ModelConfig(name=str(tmp_path), threads=1))
    assert policy.path.startswith("general path")
    assert KINDS[kind] in (None, policy.cache_works)
    assert any("not a key-value cache" in note for note in policy.notes) == (not policy.cache_works)
    prompts = [[5, 9, 33, 70], [8, 21, 4, 4, 90, 17, 2], [11, 12]]
    requests = [Request(prompt, [(n, k) for k in range(n + 1)]) for n, prompt in enumerate(prompts)]
    policy.stop_tokens = tuple(range(0, len(tokenizer), 12))  # rollouts end at different times
    done = list(sample(policy, requests, SamplingConfig(max_tokens=9)))
    assert len(done) == 6 and len({len(completion.tokens) for completion in done}) > 1
    for completion in done:
        prompt = prompts[completion.request]
        whole = torch.tensor([prompt + list(completion.tokens)])
        with torch.no_grad():
            logp_TV = policy.model(input_ids=whole, use_cache=False).logits[0].float().log_softmax(-1)
        own = logp_TV[len(prompt) - 1 : -1].gather(1, whole[0, len(prompt) :, None])[:, 0]
        assert torch.allclose(own, torch.tensor(completion.logp), atol=1e-3)
