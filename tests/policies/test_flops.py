"""Useful operations, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollouts import drawn, paid
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.flops import (
    Arithmetic,
    arithmetic_of,
    batch_flops,
    counted,
    demonstration_flops,
    sampling_flops,
    step_flops,
    training_flops,
)
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.pack import pack
from sanmai.types import Credited, Group, InputError, Problem
from tiny_models import random_model

SMALL = Arithmetic(body=10, head=5, attention=2)


def rollout(prompt: int, length: int, advantage: float | None, reward: float | None = 1.0) -> Credited:
    written = drawn(prompt_tokens=[1] * prompt, completion_tokens=[1] * length, sampling_logp=[0.0] * length)
    return written.graded(**paid(reward)).credited(advantage)


def test_a_groups_prompt_is_counted_once_and_a_token_sees_all_before_it():
    # prompt: 2 x 10 x 3 + 2 x (1 + 2 + 3) = 72
    # two tokens after it: 2 x (10 + 5) x 2 + 2 x (4 + 5) = 78;  one: 30 + 2 x 4 = 38
    assert sampling_flops(SMALL, 3, [2, 1]) == 72 + 78 + 38


def test_training_is_three_forward_passes_and_what_is_passed_without_gradient():
    # 5 tokens, 2 of them predicted, 15 pairs: 2 x 10 x 5 + 2 x 5 x 2 + 2 x 15 = 150
    assert training_flops(SMALL, 3, [2]) == 3 * 150
    assert training_flops(SMALL, 3, [2], extra_forwards=2) == 5 * 150


def test_each_demonstration_has_its_own_prompt_and_is_counted_alike_packed_or_not():
    # 3 + 2 tokens: 450 as above. 1 + 1: 2 x 10 x 2 + 2 x 5 x 1 + 2 x 3 = 56, three times.
    assert demonstration_flops(SMALL, [(3, 2), (1, 1)]) == 450 + 168
    assert batch_flops(SMALL, pack([([1, 1, 1], [1, 1]), ([1], [1])])) == 450 + 168


def test_a_budget_of_operations_needs_a_model_whose_operations_are_known():
    with pytest.raises(InputError, match=r"operation_budget: .*of experts.*token_budget"):
        counted(None, "a mixture of experts")


def test_frozen_weights_need_no_product_for_their_gradient():
    # Products 120, attention 30. No weight trained: 2 x 120 + 3 x 30; half of them: 2.5 x 120 + 3 x 30.
    assert training_flops(Arithmetic(10, 5, 2, trained_share=0.0), 3, [2]) == 330
    assert training_flops(Arithmetic(10, 5, 2, trained_share=0.5), 3, [2]) == 390


def test_rollouts_without_a_gradient_are_no_useful_work_unless_a_term_needs_them():
    group = Group(
        Problem("p", ({"role": "user", "content": "x"},)),
        (rollout(3, 2, 1.0), rollout(3, 2, 0.0), rollout(3, 1, None, None)),
    )
    found = step_flops(SMALL, [group], extra_forwards=0, needs_all=False)
    assert found == {"sampling": 72 + 78 + 78 + 38, "training": 450}
    assert step_flops(SMALL, [group], extra_forwards=0, needs_all=True)["training"] == 3 * (72 + 78 + 78)  # the prompt once


def test_a_layer_with_a_window_attends_to_that_many_tokens():
    # Window 2, 7 operations per pair. Prompt of 3 tokens: pairs 1 + 2 + 2 = 5; each completion token has 2.
    windowed = replace(SMALL, windows=((2, 7),))
    assert sampling_flops(windowed, 3, [2, 1]) == sampling_flops(SMALL, 3, [2, 1]) + 7 * (5 + 4 + 2)
    # Training on 3 + 2 tokens: 9 pairs, three passes' worth, and one of a reference.
    assert training_flops(windowed, 3, [2], extra_forwards=1) == training_flops(SMALL, 3, [2], extra_forwards=1) + 7 * 9 * 4


def test_windows_are_those_of_the_models_layers():
    # Four heads of width 8: 4 x 32 operations per pair and layer.
    for architecture, settings, full, windows in (
        ("gemma2", {"layers": 4}, 2, ((4, 2 * 128),)), ("mistral", {"sliding_window": 9}, 0, ((9, 2 * 128),)),
        ("mistral", {}, 2, ()), ("smollm3", {}, 2, ()), ("phi3", {"sliding_window": None}, 2, ()),
    ):  # fmt: skip
        found, _ = arithmetic_of(random_model(architecture, 50, **settings))
        assert found is not None and (found.attention, found.windows) == (full * 128, windows)


@pytest.mark.parametrize("rank", [0, 4])
def test_the_embedded_models_sizes_are_those_of_its_matrices(rank):
    policy = load_policy(ModelConfig(threads=1, lora_rank=rank))
    arithmetic, why_not = arithmetic_of(policy.model)
    assert arithmetic and not why_not
    c = policy.model.config
    width, heads, kv = c.hidden_size, c.num_attention_heads * c.head_dim, c.num_key_value_heads * c.head_dim
    shapes = [(width, heads), (width, kv), (width, kv), (heads, width), *[(width, c.intermediate_size)] * 3]
    layers = c.num_hidden_layers
    adapters = layers * rank * sum(a + b for a, b in shapes)
    assert arithmetic.body == layers * sum(a * b for a, b in shapes) + adapters
    assert arithmetic.head == c.vocab_size * width and arithmetic.attention == 4 * layers * heads
    assert arithmetic.trained_share == (adapters / (arithmetic.body + arithmetic.head) if rank else 1.0)


def test_a_mixture_of_experts_is_not_counted_and_says_why():
    class Fake:
        class config:  # noqa: N801
            num_experts = 8
            get_text_config = classmethod(lambda cls: cls)

    assert arithmetic_of(Fake())[0] is None and "experts" in arithmetic_of(Fake())[1]
