"""Replies of a chat model behind an OpenAI-compatible server: `POST {base_url}/chat/completions`.

All questions live on one event loop of the endpoint's own thread. There a question has one deadline over connecting, sending,
every try, every wait and every byte, so neither a server that never answers nor one that sends a byte a second can hold it;
a limit on reads alone would let the second go on for ever. Network faults come back as a `Failure`; what no retry can mend
(a wrong address, a refused key) is an InputError at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2
from pydantic import Field, field_validator

from sanmai.config import Config, OnlyWith
from sanmai.rewards.judging.chat_protocol import (
    Failure,
    read_completion,
    read_usage,
    refusal_to_serve,
    rejection,
    retry_after,
)
from sanmai.rewards.judging.reply_cache import ReplyCache, reply_key
from sanmai.types import InputError, Message

_GLANCE_SECONDS = 0.1
"""Waits are cut into pieces of this: a signal that comes just before a wait is only seen when the wait ends."""
_MAX_REPLY_BYTES = 2**20
_LONGEST_BACKOFF_SECONDS = 60.0


class EndpointConfig(Config):
    base_url: str | None = None
    """Where the server is, such as http://127.0.0.1:8000/v1; without it `model` is a local folder."""
    model: str = ""
    """The model's name at the server, or a local folder as in model.name."""
    revision: str = ""
    """Which weights serve that name; part of the key of cached replies, so change it when they change."""
    api_key_variable: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Environment variable that holds the API key; the key itself is in no file and no message."""
    connect_seconds: float = Field(10.0, gt=0)
    """Time limit for connecting."""
    timeout_seconds: float = Field(120.0, gt=0)
    """Time limit of one try, from connecting to the last byte."""
    total_seconds: float = Field(600.0, gt=0)
    """Time limit of one question, all its tries and the waits between them."""
    retries: int = Field(5, ge=0, le=100)
    """Further tries after HTTP 408, 409, 429 or 5xx, a timeout or a broken connection."""
    backoff_seconds: float = Field(0.5, ge=0)
    """Wait before the first retry; twice as long before each further one, with a jitter of half of it."""
    concurrency: int = Field(8, ge=1, le=1024)
    """Questions that are with the server (or wait to be tried again) at the same time."""
    temperature: float = Field(0.0, ge=0, le=2)
    """Softmax temperature of the replies."""
    max_tokens: int = Field(1024, ge=1)
    """Reply budget in tokens; a reply that is cut off counts as none."""
    cache: str | None = None
    """Folder of replies by question and revision; a question that is answered there is not asked again."""
    seed: int = Field(0, ge=0)
    """Names the jitter of the waits, the order of answers in a pair, and a local model's sampling."""

    without_effect = frozenset({
        "api_key_variable", "connect_seconds", "timeout_seconds", "total_seconds", "retries", "backoff_seconds", "concurrency",
        "cache",
    })  # fmt: skip
    only_with = (
        OnlyWith(
            "base_url",
            lambda c: c.base_url is not None,
            "api_key_variable", "connect_seconds", "timeout_seconds", "retries", "backoff_seconds",
        ),
    )

    @field_validator("base_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        return None if value is None else _checked_url(value)


class Endpoint:
    """A chat model behind a server. Usable from several threads; `concurrency` holds over all of them.

    Example:
        with Endpoint(EndpointConfig(base_url="http://127.0.0.1:8000/v1", model="judge")) as ask:
            [reply] = ask([[{"role": "user", "content": "Is 7 prime?"}]])   # "Yes." or a Failure
    """

    def __init__(
        self, config: EndpointConfig, *, failure_budget: float = 1.0, cache: ReplyCache | None = None,
        read: Callable[[bytes], str | Failure] = read_completion, section: str = "judge",
    ) -> None:
        """Args:
            failure_budget: once more than this share of a call's questions has failed, the rest is not asked.
            cache: where replies are kept; by default the folder of config.cache, if any.
            read: the reply in what the server sends.
            section: of the settings, which messages name.

        Raises:
            InputError: no base_url or model, or an API key that is not there or cannot be sent.
        """
        if config.base_url is None or not config.model:
            raise InputError(
                f"{section}.base_url and {section}.model: expected the address of a server and a model's name there"
            )
        self.config, self.failure_budget, self._read_reply, self._section = config, failure_budget, read, section
        self.cache = cache or (ReplyCache(Path(config.cache)) if config.cache else None)
        self.counts: Counter[str] = Counter()
        """Since the start: "requests" sent, "retries" among them, "cached" replies; "prompt_tokens" and "completion_tokens" where
        the server says how many."""
        self._key = _api_key(config.api_key_variable)
        self._url = f"{config.base_url}/chat/completions"
        self._places = asyncio.Semaphore(config.concurrency)
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(config.timeout_seconds, connect=config.connect_seconds),
            limits=httpx2.Limits(),  # none: the places are what counts
            headers={"Accept-Encoding": "identity", **({"Authorization": f"Bearer {self._key}"} if self._key else {})},
            trust_env=not _is_loopback(config.base_url),  # no proxy leads to this machine
        )
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_run, args=(self._loop,), daemon=True, name="endpoint")
        thread.start()
        self.close = weakref.finalize(self, _shut, self._loop, self._client, thread)
        """Let go of connections and thread; called when nothing refers to the endpoint any more, or at exit."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(
        self, batch: Sequence[Sequence[Message]], settings: Sequence[Mapping[str, Any]] | None = None
    ) -> list[str | Failure]:
        """The reply to each conversation, or why there is none, in order.

        Args:
            settings: of each question, beside those of all, such as its seed.

        Returns after len(batch) / concurrency times total_seconds at the latest.

        Raises:
            InputError: the server says that address, key or model name are wrong.
            RunError: a reply cannot be stored.
            ValueError: the endpoint is closed.
        """
        if not self.close.alive:
            raise ValueError("the endpoint is closed: it takes no questions after that")
        if not batch:
            return []
        future = asyncio.run_coroutine_threadsafe(self._ask_all(batch, settings or [{}] * len(batch)), self._loop)
        try:
            while not wait([future], timeout=_GLANCE_SECONDS).done:
                if not self.close.alive:
                    raise ValueError("the endpoint was closed while it was waited for")
            return future.result()
        finally:
            future.cancel()

    async def _ask_all(
        self, batch: Sequence[Sequence[Message]], settings: Sequence[Mapping[str, Any]]
    ) -> list[str | Failure]:
        replies: list[str | Failure] = [Failure("not_asked", "not asked: too many others had failed")] * len(batch)

        async def ask(number: int) -> bool:
            replies[number] = await self._ask(batch[number], settings[number])
            return isinstance(replies[number], Failure)

        tasks = [asyncio.create_task(ask(number)) for number in range(len(batch))]
        num_failed = 0
        try:
            for next_done in asyncio.as_completed(tasks):
                num_failed += await next_done
                if num_failed > self.failure_budget * len(batch):
                    break
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return replies

    async def _ask(self, messages: Sequence[Message], own: Mapping[str, Any]) -> str | Failure:
        config = self.config
        settings = {"temperature": config.temperature, "max_tokens": config.max_tokens, **own}
        key = reply_key(config.model, config.revision, settings, messages)
        if self.cache is not None and (cached := self.cache.get(key)) is not None:
            self.counts["cached"] += 1
            return cached
        body = {"model": config.model, "messages": [dict(m) for m in messages], **settings, "stream": False}
        async with self._places:
            question = "\n".join(m["content"] for m in messages)
            reply = await self._try_until_answered(json.dumps(body).encode(), question, key)
        if self.cache is not None and isinstance(reply, str):
            self.cache.put(key, reply)
        return reply

    async def _try_until_answered(self, body: bytes, question: str, key: str) -> str | Failure:
        """A try, and after a passing fault further ones as long as their number and the time allow."""
        config, clock = self.config, asyncio.get_running_loop().time
        deadline = clock() + config.total_seconds
        attempt = 0
        while True:
            self.counts["requests"] += 1
            self.counts["retries"] += attempt > 0
            found = await self._try(body, question, min(config.timeout_seconds, deadline - clock()))
            if not isinstance(found, _Passing):
                return found
            if attempt == config.retries:
                tries = "" if attempt == 0 else f", {attempt + 1} times"
                return Failure(found.failure.kind, found.failure.reason + tries)
            pause = max(found.wait_seconds, self._backoff(key, attempt))
            if clock() + pause >= deadline:
                return Failure(found.failure.kind, f"{found.failure.reason}, and total_seconds leave no further try")
            await asyncio.sleep(pause)
            attempt += 1

    def _backoff(self, key: str, attempt: int) -> float:
        jitter = random.Random(f"{self.config.seed}/{key}/{attempt}").uniform(0.5, 1.0)
        return jitter * min(self.config.backoff_seconds * 2**attempt, _LONGEST_BACKOFF_SECONDS)

    async def _try(self, body: bytes, question: str, seconds: float) -> str | Failure | _Passing:
        headers = {"Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(seconds),
                self._client.stream("POST", self._url, content=body, headers=headers) as response,
            ):
                raw = await _read(response)
        except (TimeoutError, httpx2.TimeoutException) as error:
            where = "no connection" if isinstance(error, httpx2.ConnectTimeout) else "no whole reply"
            return _Passing(Failure("timeout", f"{where} within the time limit of a try"))
        except httpx2.TransportError as error:
            return _Passing(Failure("network", f"{type(error).__name__}: {str(error)[:120]}"))
        status = response.status_code
        if status in (408, 409, 429) or status >= 500:
            return _Passing(
                Failure("status", f"HTTP {status}"), retry_after(response.headers.get("retry-after")) or 0.0
            )
        if raw is None:
            return Failure("too_large", f"a reply of more than {_MAX_REPLY_BYTES} bytes, or compressed")
        if mistake := refusal_to_serve(status, raw, self.config.model):
            raise InputError(f"{self._section}.base_url = {self.config.base_url!r}: {self._without_key(mistake)}")
        if 200 <= status < 300:
            self.counts.update(read_usage(raw))
            return self._read_reply(raw)
        failure = rejection(status, raw, question)
        return Failure(failure.kind, self._without_key(failure.reason))

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "[the API key]") if self._key else text


@dataclass(frozen=True)
class _Passing:
    """A fault that another try may not meet."""

    failure: Failure
    wait_seconds: float = 0.0


async def _read(response: httpx2.Response) -> bytes | None:
    """The body; None when it is larger than any reply, or compressed although that was not asked for (a bomb)."""
    if response.headers.get("content-encoding", "identity") != "identity":
        return None
    parts = bytearray()
    async for part in response.aiter_raw():
        parts += part
        if len(parts) > _MAX_REPLY_BYTES:
            return None
    return bytes(parts)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _shut(loop: asyncio.AbstractEventLoop, client: httpx2.AsyncClient, thread: threading.Thread) -> None:
    async def close() -> None:
        try:
            await client.aclose()
        finally:
            loop.stop()

    if thread.is_alive():
        asyncio.run_coroutine_threadsafe(close(), loop)
        if thread is not threading.current_thread():  # the garbage collector may run on any thread
            thread.join(timeout=5)


def _checked_url(value: str) -> str:
    expected = "expected http(s)://HOST[:PORT]/PATH without user, query or fragment, such as http://127.0.0.1:8000/v1"
    try:
        parts = urlsplit(value)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(expected) from None
    if not is_usable or parts.username is not None or parts.query or parts.fragment or not value.isprintable():
        raise ValueError(expected)
    if parts.path.rstrip("/").endswith("/chat/completions"):
        raise ValueError("/chat/completions is added to it: " + expected)
    return value.rstrip("/")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def _api_key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise InputError(f"judge.api_key_variable = {variable!r}: this environment variable is not set, or empty")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise InputError(
            f"judge.api_key_variable = {variable!r}: its value cannot be an API key (blanks or odd characters)"
        )
    return key
