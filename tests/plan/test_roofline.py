"""Bytes and seconds of models on GPUs against arithmetic by hand and published numbers."""

from __future__ import annotations

import json

import pytest

from sanmai.plan.scale.gpus import GPUS, find_gpu
from sanmai.plan.scale.roofline import Roofline, Use, most_at_once, rank_memory, sampler_memory, sampler_slots
from sanmai.plan.scale.shape import Shape, shape_of
from sanmai.plan.scale.work import Prompted
from sanmai.policies.text.flops import Arithmetic
from sanmai.types import InputError

LLAMA_8B = "layers=32,width=4096,heads=32,kv_heads=8,ffn=14336,vocabulary=128256"
LLAMA_70B = "layers=80,width=8192,heads=64,kv_heads=8,ffn=28672,vocabulary=128256"
PLAIN = Use(1.0, 1.0, 1.0, 1.0, 1.0, step_overhead=0.0, storage=100e9, digest=10e9)
# 7 billion parameters in products; 4 layers of width 1,000: 4 * 4 * 1,000 operations a pair, 2 * 4 * 1,000 * 2 bytes a token.
SEVEN = Shape("seven", 7_000_000_000, Arithmetic(7_000_000_000 - 10**6, 10**6, 16_000), 4, 1000, 3000, 1000, 1000, 1000, 10**9)


@pytest.mark.parametrize(
    ("numbers", "parameters", "kv"), [(LLAMA_8B, 8_030_261_248, 131_072), (LLAMA_70B, 70_553_706_496, 327_680)]
)
def test_sizes_are_those_that_the_models_have(numbers, parameters, kv):
    # Parameters as counted in the published checkpoints. 2 x layers x key heads x head width x 2 bytes of keys and values.
    found = shape_of(numbers)
    assert (found.parameters, found.kv_bytes()) == (parameters, kv)
    # All but the embedding and the norms are in matrix products.
    assert found.arithmetic.body + found.arithmetic.head == parameters - (128_256 + 2 * found.layers + 1) * found.width


def test_keys_and_values_take_what_the_hugging_face_table_of_llama_3_1_says():
    # In GiB of 16,000 and 128,000 tokens: 1.95 and 15.62 of 8B, 4.88 and 39.06 of 70B.
    for numbers, table in ((LLAMA_8B, (1.95, 15.62)), (LLAMA_70B, (4.88, 39.06))):
        each = shape_of(numbers).kv_bytes()
        assert [each * n / 2**30 for n in (16_000, 128_000)] == pytest.approx(table, abs=0.006)


def test_a_config_json_says_the_same_as_its_numbers(tmp_path):
    values = {"model_type": "qwen2", "num_hidden_layers": 28, "hidden_size": 3584, "num_attention_heads": 28,
              "num_key_value_heads": 4, "intermediate_size": 18944, "vocab_size": 152064}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(values))
    # Qwen2.5-7B: 7,615,616,512, biases of queries, keys and values among them; 28 x 2 x 4 x 128 x 2 bytes.
    for what in (tmp_path, tmp_path / "config.json"):
        found = shape_of(str(what))
        assert (found.parameters, found.kv_bytes(), found.query_width) == (7_615_616_512, 57_344, 3584)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("layers=32,width=4096", "heads, ffn, vocabulary not given"),
        ("layers=32,depth=3", "'depth=3': expected NAME=NUMBER"),
        ("layers=-1,width=1", "'layers=-1'"),
        ("no-such-folder", "no such folder"),
    ],
)
def test_numbers_that_say_too_little_are_refused_in_a_sentence(what, says):
    with pytest.raises(InputError, match=says):
        shape_of(what)


def test_a_mixture_of_experts_and_a_file_that_is_no_config_are_refused(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "qwen3_moe", "num_hidden_layers": 1, "hidden_size": 64, "vocab_size": 99}))
    with pytest.raises(InputError, match="mixture of experts"):
        shape_of(str(path))
    for text in ("[1]", "{", '{"layers": 3}'):
        path.write_text(text)
        with pytest.raises(InputError, match=r"config\.json"):
            shape_of(str(path))


def test_state_over_ranks_is_the_zero_papers():
    # Rajbhandari et al. 2020, figure 1: 7.5 B parameters over 64: 1.9 GB, and 120 GB on one.
    shape = Shape("zero", 7_500_000_000, SEVEN.arithmetic, 1, 1, 1, 1, 1, 1, 1)
    state = lambda ranks: rank_memory(shape, ranks=ranks, micro_tokens=1, recomputes=True)["state"]  # noqa: E731
    assert (state(1), state(64)) == (120e9, 1.875e9)
    with_reference = rank_memory(shape, ranks=64, micro_tokens=1, recomputes=True, keeps_reference=True)
    assert with_reference["state"] == 20 / 16 * 1.875e9


