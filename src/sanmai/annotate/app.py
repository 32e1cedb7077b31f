"""`sanmai annotate`: the page on which people compare pairs, and what it asks the server."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sanmai.annotate.items import Item, Items
from sanmai.annotate.store import Answer, Store
from sanmai.data.clip_pairs import ClipPair
from sanmai.extras import needs
from sanmai.report.clips import picture_urls
from sanmai.report.doors import add_door, listen_and_serve
from sanmai.types import InputError, RunError

COOKIE = "sanmai-annotate"
SIDES = {"left": 1, "right": -1, "same": 0, "invalid": None}
"""What may be said of a dimension, in the order shown."""
MAX_NAME = 64
_MAX_BODY = 64 * 1024


class Desk:
    """What the page may ask: an annotator's place, a pair as they see it, an answer. All errors are ValueError in a sentence."""

    def __init__(self, items: Items, store: Store) -> None:
        self.items, self.store = items, store
        self._by_id = {item.id: item for item in items.items}

    def begin(self, annotator: object) -> dict[str, Any]:
        """How many pairs there are, and at which places this annotator has answered."""
        name = checked_name(annotator)
        order = self.items.order(name)
        answered = {answer.pair for answer in self.store.answers(name)}
        done = [place for place, k in enumerate(order) if self.items.items[k].id in answered]
        return {"kind": self.items.kind, "dimensions": dict(self.items.dimensions), "total": len(order), "done": done}

    def pair(self, annotator: object, place: object) -> dict[str, Any]:
        """The pair at a place: its prompt, both sides, and what this annotator has said of it. Nothing tells what it is."""
        name = checked_name(annotator)
        item = self._item(name, place)
        is_turned = self.items.is_turned(name, item)
        sides = _sides(item)
        said = next((a.said for a in self.store.answers(name) if a.pair == item.id), None)
        shown = None if said is None else {key: _side(value, is_turned) for key, value in said.items()}
        left, right = sides[::-1] if is_turned else sides
        return {"place": place, "prompt": _prompt(item), "left": left, "right": right, "said": shown}

    def answer(self, body: object) -> dict[str, Any]:
        """Keep an answer: `annotator`, `place`, `said` (a side for each dimension) and perhaps `seconds`."""
        if not isinstance(body, Mapping):
            raise ValueError("expected a JSON object with annotator, place and said")
        name, said = checked_name(body.get("annotator")), body.get("said")
        item = self._item(name, body.get("place"))
        if not isinstance(said, Mapping) or said.keys() != self.items.dimensions.keys():
            raise ValueError(f"said: expected one answer for each of {', '.join(self.items.dimensions)}")
        for key, value in said.items():
            if not isinstance(value, str) or value not in SIDES:
                raise ValueError(f"said.{key} = {str(value)[:80]!r}: expected one of {', '.join(SIDES)}")
        seconds = body.get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds < 1e6:
            seconds = None
        is_turned = self.items.is_turned(name, item)
        told = {key: _turned(SIDES[value], is_turned) for key, value in said.items()}
        self.store.add(Answer(name, item.id, told), is_turned=is_turned, seconds=seconds)
        return self.begin(name)

    def _item(self, name: str, place: object) -> Item:
        order = self.items.order(name)
        if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < len(order):
            raise ValueError(f"place: expected a number from 0 to {len(order) - 1}")
        return self.items.items[order[place]]


def checked_name(name: object) -> str:
    """An annotator's name without blanks around it; any script, but nothing that cannot be seen."""
    found = name.strip() if isinstance(name, str) else ""
    if not found or len(found) > MAX_NAME or not found.isprintable():
        raise ValueError(f"annotator: expected a name of 1 to {MAX_NAME} printable characters")
    return found


def make_app(
    items: Items, store: Store, *, token: str | None = None, hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
) -> Any:
    """The application; token and hosts as of report/watch.py.

    Raises:
        InputError: fastapi is not installed.
    """
    try:
        from fastapi import FastAPI
        from fastapi.responses import HTMLResponse, JSONResponse
    except ImportError:
        raise needs("sanmai annotate", "serve") from None
    desk = Desk(items, store)
    app = FastAPI(title="sanmai annotate", docs_url=None, redoc_url=None, openapi_url=None)
    add_door(app, name="sanmai annotate", cookie=COOKIE, token=token, hosts=hosts, methods=("GET", "HEAD", "POST"))
    template = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")

    async def page(request: Any) -> Any:
        nonce = secrets.token_urlsafe(16)
        policy = f"default-src 'none'; img-src data:; connect-src 'self'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'"
        policy += "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        return HTMLResponse(template.replace("NONCE", nonce), headers={"Content-Security-Policy": policy})

    async def told(work: Callable[..., dict[str, Any]], *given: Any) -> Any:
        try:
            return JSONResponse(await asyncio.to_thread(work, *given))
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        except (InputError, RunError) as error:
            return JSONResponse({"error": f"the answer could not be kept: {error}"}, 503)

    async def begin(request: Any) -> Any:
        return await told(desk.begin, request.query_params.get("annotator"))

    async def pair(request: Any) -> Any:
        place = request.query_params.get("place", "")
        is_number = place.isascii() and place.isdecimal() and len(place) < 10
        return await told(desk.pair, request.query_params.get("annotator"), int(place) if is_number else None)

    async def answer(request: Any) -> Any:
        # A page from elsewhere cannot send this type without asking first, and nothing here answers that.
        if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
            return JSONResponse({"error": "expected application/json"}, 415)
        content = b""
        async for part in request.stream():
            content += part
            if len(content) > _MAX_BODY:
                return JSONResponse({"error": "too much for an answer"}, 413)
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            return JSONResponse({"error": "expected JSON"}, 400)
        return await told(desk.answer, body)

    for path, work, method in (("/", page, "GET"), ("/begin", begin, "GET"), ("/pair", pair, "GET"), ("/answer", answer, "POST")):
        app.add_route(path, work, methods=[method])
    return app


def annotate(
    items: Items, answers: Path, *, host: str = "127.0.0.1", port: int = 8485, token: str | None = None,
    say: Callable[[str], None],
) -> None:
    """Serve the page until Ctrl-C.

    Args:
        answers: the SQLite file; it is gone on with.

    Raises:
        InputError: the file is another's, fastapi or uvicorn missing, or the port is taken.
    """
    store = Store(answers, items.digest)
    gold = sum(item.gold is not None for item in items.items)
    asked = len(items.items) - gold
    say(f"{asked} pair{'s' if asked != 1 else ''} of {items.kind}, {gold} gold questions; answers go to {answers}.")
    listen_and_serve(
        lambda **door: make_app(items, store, **door), host=host, port=port, token=token,
        told=lambda address: say(f"Annotate: {address}  (Ctrl-C ends it; every answer is kept)"),
    )


def _sides(item: Item) -> list[dict[str, str]]:
    if isinstance(item.pair, ClipPair):
        return [picture_urls(clip, item.pair.shape) for clip in (item.pair.first, item.pair.second)]
    return [{"text": item.pair.chosen}, {"text": item.pair.rejected}]


def _prompt(item: Item) -> str:
    if isinstance(item.pair, ClipPair):
        return item.pair.prompt
    messages = item.pair.messages
    if len(messages) == 1:
        return str(messages[0]["content"])
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)


def _turned(value: int | None, is_turned: bool) -> int | None:
    return -value if is_turned and value else value


def _side(value: int | None, is_turned: bool) -> str:
    return next(side for side, own in SIDES.items() if own == _turned(value, is_turned))
