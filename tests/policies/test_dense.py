"""The fast path computes what the `transformers` model computes, whatever shares a batch."""

from __future__ import annotations

import re

import pytest
import torch

from sanmai.policies.text.architectures import ARCHITECTURES, FastPathError
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.dense import DenseModel, Layout
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.types import TokenBatch
from tiny_models import bpe_tokenizer, random_model, random_policy, save_folder

PROMPTS = [[5, 6, 7, 8, 9], [20, 21, 22], [5, 6, 7, 8]]
ROWS = [(PROMPTS[p], list(range(30 + 11 * row, 30 + 11 * row + length))) for row, (p, length) in enumerate(
    [(0, 4), (0, 9), (1, 1), (1, 6), (0, 2), (2, 5), (1, 6)])]
ROWS[1][1][3] = 0  # a policy may write the padding token, whose embedding the library does not train


def batch() -> TokenBatch:
    return pack(ROWS)


def both_paths(architecture: str, **changes) -> tuple[TextPolicy, TextPolicy]:
    """The same weights with and without the fast path."""
    tokenizer = bpe_tokenizer()
    model = random_model(architecture, len(tokenizer), **changes).eval()
    fast, general = TextPolicy(model, tokenizer, ModelConfig()), TextPolicy(model, tokenizer, ModelConfig(fast_path=False))
    assert fast.dense is not None and general.dense is None
    return fast, general


def scores_and_gradients(policy: TextPolicy) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    policy.model.zero_grad()
    logp_BT, entropy_BT = policy.score(batch(), temperature=0.7, entropy_gradient=True)
    (logp_BT.sum() + 0.3 * entropy_BT.sum()).backward()
    return logp_BT.detach(), entropy_BT.detach(), {n: p.grad.clone() for n, p in policy.weights.items() if p.grad is not None}


def assert_close(first: tuple, second: tuple) -> None:
    assert torch.allclose(first[0], second[0], atol=2e-5) and torch.allclose(first[1], second[1], atol=2e-5)
    assert first[2].keys() == second[2].keys()
    for name, gradient in first[2].items():
        assert (gradient - second[2][name]).norm() <= 1e-4 * second[2][name].norm() + 1e-6, name


def test_a_prompt_that_rows_share_is_computed_once():
    batch_ = batch()
    layout = Layout.of(batch_.tokens_BT, batch_.attention_BT, torch.tensor([len(prompt) for prompt, _ in ROWS]))
    assert len(layout.tokens_N) == sum(map(len, PROMPTS)) + sum(len(completion) for _, completion in ROWS)
    assert torch.equal(layout.tokens_N[layout.index_BT][batch_.attention_BT], batch_.tokens_BT[batch_.attention_BT])
    # Every token stands at its own position, and comes back to the place that it was computed for.
    assert torch.equal(layout.position_N, layout.source_N % batch_.tokens_BT.shape[1])
    assert torch.equal(batch_.tokens_BT.flatten()[layout.source_N], layout.tokens_N)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_scores_and_gradients_are_those_of_the_general_path(architecture):
    fast, general = both_paths(architecture)
    assert_close(scores_and_gradients(fast), scores_and_gradients(general))


@pytest.mark.parametrize("changes", [
    {"num_key_value_heads": 4}, {"num_key_value_heads": 1}, {"tie_word_embeddings": False}, {"attention_bias": True},
    {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0,
                         "high_freq_factor": 4.0, "original_max_position_embeddings": 32}},
], ids=lambda changes: next(iter(changes)))  # fmt: skip
def test_variants_of_the_architecture_are_computed_too(changes):
    fast, general = both_paths("llama", **changes)
    assert_close(scores_and_gradients(fast), scores_and_gradients(general))


def test_lora_adapters_are_trained_on_the_fast_path(tmp_path):
    folder = str(save_folder(tmp_path / "model"))
    found = []
    for fast_path in (True, False):
        policy = load_policy(ModelConfig(name=folder, lora_rank=2, fast_path=fast_path))
        assert (policy.dense is not None) is fast_path
        with torch.no_grad():
            for i, p in enumerate(policy.weights.values()):
                p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(i)) * 0.1)
        found.append(scores_and_gradients(policy))
    assert_close(*found)