def test_a_rank_of_eight_holds_what_was_added_up_by_hand():
    # A 7 B model on 8 GPUs: 14 GB of state, two pieces of 1 B gathered at 10 bytes a number; whole weights are 28 GB, 3.5 of
    # which it has. A layer's own is 4 x 1,000 + 2 x 1,000 + 2 x 1,000 + 4 x 3,000 = 20,000 numbers a token, its input 1,000.
    found = rank_memory(SEVEN, ranks=8, micro_tokens=1000, recomputes=True)
    by_hand = {"state": 14e9, "gathered": 20e9, "activations": 2 * 24_000 * 1000, "logits": 12 * 1_000_000, "published": 24.5e9}
    assert found == by_hand and most_at_once(found) == 14e9 + 24.5e9
    kept = rank_memory(SEVEN, ranks=8, micro_tokens=1000, recomputes=False, whole=True)
    assert (kept["activations"], kept["gathered"]) == (2 * 4 * 20_000 * 1000, 70e9)
    assert most_at_once(kept) == 14e9 + 70e9 + 0.16e9 + 0.012e9  # more than an A100 or H100 has: one layer at a time fits
    alone = rank_memory(SEVEN, ranks=1, micro_tokens=1000, recomputes=True)
    assert (alone["gathered"], alone["published"]) == (0, 0)


def test_a_sampler_has_room_for_as_many_rollouts_as_its_memory_says():
    # 14 GB of weights on one A100 of 80 GB leave 66 GB; a rollout of 1,000 tokens takes 16 MB.
    weights, left = sampler_memory(SEVEN, GPUS["a100"], PLAIN, 1)
    assert (weights, left) == (14e9, 66e9) and sampler_slots(SEVEN, GPUS["a100"], PLAIN, 1, 1000) == 66_000 // 16
    assert sampler_memory(SEVEN, GPUS["a100"], PLAIN, 2) == (7e9, 73e9)
    big = Shape("big", 70_000_000_000, SEVEN.arithmetic, 4, 1000, 3000, 1000, 1000, 1000, 10**9)
    assert sampler_slots(big, GPUS["h100"], PLAIN, 1, 1000) == 0 < sampler_slots(big, GPUS["h100"], PLAIN, 2, 1000)


@pytest.mark.parametrize(("gpu", "seconds"), [("h100", 14e9 / 3.35e12), ("a100", 14e9 / 2.039e12)])
def test_one_rollout_is_bound_by_reading_the_weights(gpu, seconds):
    # 14 GB a token; keys and values of 1..100 tokens behind a prompt of 50 are 16,000 bytes each.
    found = Roofline(SEVEN, GPUS[gpu], PLAIN).sampling([((Prompted(50, (100,)),), 1)])[0]
    keys = 16_000 * sum(50 + t for t in range(1, 101)) / GPUS[gpu].bandwidth
    prefill = (2 * SEVEN.arithmetic.body * 50 + 2 * 10**6 + 16_000 * 50 * 51 / 2) / GPUS[gpu].flops
    assert found == pytest.approx(100 * seconds + keys + prefill, rel=1e-9)


def test_many_rollouts_are_bound_by_products_and_use_and_overhead_are_what_they_say():
    # 1,000 rollouts: 14e12 operations a step (14 ms at 989.4 TFLOP/s) against 14 GB (4 ms).
    rate = Roofline(SEVEN, GPUS["h100"], PLAIN).decode_rate(0, 1000)
    assert rate == pytest.approx(989.4e12 / 14e9, rel=1e-6)
    half = Roofline(SEVEN, GPUS["h100"], Use(0.5, 0.5, 0.5, 1, 1, 0.25)).decode_rate(0, 1)
    assert half == pytest.approx(1 / (2 * 14e9 / 3.35e12 + 0.25), rel=1e-6)
    assert Roofline(SEVEN, GPUS["h100"], PLAIN, tensor=4).decode_rate(0, 1) == pytest.approx(4 * 3.35e12 / 14e9, rel=1e-6)


