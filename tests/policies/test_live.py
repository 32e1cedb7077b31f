"""What the live sampler writes is what the sampler writes for the same seed, whoever comes and goes beside it."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from sanmai.policies.text import live
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.live import BusyError, Event, LiveRequest, LiveSampler, shaped
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from sanmai.types import StopReason
from tiny_models import random_policy

PROMPTS = [[7, 8, 9, 10, 11, 12, 13, 14, 15], [40, 41], [3], [99, 98, 97, 96, 95]]


class Told:
    """What was told, by request and sample."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.tokens: dict[tuple[LiveRequest, int], list[int]] = {}
        self.logp: dict[tuple[LiveRequest, int], list[float]] = {}
        self.ended: dict[tuple[LiveRequest, int], Event] = {}
        self.looks = 0

    def __call__(self, events: list[Event]) -> None:
        with self.changed:
            self.looks += 1
            for event in events:
                key = event.request, event.sample
                assert key not in self.ended
                self.tokens.setdefault(key, []).extend(event.tokens)
                self.logp.setdefault(key, []).extend(event.logp)
                if event.stop_reason is not None or event.failure is not None:
                    self.ended[key] = event
            self.changed.notify_all()

    def wait(self, count: int, seconds: float = 30.0) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.ended) >= count, seconds), self.ended


@pytest.fixture(scope="module")
def policy():
    found = random_policy("llama")
    found.stop_tokens = tuple(range(0, found.vocabulary, 30))
    return found


def seeds(prompt: list[int], count: int = 3) -> list[tuple]:
    return [("live", repr(prompt), k) for k in range(count)]


def expected(policy, max_tokens: int = 40, temperature: float = 1.0, prompts=PROMPTS) -> dict[tuple, list[int]]:
    asked = [Request(prompt, seeds(prompt)) for prompt in prompts]
    config = SamplingConfig(max_tokens=max_tokens, temperature=temperature)
    return {asked[c.request].seeds[c.sample]: c.tokens for c in sample(policy, asked, config)}


@pytest.mark.parametrize("path", ["fast", "general"])
def test_requests_that_come_while_others_are_written_get_the_samplers_own_tokens(path):
    policy = random_policy("llama") if path == "fast" else load_policy(
        ModelConfig(name="tiny", fast_path=False), for_training=False
    )  # fmt: skip
    policy.stop_tokens = tuple(range(0, policy.vocabulary, 30))
    told, wanted = Told(), expected(policy)
    sampler = LiveSampler(policy, told, concurrent=5)
    requests = []
    for prompt in PROMPTS:
        requests.append(LiveRequest(prompt, seeds(prompt), 40, is_told_at_once=True))
        sampler.submit(requests[-1])
        time.sleep(0.01)
    told.wait(12)
    sampler.close()
    got = {request.seeds[k]: told.tokens[request, k] for request in requests for k in range(3)}
    assert got == wanted
    assert {event.stop_reason for event in told.ended.values()} <= {StopReason.STOP, StopReason.LENGTH}
    assert sampler.counts["completions"] == 12 and not sampler._known and sampler.num_live == 0


def test_requests_of_different_temperatures_and_budgets_share_the_slots(policy):
    told = Told()
    sampler = LiveSampler(policy, told, concurrent=12)
    asked = {}
    for temperature, budget in ((1.0, 40), (0.5, 25), (0.0, 10)):
        wanted = expected(policy, budget, temperature)
        for prompt in PROMPTS:
            request = LiveRequest(prompt, seeds(prompt), budget, temperature)
            asked[request] = wanted
            sampler.submit(request)
    told.wait(36)
    sampler.close()
    for request, wanted in asked.items():
        for k, seed in enumerate(request.seeds):
            assert told.tokens[request, k] == wanted[seed]


def test_a_cancelled_request_frees_its_slot_and_says_nothing_more(policy):
    policy_without_stops = random_policy("llama")
    policy_without_stops.stop_tokens = ()
    told = Told()
    sampler = LiveSampler(policy_without_stops, told, concurrent=2, max_waiting=10)
    long = LiveRequest([5, 6], seeds([5, 6], 2), 100_000, is_told_at_once=True)
    next_ = LiveRequest([7], seeds([7], 1), 3)
    sampler.submit(long)
    with told.changed:
        assert told.changed.wait_for(lambda: told.looks > 3, 20)
    sampler.submit(next_)
    time.sleep(0.05)
    assert not told.ended and sampler.num_waiting == 1
    sampler.cancel(long)
    told.wait(1)
    assert len(told.tokens[next_, 0]) == 3
    sampler.close()
    assert sampler.counts["cancelled"] == 2 and (long, 0) not in told.ended


