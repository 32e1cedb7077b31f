"""Demonstrations that share a micro-batch do not see each other: packing saves padding, and changes no gradient."""

from __future__ import annotations

import pytest
import torch

from sanmai.data.chat import render_demonstration
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.pack import pack
from sanmai.policies.text.policy import TextPolicy
from sanmai.types import Problem
from tiny_models import bpe_tokenizer, random_model

ALONE = [
    ("what is 3 plus 4 ?", "<think> 3 plus 4 is 7 </think> 7"),
    ("the sum of seven and five", "<think> twelve </think> the answer is 12 ."),
]
SHARED = [ALONE[0], (ALONE[0][0], "<think> seven </think> the sum is 7 .")]
EQUAL = [ALONE[0], ("what is 4 plus 3 ?", "<think> seven </think> 7")]  # prompts of one length
NESTED = [("what is 3", "<think> 3 </think> 3"), ALONE[0]]


def policy_with(architecture: str, fast_path: bool) -> TextPolicy:
    tokenizer = bpe_tokenizer()
    tokenizer.chat_template = "{{ messages[0]['content'] }} "
    policy = TextPolicy(random_model(architecture, len(tokenizer)).eval(), tokenizer, ModelConfig(fast_path=fast_path))
    assert (policy.dense is not None) is fast_path
    return policy


def rendered(policy: TextPolicy, texts: list[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
    problems = [Problem(str(k), ({"role": "user", "content": p},), demonstration=d) for k, (p, d) in enumerate(texts)]
    return [render_demonstration(policy.tokenizer, problem) for problem in problems]


def gradient(policy: TextPolicy, rows: list[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
    """Of the sum (not the mean) of the rows' log-probs, in one micro-batch."""
    policy.model.zero_grad()
    policy.score(pack(rows))[0].sum().backward()
    return {name: p.grad.clone() for name, p in policy.weights.items() if p.grad is not None}


def gap(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    """The largest relative difference of a tensor's gradients."""
    assert first.keys() == second.keys()
    return max(float((first[n] - second[n]).norm() / second[n].norm().clamp_min(1e-6)) for n in first)


PATHS = [("qwen3", True), ("qwen3", False), ("llama", True), ("gpt2", False)]


@pytest.mark.parametrize("texts", [ALONE, SHARED, EQUAL, NESTED], ids=["different", "shared", "equal length", "nested"])
@pytest.mark.parametrize(("architecture", "fast_path"), PATHS)
def test_the_gradient_of_two_in_a_micro_batch_is_the_sum_of_those_of_each(architecture, fast_path, texts):
    policy = policy_with(architecture, fast_path)
    rows = rendered(policy, texts)
    separate = [gradient(policy, [row]) for row in rows]
    total = {name: separate[0][name] + separate[1][name] for name in separate[0]}
    assert gap(gradient(policy, rows), total) < 1e-4
    # What contamination would look like: both in one row, the second seeing the first.
    (prompt, completion), (second_prompt, second_completion) = rows
    batch = pack([(prompt, completion + second_prompt + second_completion)])
    start = len(prompt) + len(completion)
    batch.mask_BT[0, start : start + len(second_prompt)] = False
    policy.model.zero_grad()
    policy.score(batch)[0].sum().backward()
    assert gap({name: p.grad for name, p in policy.weights.items() if p.grad is not None}, total) > 0.01


@pytest.mark.parametrize(("architecture", "fast_path"), PATHS)
def test_a_row_has_the_log_probs_that_it_has_alone_whoever_is_beside_it(architecture, fast_path):
    policy = policy_with(architecture, fast_path)
    rows = rendered(policy, [*ALONE, *SHARED[1:], *EQUAL[1:], *NESTED[:1]])
    with torch.no_grad():
        together = policy.score(pack(rows))[0]
        for k, row in enumerate(rows):
            alone, length = policy.score(pack([row]))[0], sum(map(len, row))
            assert torch.allclose(together[k, :length], alone[0], atol=2e-5) and not together[k, length:].any()


@pytest.mark.parametrize("fast_path", [True, False])
def test_what_a_row_learns_does_not_reach_the_tokens_of_another(fast_path):
    policy = policy_with("llama", fast_path)  # its head has weights of its own, so that the embedding is read at inputs alone
    rows = rendered(policy, ALONE)
    policy.model.zero_grad()
    policy.score(pack(rows))[0][0].sum().backward()
    embedded = policy.model.get_input_embeddings().weight.grad.abs().sum(dim=1)
    first, second = ({*prompt, *completion[:-1]} for prompt, completion in rows)  # the last token is only predicted
    assert second - first and not embedded[sorted(second - first)].any() and embedded[sorted(first)].all()
