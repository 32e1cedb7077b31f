"""`sanmai watch`: the report while the run goes on, served to a browser. It reads, and answers GET alone.

By default it listens on this machine only; from elsewhere it is reached over SSH (`ssh -L 8484:localhost:8484 HOST`). Bound to
another address it asks for a token. The page is the report's own (report/html.py and its neighbours), made anew when the folder
has changed; server-sent events tell the browser so.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from sanmai.extras import needs
from sanmai.report.doors import add_door, listen_and_serve
from sanmai.report.live import State, catalog, dumped, made_live, page_of, state_of, version_of
from sanmai.report.watch_index import index_page, index_state

_LOOK_SECONDS = 1.0
_BEAT_SECONDS = 5.0
_KEPT_PAGES = 8
COOKIE = "sanmai-watch"


class Pages:
    """Pages by folder, each made once per version; one is made at a time, so that watching leaves the cores to the run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Path, tuple[str, str]] = {}

    def get(self, folder: Path, make: Callable[[Path], str] = page_of) -> str:
        with self._lock:
            version = version_of(folder)
            if folder in self._kept and self._kept[folder][0] == version:
                return self._kept[folder][1]
            page = make(folder)
            self._kept[folder] = (version, page)
            while len(self._kept) > _KEPT_PAGES:
                self._kept.pop(next(iter(self._kept)))
            return page


def make_app(root: Path, *, token: str | None = None, hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")) -> Any:
    """The application.

    Args:
        root: a run folder, a pipeline's, or one that holds such.
        token: asked for by every page, as ?token=... once and as a cookie then; None: nobody is asked.
        hosts: names that it may be called by, so that no page from elsewhere can point a browser at it; ("*",) is any.

    Raises:
        InputError: fastapi is not installed, or root is no folder.
    """
    try:
        from fastapi import FastAPI
        from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, StreamingResponse
    except ImportError:
        raise needs("sanmai watch", "serve") from None
    catalog(root)
    pages = Pages()
    app = FastAPI(title="sanmai watch", docs_url=None, redoc_url=None, openapi_url=None)
    add_door(app, name="sanmai watch", cookie=COOKIE, token=token, hosts=hosts)

    async def live_page(folder: Path, back: str) -> Any:
        state, page = await asyncio.to_thread(lambda: (state_of(folder), pages.get(folder)))
        return HTMLResponse(made_live(page, state, back))

    async def events(request: Any, look: Callable[[], State]) -> Any:
        return StreamingResponse(_events(request, look), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    async def index(request: Any) -> Any:
        found = await asyncio.to_thread(catalog, root)
        chosen = [name for name in request.query_params.get("run", "").split(",") if name in found]
        state, page = await asyncio.to_thread(index_page, root, found, chosen)
        return HTMLResponse(made_live(page, state, "/"))

    async def index_events(request: Any) -> Any:
        return await events(request, lambda: index_state(catalog(root)))

    async def run_page(request: Any) -> Any:
        name, _, last = str(request.path_params["path"]).rpartition("/")
        if last == "report.html":  # as a pipeline's page links its stages
            return RedirectResponse(f"/run/{name}/", status_code=307)
        folder = (await asyncio.to_thread(catalog, root)).get(name)
        if folder is None or last not in ("", "events"):
            return PlainTextResponse("no such run here", status_code=404)
        if last == "events":
            return await events(request, lambda: state_of(folder))
        return await live_page(folder, "/")

    for path, answer in (("/", index), ("/events", index_events), ("/run/{path:path}", run_page)):
        app.add_route(path, answer, methods=["GET"])
    return app


async def _events(request: Any, look: Callable[[], State]) -> AsyncIterator[str]:
    """One event whenever the state has changed, and every few seconds whatever happens, until the browser leaves."""
    said, silent = "", 0.0
    while not await request.is_disconnected():
        state = await asyncio.to_thread(look)
        text = dumped(state)
        if text != said and (silent >= _BEAT_SECONDS or _changed(said, state) or not said):
            yield f"data: {text}\n\n"
            said, silent = text, 0.0
        await asyncio.sleep(_LOOK_SECONDS)
        silent += _LOOK_SECONDS


def _changed(said: str, state: State) -> bool:
    """More than the seconds that have passed."""
    return f'"version": "{state.version}", "state": "{state.state}"' not in said


def watch(root: Path, *, host: str = "127.0.0.1", port: int = 8484, token: str | None = None, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C.

    Args:
        host: an address that others can reach needs a token; one is made where none is given.
        say: told the address.

    Raises:
        InputError: no such folder, fastapi or uvicorn missing, or the port is taken.
    """
    listen_and_serve(
        lambda **door: make_app(root, **door), host=host, port=port, token=token,
        told=lambda address: say(f"Watching {root}: {address}  (Ctrl-C ends it; the runs do not notice)"),
    )
