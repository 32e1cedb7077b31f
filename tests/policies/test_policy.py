"""Scoring, swapping, saving and loading of a policy."""

from __future__ import annotations

import gc
import json
import threading
import time
import weakref

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from sanmai.policies.text.checkpoints import write_checkpoint
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.resolve import resolve_model
from sanmai.types import InputError, TokenBatch
from tiny_models import ARCHITECTURES, random_model, random_policy, save_folder


def some_batch() -> TokenBatch:
    return pack([([5, 6, 7], [8, 9, 10, 1]), ([50, 51], [52, 1]), ([20, 21, 22, 23, 24], [25, 26, 27, 28, 29, 30, 1])])


def plain_scores(model, batch: TokenBatch, temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probs and entropies from the full logits, row by row, without padding."""
    logp_BT, entropy_BT = torch.zeros(batch.mask_BT.shape), torch.zeros(batch.mask_BT.shape)
    for row in range(len(batch)):
        length = int(batch.attention_BT[row].sum())
        tokens_T = batch.tokens_BT[row, :length]
        all_logp_TV = (model(input_ids=tokens_T[None]).logits[0, :-1].float() / temperature).log_softmax(-1)
        logp_BT[row, 1:length] = all_logp_TV.gather(1, tokens_T[1:, None])[:, 0]
        entropy_BT[row, 1:length] = -(all_logp_TV.exp() * all_logp_TV).sum(-1)
    return logp_BT * batch.mask_BT, entropy_BT * batch.mask_BT


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_chunked_scores_and_their_gradient_are_those_of_the_full_logits(architecture, monkeypatch):
    policy, batch = random_policy(architecture), some_batch()
    assert policy.scores_in_chunks
    monkeypatch.setattr(TextPolicy, "chunk_tokens", 3)
    found, gradients = [], []
    for scores in (policy.score(batch, temperature=0.7, entropy_gradient=True), plain_scores(policy.model, batch, 0.7)):
        policy.model.zero_grad()
        (scores[0].sum() + 0.3 * scores[1].sum()).backward()
        found.append([s.detach() for s in scores])
        gradients.append({name: p.grad.clone() for name, p in policy.weights.items()})
    assert torch.allclose(found[0][0], found[1][0], atol=2e-5) and torch.allclose(found[0][1], found[1][1], atol=2e-5)
    for name, gradient in gradients[0].items():
        assert torch.allclose(gradient, gradients[1][name], rtol=1e-3, atol=1e-4), name


def test_a_head_that_does_more_than_is_known_falls_back_to_the_models_own_logits():
    policy, batch = random_policy("qwen3"), some_batch()

    class Odd(type(policy.model)):
        def forward(self, **inputs):
            output = super().forward(**inputs)
            output.logits = 3.0 * output.logits.tanh() + 1.0
            return output

    policy.model.__class__ = Odd
    odd = TextPolicy(policy.model, policy.tokenizer, policy.config)
    assert not odd.scores_in_chunks
    with torch.no_grad():
        assert torch.allclose(odd.score(batch)[0], plain_scores(odd.model, batch, 1.0)[0], atol=1e-5)


def test_padding_and_what_is_in_it_change_no_score():
    policy, batch = random_policy(), some_batch()
    junk = TokenBatch(
        batch.mask_BT,
        batch.sampling_logp_BT,
        {},
        torch.where(batch.attention_BT, batch.tokens_BT, 123),
        batch.attention_BT,
    )
    with torch.no_grad():
        whole = policy.score(batch)[0]
        assert torch.allclose(policy.score(junk)[0], whole, atol=1e-5)
        for row in range(len(batch)):
            alone = policy.score(batch.select([row]))[0]
            assert torch.allclose(alone[0], whole[row, : alone.shape[1]], atol=1e-5)


def test_swapped_weights_are_there_within_and_gone_after_an_error_too():
    policy, other = random_policy(seed=0), random_policy(seed=1)
    batch, before = some_batch(), policy.snapshot()
    with torch.no_grad():
        own, expected = policy.score(batch)[0], other.score(batch)[0]
        with policy.swapped(other.snapshot()):
            assert torch.equal(policy.score(batch)[0], expected)
        with pytest.raises(KeyError), policy.swapped({}):
            pass
        with pytest.raises(ZeroDivisionError), policy.swapped(other.snapshot()):
            raise ZeroDivisionError
        assert torch.equal(policy.score(batch)[0], own)
    assert all(torch.equal(before[name], p) for name, p in policy.weights.items())


def test_a_snapshot_is_a_copy_and_loads_back():
    policy, other = random_policy(seed=0), random_policy(seed=1)
    snapshot = policy.snapshot()
    policy.load_weights(other.snapshot())
    assert all(torch.equal(other.weights[name], p) for name, p in policy.weights.items())
    policy.load_weights(snapshot)
    assert all(torch.equal(snapshot[name], p) for name, p in policy.weights.items())
    with pytest.raises(InputError, match="not this model's"):
        policy.load_weights({"x": torch.zeros(1)})


@pytest.mark.parametrize("architecture", ["qwen3", "llama", "gemma2"])  # tied, not tied, tied and scaled
def test_a_saved_model_comes_back_bit_for_bit_here_and_in_plain_transformers(architecture, tmp_path):
    policy = load_policy(ModelConfig(name=str(save_folder(tmp_path / "start", architecture))))
    with torch.no_grad():
        for p in policy.weights.values():
            p.add_(torch.randn_like(p) * 0.01)
    policy.save(tmp_path / "saved")
    again = load_policy(ModelConfig(name=str(tmp_path / "saved")))
    assert again.weights.keys() == policy.weights.keys() and again.stop_tokens == policy.stop_tokens
    assert all(torch.equal(again.weights[name], p) for name, p in policy.weights.items())
    plain, tokens = AutoModelForCausalLM.from_pretrained(tmp_path / "saved"), some_batch().tokens_BT[:1]
    with torch.no_grad():
        assert torch.equal(plain(tokens).logits, policy.model(tokens).logits)
    assert AutoTokenizer.from_pretrained(tmp_path / "saved").encode("what is 3") == policy.tokenizer.encode("what is 3")
    assert not list((tmp_path / "saved").glob("*.bin")) and list((tmp_path / "saved").glob("*.safetensors"))


@pytest.mark.parametrize("architecture", ["qwen3", "llama", "gpt2"])
def test_a_lora_checkpoint_is_a_plain_model_with_the_adapters_merged(architecture, tmp_path):
    config = ModelConfig(name=str(save_folder(tmp_path / "start", architecture)), lora_rank=4)
    policy = load_policy(config)
    assert all("lora_" in name for name in policy.weights) and policy.scores_in_chunks
    tokens = some_batch().tokens_BT[:1]
    with torch.no_grad():
        start = policy.model(tokens).logits
        for name, p in policy.weights.items():
            if "lora_B" in name:  # starts at 0
                p.add_(torch.randn_like(p) * 0.05)
        trained = policy.model(tokens).logits
        before = policy.snapshot()
        policy.save(tmp_path / "saved")
        assert all(torch.equal(before[name], p) for name, p in policy.weights.items())
        assert torch.equal(policy.model(tokens).logits, trained)  # saving left the live model as it was
        assert (trained - start).abs().max() > 0.1
        plain = AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
        assert torch.allclose(plain(tokens).logits, trained, atol=1e-5, rtol=1e-5)
        assert plain.state_dict().keys() == AutoModelForCausalLM.from_pretrained(config.name).state_dict().keys()


def test_lora_adapters_start_the_same_whatever_chance_did_before(tmp_path):
    config = ModelConfig(name=str(save_folder(tmp_path)), lora_rank=2)
    first = load_policy(config)
    torch.randn(7)
    second = load_policy(config)
    assert all(torch.equal(second.weights[name], p) for name, p in first.weights.items())


def test_a_policy_that_is_only_read_has_no_trained_weights(tmp_path):
    assert load_policy(ModelConfig(name=str(save_folder(tmp_path))), for_training=False).weights == {}


def test_bfloat16_keeps_float32_weights_to_train_and_scores_in_float32(tmp_path):
    policy = load_policy(ModelConfig(name=str(save_folder(tmp_path)), dtype="bfloat16"))
    logp_BT, entropy_BT = policy.score(some_batch())
    assert {p.dtype for p in policy.weights.values()} == {logp_BT.dtype} == {entropy_BT.dtype} == {torch.float32}


@pytest.mark.parametrize("name", ["no/such/folder", "./nothing", "nothing", "~/x", "/x/y", ""])
def test_a_name_that_is_no_model_is_refused_in_one_sentence(name):
    with pytest.raises(InputError, match="no such folder") as refused:
        resolve_model(name)
    assert repr(name) in str(refused.value) and "\n" not in str(refused.value)


def test_a_hub_name_and_the_embedded_base_go_through():
    assert resolve_model("Qwen/Qwen3-0.6B") == "Qwen/Qwen3-0.6B"
    assert resolve_model("tiny").endswith("tiny")


def test_a_run_folder_is_its_newest_good_checkpoint(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(InputError, match="no complete checkpoint yet"):
        resolve_model(str(tmp_path))
    for step in (1, 2):
        write_checkpoint(tmp_path, step, lambda folder: (folder / "config.json").write_text("x") and None, keep=2)
    assert resolve_model(str(tmp_path)).endswith("step-000002")
    (tmp_path / "checkpoints" / "step-000002" / "config.json").write_text("y")
    assert resolve_model(str(tmp_path)).endswith("step-000001")


def test_a_run_that_trains_no_model_is_none(tmp_path):
    write_checkpoint(tmp_path, 1, lambda folder: (folder / "file").write_text("x") and None, keep=2)
    with pytest.raises(InputError, match="trains no model"):
        resolve_model(str(tmp_path))


def refusal(folder) -> str:
    with pytest.raises(InputError) as refused:
        load_policy(ModelConfig(name=str(folder)))
    assert "\n" not in str(refused.value) and str(folder) in str(refused.value)
    return str(refused.value)


def test_a_folder_without_weights_config_or_tokenizer_is_refused(tmp_path):
    for missing in ("model.safetensors", "config.json"):
        folder = save_folder(tmp_path / missing)
        (folder / missing).unlink()
        refusal(folder)
    for architecture in ("qwen3", "llama", "gemma3_text"):
        folder = save_folder(tmp_path / architecture, architecture)
        for path in folder.glob("tokenizer*"):
            path.unlink()
        assert "tokenizer" in refusal(folder)


def test_pickled_weights_are_never_loaded(tmp_path):
    folder = save_folder(tmp_path / "model")
    model = AutoModelForCausalLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    assert "safetensors" in refusal(folder)


def test_code_that_comes_with_a_model_does_not_run(tmp_path):
    folder = save_folder(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "strange",
        "auto_map": {"AutoConfig": "strange.StrangeConfig", "AutoModelForCausalLM": "strange.StrangeModel"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "strange.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    refusal(folder)
    assert not (tmp_path / "ran").exists() and ModelConfig().trust_remote_code is False


def test_a_cut_off_weights_file_is_refused_in_one_sentence(tmp_path):
    folder = save_folder(tmp_path / "model")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:1000])
    refusal(folder)


def test_a_weights_file_that_lacks_a_tensor_or_has_it_in_another_shape_is_refused(tmp_path):
    folder, name = save_folder(tmp_path / "model"), "model.layers.1.mlp.up_proj.weight"
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {name: torch.zeros(3, 3)}, folder / "model.safetensors", metadata={"format": "pt"})
    refusal(folder)
    del weights[name]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert name in refusal(folder)


def test_an_unusable_device_is_refused(tmp_path):
    with pytest.raises(InputError, match="device"):
        load_policy(ModelConfig(name=str(save_folder(tmp_path)), device="cuda:7"))
    with pytest.raises(InputError, match="device = 'abacus'"):
        ModelConfig.read({"device": "abacus"})


def test_a_model_without_an_end_of_sequence_token_is_refused():
    policy = random_policy()
    policy.tokenizer.eos_token = None
    model = random_model("qwen3", policy.vocabulary, eos_token_id=None)
    with pytest.raises(InputError, match="end-of-sequence"):
        TextPolicy(model, policy.tokenizer, policy.config)


def test_every_stop_token_of_the_generation_config_stops():
    policy = random_policy()
    policy.model.generation_config.eos_token_id = [4, 3]
    assert TextPolicy(policy.model, policy.tokenizer, policy.config).stop_tokens == (1, 3, 4)


def test_a_policy_that_nobody_holds_is_freed_with_its_workers():
    policy = random_policy()
    policy.cores.threads = 2
    before = threading.active_count()
    assert policy.cores.map(lambda i: i, 4) == [0, 1, 2, 3] and threading.active_count() > before
    gone = weakref.ref(policy)
    del policy
    gc.collect()
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert gone() is None and threading.active_count() <= before
