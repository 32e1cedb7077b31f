"""A judge's server may fail in any way: what comes back is a reply or the reason why there is none, and always something."""

from __future__ import annotations

import gzip
import json
import logging
import threading
from datetime import UTC, datetime

import pytest

from judge_server import completion, cuts, drips, drips_headers, raw, says, serving, silent, status, within
from sanmai.rewards.judging.chat_protocol import Failure, retry_after
from sanmai.rewards.judging.endpoint import Endpoint, EndpointConfig
from sanmai.rewards.judging.reply_cache import ReplyCache, reply_key
from sanmai.types import InputError, RunError

QUICK = {"model": "judge", "timeout_seconds": 0.4, "total_seconds": 5.0, "retries": 2, "backoff_seconds": 0.01}


def question(text: str = "?") -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def ask(server, *texts: str, budget: float = 1.0, **settings) -> list[str | Failure]:
    config = EndpointConfig.read({**QUICK, "base_url": server.url, **settings})
    with Endpoint(config, failure_budget=budget) as endpoint:
        return within(lambda: endpoint([question(text) for text in texts or ("?",)]))


def test_a_reply_is_the_text_of_the_first_choice_and_the_request_is_the_protocol_s():
    with serving(says(lambda q: q.upper())) as server:
        assert ask(server, "a", "b", "c", temperature=0.5, max_tokens=7) == ["A", "B", "C"]
        assert set(server.paths) == {"/v1/chat/completions"}
        by_text = {body["messages"][0]["content"]: body for body in server.bodies}
        assert by_text["b"] == {"model": "judge", "messages": question("b"), "temperature": 0.5, "max_tokens": 7, "stream": False}
        assert "authorization" not in {name.lower() for name in server.headers[0]}


@pytest.mark.parametrize("fault", [status(500), status(503), status(408), status(409), status(429), silent, cuts])
def test_a_passing_fault_is_tried_again(fault):
    with serving(fault, says("fine")) as server:
        assert ask(server) == ["fine"] and len(server.bodies) == 2


def test_a_server_that_is_always_broken_is_given_up_after_the_retries():
    with serving(status(500)) as server:
        assert ask(server) == [Failure("status", "HTTP 500, 3 times")] and len(server.bodies) == 3


@pytest.mark.parametrize("fault", [silent, drips, drips_headers], ids=["silent", "drips", "drips headers"])
def test_no_manner_of_slowness_holds_a_question_for_longer_than_its_time(fault):
    with serving(fault) as server:
        assert ask(server, retries=1) == [Failure("timeout", "no whole reply within the time limit of a try, 2 times")]
        assert len(server.bodies) == 2
    with serving(fault) as server:  # the total ends it although many retries are left and a try may take longer
        [failure] = ask(server, retries=50, timeout_seconds=60.0, total_seconds=0.5)
        assert failure.kind == "timeout" and len(server.bodies) == 1


def test_a_connection_that_is_always_cut_in_mid_reply_is_no_reply():
    with serving(cuts) as server:
        [failure] = ask(server)
        assert failure.kind == "network" and "3 times" in failure.reason and len(server.bodies) == 3


def test_nobody_listening_is_a_failure_of_the_network():
    with serving(says("x")) as server:
        url = server.url
    config = EndpointConfig.read({**QUICK, "base_url": url})
    with Endpoint(config) as endpoint:
        [failure] = within(lambda: endpoint([question()]))
    assert failure.kind == "network" and failure.reason.startswith("ConnectError")


@pytest.mark.parametrize(
    ("answer", "kind", "says_"),
    [
        (raw(b"{"), "protocol", "not JSON"), (raw(b"\xff\xfe"), "protocol", "not JSON"), (raw(b""), "protocol", "not JSON"),
        (raw(b"[" * 100_000), "protocol", "not JSON"), (raw(b"<html>busy</html>"), "protocol", "not JSON"),
        (raw(b'{"object": "error"}'), "protocol", "choices"), (raw(b'{"choices": []}'), "protocol", "choices"),
        (raw(b"[1]"), "protocol", "choices"), (raw(b'{"choices": [{"text": "x"}]}'), "protocol", "choices"),
        (raw(completion(None)), "protocol", "no text"), (raw(completion("  ")), "protocol", "no text"),
        (raw(completion("half a verd", "length")), "cut_off", "max_tokens"),
        (raw(completion("x", "content_filter")), "refused", "declined"),
        (raw(completion(None, refusal="I will not.")), "refused", "declined"),
        (raw(b'{"x": "' + b"a" * 2**21 + b'"}'), "too_large", "bytes"),
        (raw(gzip.compress(b"0" * 2**24), content_encoding="gzip"), "too_large", "compressed"),
        (status(400), "status", "HTTP 400"), (status(422), "status", "HTTP 422"),
    ],
)
def test_what_is_no_reply_is_a_failure_and_is_not_asked_again(answer, kind, says_):
    with serving(answer) as server:
        [failure] = ask(server)
        assert failure.kind == kind and says_ in failure.reason and len(server.bodies) == 1


