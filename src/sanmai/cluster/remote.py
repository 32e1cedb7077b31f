"""Completions of a search that servers write over HTTP, vLLM's or `sanmai serve`: tokens in and out, with their log-probs.

A server is asked for a continuation of a token prefix and nothing else. It knows no steps: it writes a chunk at a time, where a
step has ended is seen here, and what it wrote beyond is discarded and counted. The weights are its own: the first answers of
each server since it was found, and one in so many of the later ones, are held against the log-probs of the policy here, so that
another model, another temperature or a cut distribution is found out. One that draws by another rule and tells the true
log-probs of what it drew is not.

Each completion has a seed by the name of its random stream and the tokens that it has, so that it hangs on no other; whether a
server that batches gives the same tokens again is the server's affair.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import isfinite
from zlib import crc32

from pydantic import Field, field_validator

from sanmai.cluster.canary import SCORED, drawn_fails
from sanmai.cluster.config import check_urls
from sanmai.cluster.links import Lost
from sanmai.cluster.servers import Server
from sanmai.cluster.vllm import VllmLink
from sanmai.config import Config, OnlyWith
from sanmai.policies.text.asking import Completion, Request, SamplingConfig
from sanmai.policies.text.policy import TextPolicy
from sanmai.types import RunError, StopReason

_MOST_CALLS = 64
_PAUSE_SECONDS, _MOMENT_SECONDS = 1.0, 0.02
_ROUNDING = 1e-3
"""Nats that a log-prob may be above 0."""


class EngineConfig(Config):
    urls: tuple[str, ...] = ()
    """Servers that write the completions in place of this process ("http://127.0.0.1:8000"): vLLM's or `sanmai serve`, of the
    same weights as `model`. None: this process writes."""
    chunk_tokens: int = Field(16, ge=1)
    """What a server writes at a time of a step; it is cut here, and the rest of a chunk is discarded and paid for."""
    reads_again: bool = True
    """The server keeps no prefixes: what a node stands on is read again, and paid for. vLLM keeps them (prefix caching)."""
    deadline_seconds: float = Field(600.0, gt=0)
    """A server that takes longer over an answer is lost, and another one is asked; see silence_seconds."""
    silence_seconds: float = Field(10.0, gt=0)
    """A server that has said nothing for so long is asked for its models, and lost if it does not name them within as long; and
    one is lost that takes longer than that, and ten times as long a token as the slowest answer of all servers did."""
    patience_seconds: float = Field(60.0, gt=0)
    """The run stops when for so long no server has answered a question."""
    check_every: int = Field(16, ge=1)
    """One in so many of a server's answers is held against the log-probs of `model`, beside its first 8; 1: all."""

    without_effect = frozenset({"deadline_seconds", "silence_seconds", "patience_seconds", "check_every"})
    only_with = (
        OnlyWith(
            "urls", lambda c: c.urls, "chunk_tokens", "reads_again", "deadline_seconds", "silence_seconds", "patience_seconds",
            "check_every",
        ),
    )  # fmt: skip

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
        stops, self._vocabulary = sorted(policy.stop_tokens), policy.vocabulary
        self._notices: set[str] = set()
        self.servers = [
            Server(partial(_link, number, url, stops), config.silence_seconds, self._notice)
            for number, url in enumerate(config.urls, 1)
        ]
        self._unchecked: list[tuple[Server, Request, Completion]] = []
        self._is_closed = False
        self._lock = threading.Lock()

    def close(self) -> None:
        self._is_closed = True
        for server in self.servers:
            server.close()
        self._tell()

    def sample(
        self, requests: Sequence[Request], config: SamplingConfig, *, segment: int | None = None
    ) -> Iterator[Completion]:
        rows = [(index, number) for index, request in enumerate(requests) for number in range(len(request.seeds))]
        deadline = time.monotonic() + config.timeout_seconds
        self.look()
        with ThreadPoolExecutor(max(min(config.concurrent, _MOST_CALLS, len(rows)), 1)) as pool:
            work = lambda row: self._write(*row, requests[row[0]], config, segment, deadline)  # noqa: E731
            left: set[Future[Completion]] = {pool.submit(work, row) for row in rows}
            try:
                while left:
                    done, left = wait(left, timeout=_PAUSE_SECONDS, return_when=FIRST_COMPLETED)
                    self.look()
                    self._tell()
                    found = [one.result() for one in done]
                    self._check(config.temperature)
                    yield from found
            finally:
                for one in left:
                    one.cancel()
                if left:
                    self.close()  # what is under way fails at once
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
        read = 0
        while True:
            prompt = [*request.prompt_tokens, *tokens]
            chunk = most - len(tokens) if told is None else min(most - len(tokens), self._config.chunk_tokens)
            part = replace(request, prompt_tokens=prompt, written=request.written + len(tokens), segment=chunk, cut=None)
            drawn = self._asked(part, number, config)
            read += len(prompt)
            done = partial(Completion, index, number, tokens, logp, read=read)
            for place, (token, own) in enumerate(zip(drawn.tokens, drawn.logp, strict=True), 1):
                tokens.append(token)
                logp.append(own)
                if place == len(drawn.tokens) and drawn.stop_reason is StopReason.STOP:
                    return done(StopReason.STOP)
                if len(tokens) == budget:
                    return done(StopReason.LENGTH)
                if told is not None and told(token):
                    return done(StopReason.STEP, len(drawn.tokens) - place)
            if len(tokens) >= most:
                return done(StopReason.PAUSED)
            if time.monotonic() > deadline:
                return done(StopReason.TIMEOUT)

    def _asked(self, request: Request, number: int, config: SamplingConfig) -> Completion:
        """What a server writes; another one, or the same again, where one is lost."""
        trouble, why = 0.0, ""
        while True:
            found = [server for server in self.servers if server.is_found]
            if found:
                server = min(found, key=lambda one: one.load)
                try:
                    done = server.write(request, number, config, self._config.deadline_seconds)
                except Lost as error:
                    why = f": {error}"
                else:
                    self._note(server, request, number, done)
                    return done
            if self._is_closed:
                raise RunError("the search has ended")
            self.look()
            trouble = trouble or time.monotonic()
            heard = max(trouble, *(server.answered for server in self.servers))
            if time.monotonic() - heard > self._config.patience_seconds:
                names, seconds = ", ".join(one.name for one in self.servers), self._config.patience_seconds
                raise RunError(
                    f"engine: for {seconds:g} s no answer of {names}{why}. The same command goes on from the last commit"
                )
            time.sleep(_MOMENT_SECONDS)

    def _note(self, server: Server, request: Request, number: int, done: Completion) -> None:
        """Refuse what no model can have written, and keep what is to be held against the policy."""
        for token, logp in zip(done.tokens, done.logp, strict=True):
            if type(token) is not int or not 0 <= token < self._vocabulary:
                raise RunError(f"engine: {server.name} wrote the token {token!r}; expected 0 to {self._vocabulary - 1}")
            if not isfinite(logp) or logp > _ROUNDING:
                raise RunError(f"engine: {server.name} gives {logp!r} as a token's log-prob; expected at most 0")
        is_drawn = crc32(repr((request.seeds[number], request.written)).encode()) % self._config.check_every == 0
        if server.num_written <= SCORED or is_drawn:
            with self._lock:
                self._unchecked.append((server, request, done))

    def _check(self, temperature: float) -> None:
        """Hold what was kept of each server's answers against the policy here."""
        with self._lock:
            kept, self._unchecked = self._unchecked, []
        for server in self.servers:
            own = [(request, done) for one, request, done in kept if one is server]
            for start in range(0, len(own), SCORED):
                requests, answers = zip(*own[start : start + SCORED], strict=True)
                placed = [replace(done, request=k) for k, done in enumerate(answers)]
                if why := drawn_fails(self._policy, requests, placed, temperature):
                    raise RunError(
                        f"engine: {server.name} does not write with the weights of {self._policy.config.name!r}: {why}; "
                        f"{server.num_agreed} of its answers were held against them before and agreed"
                    )
                server.num_agreed += len(placed)

    def look(self) -> None:
        """Ask in the background for servers that are not known to be there; lose those that are far slower than any answer."""
        slowest = max(server.slowest for server in self.servers)
        for server in self.servers:
            server.hurry(slowest)
            server.look()

    def _notice(self, said: str) -> None:
        with self._lock:
            self._notices.add(said)

    def _tell(self) -> None:
        with self._lock:
            told, self._notices = self._notices, set()
        for notice in sorted(told):
            self._warn(notice)


def _link(number: int, url: str, stops: Sequence[int]) -> VllmLink:
    return VllmLink(number, url.rstrip("/").removesuffix("/v1"), stops, deadline="engine.deadline_seconds")


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