def test_rollouts_that_wait_for_a_slot_are_written_after_others():
    # Two of 10 in one slot after the other take the steps of one of 20; overhead alone is counted: 1 s a step.
    use, empty = Use(1e9, 1e9, 1, 1, 1, 1.0), (Prompted(0, (10, 10)),)
    model = Roofline(SEVEN, GPUS["h100"], use)
    # 3 and 1 begin, 2 takes the place of 1 and 5 that of 3 at step 3: 8 steps. All at once: 5.
    mixed = (Prompted(0, (3, 1)), Prompted(0, (2, 5)))
    assert model.sampling([(empty, 1), (empty, 2), (mixed, 2), (mixed, 4)]) == pytest.approx([20, 10, 8, 5], rel=1e-6)


def test_both_ways_to_count_decode_steps_agree_with_a_loop_over_them():
    model = Roofline(SEVEN, GPUS["a100"], Use(1, 1, 1, 1, 1, 0.01))
    groups = (Prompted(30, (7, 3, 3)), Prompted(10, (1, 12)))
    rows = [(30, 7), (30, 3), (30, 3), (10, 1), (10, 12)]
    by_loop = 0.0
    for step in range(12):
        live = [prompt + step + 1 for prompt, length in rows if length > step]
        by_loop += float(model._step_seconds(len(live), sum(live)))
    assert model._decode_together([rows])[0] == pytest.approx(by_loop, rel=1e-12)
    assert model._decode_in_turn(rows, 5) == pytest.approx(by_loop, rel=1e-12)
    prefill = sum(2 * SEVEN.arithmetic.body * p + 2 * 10**6 + 16_000 * p * (p + 1) / 2 for p in (30, 10)) / 312e12
    assert model.sampling([(groups, 5)])[0] == pytest.approx(by_loop + prefill, rel=1e-12)


def test_training_is_six_operations_a_parameter_and_token_and_two_more_where_activations_are_computed_again():
    # 8 rollouts of 1,000 tokens on 8 H100: a rank has one of the eight micro-batches. Attention and the head are small here.
    groups = (Prompted(0, (1000,) * 8),)
    plain = Roofline(SEVEN, GPUS["h100"], Use(1, 1, 0.5, 1e9, 1, 0), recomputes=False)
    found = plain.training(groups, micro_tokens=1000, updates=1, ranks=8)
    pairs = 3 * 16_000 * 1000 * 1001 / 2
    assert found == pytest.approx((6 * 7e9 * 1000 + pairs) / (0.5 * 989.4e12), rel=1e-6)
    again = Roofline(SEVEN, GPUS["h100"], Use(1, 1, 0.5, 1e9, 1, 0)).training(groups, micro_tokens=1000, updates=1, ranks=8)
    assert again == pytest.approx((8 * 7e9 * 1000 + 4 / 3 * pairs) / (0.5 * 989.4e12), rel=1e-3)
    # Nine micro-batches on eight ranks: one rank has two, and all wait.
    nine = plain.training((Prompted(0, (1000,) * 9),), micro_tokens=1000, updates=1, ranks=8)
    assert nine == pytest.approx(2 * found, rel=1e-6)


def test_where_links_are_slow_training_waits_for_them():
    # 28 GB gathered twice, 7 of 8 parts from others at 450 GB/s; gradients of 28 GB once; products are nothing beside it.
    model = Roofline(SEVEN, GPUS["h100"], PLAIN)
    found = model.training((Prompted(0, (8,) * 8),), micro_tokens=8, updates=1, ranks=8)
    assert found == pytest.approx(3 * 28e9 * 7 / 8 / 450e9, rel=1e-6)
    # Sixteen ranks leave the node: 50 GB/s.
    assert model.link(16) == 50e9 and model.link(8) == 450e9


def test_weights_are_hashed_on_both_sides_and_nodes_share_the_storage_between():
    # 28 GB: 2.8 s to hash at 10 GB/s, 0.28 s to write at 100, gathered at 450. One node reads at its 50 GB/s, four at 25 each.
    model = Roofline(SEVEN, GPUS["h100"], PLAIN)
    assert model.publish_seconds(1) == pytest.approx(2.8 + 0.28)
    assert model.publish_seconds(8) == pytest.approx(2.8 + 0.28 + 28 / 450)
    assert [model.load_seconds(samplers) for samplers in (1, 8, 32)] == pytest.approx([28 / 50 + 2.8] * 2 + [28 / 25 + 2.8])
    assert Roofline(SEVEN, GPUS["h100"], PLAIN, tensor=4).load_seconds(8) == pytest.approx(28 / 25 + 2.8)


def test_a_gpu_is_found_by_name_and_a_near_one_is_named():
    assert find_gpu("H100").memory == 80e9
    with pytest.raises(InputError, match="did you mean 'a100'"):
        find_gpu("a10")