def test_a_rejected_request_says_why_in_the_server_s_words_unless_they_are_the_question_s():
    def rejects(message):
        return raw(json.dumps({"error": {"message": message}}).encode(), 400)

    plan = rejects("context length exceeded"), rejects("invalid input: 'a secret request'"), raw(b'{"detail": "no model"}', 422)
    with serving(*plan) as server:
        found = [ask(server, "how to: a secret request")[0].reason for _ in range(3)]
    assert found == ["HTTP 400: context length exceeded", "HTTP 400", "HTTP 422: no model"]


def test_one_broken_question_leaves_the_others_alone():
    def answer(handler, body):
        (status(500) if body["messages"][0]["content"] == "bad" else says("good"))(handler, body)

    with serving(answer) as server:
        found = ask(server, "a", "bad", "b")
    assert found == ["good", Failure("status", "HTTP 500, 3 times"), "good"]


@pytest.mark.parametrize("code", [401, 403, 404, 405, 307])
def test_a_mistake_in_the_configuration_stops_at_once_in_one_sentence(code):
    with serving(status(code)) as server:
        with pytest.raises(InputError, match=f"HTTP {code}") as refused:
            ask(server, *"abcdefgh", concurrency=1)
        assert server.url in str(refused.value) and "\n" not in str(refused.value)
        assert len(server.bodies) <= 2  # another had its turn meanwhile


