"""What the sampler writes is what the trainer scores, whoever else is in the batch (laws 2 and 7)."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from concurrent.futures import wait

import pytest
import torch

from sanmai.policies.text import sampler
from sanmai.policies.text.architectures import ARCHITECTURES as FAST
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.decoder import DenseDecoder, compacted, fuse
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import Completion, Request, SamplingConfig, draw, sample, uniforms
from sanmai.recipes import find_recipe
from sanmai.train.step import check_parity
from sanmai.types import InputError, StopReason
from tiny_models import ARCHITECTURES, random_policy, save_folder

PROMPTS = [[7, 8, 9, 10, 11, 12, 13, 14, 15], [40, 41], [3], [99, 98, 97, 96, 95]]


def requests(group_size: int = 3, prompts: Sequence[list[int]] = PROMPTS) -> list[Request]:
    return [Request(tokens, [("run", 1, repr(tokens), g) for g in range(group_size)]) for tokens in prompts]


def by_seed(policy: TextPolicy, asked: Sequence[Request], config: SamplingConfig) -> dict[tuple, Completion]:
    """Completions by the seed that names them: each exactly once."""
    done = list(sample(policy, asked, config))
    found = {asked[c.request].seeds[c.sample]: c for c in done}
    assert len(found) == len(done) == sum(len(r.seeds) for r in asked)
    return found


def assert_same(first: dict[tuple, Completion], second: dict[tuple, Completion]) -> None:
    assert first.keys() <= second.keys()
    for seed, completion in first.items():
        assert completion.tokens == second[seed].tokens
        assert completion.logp == pytest.approx(second[seed].logp, abs=1e-4)
        assert completion.stop_reason is second[seed].stop_reason


def always_stops_at(policy: TextPolicy, share: float) -> TextPolicy:
    """The policy with so many of its tokens declared stop tokens that completions end at different times."""
    policy.stop_tokens = tuple(range(0, policy.vocabulary, round(1 / share)))
    return policy


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sampled_log_probs_are_the_trainers(architecture, temperature):
    policy = always_stops_at(random_policy(architecture), 1 / 30)
    config = SamplingConfig(max_tokens=40, temperature=temperature)
    asked = requests()
    done = list(sample(policy, asked, config))
    assert len({len(c.tokens) for c in done}) > 3  # some left the batch early
    batch = pack([(asked[c.request].prompt_tokens, c.tokens) for c in done], sampling_logp=[c.logp for c in done])
    with torch.no_grad():
        logp_BT, _ = policy.score(batch, temperature=temperature)
    assert (logp_BT - batch.sampling_logp_BT).abs().max() < 1e-4
    assert batch.sampling_logp_BT[batch.mask_BT].std() > 0.5  # the distributions are far from uniform


def test_in_bfloat16_sampler_and_trainer_agree_within_the_bound_of_the_parity_check():
    policy = random_policy(initializer_range=0.1)
    policy.config = ModelConfig(dtype="bfloat16")
    asked, config = requests(), SamplingConfig(max_tokens=20)
    done = list(sample(policy, asked, config))
    batch = pack([(asked[c.request].prompt_tokens, c.tokens) for c in done], sampling_logp=[c.logp for c in done])
    check_parity(policy, batch, temperature=1.0, micro_tokens=1000)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_rollout_says_the_same_alone_as_in_a_padded_batch(architecture):
    policy = always_stops_at(random_policy(architecture), 1 / 30)
    config = SamplingConfig(max_tokens=24)
    together = by_seed(policy, requests(), config)
    for tokens in PROMPTS:
        assert_same(by_seed(policy, requests(prompts=[tokens]), config), together)


def test_order_group_size_and_waves_change_no_rollout():
    policy = always_stops_at(random_policy(), 1 / 30)
    config = SamplingConfig(max_tokens=24)
    expected = by_seed(policy, requests(), config)
    assert_same(by_seed(policy, requests()[::-1], config), expected)
    assert_same(by_seed(policy, requests(group_size=1), config), expected)
    for concurrent in (1, 4, 7):
        assert_same(by_seed(policy, requests(), config.model_copy(update={"concurrent": concurrent})), expected)


def test_dropping_finished_rows_changes_nothing_for_the_others():
    # With 1 token in 4 a stop token the batch is cut several times. Without stop tokens nobody leaves it, and each
    # completion goes on in the same way after the place where the other one ended.
    policy = random_policy()
    config = SamplingConfig(max_tokens=24)
    policy.stop_tokens = ()
    whole = by_seed(policy, requests(group_size=8), config)
    always_stops_at(policy, 1 / 4)
    cut = by_seed(policy, requests(group_size=8), config)
    assert any(len(c.tokens) == 1 for c in cut.values()) and any(len(c.tokens) > 8 for c in cut.values())
    for seed, completion in cut.items():
        assert completion.tokens == whole[seed].tokens[:len(completion.tokens)]
        assert completion.logp == pytest.approx(whole[seed].logp[:len(completion.tokens)], abs=1e-4)


def test_each_rollout_of_a_group_has_its_own_stream_and_the_same_one_every_time():
    policy = random_policy(initializer_range=0.02)  # nearly uniform: equal tokens would come from equal draws
    first, second = (by_seed(policy, requests(), SamplingConfig(max_tokens=12)) for _ in range(2))
    assert first == second
    assert len({tuple(c.tokens) for c in first.values()}) == len(first)
    assert uniforms((0, 1, "a", 0), 50).tolist() == uniforms((0, 1, "a", 0), 100)[:50].tolist()
    assert uniforms((0, 1, "a", 0), 5).tolist() != uniforms((0, 1, "a", 1), 5).tolist()


def test_the_stop_token_is_the_last_one_and_has_its_log_prob():
    policy = always_stops_at(random_policy(), 1 / 10)
    for done in sample(policy, requests(), SamplingConfig(max_tokens=64)):
        assert done.stop_reason is StopReason.STOP
        assert done.tokens[-1] in policy.stop_tokens and not set(done.tokens[:-1]) & set(policy.stop_tokens)
        assert len(done.logp) == len(done.tokens) and all(math.isfinite(p) and p < 0 for p in done.logp)


def test_a_completion_that_uses_up_its_budget_says_so_unless_its_last_token_is_a_stop():
    policy = random_policy()
    policy.stop_tokens = ()
    for max_tokens in (1, 5):
        done = list(sample(policy, requests(), SamplingConfig(max_tokens=max_tokens)))
        assert {(c.stop_reason, len(c.tokens)) for c in done} == {(StopReason.LENGTH, max_tokens)}
    policy.stop_tokens = tuple(range(policy.vocabulary))
    done = list(sample(policy, requests(), SamplingConfig(max_tokens=1)))
    assert {(c.stop_reason, len(c.tokens)) for c in done} == {(StopReason.STOP, 1)}


def test_what_has_used_up_its_budget_before_is_cut_off_at_once():
    policy = random_policy()
    policy.stop_tokens = ()
    for written in (5, 7):
        asked = [Request([*PROMPTS[0], *[1] * written], [(0,), (1,)], written=written)]
        done = list(sample(policy, asked, SamplingConfig(max_tokens=5)))
        assert {(c.stop_reason, len(c.tokens)) for c in done} == {(StopReason.LENGTH, 1)}


def test_out_of_time_keeps_what_was_written_in_this_wave_and_in_the_next():
    policy = random_policy()
    policy.stop_tokens = ()
    config = SamplingConfig(max_tokens=50, timeout_seconds=1e-9, concurrent=3)
    done = list(sample(policy, requests(), config))
    assert len(done) == 12 and {c.stop_reason for c in done} == {StopReason.TIMEOUT}
    assert {(len(c.tokens), len(c.logp)) for c in done} == {(1, 1)}


def test_a_consumer_that_stops_early_is_not_left_in_inference_mode():
    policy = random_policy()
    generator = sample(always_stops_at(policy, 1 / 4), requests(), SamplingConfig(max_tokens=24))
    next(generator)
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("architecture", ["qwen3", "gemma2"])
def test_the_growing_cache_holds_what_the_plain_one_holds(architecture):
    from transformers.cache_utils import DynamicCache

    from sanmai.policies.text.general import _new_cache

    policy = random_policy(architecture)
    torch.manual_seed(0)
    plain, growing = DynamicCache(config=policy.model.config), _new_cache(policy.model.config, room=3)
    tokens_BT = torch.randint(2, 300, (6, 30))
    kept = torch.arange(6)
    with torch.inference_mode():
        for start, end in [(0, 5), *((t, t + 1) for t in range(5, 30))]:
            if end in (9, 20):  # rows leave, and one is repeated
                index = torch.tensor([0, 2, 2, 3]) if end == 9 else torch.tensor([3, 0])
                kept = kept[index]
                plain.batch_select_indices(index)
                growing.batch_select_indices(index)
            logits = [
                policy.model(input_ids=tokens_BT[kept, start:end], past_key_values=cache, use_cache=True).logits
                for cache in (plain, growing)
            ]
            assert torch.equal(*logits)
    for old, new in zip(plain.layers, growing.layers, strict=True):
        assert torch.equal(old.keys, new.keys) and torch.equal(old.values, new.values)


def test_draw_inverts_the_cumulative_distribution():
    # p = 0.5, 0.2, 0.3: the token changes at u = 0.5 and 0.7.
    logits = torch.tensor([0.5, 0.2, 0.3]).log()
    uniform = torch.tensor([0.0, 0.49, 0.51, 0.69, 0.71, 0.999])
    token_R, logp_R = draw(logits.expand(6, 3), uniform, 1.0)
    assert token_R.tolist() == [0, 0, 1, 1, 2, 2]
    assert logp_R.exp().tolist() == pytest.approx([0.5, 0.5, 0.2, 0.2, 0.3, 0.3])


def test_a_token_of_probability_zero_is_never_drawn():
    never = -float("inf")
    logits = torch.tensor([[never, 0.0, never, 0.0, never], [never, never, 1.0, never, never]])
    for u in (0.0, 1e-9, 0.49999997, 0.5, 0.50000006, 1 - 2**-24):
        token_R, logp_R = draw(logits, torch.full((2,), u, dtype=torch.float32), 1.0)
        assert token_R[0].item() in (1, 3) and token_R[1].item() == 2
        assert logp_R.tolist() == pytest.approx([-math.log(2), 0.0], abs=1e-6)


def test_the_largest_uniform_stays_inside_a_vocabulary_whose_sum_is_rounded():
    torch.manual_seed(0)
    logits = torch.randn(200, 5000) * 3
    logits[:, -1] = -float("inf")
    token_R, logp_R = draw(logits, torch.full((200,), 1 - 2**-24), 1.0)
    assert token_R.max() < 4999 and torch.isfinite(logp_R).all()


def test_draws_have_the_frequencies_of_the_softmax():
    # 20 000 draws over 12 tokens: chi-square with 11 degrees of freedom is above 31.3 in 1 of 1000 samples.
    torch.manual_seed(0)
    logits_V, temperature, count = torch.randn(12) * 1.5, 0.8, 20_000
    u = torch.from_numpy(uniforms(("chi-square",), count))
    token_R, logp_R = draw(logits_V.expand(count, 12), u, temperature)
    p_V = torch.softmax(logits_V / temperature, dim=0)
    expected_V = p_V * count
    assert ((torch.bincount(token_R, minlength=12) - expected_V).square() / expected_V).sum() < 31.3
    assert torch.allclose(logp_R, p_V.log()[token_R], atol=1e-6)


def test_at_temperature_0_the_first_of_the_likeliest_is_taken_and_its_log_prob_is_the_softmaxs():
    # p = 0.2, 0.4, 0.4 and 0.6, 0.2, 0.2, whatever the uniform number.
    logits = torch.tensor([[0.2, 0.4, 0.4], [0.6, 0.2, 0.2]]).log()
    for u in (0.0, 0.5, 0.999):
        token_R, logp_R = draw(logits, torch.full((2,), u), 0.0)
        assert token_R.tolist() == [1, 0] and logp_R.exp().tolist() == pytest.approx([0.4, 0.6])


@pytest.mark.parametrize("fast_path", [True, False])
def test_greedy_completions_are_those_of_the_largest_logit_whatever_the_seed(fast_path):
    policy = with_paths("qwen3")[0 if fast_path else 1]
    config = SamplingConfig(max_tokens=12, temperature=0)
    done = list(sample(policy, requests(2), config))
    assert sum(len(c.tokens) for c in done) > 20
    for request, tokens in enumerate(PROMPTS):
        first, second = (c for c in done if c.request == request)
        assert first.tokens == second.tokens
        written = list(tokens)
        for token, logp in zip(first.tokens, first.logp, strict=True):
            logits_RV = policy.next_logits(torch.tensor([written]), torch.ones(1, len(written), dtype=torch.bool))
            assert logits_RV[0].argmax() == token and logits_RV[0].log_softmax(0)[token].item() == pytest.approx(logp, abs=1e-4)
            written.append(token)


@pytest.mark.parametrize("temperature", [-1.0, 1e-4, float("nan")])
def test_a_temperature_between_greedy_and_the_coldest_softmax_is_refused(temperature):
    with pytest.raises(InputError, match=r"temperature = .*(expected 0 \(greedy\) or at least 0.001|finite)"):
        SamplingConfig.read({"temperature": temperature})


def test_several_greedy_completions_of_a_prompt_are_refused_where_they_are_asked_for():
    greedy = {"sampling": {"temperature": 0}}
    for recipe, count in (("evaluate", "samples"), ("sample", "samples_per_prompt"), ("zero", "rollouts_per_prompt")):
        with pytest.raises(InputError, match=r"sampling\.temperature = 0: .* all 4 completions of a prompt would be the same"):
            find_recipe(recipe).config.read({count: 4, **greedy})
    with pytest.raises(InputError, match="all 2 completions"):
        find_recipe("sft").config.read({"evaluation": {"temperature": 0, "samples": 2}})
    assert find_recipe("evaluate").config.read(greedy).sampling.temperature == 0


def test_logits_that_are_not_finite_give_a_token_of_the_vocabulary_and_a_log_prob_that_shows_it():
    token_R, logp_R = draw(torch.full((2, 5), float("nan")), torch.tensor([0.3, 0.9]), 1.0)
    assert token_R.max() < 5 and token_R.min() >= 0 and torch.isnan(logp_R).all()


def test_no_word_of_a_large_vocabulary_is_out_of_reach():
    # In float32 the increments of most of 150,000 words round to nothing beside a sum near 1.
    logits_RV = torch.randn(1, 150_000, generator=torch.Generator().manual_seed(0)) * 3
    p_V = (logits_RV[0] - logits_RV.max()).exp().double()
    p_V = p_V / p_V.sum()
    end_V = p_V.cumsum(0) / p_V.sum()
    words = p_V.argsort()[1000:60_000:997]
    uniform_R = end_V[words] - p_V[words] / 2
    drawn, logp = draw(logits_RV.expand(len(words), -1), uniform_R, 1.0)
    assert p_V[words].max() < 1e-6 and len(set(drawn.tolist())) == len(words)
    assert torch.allclose(logp.double(), p_V[drawn].log())
    # A block's weight is summed in float32: its bounds may lie 1e-7 from those in float64.
    assert ((uniform_R <= end_V[drawn] + 1e-7) & (uniform_R >= end_V[drawn] - p_V[drawn] - 1e-7)).all()
    # Within a block each word has its share: a fine comb meets all that are wide enough for it.
    comb = torch.linspace(float(end_V[4095]), float(end_V[4159]), 500, dtype=torch.float64)
    met = set(draw(logits_RV.expand(len(comb), -1), comb, 1.0)[0].tolist())
    wide = {word for word in range(4097, 4159) if p_V[word] > 1.5 * float(comb[1] - comb[0])}
    assert len(wide) > 12 and wide <= met
    # Its uniform numbers reach them too: they have 53 bits, not 24.
    assert len({float(u) * 2**24 % 1 for u in uniforms((0,), 100)}) > 90


def with_paths(architecture: str, **changes) -> tuple[TextPolicy, TextPolicy]:
    """The same weights on the fast path and on the general one, ending completions at different times."""
    fast = always_stops_at(random_policy(architecture, **changes), 1 / 30)
    general = always_stops_at(TextPolicy(fast.model, fast.tokenizer, ModelConfig(fast_path=False)), 1 / 30)
    assert fast.dense is not None and general.dense is None
    return fast, general


@pytest.mark.parametrize("concurrent", [1, 5, 512])
@pytest.mark.parametrize("architecture", FAST)
def test_the_fast_path_writes_what_the_general_path_writes(architecture, concurrent):
    # Smaller weights than usual: rounding must not grow until a draw falls on the other side of a boundary.
    fast, general = with_paths(architecture, initializer_range=0.15)
    config = SamplingConfig(max_tokens=40, temperature=0.8)
    refilled = SamplingConfig(max_tokens=40, temperature=0.8, concurrent=concurrent)
    assert_same(by_seed(general, requests(5), config), by_seed(fast, requests(5), refilled))


def test_a_prompt_that_is_read_in_several_parts_is_read_once(monkeypatch):
    monkeypatch.setattr(sampler, "PREFILL_TOKENS", 9)  # one prompt, or two short ones
    read: list[int] = []
    prefill = DenseDecoder.prefill

    def counted(self, prompts):
        read.append(len(prompts))
        return prefill(self, prompts)

    monkeypatch.setattr(DenseDecoder, "prefill", counted)
    fast, general = with_paths("qwen3")
    config = SamplingConfig(max_tokens=40, concurrent=4)
    assert_same(by_seed(general, requests(6), config), by_seed(fast, requests(6), config))
    assert sum(read) == len(PROMPTS) and len(read) > 2


@pytest.mark.parametrize("fast_path", [True, False])
def test_workers_write_what_one_writes(fast_path):
    one = with_paths("qwen3")[0 if fast_path else 1]
    config = SamplingConfig(max_tokens=40, concurrent=9)
    alone = by_seed(one, requests(5), config)
    three = always_stops_at(TextPolicy(one.model, one.tokenizer, ModelConfig(threads=3, fast_path=fast_path)), 1 / 30)
    assert three.cores.workers == 3
    assert_same(alone, by_seed(three, requests(5), config))


def test_tokens_drawn_before_the_host_looks_are_the_same(monkeypatch):
    fast, general = with_paths("qwen3")
    config = SamplingConfig(max_tokens=17, concurrent=7)
    expected = by_seed(fast, requests(5), config)
    monkeypatch.setattr(sampler, "tokens_per_look", lambda device: 4)
    assert_same(expected, by_seed(fast, requests(5), config))
    assert_same(expected, by_seed(general, requests(5), config))


def assert_idle(policy: TextPolicy) -> None:
    """Every worker is free at once: each meets the others."""
    meeting = threading.Barrier(policy.cores.sampling_workers)
    wait([policy.cores.sampling_pool.submit(meeting.wait, 5) for _ in range(policy.cores.sampling_workers)])
    assert not meeting.broken


def test_a_large_model_is_sampled_from_by_two_workers_and_trained_by_one(monkeypatch):
    few = always_stops_at(random_policy(), 1 / 30)
    asked, config = requests(5), SamplingConfig(max_tokens=30, concurrent=6)
    expected = by_seed(few, asked, config)
    monkeypatch.setattr("sanmai.policies.text.model.LARGE", 0)
    large = TextPolicy(few.model, few.tokenizer, ModelConfig(threads=5))
    large.stop_tokens = few.stop_tokens
    assert (large.cores.workers, large.cores.sampling_workers) == (1, 2)
    assert large.cores.sampling_pool.submit(torch.get_num_threads).result() == 2
    assert_same(expected, by_seed(large, asked, config))
    alone = TextPolicy(few.model, few.tokenizer, ModelConfig(threads=5, fast_path=False))
    assert alone.cores.sampling_workers == 1


@pytest.mark.parametrize(("live", "order"), [
    ([0, 1, 2], [0, 1, 2]), ([0, 2, 3, 5], [0, 5, 2, 3]), ([4], [4]), ([1, 3, 4], [3, 1, 4]), ([], []),
])  # fmt: skip
def test_slots_that_go_on_keep_their_place_where_they_can(live, order):
    assert compacted(live) == order


def test_a_worker_that_fails_stops_the_others_and_is_heard(monkeypatch):
    policy = random_policy()
    policy = TextPolicy(policy.model, policy.tokenizer, ModelConfig(threads=2))

    def fail(self, token_S):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(DenseDecoder, "next", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        list(sample(policy, requests(), SamplingConfig(max_tokens=20)))
    assert_idle(policy)


def test_a_consumer_that_leaves_early_leaves_no_work_behind():
    policy = always_stops_at(random_policy(), 1 / 30)
    completions = sample(policy, requests(), SamplingConfig(max_tokens=200))
    next(completions)
    completions.close()
    assert_idle(policy)
    with torch.enable_grad():
        assert not torch.is_inference_mode_enabled()


def test_time_that_is_up_gives_every_rollout_that_was_asked_for():
    policy = random_policy()
    done = by_seed(policy, requests(), SamplingConfig(max_tokens=50, concurrent=2, timeout_seconds=1e-9))
    assert all(c.stop_reason is StopReason.TIMEOUT and len(c.tokens) == 1 for c in done.values())


def test_small_updates_of_adapters_are_sampled_from_in_bfloat16(tmp_path):
    # Merged into bfloat16 weights they would be rounded away.
    folder = save_folder(tmp_path / "model", initializer_range=0.1)
    policy = load_policy(ModelConfig(name=str(folder), lora_rank=2, dtype="bfloat16"))
    with torch.no_grad():
        for i, p in enumerate(policy.weights.values()):
            p.copy_(1e-3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(i)))
    assert policy.dense is not None
    fused, modules = fuse(policy.dense).layers[0], policy.dense.layers[0].qkv
    assert fused.qkv.adapters is not None
    x = torch.randn(3, 32, generator=torch.Generator().manual_seed(9))
    down, up = fused.qkv.adapters
    expected = torch.cat(
        [m.lora_B["default"](m.lora_A["default"](x)) * m.scaling["default"] for m in modules], dim=1)
    found = x.bfloat16() @ down.T @ up.T
    assert expected.abs().max() < 1e-3 and (found.float() - expected).norm() < 0.02 * expected.norm()


def test_nothing_asked_for_gives_nothing_and_an_empty_prompt_is_refused():
    policy = random_policy()
    assert list(sample(policy, [], SamplingConfig())) == []
    assert list(sample(policy, [Request([5], [])], SamplingConfig())) == []
    with pytest.raises(ValueError, match="request 1 has an empty prompt"):
        list(sample(policy, [Request([5], [(0,)]), Request([], [(1,)])], SamplingConfig()))


def test_a_consumer_that_leaves_stops_the_waves_of_the_general_path(monkeypatch):
    _, general = with_paths("qwen3")
    read = []
    start = sampler.prefill_cached
    monkeypatch.setattr(sampler, "prefill_cached", lambda *args: read.append(1) or start(*args))
    completions = sample(general, requests(6), SamplingConfig(max_tokens=40, concurrent=1))
    next(completions)
    completions.close()
    assert len(read) < 5


@pytest.mark.parametrize("architecture", ["qwen3", "gpt2"])  # the fast path and the general one
def test_a_rollout_written_in_parts_says_what_it_says_in_one_piece(architecture):
    policy = always_stops_at(random_policy(architecture), 1 / 30)
    config = SamplingConfig(max_tokens=20)
    whole = by_seed(policy, requests(), config)
    assert {c.stop_reason for c in whole.values()} == {StopReason.STOP, StopReason.LENGTH}
    going = {seed: (request.prompt_tokens, [], []) for request in requests() for seed in request.seeds}
    found: dict[tuple, Completion] = {}
    for _ in range(3):  # 8 + 8 + 4
        asked = [Request(prompt + tokens, [seed], written=len(tokens)) for seed, (prompt, tokens, _) in going.items()]
        for c in sample(policy, asked, config, segment=8):
            (seed,) = asked[c.request].seeds
            prompt, tokens, logp = going[seed]
            assert len(c.tokens) <= 8
            going[seed] = prompt, tokens + c.tokens, logp + c.logp
            if c.stop_reason is not StopReason.PAUSED:
                found[seed] = Completion(0, 0, *going.pop(seed)[1:], c.stop_reason)
    assert not going
    assert_same(whole, found)
