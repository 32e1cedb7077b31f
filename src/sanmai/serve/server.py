"""`sanmai serve`: what is to be served and filtered, on which address, and how it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from sanmai.extras import needs
from sanmai.train.stops import handling
from sanmai.types import InputError

TOKEN_VARIABLE = "SANMAI_TOKEN"
DRAIN_SECONDS = 20
"""After SIGTERM requests that are being answered have so long."""


@dataclass(frozen=True)
class Settings:
    model: str | None = None
    upstream: str | None = None
    upstream_key: str | None = None
    name: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    device: str = "cpu"
    dtype: str = "float32"
    concurrent: int = 64
    max_waiting: int = 256
    max_tokens: int = 1024
    cache_tokens: int | None = None
    reviewer: str | None = None
    reviewer_key: str | None = None
    words: tuple[str, ...] = ()
    guides: tuple[str, ...] = ()
    strategy: str | None = None
    search_n: int = 8
    search_tokens: int | None = None
    """A budget; None: as of SearchDefaults."""
    guard: dict[str, Any] = field(default_factory=dict)
    """What GuardPolicy takes."""


def guard_values(**given: Any) -> dict[str, Any]:
    """Of the command line's options those that were given, checked.

    Raises:
        InputError: a word that is none of those expected.
    """
    known = {"reviews": ("candidates", "all"), "stream": ("hold", "retract"), "on_failure": ("closed", "open")}
    found = {name: value for name, value in given.items() if value is not None}
    for name, words in known.items():
        if found.get(name, words[0]) not in words:
            option = {"reviews": "review", "on_failure": "on-failure"}.get(name, name)
            raise InputError(f"--{option} {found[name]!r}: expected {' or '.join(words)}")
    return found


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Answer requests until SIGTERM or Ctrl-C; those being answered then have DRAIN_SECONDS.

    Raises:
        InputError: what is named cannot be served, or not there.
    """
    server, listening = start(settings, say)
    try:
        server.run(sockets=[listening])
    finally:
        listening.close()
    say("Stopped.")


def start(settings: Settings, say: Callable[[str], None]) -> tuple[Any, socket.socket]:
    """A server that is ready to run, and what it listens on. Raises as `serve`."""
    uvicorn = needs_extra()
    from sanmai.serve.app import Limits, build_app

    class Server(uvicorn.Server):
        """Ends by itself at a signal, so that what follows can say so; uvicorn's own would raise the signal again."""

        @contextlib.contextmanager
        def capture_signals(self) -> Generator[None]:
            with handling(lambda number: self.handle_exit(number, None), signal.SIGINT, signal.SIGTERM):
                yield

    token = token_for(settings.host)
    listening = _listen(settings.host, settings.port)
    try:
        make, policy = prepare(settings, say)
    except BaseException:
        listening.close()
        raise
    limits = Limits(max_open=max(4 * (settings.concurrent + settings.max_waiting), 64))
    app = build_app(make, token=token, limits=limits, policy=policy)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=30, h11_max_incomplete_event_size=64 * 1024, lifespan="on",
    )  # fmt: skip
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    say(f"Base address: http://{shown}:{port}/v1" + (f"; clients send the token in {TOKEN_VARIABLE}" if token else ""))
    return Server(config), listening