def test_the_key_goes_to_the_server_and_nowhere_else(monkeypatch, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("TEST_JUDGE_KEY", "sk-secret-123")
    echo = raw(b'{"error": {"message": "sk-secret-123 may not use this model"}}', 404)
    with serving(says("fine"), echo) as server:
        assert ask(server, api_key_variable="TEST_JUDGE_KEY", cache=str(tmp_path)) == ["fine"]
        assert {k.lower(): v for k, v in server.headers[0].items()}["authorization"] == "Bearer sk-secret-123"
        with pytest.raises(InputError, match="may not use this model") as refused:
            ask(server, api_key_variable="TEST_JUDGE_KEY")
    stored = "".join(p.read_text() for p in tmp_path.rglob("*.json"))
    assert stored and "sk-secret" not in str(refused.value) + caplog.text + stored


@pytest.mark.parametrize("value", [None, "", "two words", "line\nbreak", "ключ"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_told(value, monkeypatch):
    monkeypatch.delenv("TEST_JUDGE_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("TEST_JUDGE_KEY", value)
    with pytest.raises(InputError, match=r"judge\.api_key_variable = 'TEST_JUDGE_KEY'") as refused:
        Endpoint(EndpointConfig(base_url="http://127.0.0.1:1/v1", model="m", api_key_variable="TEST_JUDGE_KEY"))
    assert not value or value not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8000/v1", "ftp://a/v1", "http://", "http://user:pass@a/v1", "http://a/v1?key=x", "http://a:99999/v1",
     "http://a/v1/chat/completions", "http://a/v1\n", "http://[::1/v1"],
)  # fmt: skip
def test_an_address_that_cannot_be_one_is_refused_when_the_file_is_read(url):
    with pytest.raises(InputError, match="base_url"):
        EndpointConfig.read({"base_url": url})


def test_retry_after_is_waited_for_and_not_beyond_the_total():
    with serving(status(429, retry_after="0"), says("fine")) as server:
        assert ask(server) == ["fine"]
    with serving(status(429, retry_after="3600"), says("fine")) as server:
        [failure] = ask(server)
        assert failure.reason.startswith("HTTP 429") and "total_seconds" in failure.reason and len(server.bodies) == 1
    with serving(status(503, retry_after="soon"), says("fine")) as server:
        assert ask(server) == ["fine"]


def test_retry_after_is_a_number_of_seconds_or_a_date():
    now = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
    table = {
        "120": 120.0, " 1.5 ": 1.5, "Sat, 21 Nov 2026 12:00:30 GMT": 30.0, "Sat, 21 Nov 2026 11:00:00 GMT": 0.0,
        "-1": None, "nan": None, "inf": None, "1e9": None, "": None, "Sat, 99 Nov 2026": None, "٣": None}  # fmt: skip
    assert {value: retry_after(value, now) for value in table} == table and retry_after(None) is None


def test_waits_grow_and_their_jitter_is_named_by_the_seed():
    with Endpoint(EndpointConfig(base_url="http://127.0.0.1:1/v1", model="m", backoff_seconds=1.0)) as endpoint:
        waits = [endpoint._backoff("key", attempt) for attempt in range(10)]
        assert waits == [endpoint._backoff("key", attempt) for attempt in range(10)] and waits[0] != endpoint._backoff("other", 0)
    # Between half of 1, 2, 4, ... and the whole, and never above a minute.
    assert all(0.5 * min(2**k, 60) <= wait <= min(2**k, 60) for k, wait in enumerate(waits))


def test_no_more_questions_are_with_the_server_than_the_limit_whoever_asks():
    barrier = threading.Event()

    def answer(handler, body):
        barrier.wait(0.05)
        says("x")(handler, body)

    with serving(answer) as server:
        config = EndpointConfig.read({**QUICK, "base_url": server.url, "concurrency": 3, "timeout_seconds": 20.0})
        with Endpoint(config) as endpoint:
            threads = [threading.Thread(target=endpoint, args=([question(f"{t}{k}") for k in range(6)],)) for t in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        assert len(server.bodies) == 18 and server.most_at_once == 3


def test_when_too_many_have_failed_the_rest_is_not_asked():
    with serving(status(500)) as server:
        found = ask(server, *map(str, range(40)), budget=0.1, concurrency=2, retries=0)
        # 5 failures are more than 4 of 40; at most one more was under way.
        assert 5 <= len(server.bodies) <= 7
    assert sum(reply.kind == "not_asked" for reply in found) >= 33


def test_an_answered_question_is_not_asked_again_unless_anything_about_it_changed(tmp_path):
    with serving(says(lambda q: f"{q}!")) as server:
        settings = {"cache": str(tmp_path), "revision": "r1"}
        assert ask(server, "a", "b", **settings) == ["a!", "b!"] == ask(server, "a", "b", **settings)
        assert len(server.bodies) == 2
        for change in ({"revision": "r2"}, {"temperature": 0.7}, {"max_tokens": 9}, {"model": "other"}):
            assert ask(server, "a", **{**settings, **change}) == ["a!"]
        assert len(server.bodies) == 6
        # How the question is sent is no part of it.
        assert ask(server, "a", **settings, retries=0, concurrency=1, timeout_seconds=9.0) == ["a!"] and len(server.bodies) == 6


def test_a_failure_is_not_remembered(tmp_path):
    with serving(status(400), says("fine")) as server:
        assert isinstance(ask(server, cache=str(tmp_path))[0], Failure)
        assert ask(server, cache=str(tmp_path)) == ["fine"] == ask(server, cache=str(tmp_path)) and len(server.bodies) == 2


def test_a_damaged_entry_of_the_cache_is_a_miss(tmp_path):
    cache, key = ReplyCache(tmp_path), reply_key("m", "r", {}, question())
    cache.put(key, "good \ud800 中")
    assert cache.get(key) == "good \ud800 中"
    [path] = tmp_path.rglob("*.json")
    whole = path.read_bytes()
    other = json.loads(whole) | {"reply": "bad"}
    changed = json.dumps(other).encode()
    for damage in (b"", whole[:-9], b"[]", b'"x"', b"\xff", b"null", b"[" * 10**6, changed, b'{"reply": 3, "sha256": "x"}'):
        path.write_bytes(damage)
        assert cache.get(key) is None, damage[:40]
    # An entry under the name of another question is not its reply either.
    twin = reply_key("m", "r", {}, question("other"))
    (tmp_path / twin[:2]).mkdir(exist_ok=True)
    (tmp_path / twin[:2] / f"{twin}.json").write_bytes(whole)
    assert cache.get(twin) is None
    cache.put(key, "again")
    assert cache.get(key) == "again" and not list(tmp_path.rglob(".partial*"))


def test_writers_side_by_side_leave_a_whole_entry(tmp_path):
    cache, texts = ReplyCache(tmp_path), [str(k) * 5000 for k in range(8)]
    threads = [threading.Thread(target=lambda t=t: [cache.put("ab12", t) for _ in range(20)]) for t in texts]
    for thread in threads:
        thread.start()
    seen = {cache.get("ab12") for _ in range(200)}
    for thread in threads:
        thread.join()
    assert seen <= {None, *texts} and cache.get("ab12") in texts


def test_a_cache_that_cannot_be_written_stops_with_its_name(tmp_path):
    (tmp_path / "file").write_text("")
    with serving(says("x")) as server, pytest.raises(RunError, match=r"file.*cannot be stored"):
        ask(server, cache=str(tmp_path / "file"))


def test_text_that_no_encoding_knows_is_sent_all_the_same():
    with serving(says("fine")) as server:
        assert ask(server, "half \ud800 pair") == ["fine"]
        assert server.bodies[0]["messages"][0]["content"] == "half \ud800 pair"


def test_a_closed_endpoint_says_so_and_its_thread_has_ended():
    before = threading.active_count()
    endpoint = Endpoint(EndpointConfig(base_url="http://127.0.0.1:1/v1", model="m"))
    assert threading.active_count() == before + 1 and endpoint([]) == []
    endpoint.close()
    assert threading.active_count() == before
    with pytest.raises(ValueError, match="closed"):
        endpoint([question()])
    Endpoint(EndpointConfig(base_url="http://127.0.0.1:1/v1", model="m"))  # forgotten at once
    assert threading.active_count() == before
