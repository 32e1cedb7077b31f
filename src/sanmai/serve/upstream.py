"""Another OpenAI-compatible server behind the protocol: requests go on as they are, and only the filter is ours."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import httpx2

from sanmai.rewards.judging.endpoint import EndpointConfig
from sanmai.serve.backend import PATHS, Kind
from sanmai.serve.protocol import RequestError

MOST_BYTES = 64 * 2**20
"""Of an answer, or of one event of a stream."""


class Upstream:
    """A Backend."""

    def __init__(self, url: str, key: str | None = None) -> None:
        """InputError where the address is none."""
        self.name = EndpointConfig.read({"base_url": url, "model": "any"}, source="--upstream").base_url or url
        self.counts: Counter[str] = Counter()
        headers = {"Accept-Encoding": "identity", **({"Authorization": f"Bearer {key}"} if key else {})}
        is_near = any(f"//{host}" in self.name for host in ("localhost", "127.", "[::1]"))
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(600.0, connect=10.0), headers=headers, trust_env=not is_near,
            limits=httpx2.Limits(max_connections=None),
        )  # fmt: skip

    def lines(self) -> list[str]:
        return [f"In front of {self.name}; requests go on to it as they are"]

    def health(self) -> dict[str, Any]:
        return {"ok": True, "upstream": self.name, **self.counts}

    async def models(self) -> dict[str, Any]:
        return await self._json("GET", "/models", None)

    async def whole(self, kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
        return await self._json("POST", PATHS[kind], {**body, "stream": False})

    async def parts(self, kind: Kind, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], bool | None]:
        self.counts["requests"] += 1
        try:
            async with self._client.stream("POST", self.name + PATHS[kind], json={**body, "stream": True}) as response:
                if response.status_code >= 400:
                    raise _refused(response.status_code, await _read(response))
                if "json" in response.headers.get("content-type", ""):
                    for part in _as_parts(kind, body, _object(await _read(response))):
                        yield part
                    return
                is_empty, held = True, b""
                async for piece in response.aiter_raw():
                    held += piece
                    if len(held) > MOST_BYTES:
                        raise _broken("an event of more than 64 MiB")
                    *lines, held = held.split(b"\n")
                    for line in lines:
                        if (event := _event(line)) is not None:
                            is_empty = False
                            yield event
                if (event := _event(held)) is not None:
                    yield event
                elif is_empty:
                    raise _broken("a stream without an event")
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from None

    async def close(self) -> None:
        await self._client.aclose()

    async def _json(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        self.counts["requests"] += 1
        try:
            async with self._client.stream(method, self.name + path, json=body) as response:
                raw = await _read(response)
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from None
        if response.status_code >= 400:
            raise _refused(response.status_code, raw)
        return _object(raw)

    def _unreachable(self, error: httpx2.HTTPError) -> RequestError:
        self.counts["failed"] += 1
        is_late = isinstance(error, httpx2.TimeoutException)
        reason = f"{type(error).__name__}: {str(error)[:120]}"
        return RequestError(504 if is_late else 502, f"the upstream did not answer: {reason}", kind="upstream_error")


def _event(line: bytes) -> dict[str, Any] | None:
    """The JSON of a line of the stream; None of what is no event and of its end."""
    line = line.strip()
    if not line.startswith(b"data:"):
        return None
    data = line.removeprefix(b"data:").strip()
    return None if data == b"[DONE]" else _object(data)


def _as_parts(kind: Kind, body: dict[str, Any], answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A whole answer, which a server gave that does not stream, as the parts of a stream: one of each choice, then the usage."""
    choices = answer.get("choices")
    if isinstance(answer.get("error"), dict):
        raise _refused(502, json.dumps(answer).encode())
    if not isinstance(choices, list) or not choices or not all(isinstance(choice, dict) for choice in choices):
        raise _broken("in place of a stream an answer without choices")
    rest = {name: value for name, value in answer.items() if name not in ("choices", "usage")}
    rest |= {"object": "chat.completion.chunk" if kind == "chat" else "text_completion"}
    for number, choice in enumerate(choices):
        said = {name: value for name, value in choice.items() if name != "message"}
        if isinstance(choice.get("message"), dict):
            said["delta"] = choice["message"]
        yield {**rest, "choices": [{"index": number, "finish_reason": "stop", **said}]}
    options = body.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage") is True and isinstance(answer.get("usage"), dict):
        yield {**rest, "choices": [], "usage": answer["usage"]}


async def _read(response: httpx2.Response) -> bytes:
    parts = bytearray()
    async for part in response.aiter_raw():
        parts += part
        if len(parts) > MOST_BYTES:
            raise _broken("an answer of more than 64 MiB")
    return bytes(parts)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise _broken("an answer that is no JSON") from None
    if not isinstance(found, dict):
        raise _broken("an answer that is no JSON object")
    return found


def _refused(status: int, raw: bytes) -> RequestError:
    """The upstream's own error, passed on."""
    error = RequestError(status, f"the upstream answered HTTP {status}", kind="upstream_error")
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return error
    if isinstance(found, dict) and isinstance(found.get("error"), dict):
        error.body = {"error": found["error"]}
    return error


def _broken(what: str) -> RequestError:
    return RequestError(502, f"the upstream sent {what}", kind="upstream_error")
