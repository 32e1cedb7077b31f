"""Every family of the fast path against `transformers`' eager attention, by itself and as a saved folder.

The models have four layers, so that every kind of layer occurs, windows shorter than the texts, and norms with weights of
their own: at their start these are all 1, and one that is forgotten or taken twice would not be seen.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sanmai.policies.text import decoder
from sanmai.policies.text.architectures import ARCHITECTURES, Architecture, attention_windows
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.cpu import compiled, native
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from tiny_models import bpe_tokenizer, random_model

ROPE = {"rope_type": "default", "rope_theta": 1e4}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in ARCHITECTURES} | {
    "mistral with a window": ("mistral", {"sliding_window": 4}),
    "qwen2 with windows above": ("qwen2", {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 2}),
    "qwen3 with biases": ("qwen3", {"attention_bias": True}),
    "gemma2 without caps": ("gemma2", {"attn_logit_softcapping": None, "final_logit_softcapping": None}),
    "gemma2 of one key-value head": ("gemma2", {"num_key_value_heads": 1, "query_pre_attn_scalar": 20}),
    "gemma3_text with linear positions": ("gemma3_text", {"tie_word_embeddings": True, "rope_parameters": {
        "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0}, "sliding_attention": ROPE}}),
    "phi3 whose heads are turned in part": ("phi3", {"rope_parameters": {**ROPE, "partial_rotary_factor": 0.5}}),
    "smollm3 with windows": ("smollm3", {"use_sliding_window": True, "sliding_window": 5}),
    "granite with biases": ("granite", {"attention_bias": True, "mlp_bias": True}),
}  # fmt: skip
PROMPTS = [[5, 6, 7, 8, 9, 10, 11, 12], [20, 21, 22], [5, 6, 7, 8]]
ROWS = [(PROMPTS[p], list(range(30 + 17 * row, 30 + 17 * row + length))) for row, (p, length) in enumerate(
    [(0, 4), (0, 14), (1, 1), (1, 16), (2, 2)])]  # fmt: skip


def model_of(variant: str, **more: Any) -> Any:
    architecture, changes = VARIANTS[variant]
    layers = {"layers": 4, "initializer_range": 0.2}
    if architecture.startswith("gemma"):
        changes = {"layer_types": ["sliding_attention", "full_attention"] * 2, **changes}
    model = random_model(architecture, len(bpe_tokenizer()), **{**layers, **changes, **more}).eval()
    model.set_attn_implementation("eager")
    with torch.no_grad():
        for number, (name, p) in enumerate(model.named_parameters()):
            if "norm" in name or name.endswith(".bias"):
                p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(number)) * 0.3)
    return model


def policies(variant: str) -> tuple[TextPolicy, TextPolicy]:
    model, tokenizer = model_of(variant), bpe_tokenizer()
    fast, general = TextPolicy(model, tokenizer, ModelConfig()), TextPolicy(model, tokenizer, ModelConfig(fast_path=False))
    in_part = "part" in variant  # the compiled attention turns whole heads
    assert fast.path.startswith("fast path") and ("by PyTorch" in fast.path) is in_part and general.dense is None
    return fast, general


def loss_of(policy: TextPolicy) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Log-probs of packed rows that share prompts, and the gradient of their mean."""
    policy.model.zero_grad()
    batch = pack(ROWS)
    logp_BT, _ = policy.score(batch, temperature=0.8)
    (-logp_BT.sum() / batch.mask_BT.sum()).backward()
    return logp_BT.detach(), {name: p.grad.clone() for name, p in policy.weights.items() if p.grad is not None}


def assert_same_scores_and_gradients(fast: TextPolicy, general: TextPolicy) -> None:
    (found, gradients), (expected, expected_gradients) = loss_of(fast), loss_of(general)
    assert torch.allclose(found, expected, atol=2e-5)
    assert gradients.keys() == expected_gradients.keys() == fast.weights.keys()
    for name, gradient in expected_gradients.items():
        assert (gradients[name] - gradient).norm() <= 1e-4 * gradient.norm() + 1e-7, name