def test_layers_computed_again_give_the_same_gradient():
    tokenizer = bpe_tokenizer()
    for fast_path in (True, False):
        model = random_model("qwen3", len(tokenizer)).eval()
        plain = scores_and_gradients(TextPolicy(model, tokenizer, ModelConfig(fast_path=fast_path)))
        again = TextPolicy(model, tokenizer, ModelConfig(fast_path=fast_path, recompute_layers=True))
        assert_close(scores_and_gradients(again), plain)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("architecture", ["qwen3", "gemma2", "olmo2"])
def test_what_a_wide_model_makes_again_gives_the_same_bytes_and_is_not_kept(architecture, dtype, monkeypatch):
    """Norms before, after or both; gates of either kind."""
    model, found = random_model(architecture, len(bpe_tokenizer()), hidden_size=512).eval(), []
    tokens_BT = torch.arange(4, 28).view(3, 8)
    layout = Layout.of(tokens_BT, torch.ones_like(tokens_BT, dtype=torch.bool), torch.zeros(3, dtype=torch.long))
    own = [p for p in model.parameters() if p.requires_grad]
    for width in (512, 513):
        monkeypatch.setattr("sanmai.policies.text.dense._WIDE", width)
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, kept=kept: kept.append(x.numel()) or x, lambda x: x):
            hidden_ND = DenseModel(model, dtype).hidden(layout)
        found.append((sum(kept), torch.autograd.grad(hidden_ND.float().square().sum(), own, allow_unused=True)))
    assert found[0][0] < found[1][0]
    pairs = list(zip(found[0][1], found[1][1], strict=True))
    assert all((a is None and b is None) or torch.equal(a, b) for a, b in pairs) and any(a is not None for a, _ in pairs)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_bfloat16_is_near_float32(architecture):
    tokenizer = bpe_tokenizer()
    model = random_model(architecture, len(tokenizer), initializer_range=0.1).eval()
    plain = scores_and_gradients(TextPolicy(model, tokenizer, ModelConfig()))
    low = TextPolicy(model, tokenizer, ModelConfig(dtype="bfloat16"))
    assert low.dense is not None
    logp_BT, _, gradients = scores_and_gradients(low)
    assert (logp_BT - plain[0]).abs().max() < 0.2
    gap = sum((gradients[n] - g).square().sum() for n, g in plain[2].items()) / sum(g.square().sum() for g in plain[2].values())
    assert gap.sqrt() < 0.1
    assert all(g.dtype is torch.float32 for g in gradients.values())


@pytest.mark.parametrize("architecture", ["cohere", "gpt2"])
def test_other_architectures_take_the_general_path(architecture):
    assert random_policy(architecture).dense is None


@pytest.mark.parametrize(
    ("architecture", "settings", "change", "reason"),
    [
        ("llama", {"hidden_act": "gelu"}, None, "its activation is 'gelu'"),
        ("gemma3_text", {"use_bidirectional_attention": True}, None, "its tokens see those after them"),
        ("phi3", {"rope_parameters": {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4,
                                      "long_factor": [2.0] * 4, "original_max_position_embeddings": 128}}, None,
         r"rotary positions \(longrope\) depend on the length"),
        ("gemma3_text", {"rope_parameters": {"full_attention": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}}}, None,
         r"rotary positions \(dynamic\)"),
        ("llama", {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}}, None, "rotary"),
        ("llama", {}, lambda mlp: setattr(mlp, "up_proj", torch.nn.Sequential(mlp.up_proj)), "parts of it are of a kind"),
        ("llama", {}, lambda mlp: mlp.register_forward_hook(lambda module, args, output: output * 1.01), "its logits differ"),
        ("gpt2", {}, None, "its architecture, gpt2, is none of llama"),
    ],
)
def test_models_that_the_fast_path_does_not_know_take_the_general_path_and_say_why(architecture, settings, change, reason):
    model = random_model(architecture, 50, **settings).eval()
    if change is not None:
        change(model.model.layers[0].mlp)
    for dtype in (torch.float32, torch.bfloat16):
        with pytest.raises(FastPathError, match=reason):
            DenseModel.of(model, dtype)
    policy = TextPolicy(model, bpe_tokenizer(), ModelConfig(dtype="bfloat16"))
    assert policy.dense is None and re.search(f"general path: .*{reason}", policy.path)