def test_more_than_may_wait_is_refused_and_what_waits_is_told_when_the_sampler_closes():
    policy = random_policy("llama")
    policy.stop_tokens = ()
    told = Told()
    sampler = LiveSampler(policy, told, concurrent=1, max_waiting=2)
    sampler.submit(LiveRequest([5], seeds([5], 1), 100_000, is_told_at_once=True))
    with told.changed:
        assert told.changed.wait_for(lambda: told.looks > 0, 20)
    sampler.submit(LiveRequest([6], seeds([6], 2), 5))
    with pytest.raises(BusyError):
        sampler.submit(LiveRequest([7], seeds([7], 1), 5))
    sampler.close()
    assert [event.failure for event in told.ended.values()] == ["the server is stopping"] * 3
    with pytest.raises(ValueError, match="closed"):
        sampler.submit(LiveRequest([7], seeds([7], 1), 5))


def test_what_fails_fails_those_being_written_and_the_sampler_goes_on(policy, monkeypatch):
    told = Told()
    sampler = LiveSampler(policy, told, concurrent=4)
    real = live.draw
    monkeypatch.setattr(live, "draw", lambda *args: (_ for _ in ()).throw(RuntimeError("out of memory")))
    sampler.submit(LiveRequest([5, 6], seeds([5, 6], 2), 5))
    told.wait(2)
    assert all(event.failure == "RuntimeError: out of memory" for event in told.ended.values())
    monkeypatch.setattr(live, "draw", real)
    request = LiveRequest(PROMPTS[0], seeds(PROMPTS[0]), 40)
    sampler.submit(request)
    told.wait(5)
    sampler.close()
    wanted = expected(policy)
    assert [told.tokens[request, k] for k in range(3)] == [wanted[seed] for seed in request.seeds]


def test_what_had_ended_when_a_look_failed_stays_ended(policy, monkeypatch):
    told = Told()
    real = live._Writer._compact

    def fails(self, token_S):
        monkeypatch.setattr(live._Writer, "_compact", real)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(live._Writer, "_compact", fails)
    with LiveSampler(policy, told, concurrent=4) as sampler:
        sampler.submit(LiveRequest(PROMPTS[0], seeds(PROMPTS[0], 1), 1))
        told.wait(1)
        sampler.submit(LiveRequest(PROMPTS[1], seeds(PROMPTS[1], 1), 5))
        told.wait(2, seconds=5)
        assert sampler.counts["failed"] == 0 and all(event.failure is None for event in told.ended.values())


def test_room_for_keys_and_values_is_kept():
    policy = random_policy("llama")
    policy.stop_tokens = ()
    told = Told()
    sampler = LiveSampler(policy, told, concurrent=8, cache_tokens=100)
    for k in range(8):  # each needs 1 + 24 positions, so four fit
        sampler.submit(LiveRequest([5 + k], seeds([5 + k], 1), 24))
    told.wait(8)
    sampler.close()
    assert sampler.counts["live"] <= 4


def test_the_nucleus_is_the_smallest_set_that_holds_top_p():
    # p = 0.5, 0.3, 0.15, 0.05: 0.5 alone reaches 0.5; 0.5 + 0.3 are below 0.81, so the third is kept; at 1 all are.
    logits = torch.tensor([[0.15, 0.5, 0.05, 0.3]] * 4).log()
    scaled, temperature = shaped(logits, [1.0, 1.0, 1.0, 2.0], [0.5, 0.81, 1.0, 1.0])
    assert temperature == 1.0
    assert scaled.isfinite().tolist() == [
        [False, True, False, False], [True, True, False, True], [True] * 4, [True] * 4,
    ]  # fmt: skip
    assert torch.allclose(scaled[3], logits[3] / 2)
    assert shaped(logits, [0.7] * 4, [1.0] * 4) == (logits, 0.7)


def test_the_likeliest_tokens_come_with_their_log_probs(policy):
    told = []
    done = threading.Event()

    def deliver(events):
        told.extend(events)
        done.set()

    sampler = LiveSampler(policy, deliver, concurrent=2)
    sampler.submit(LiveRequest([5, 6], seeds([5, 6], 1), 6, temperature=0.8, top_logprobs=policy.vocabulary))
    assert done.wait(20)
    sampler.close()
    [event] = told
    for token, logp, top in zip(event.tokens, event.logp, event.tops, strict=True):
        assert dict(top)[token] == pytest.approx(logp, abs=1e-4)
        assert [each for _, each in top] == sorted((each for _, each in top), reverse=True)
        assert sum(torch.tensor([each for _, each in top]).exp()) == pytest.approx(1.0, abs=1e-4)