@pytest.fixture(params=["compiled", "PyTorch"])
def kernels(request, monkeypatch):
    """With the compiled kernels, where they can be built, and without."""
    if request.param == "PyTorch":
        without = native.Native(None, "not wanted")
        for module in (compiled, decoder.native):
            monkeypatch.setattr(module, "native", lambda: without)


@pytest.mark.parametrize("variant", VARIANTS)
def test_log_probs_and_gradients_are_those_of_eager_attention(variant, kernels):
    assert_same_scores_and_gradients(*policies(variant))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_likely_tokens_are_written(variant):
    # At temperature 0.01 these draws are the greedy ones, whose log-prob is 0 to rounding.
    written = []
    for policy in policies(variant):
        policy.stop_tokens = ()
        asked = [Request(tokens, [(0, 1, str(number), g) for g in range(2)]) for number, tokens in enumerate(PROMPTS)]
        done = sample(policy, asked, SamplingConfig(max_tokens=24, temperature=0.01, concurrent=4))
        written.append({(c.request, c.sample): c.tokens for c in done})
    assert written[0] == written[1]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_step_of_the_decoder_gives_the_logits_of_the_whole_text(variant, kernels):
    fast, _ = policies(variant)
    assert fast.dense is not None
    text = torch.arange(40, 64)
    with torch.no_grad():
        expected_TV = fast.model(text.unsqueeze(0)).logits[0]
        slots = decoder.DenseDecoder(fast.dense, decoder.fuse(fast.dense), 2)
        read = slots.prefill([text[:7].tolist(), text[:3].tolist()])
        slots.place(torch.arange(2), read, torch.arange(2))
        found = [read.logits_PV] + [slots.next(torch.stack([text[7 + n], text[3 + n]])) for n in range(17)]
    for n, logits_SV in enumerate(found):
        assert torch.allclose(logits_SV, expected_TV[[6 + n, 2 + n]], atol=1e-4, rtol=1e-4), n


@pytest.mark.parametrize("variant", ARCHITECTURES)
def test_a_saved_folder_has_the_same_logits_in_transformers(tmp_path, variant):
    from transformers import AutoModelForCausalLM

    policy = policies(variant)[0]
    policy.save(tmp_path)
    text = torch.arange(40, 64).unsqueeze(0)
    read = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager").eval()
    with torch.no_grad():
        assert torch.equal(read(text).logits, policy.model(text).logits)
    assert load_policy(ModelConfig(name=str(tmp_path))).path == "fast path"


@pytest.mark.parametrize("variant", ["gemma2", "phi3", "olmo2"])
def test_adapters_are_trained(tmp_path, variant):
    policies(variant)[0].save(tmp_path)
    found = []
    for fast_path in (True, False):
        policy = load_policy(ModelConfig(name=str(tmp_path), lora_rank=2, fast_path=fast_path))
        with torch.no_grad():
            for i, p in enumerate(policy.weights.values()):
                p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(i)) * 0.1)
        found.append(policy)
    assert found[0].dense is not None
    assert_same_scores_and_gradients(*found)


def test_windows_and_positions_are_read_from_the_configuration():
    config = model_of("gemma3_text").config
    assert attention_windows(config) == (4, None, 4, None)
    assert Architecture.of(config).rotations == ("sliding_attention", "full_attention") * 2
    assert Architecture.of(model_of("smollm3").config).rotations == ("", None, "", None)
    assert Architecture.of(model_of("mistral with a window").config).windows == (4,) * 4
    assert Architecture.of(model_of("qwen2 with windows above").config).windows == (None, None, 5, 5)
    # Llama's attention has no window, whatever its config says.
    stray = SimpleNamespace(**{**model_of("llama").config.to_dict(), "sliding_window": 4, "hidden_act": "silu"})
    assert Architecture.of(stray).windows == (None,) * 4
