"""Completions of a search that servers write over HTTP, vLLM's or `sanmai serve`: tokens in and out, with their log-probs.

A server is asked for a continuation of a token prefix and nothing else. It knows no steps: it writes a chunk at a time, where a
step has ended is seen here, and what it wrote beyond is discarded and counted. The weights are its own: its first completions
are held against the log-probs of the policy here, so that another model, another temperature or a cut distribution is found out.

Each completion has a seed by the name of its random stream and the tokens that it has, so that it hangs on no other; whether a
server that batches gives the same tokens again is the server's affair.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace

from pydantic import Field, field_validator

from sanmai.cluster.canary import SCORED, drawn_fails
from sanmai.cluster.config import check_urls
from sanmai.cluster.links import Lost
from sanmai.cluster.vllm import VllmLink
from sanmai.config import Config, OnlyWith
from sanmai.policies.text.asking import Completion, Request, SamplingConfig
from sanmai.policies.text.policy import TextPolicy
from sanmai.types import RunError, StopReason

_MOST_CALLS = 64
_PAUSE_SECONDS = 1.0


class EngineConfig(Config):
    urls: tuple[str, ...] = ()
    """Servers that write the completions in place of this process ("http://127.0.0.1:8000"): vLLM's or `sanmai serve`, of the
    same weights as `model`. None: this process writes."""
    chunk_tokens: int = Field(16, ge=1)
    """What a server writes at a time of a step; it is cut here, and the rest of a chunk is discarded and paid for."""
    reads_again: bool = True
    """The server keeps no prefixes: what a node stands on is read again, and paid for. vLLM keeps them (prefix caching)."""
    deadline_seconds: float = Field(600.0, gt=0)
    """A server that takes longer over an answer is lost, and another one is asked."""
    patience_seconds: float = Field(60.0, gt=0)
    """The run stops when for so long no server has answered a question."""

    without_effect = frozenset({"deadline_seconds", "patience_seconds"})
    only_with = (
        OnlyWith("urls", lambda c: c.urls, "chunk_tokens", "reads_again", "deadline_seconds", "patience_seconds"),
    )

    @field_validator("urls", mode="after")
    @classmethod
    def _urls(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        check_urls(value)
        return value


class Remote:
    """Writes completions of one policy; fills the protocol of policies/text/asking.py."""

    takes_cuts = True

    def __init__(self, config: EngineConfig, policy: TextPolicy, on_warning: Callable[[str], None]) -> None:
        self._config, self._policy, self._warn = config, policy, on_warning
        stops = sorted(policy.stop_tokens)
        self._links = [
            VllmLink(number, url.rstrip("/").removesuffix("/v1"), stops, deadline="engine.deadline_seconds")
            for number, url in enumerate(config.urls, 1)
        ]
        self._next = itertools.count()
        self._begun: set[str] = set()
        self._checked = 0
        self._notices: set[str] = set()
        self._is_closed = False
        self._lock = threading.Lock()

    def close(self) -> None:
        self._is_closed = True
        for link in self._links:
            link.close()

    def sample(
        self, requests: Sequence[Request], config: SamplingConfig, *, segment: int | None = None
    ) -> Iterator[Completion]:
        rows = [(index, number) for index, request in enumerate(requests) for number in range(len(request.seeds))]
        deadline = time.monotonic() + config.timeout_seconds
        with ThreadPoolExecutor(max(min(config.concurrent, _MOST_CALLS, len(rows)), 1)) as pool:
            work = lambda row: self._write(*row, requests[row[0]], config, segment, deadline)  # noqa: E731
            left: set[Future[Completion]] = {pool.submit(work, row) for row in rows}
            try:
                while left:
                    done, left = wait(left, timeout=_PAUSE_SECONDS, return_when=FIRST_COMPLETED)
                    self._tell()
                    found = [one.result() for one in done]
                    self._check(requests, found, config.temperature)
                    yield from found
            finally:
                for one in left:
                    one.cancel()
                if left:
                    self.close()  # what is under way fails soon
        self._tell()

    def _write(
        self, index: int, number: int, request: Request, config: SamplingConfig, segment: int | None, deadline: float
    ) -> Completion:
        """One rollout, chunk by chunk where it is to be cut."""
        told = request.cut() if request.cut is not None else None
        budget = min(request.max_tokens or config.max_tokens, config.max_tokens) - request.written
        most = min(budget, request.segment or budget, segment or budget)
        tokens: list[int] = []
        logp: list[float] = []
        while True:
            prompt = [*request.prompt_tokens, *tokens]
            chunk = most - len(tokens) if told is None else min(most - len(tokens), self._config.chunk_tokens)
            part = replace(request, prompt_tokens=prompt, written=request.written + len(tokens), segment=chunk, cut=None)
            drawn = self._asked(part, number, config)
            for place, (token, own) in enumerate(zip(drawn.tokens, drawn.logp, strict=True), 1):
                tokens.append(token)
                logp.append(own)
                if place == len(drawn.tokens) and drawn.stop_reason is StopReason.STOP:
                    return Completion(index, number, tokens, logp, StopReason.STOP)
                if len(tokens) == budget:
                    return Completion(index, number, tokens, logp, StopReason.LENGTH)
                if told is not None and told(token):
                    return Completion(index, number, tokens, logp, StopReason.STEP, len(drawn.tokens) - place)
            if len(tokens) >= most:
                return Completion(index, number, tokens, logp, StopReason.PAUSED)
            if time.monotonic() > deadline:
                return Completion(index, number, tokens, logp, StopReason.TIMEOUT)

    def _asked(self, request: Request, number: int, config: SamplingConfig) -> Completion:
        """What a server writes; another one, or the same again, where one is lost."""
        lost_since = None
        while True:
            link = self._links[next(self._next) % len(self._links)]
            try:
                self._begin(link)
                return link.write_one(0, number, request, config, None, self._config.deadline_seconds)
            except Lost as error:
                if self._is_closed:
                    raise RunError("the search has ended") from None
                lost_since = lost_since or time.monotonic()
                with self._lock:
                    self._notices.add(f"{link.name} is lost: {error}")
                if time.monotonic() - lost_since > self._config.patience_seconds:
                    names, seconds = ", ".join(link.name for link in self._links), self._config.patience_seconds
                    raise RunError(
                        f"engine: for {seconds:g} s no answer of {names}: {error}. The same command goes on from the last commit"
                    ) from None
                time.sleep(min(_PAUSE_SECONDS, self._config.patience_seconds / 4))

    def _begin(self, link: VllmLink) -> None:
        with self._lock:
            if link.name not in self._begun:
                link.ask({"do": "begin"}, self._config.deadline_seconds)
                self._begun.add(link.name)

    def _check(self, requests: Sequence[Request], done: Sequence[Completion], temperature: float) -> None:
        """Hold the first completions against the policy here."""
        chosen = [one for one in done if one.tokens][: SCORED - self._checked]
        self._checked += len(chosen)
        if why := drawn_fails(self._policy, requests, chosen, temperature):
            names = ", ".join(self._config.urls)
            raise RunError(f"engine: {names} do not write with the weights of {self._policy.config.name!r}: {why}")

    def _tell(self) -> None:
        with self._lock:
            told, self._notices = self._notices, set()
        for notice in sorted(told):
            self._warn(notice)


@contextmanager
def writing(config: EngineConfig, policy: TextPolicy, on_warning: Callable[[str], None]) -> Generator[None]:
    """Within, servers write what is asked of the policy, where some are named."""
    if not config.urls:
        yield
        return
    remote = Remote(config, policy, on_warning)
    policy.sampler = remote
    try:
        yield
    finally:
        policy.sampler = None
        remote.close()
