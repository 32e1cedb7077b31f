"""A server of Sanmai's in a thread of the test."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from sanmai.serve.server import Settings, start


@contextlib.contextmanager
def serving(**settings: Any) -> Iterator[tuple[str, list[str]]]:
    """Its base address, and its first lines."""
    lines: list[str] = []
    server, listening = start(Settings(**{"port": 0, **settings}), lines.append)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), lines
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1", lines
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()
        assert not thread.is_alive()
