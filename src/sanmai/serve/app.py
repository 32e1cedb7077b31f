"""The server's routes: who may ask, how much, and how answers and streams go out.

Every answer has the header x-sanmai-filter-policy (what the filter does, and what a reviewer's failure means), and a whole answer
x-sanmai-filter, what was done with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from sanmai.serve.backend import Backend, Kind
from sanmai.serve.protocol import RequestError, read_body, sse


@dataclass(frozen=True)
class Limits:
    max_body_bytes: int = 4 * 2**20
    """Of a request; a larger one gets HTTP 413."""
    body_seconds: float = 30.0
    """For a request's body to come in."""
    reader_seconds: float = 60.0
    """A client that takes nothing of its answer for so long is let go of."""
    max_open: int = 1024
    """Requests that are being answered at once, slow readers among them; further ones get HTTP 429."""


def build_app(
    make_backend: Callable[[], Awaitable[Backend]],
    *,
    token: str | None = None,
    limits: Limits | None = None,
    policy: str = "none",
) -> FastAPI:
    """The application.

    Args:
        make_backend: called inside the event loop when the server starts.
        token: what clients must send as `Authorization: Bearer TOKEN`; None asks for nothing.
        policy: the filter's, as headers state it.
    """
    limits = limits or Limits()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        app.state.backend = await make_backend()
        app.state.started = time.monotonic()
        try:
            yield
        finally:
            await app.state.backend.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.open = 0
    door = _Door(app, token, limits, policy)

    @app.exception_handler(404)
    @app.exception_handler(405)
    async def unknown(request: Request, _: Exception) -> Response:
        path = request.url.path
        return door.error(RequestError(404, f"no {request.method} {path[:120]}; there are /v1/chat/completions, "
                                            "/v1/completions, /v1/models and /health"))  # fmt: skip

    @app.get("/health")
    async def health() -> Response:
        found = app.state.backend.health()
        shown = {**found, "open": app.state.open, "seconds": round(time.monotonic() - app.state.started, 1)}
        return JSONResponse(shown, 200 if found["ok"] else 503)

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        try:
            door.check(request)
            return JSONResponse(await app.state.backend.models(), headers=door.headers)
        except RequestError as error:
            return door.error(error)

    @app.get("/v1/models/{name:path}")
    async def model(request: Request, name: str) -> Response:
        try:
            door.check(request)
            found = [each for each in (await app.state.backend.models())["data"] if each["id"] == name]
            if not found:
                raise RequestError(
                    404, f"the model {name[:200]!r} is not served here", param="model", code="model_not_found"
                )
            return JSONResponse(found[0], headers=door.headers)
        except RequestError as error:
            return door.error(error)

    async def chat(request: Request) -> Response:
        return await door.answer(request, "chat")

    async def text(request: Request) -> Response:
        return await door.answer(request, "text")

    # Routes that are asked often, without FastAPI's reading of parameters, and before all others.
    asked = (("/v1/chat/completions", chat), ("/v1/completions", text))
    app.router.routes[:0] = [Route(path, endpoint, methods=["POST"]) for path, endpoint in asked]
    return app


