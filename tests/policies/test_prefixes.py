"""A prefix that was read before is not read again, and what is written is the same with and without."""

from __future__ import annotations

import pytest
import torch

from sanmai.policies.text.decoder import DenseDecoder, fuse
from sanmai.policies.text.keeping import Keeping
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.prefixes import Part, Prefixes
from sanmai.policies.text.sampler import Completion, Request, SamplingConfig, sample
from sanmai.types import StopReason
from tiny_models import random_policy

PROMPTS = [[7, 8, 9, 10, 11, 12, 13, 14, 15], [40, 41], [99, 98, 97, 96, 95]]
CONFIG = SamplingConfig(max_tokens=64)


def every(number: int):
    """A step of so many tokens."""

    def cut():
        seen = []
        return lambda token: (seen.append(token), len(seen) == number)[1]

    return cut


def three_levels(
    policy: TextPolicy, prefixes: Prefixes | None, prompts=PROMPTS
) -> list[tuple[list[int], list[float], StopReason]]:
    """Two children of every node, three levels of steps of 5 tokens: what a search asks for."""
    open_, found = [(p, ("t", k)) for k, p in enumerate(prompts)], []
    for _ in range(3):
        asked = [Request(tokens, [(*name, 0), (*name, 1)], cut=every(5), max_tokens=12) for tokens, name in open_]
        done = sorted(sample(policy, asked, CONFIG, prefixes=prefixes), key=lambda c: (c.request, c.sample))
        found += [(c.tokens, c.logp, c.stop_reason) for c in done]
        open_ = [
            ([*asked[c.request].prompt_tokens, *c.tokens], asked[c.request].seeds[c.sample])
            for c in done if c.stop_reason is StopReason.STEP
        ]  # fmt: skip
    return found


@pytest.mark.parametrize("architecture", ["qwen3", "llama", "gemma2", "gemma3_text", "gpt2"])
def test_kept_prefixes_change_no_token(architecture):
    policy = random_policy(architecture)
    kept = Prefixes(10**7)
    with_kept, without = three_levels(policy, kept), three_levels(policy, None)
    assert [(t, r) for t, _, r in with_kept] == [(t, r) for t, _, r in without]
    for (_, a, _), (_, b, _) in zip(with_kept, without, strict=True):
        assert a == pytest.approx(b, abs=1e-4)
    assert any(r is StopReason.STEP for *_, r in with_kept)
    if policy.dense is not None:  # of a step's prompt only the last token, which was drawn and not read
        assert set(kept.num_read) == {1} and len(kept)
    else:
        assert not len(kept) and min(kept.num_read) > 10


def test_with_little_room_prefixes_are_read_again_and_say_the_same():
    policy = random_policy()
    bytes_per_token = DenseDecoder(policy.dense, fuse(policy.dense), 1).bytes_per_token
    for room in (0, 20 * bytes_per_token, 60 * bytes_per_token):
        kept = Prefixes(room)
        assert [t for t, *_ in three_levels(policy, kept)] == [t for t, *_ in three_levels(policy, None)]
        assert kept.num_bytes <= room


def test_what_was_used_least_recently_goes_first_and_never_what_another_stands_on():
    def part(parent, start, end):
        return Part(parent, start, end, [torch.zeros(end - start, 1, 1)], [torch.zeros(end - start, 1, 1)])

    kept = Prefixes(8 * 10)  # ten tokens of two float32 each
    root = part(None, 0, 4)
    kept.keep([1, 2, 3, 4], root)
    kept.keep([1, 2, 3, 4, 5, 6], part(root, 4, 6))
    kept.keep([1, 2, 3, 4, 7, 8], part(root, 4, 6))
    assert kept.num_bytes == 8 * 8
    assert kept.find([1, 2, 3, 4, 5, 6, 9]).length == 6  # used: the other child is now the oldest
    kept.keep([9, 9, 9], part(None, 0, 3))
    assert kept.find([1, 2, 3, 4, 7, 8, 9]).length == 4
    assert kept.find([1, 2, 3, 4, 5, 6, 9]).length == 6
    kept.keep([5, 5], part(part(None, 0, 1), 1, 2))  # its parent is not kept
    assert kept.find([5, 5, 5]) is None
    kept.forget()
    assert kept.num_bytes == 0 and kept.find([1, 2, 3, 4, 5]) is None


def test_a_whole_prompt_that_is_kept_is_read_from_its_last_token():
    policy, kept = random_policy(), Prefixes(10**7)
    asked = [Request(PROMPTS[0], [("a", g) for g in range(3)], segment=4)]
    first = [c.tokens for c in sample(policy, asked, CONFIG, prefixes=kept)]
    again = [c.tokens for c in sample(policy, asked, CONFIG, prefixes=kept)]
    assert sorted(first) == sorted(again) and kept.num_read == [1]


def test_budget_segment_and_cut_are_each_requests_own():
    policy = random_policy()
    policy.stop_tokens = ()
    asked = [
        Request([7, 8], [("r", 0)], max_tokens=3), Request([7, 8], [("r", 0)], segment=4),
        Request([7, 8], [("r", 0)], cut=every(5)), Request([7, 8], [("r", 0)]),
        Request([7, 8], [("r", 0)], max_tokens=5, cut=every(5)),
    ]  # fmt: skip
    done: list[Completion] = sorted(sample(policy, asked, SamplingConfig(max_tokens=9)), key=lambda c: c.request)
    assert [(len(c.tokens), c.stop_reason.value) for c in done] == [
        (3, "length"), (4, "paused"), (5, "step"), (9, "length"), (5, "length")]  # fmt: skip
    assert all(c.tokens == done[3].tokens[: len(c.tokens)] for c in done)


def test_what_is_kept_does_not_depend_on_threads():
    found = []
    for _ in range(2):
        policy, kept = random_policy(), Prefixes(10**6)
        three_levels(policy, kept)
        found.append([(key, part.start, part.end, part.keys[0].numpy().tobytes()) for key, part in kept._kept.items()])
    assert found[0] == found[1] and found[0]


def test_what_is_made_in_a_call_and_what_was_kept_are_never_more_than_the_room(monkeypatch):
    policy, peaks = random_policy(), []
    bytes_per_token = DenseDecoder(policy.dense, fuse(policy.dense), 1).bytes_per_token
    end = Keeping.end

    def measured(self):
        made = [part for _, part in self._prompts.values()] + [part for _, part in self._written.values()]
        peaks.append(self.prefixes.num_bytes + sum(part.num_bytes for part in made))
        end(self)

    monkeypatch.setattr(Keeping, "end", measured)
    prompts = [[k, *range(50, 62)] for k in range(9)]  # 117 tokens, beside what is drawn
    for tokens in (10, 60, 130, 300):
        kept = Prefixes(tokens * bytes_per_token)
        assert [t for t, *_ in three_levels(policy, kept, prompts)] == [t for t, *_ in three_levels(policy, None, prompts)]
        assert 0 <= max(peaks) <= tokens * bytes_per_token and (max(peaks) > 0) is (tokens > 25)
        peaks.clear()
