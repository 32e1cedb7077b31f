"""The official client against the server: what it asks is answered, what cannot be is refused, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from typing import ClassVar
from urllib.parse import urlsplit

import httpx2
import openai
import pytest
from fastapi import FastAPI
from serving import serving
from starlette.requests import ClientDisconnect

from sanmai.data.chat import render_prompt
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from sanmai.serve.app import Limits, _Door
from sanmai.types import InputError

ASKED = [{"role": "user", "content": "what is 37 plus 45 ?"}]


@pytest.fixture(scope="module")
def url():
    with serving(model="tiny", concurrent=16, max_waiting=100) as (address, _):
        yield address


@pytest.fixture(scope="module")
def client(url):
    return openai.OpenAI(base_url=url, api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def policy():
    return load_policy(ModelConfig(name="tiny"), for_training=False)


def health(url: str) -> dict:
    return httpx2.get(url.removesuffix("/v1") + "/health").json()


def wait_until(holds, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_choices_are_the_samplers_own_tokens_for_the_same_seed(client, policy):
    prompt = render_prompt(policy.tokenizer, ASKED)
    config = SamplingConfig(max_tokens=60, temperature=0.8)
    drawn = {c.sample: c for c in sample(policy, [Request(prompt, [(7, "serve", k) for k in range(3)])], config)}
    found = client.chat.completions.create(
        model="tiny", messages=ASKED, n=3, seed=7, temperature=0.8, max_tokens=60, logprobs=True, top_logprobs=1
    )
    for k, choice in enumerate(found.choices):
        tokens = drawn[k].tokens[:-1] if choice.finish_reason == "stop" else drawn[k].tokens
        assert [policy.tokenizer.decode([t]) for t in tokens] == [e.token for e in choice.logprobs.content]
        assert drawn[k].logp[: len(tokens)] == pytest.approx([e.logprob for e in choice.logprobs.content], abs=1e-4)
    assert found.usage.completion_tokens == sum(len(c.tokens) for c in drawn.values())
    assert found.usage.prompt_tokens == len(prompt)


def test_a_stream_says_what_the_whole_answer_says_and_the_thought_comes_apart(client):
    asked = {"model": "tiny", "messages": ASKED, "seed": 1, "logprobs": True, "n": 2}
    whole = client.chat.completions.create(**asked)
    parts = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    for k in (0, 1):
        said = {"content": "", "reasoning_content": ""}
        reasons, tokens = [], []
        for choice in (c for part in parts for c in part.choices if c.index == k):
            for name in said:
                said[name] += getattr(choice.delta, name, None) or ""
            reasons.append(choice.finish_reason)
            tokens += [e.token for e in choice.logprobs.content]
        message = whole.choices[k].message
        assert said["content"] == message.content
        assert said["reasoning_content"] == getattr(message, "reasoning_content", "")
        assert [r for r in reasons if r] == [whole.choices[k].finish_reason]
        assert tokens == [e.token for e in whole.choices[k].logprobs.content]
    assert "<think>" not in json.dumps([c.message.content for c in whole.choices])
    assert any(getattr(c.message, "reasoning_content", "") for c in whole.choices)
    assert parts[-1].usage == whole.usage and whole.usage.completion_tokens_details.reasoning_tokens > 0


def test_a_thought_that_the_clients_own_words_open_is_a_thought(client):
    opened = [*ASKED, {"role": "assistant", "content": "<think> 7 plus 5 is"}]
    message = client.chat.completions.create(model="tiny", messages=opened, temperature=0).choices[0].message
    assert message.reasoning_content and "</think>" not in f"{message.content}{message.reasoning_content}"
    closed = [*ASKED, {"role": "assistant", "content": "<think> 82 </think>"}]
    message = client.chat.completions.create(model="tiny", messages=closed, temperature=0).choices[0].message
    assert message.content and not getattr(message, "reasoning_content", None)
    with pytest.raises(openai.BadRequestError, match="only messages of the assistant"):
        client.chat.completions.create(model="tiny", messages=opened[1:])


def test_a_stop_text_ends_the_answer_before_it_in_whole_and_stream(client):
    asked = {"model": "tiny", "prompt": "<user> what is 37 plus 45 ? <assistant>", "seed": 1, "max_tokens": 60}
    full = client.completions.create(**asked).choices[0].text
    stop = full[len(full) // 2 : len(full) // 2 + 4]
    cut = client.completions.create(**asked, stop=[stop, "never said"])
    assert cut.choices[0].text == full[: full.index(stop)] and cut.choices[0].finish_reason == "stop"
    streamed = "".join(part.choices[0].text for part in client.completions.create(**asked, stop=stop, stream=True))
    assert streamed == cut.choices[0].text
    assert cut.usage.completion_tokens < client.completions.create(**asked).usage.completion_tokens


def test_text_completions_take_several_prompts_and_tokens_and_give_log_probs(client, policy):
    texts = ["what is 37 plus 45 ?", "what is 12 plus 9 ?"]
    found = client.completions.create(model="tiny", prompt=texts, n=2, seed=3, logprobs=2, max_tokens=5)
    assert [c.index for c in found.choices] == [0, 1, 2, 3]
    tokens = [policy.tokenizer.encode(text) for text in texts]
    again = client.completions.create(model="tiny", prompt=tokens, n=2, seed=3, logprobs=2, max_tokens=5)
    assert [c.text for c in again.choices] == [c.text for c in found.choices]
    logprobs = found.choices[0].logprobs
    assert len(logprobs.tokens) == 5 and all(len(top) == 2 for top in logprobs.top_logprobs)
    assert client.models.list().data[0].id == "tiny" and client.models.retrieve("tiny").id == "tiny"


def test_ids_of_tokens_are_told_as_vllm_tells_them(client, policy):
    prompt, stops = policy.tokenizer.encode("<user> what is 3 plus 4 ? <assistant>"), sorted(policy.stop_tokens)
    more = {"return_token_ids": True, "stop_token_ids": stops, "ignore_eos": True, "skip_special_tokens": False}
    asked = {"model": "tiny", "prompt": [prompt, prompt], "n": 2, "seed": 5, "logprobs": 0, "max_tokens": 60}
    found = client.completions.create(**asked, extra_body=more)
    requests = [Request(prompt, [(5, "serve", 2 * p + k) for k in range(2)]) for p in range(2)]
    own = {(c.request, c.sample): c for c in sample(policy, requests, SamplingConfig(max_tokens=60))}
    for choice in found.choices:
        same = own[divmod(choice.index, 2)]
        assert choice.token_ids == same.tokens and choice.prompt_token_ids == prompt
        assert choice.logprobs.token_logprobs == pytest.approx(same.logp, abs=1e-4)
        assert (choice.token_ids[-1] in stops) is (choice.finish_reason == "stop")


@pytest.mark.parametrize(("more", "says"), [
    ({"stop_token_ids": [0]}, "stop_token_ids: this model stops at"), ({"ignore_eos": True}, "ignore_eos: a completion ends"),
    ({"return_token_ids": True, "stop": ["x"]}, "return_token_ids goes with whole answers"),
])  # fmt: skip
def test_what_of_vllms_fields_cannot_be_met_is_refused(url, more, says):
    reply = httpx2.post(url + "/completions", json={"model": "tiny", "prompt": "what is", **more})
    assert reply.status_code == 400 and says in reply.json()["error"]["message"]


def test_temperature_0_says_the_same_twice(client):
    texts = {
        client.chat.completions.create(model="tiny", messages=ASKED, temperature=0).choices[0].message.content
        for _ in range(3)
    }
    assert len(texts) == 1


BAD = [
    ({"model": "other"}, 404, "'other' is not served here"),
    ({"temperature": 3}, 400, "temperature"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, 400, "tools is not supported"),
    ({"frequency_penalty": 0.5}, 400, "frequency_penalty is not supported"),
    ({"max_tokens": 10**6}, 400, "512 tokens"),
    ({"messages": []}, 400, "messages"),
    ({"messages": [{"role": "user", "content": ""}]}, 400, "every message is empty"),
    ({"messages": [{"role": "king", "content": "x"}]}, 400, "messages.0.role"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, 400, "type 'text'"),
    ({"n": 1000}, 400, "n:"),
    ({"n": 3.5}, 400, "n:"),
    ({"stop": ["a"] * 9}, 400, "stop"),
    ({"top_logprobs": 3}, 400, "top_logprobs needs logprobs"),
    ({"stream": "yes"}, 400, "stream"),
    ({"unheard_of": 1}, 400, "unheard_of is not supported"),
    ({"messages": [{"role": "user", "content": "what " * 600}]}, 400, "512 tokens"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("change", "status", "says"), BAD, ids=[str(list(b[0].items()))[:40] for b in BAD])
def test_what_cannot_be_met_is_refused_by_name_with_an_openai_error(url, change, status, says, stream):
    body = {"model": "tiny", "messages": ASKED, "stream": stream, **change}
    reply = httpx2.post(url + "/chat/completions", json=body)
    error = reply.json()["error"]
    assert reply.status_code == status and says in error["message"] and error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("raw", "status"),
    [(b"", 400), (b"{", 400), (b"[1]", 400), (b"\xff\xfe{}", 400), (b'{"model": NaN}', 400), (b"[" * 100_000, 400),
     (b'{"model": "tiny", "messages": [{"role": "user", "content": "\\ud800"}]}', 400), (b" " * 5_000_000, 413)],
)  # fmt: skip
def test_malformed_and_huge_bodies_are_refused(url, raw, status):
    reply = httpx2.post(url + "/chat/completions", content=raw, headers={"content-type": "application/json"})
    assert reply.status_code == status and reply.json()["error"]["message"]
    assert health(url)["ok"]


def test_unknown_paths_say_what_there_is(url):
    reply = httpx2.get(url + "/nothing")
    assert reply.status_code == 404 and "/v1/chat/completions" in reply.json()["error"]["message"]


def test_a_client_that_hangs_up_frees_its_slots(policy):
    with serving(model="tiny", concurrent=2, max_waiting=4) as (url, _):
        body = {"model": "tiny", "messages": ASKED, "max_tokens": 400, "n": 2, "temperature": 2.0}
        for stream in (True, False):
            before = health(url)
            raw = json.dumps({**body, "stream": stream, "n": 2, "seed": 5}).encode()
            address = urlsplit(url)
            sock = socket.create_connection((address.hostname, address.port))
            sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(raw) + raw)
            time.sleep(0.02)
            sock.close()
            wait_until(lambda: health(url)["open"] == 0 and health(url)["live"] == 0)
            after = health(url)
            ended = after["cancelled"] + after["completions"] - before["cancelled"] - before["completions"]
            assert ended in (0, 2)  # 0: it hung up before its request had been read
        assert httpx2.post(url + "/chat/completions", json={**body, "max_tokens": 5}).status_code == 200


def test_a_full_queue_says_429_and_many_streams_lose_nothing(policy):
    with serving(model="tiny", concurrent=4, max_waiting=6) as (url, _):
        found: list = []

        def ask(k: int) -> None:
            body = {"model": "tiny", "messages": ASKED, "seed": k, "max_tokens": 30, "temperature": 1.5, "n": 2}
            found.append((k, httpx2.post(url + "/chat/completions", json=body, timeout=60)))

        threads = [threading.Thread(target=ask, args=(k,)) for k in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = {reply.status_code for _, reply in found}
        assert statuses <= {200, 429} and 200 in statuses
        for _, reply in found:
            if reply.status_code == 429:
                assert reply.headers["retry-after"] == "1" and reply.json()["error"]["code"] == "queue_full"
        state = health(url)
        assert state["open"] == state["live"] == state["waiting"] == 0
        assert state["completions"] == 2 * sum(reply.status_code == 200 for _, reply in found)


def test_a_slow_reader_is_let_go_of_and_holds_nobody_up(policy, monkeypatch):
    from sanmai.serve import app

    monkeypatch.setattr(app.Limits, "__init__", lambda self, **kw: _limits(self, reader_seconds=0.5, **kw))
    with serving(model="tiny", concurrent=64) as (url, _):
        address = urlsplit(url)
        body = {"model": "tiny", "messages": ASKED, "stream": True, "n": 64, "temperature": 2.0, "max_tokens": 480,
                "logprobs": True, "top_logprobs": 20}  # fmt: skip
        raw = json.dumps(body).encode()
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((address.hostname, address.port))
        sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(raw) + raw)
        quick = httpx2.post(url + "/chat/completions", json={"model": "tiny", "messages": ASKED, "max_tokens": 5}, timeout=60)
        assert quick.status_code == 200
        wait_until(lambda: health(url)["open"] == 0 and health(url)["live"] == 0, 60)
        sock.close()


def _limits(self, **values):
    defaults = {"max_body_bytes": 4 * 2**20, "body_seconds": 30.0, "reader_seconds": 60.0, "max_open": 1024}
    for name, value in {**defaults, **{k: v for k, v in values.items() if k in defaults}}.items():
        object.__setattr__(self, name, value)


def test_another_address_needs_a_token_and_asks_for_it(monkeypatch):
    monkeypatch.delenv("SANMAI_TOKEN", raising=False)
    with pytest.raises(InputError, match="expected a token in the environment variable SANMAI_TOKEN"), serving(
        model="tiny", host="0.0.0.0"
    ):
        pass
    monkeypatch.setenv("SANMAI_TOKEN", "short")
    with pytest.raises(InputError, match="at least 16"), serving(model="tiny"):
        pass
    monkeypatch.setenv("SANMAI_TOKEN", "a-token-that-is-long")
    with serving(model="tiny", host="0.0.0.0") as (url, _):
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=url, api_key="wrong", max_retries=0).models.list()
        assert openai.OpenAI(base_url=url, api_key="a-token-that-is-long").models.list().data[0].id == "tiny"
        assert health(url)["ok"]


def test_what_cannot_be_served_is_one_sentence(tmp_path):
    for settings, says in (
        ({}, "expected a MODEL"),
        ({"model": "tiny", "upstream": "http://127.0.0.1:1/v1"}, "expected a MODEL"),
        ({"model": str(tmp_path)}, "no config.json"),
        ({"upstream": "nonsense"}, "base_url"),
        ({"model": "tiny", "words": ("en",)}, "need --filter"),
        ({"model": "tiny", "reviewer": "nothing-here"}, "expected rules, world, a folder"),
        ({"model": "tiny", "reviewer": "rules", "words": ("klingon",)}, "no such file"),
        ({"model": "tiny", "reviewer": "rules", "guard": {"retract_below": 0.9}}, "retract <= warn"),
    ):
        with pytest.raises(InputError, match=says), serving(**settings):
            pass


def test_a_client_that_hangs_up_within_its_request_is_no_error_of_the_servers():
    class Asked:
        headers: ClassVar[dict[str, str]] = {}

        async def stream(self):
            yield b'{"model": "ti'
            raise ClientDisconnect

    door = _Door(FastAPI(), None, Limits(), "none")
    answer = asyncio.run(door.answer(Asked(), "chat"))
    assert answer.status_code == 499 and b"hung up before its request was whole" in answer.body