class _Door:
    """What stands between a connection and the backend."""

    def __init__(self, app: FastAPI, token: str | None, limits: Limits, policy: str) -> None:
        self.app, self.token, self.limits = app, token, limits
        self.headers = {"x-sanmai-filter-policy": policy}

    def check(self, request: Request) -> None:
        """Raises RequestError where the token is missing or another."""
        if self.token is None:
            return
        given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode()):
            raise RequestError(
                401, "expected the server's token as Authorization: Bearer TOKEN", code="invalid_api_key"
            )

    def error(self, error: RequestError) -> Response:
        headers = dict(self.headers)
        if error.retry_after is not None:
            headers["retry-after"] = str(error.retry_after)
        return JSONResponse(error.body, error.status, headers=headers)

    async def answer(self, request: Request, kind: Kind) -> Response:
        """The answer to a request, whatever is wrong with it."""
        try:
            self.check(request)
            body = read_body(await self._body(request))
            if self.app.state.open >= self.limits.max_open:
                raise RequestError(429, f"{self.limits.max_open} requests are being answered; try again later",
                                   kind="rate_limit_error", code="too_many_open", retry_after=1)  # fmt: skip
            if body.get("stream") not in (None, True, False):
                raise RequestError(400, "stream: expected true or false", param="stream")
            if body.get("stream"):
                return await self._stream(request, kind, body)
            return await self._whole(request, kind, body)
        except RequestError as error:
            return self.error(error)

    async def _body(self, request: Request) -> bytes:
        most, parts = self.limits.max_body_bytes, bytearray()
        too_large = RequestError(413, f"the body has more than {most} bytes", code="request_too_large")
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > most:
            raise too_large
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                async for part in request.stream():
                    parts += part
                    if len(parts) > most:
                        raise too_large
        except ClientDisconnect:
            raise RequestError(499, "the client hung up before its request was whole") from None
        except TimeoutError:
            raise RequestError(408, f"the body did not come in within {self.limits.body_seconds:g} s") from None
        return bytes(parts)

    async def _whole(self, request: Request, kind: Kind, body: dict[str, Any]) -> Response:
        """The whole answer; a client that hangs up lets go of what is being written for it."""
        self.app.state.open += 1
        writing = asyncio.create_task(self.app.state.backend.whole(kind, body))
        gone = asyncio.create_task(_hangs_up(request))
        try:
            await asyncio.wait({writing, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not writing.done():
                return Response(status_code=499)
            answer = writing.result()
        finally:
            self.app.state.open -= 1
            for task in (writing, gone):
                task.cancel()
            await asyncio.gather(writing, gone, return_exceptions=True)
        done = answer.get("sanmai", {}).get("action", "none")
        return _json(answer, {**self.headers, "x-sanmai-filter": done})

    async def _stream(self, request: Request, kind: Kind, body: dict[str, Any]) -> Response:
        """The answer as server-sent events. The first part is waited for, so that a refusal is an HTTP error."""
        self.app.state.open += 1
        parts = self.app.state.backend.parts(kind, body)
        gone = asyncio.create_task(_hangs_up(request))
        first = asyncio.ensure_future(anext(parts, None))
        try:
            await asyncio.wait({first, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not first.done():
                first.cancel()
                await asyncio.gather(first, return_exceptions=True)
                raise RequestError(499, "the client hung up")
            begun = first.result()
        except BaseException:
            self.app.state.open -= 1
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
            await parts.aclose()
            raise
        return _EventStream(_events(begun, parts), gone, self._closed, self.limits.reader_seconds, self.headers)

    def _closed(self) -> None:
        self.app.state.open -= 1


async def _events(first: dict[str, Any] | None, parts: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[bytes]:
    """The parts as events; what goes wrong after the first is an event as well."""
    try:
        if first is not None:
            yield sse(first)
        async for part in parts:
            yield sse(part)
        yield sse("[DONE]")
    except RequestError as error:
        yield sse(error.body)
    finally:
        await parts.aclose()


class _EventStream(Response):
    """Sends events until they end, the client hangs up, or takes nothing for too long."""

    def __init__(
        self,
        events: AsyncGenerator[bytes],
        gone: asyncio.Task[None],
        closed: Callable[[], None],
        seconds: float,
        headers: dict[str, str],
    ) -> None:
        super().__init__(headers={**headers, "cache-control": "no-store", "x-accel-buffering": "no"},
                         media_type="text/event-stream")  # fmt: skip
        del self.headers["content-length"]
        self.events, self.gone, self.closed, self.seconds = events, gone, closed, seconds

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        sending = asyncio.create_task(self._send(send))
        try:
            await asyncio.wait({sending, self.gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, self.gone):
                task.cancel()
            await asyncio.gather(sending, self.gone, return_exceptions=True)
            await self.events.aclose()
            self.closed()

    async def _send(self, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for event in self.events:
            # The server holds back here while the client's buffer is full.
            await asyncio.wait_for(send({"type": "http.response.body", "body": event, "more_body": True}), self.seconds)
        await asyncio.wait_for(send({"type": "http.response.body", "body": b"", "more_body": False}), self.seconds)


async def _hangs_up(request: Request) -> None:
    """Returns when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(value: Any, headers: dict[str, str]) -> Response:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
    return Response(text, media_type="application/json", headers=headers)