def prepare(settings: Settings, say: Callable[[str], None]) -> tuple[Callable[[], Awaitable[Any]], str]:
    """What makes the backend inside the event loop, models loaded already; and the filter's policy in words."""
    from sanmai.serve.backend import Backend
    from sanmai.serve.candidates import Candidates
    from sanmai.serve.guard import Guard, GuardPolicy
    from sanmai.serve.reviewers import load_reviewer

    if (settings.model is None) == (settings.upstream is None):
        raise InputError("expected a MODEL, or --upstream URL in its place")
    if settings.upstream_key is not None and settings.upstream is None:
        raise InputError("--upstream-key: only with --upstream")
    if settings.reviewer is None and (settings.guard or settings.words or settings.reviewer_key):
        raise InputError("the options of the filter need --filter REVIEWER")
    if settings.upstream is not None and (settings.strategy or settings.guides):
        raise InputError("--strategy and --guide search with a model of this process; with --upstream there is none")
    loaded = _load(settings)
    guard = None
    if settings.reviewer is not None:
        policy = GuardPolicy(**settings.guard)
        if not 0 <= policy.retract_below <= policy.warn_below <= 1:
            raise InputError(
                f"--retract-below {policy.retract_below:g}, --warn-below {policy.warn_below:g}: expected "
                "0 <= retract <= warn <= 1"
            )
        reviewer = load_reviewer(
            settings.reviewer,
            key_variable=settings.reviewer_key,
            timeout_seconds=policy.timeout_seconds,
            device=settings.device,
        )
        reviewer.decides_below = policy.retract_below
        guard = Candidates.load(settings.words), reviewer, policy

    async def make() -> Backend:
        backend: Backend = loaded()
        if guard is not None:
            backend = Guard(backend, *guard)
        for line in backend.lines():
            say(line)
        return backend

    return make, f"reviewer={settings.reviewer}; {guard[2]}" if guard is not None else "none"


def _load(settings: Settings) -> Callable[[], Any]:
    if settings.upstream is not None:
        from sanmai.serve.upstream import Upstream

        url, key = settings.upstream, _key(settings.upstream_key)
        checked = Upstream(url, key)  # a wrong address is told before anything is bound
        return lambda: checked
    from sanmai.policies.text.config import ModelConfig
    from sanmai.policies.text.load import load_policy
    from sanmai.serve.local import LocalModel

    assert settings.model is not None
    values = {"name": settings.model, "device": settings.device, "dtype": settings.dtype}
    policy = load_policy(ModelConfig.read(values, source="serve"), for_training=False)
    name = settings.name or (Path(settings.model).resolve().name if Path(settings.model).exists() else settings.model)
    searcher = _searcher(settings, policy)
    return lambda: LocalModel(
        policy, name, concurrent=settings.concurrent, max_waiting=settings.max_waiting, max_tokens=settings.max_tokens,
        cache_tokens=settings.cache_tokens, searcher=searcher,
    )  # fmt: skip


def _searcher(settings: Settings, policy: Any) -> Any:
    """What answers requests that ask for a search, its guides loaded; None without --strategy and --guide."""
    if settings.strategy is None and not settings.guides:
        if settings.search_tokens is not None or settings.search_n != 8:
            raise InputError("--search-tokens and --search-n need --strategy or --guide")
        return None
    from sanmai.data.steps import steps_of
    from sanmai.data.testbeds import EMBEDDED
    from sanmai.policies.text.tiny import is_embedded
    from sanmai.serve.searching import SearchDefaults, Searcher

    tokens = settings.search_tokens or SearchDefaults.tokens
    steps = {"steps": steps_of(EMBEDDED), "step_tokens": 24} if is_embedded(settings.model) else {}
    defaults = SearchDefaults(settings.guides, settings.strategy, settings.search_n, tokens, steps)
    return Searcher(policy, defaults, max_tokens=settings.max_tokens)


def needs_extra() -> Any:
    """uvicorn; InputError where the extra `serve` is not installed."""
    try:
        import fastapi  # noqa: F401
        import uvicorn
    except ImportError:
        raise needs("sanmai serve", "serve") from None
    return uvicorn


def token_for(host: str) -> str | None:
    """The token that clients must send: SANMAI_TOKEN, which must be there when the address is not this machine's own.

    Raises:
        InputError: it is not, or it cannot be a token.
    """
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if token and (len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token):
        raise InputError(f"{TOKEN_VARIABLE}: expected at least 16 printable ASCII characters without blanks")
    if not token and not is_loopback(host):
        raise InputError(
            f"--host {host}: others can reach that address; expected a token in the environment variable {TOKEN_VARIABLE} "
            "(at least 16 characters), which clients send as their API key"
        )
    return token or None


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key or not key.isascii() or not key.isprintable():
        raise InputError(f"--upstream-key {variable!r}: this environment variable is not set, or holds no key")
    return key


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that an address in use is told before a model is loaded."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(1024)
    except (OSError, OverflowError) as error:
        raise InputError(f"--host {host} --port {port}: cannot listen there: {error}") from None
    return listening
