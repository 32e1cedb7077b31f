"""Who may ask a small server of pages, and on which address it listens.

By default it listens on this machine only; from elsewhere it is reached over SSH (`ssh -L PORT:localhost:PORT HOST`). Bound to
another address it asks for a token.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Callable, Sequence
from typing import Any

from sanmai.extras import needs
from sanmai.types import InputError


def is_loopback(host: str) -> bool:
    """Only this machine can reach that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def add_door(
    app: Any, *, name: str, cookie: str, token: str | None, hosts: Sequence[str], methods: Sequence[str] = ("GET", "HEAD")
) -> None:
    """Let in who calls the server by a known name and, where a token is asked for, has it: as ?token=... once, as a cookie then.

    Args:
        app: of FastAPI.
        hosts: names that it may be called by, so that no page from elsewhere can point a browser at it; ("*",) is any.
        methods: others are refused.
    """
    from fastapi.middleware.trustedhost import TrustedHostMiddleware
    from fastapi.responses import PlainTextResponse, RedirectResponse

    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))

    @app.middleware("http")
    async def guard(request: Any, call_next: Any) -> Any:
        if request.method not in methods:
            only = " only reads" if "POST" not in methods else f" answers {', '.join(methods)} alone"
            return PlainTextResponse(f"{name}{only}", status_code=405)
        given = request.query_params.get("token")
        if token is not None:
            if given is not None and hmac.compare_digest(given.encode(), token.encode()):
                there = RedirectResponse(request.url.remove_query_params("token"), status_code=303)
                there.set_cookie(cookie, token, httponly=True, samesite="strict")
                return there
            if not hmac.compare_digest(request.cookies.get(cookie, "").encode(), token.encode()):
                return PlainTextResponse(f"This page asks for the token that {name} printed: ?token=...", status_code=401)
        answer = await call_next(request)
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["X-Frame-Options"] = "DENY"
        return answer


LEAST_TOKEN = 16
"""Characters of a token at least: others may try as many as they like."""


def listen_and_serve(
    make: Callable[..., Any], *, host: str, port: int, token: str | None, told: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C.

    Args:
        make: called with `token`, and with `hosts` where any name will do; the application.
        host: an address that others can reach needs a token; one is made where none is given.
        told: the address, once it listens.

    Raises:
        InputError: uvicorn is missing, or the port is taken; and what `make` raises.
    """
    try:
        import uvicorn
    except ImportError:
        raise needs("a server of pages", "serve") from None
    is_local = is_loopback(host)
    if token is not None and (len(token) < LEAST_TOKEN or not token.isascii() or not token.isprintable() or " " in token):
        raise InputError(f"--token: expected at least {LEAST_TOKEN} printable ASCII characters without blanks")
    if not is_local and token is None:
        token = secrets.token_urlsafe(LEAST_TOKEN)
    app = make(token=token, **({} if is_local else {"hosts": ("*",)}))
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=1, server_header=False)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except (OSError, OverflowError, UnicodeError) as error:
        raise InputError(f"--host {host} --port {port}: cannot listen there: {error}") from None
    shown = f"[{host}]" if ":" in host else host
    query = f"?token={token}" if token is not None else ""
    told(f"http://{shown}:{listening.getsockname()[1]}/{query}")
    uvicorn.Server(config).run(sockets=[listening])
