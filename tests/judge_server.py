"""A real HTTP server on this machine that speaks the chat-completions protocol, and breaks it in the ways asked for."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Handler", dict[str, Any]], None]


def completion(text: str | None, finish_reason: str = "stop", **message: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish_reason}
    return json.dumps({"id": "x", "object": "chat.completion", "model": "judge", "choices": [choice]}).encode()


def raw(body: bytes, status: int = 200, **headers: str) -> Answer:
    """The given bytes as a whole answer; `retry_after="1"` is the header Retry-After: 1."""
    return lambda handler, _: handler.send(status, body, {k.replace("_", "-"): v for k, v in headers.items()})


def says(text: str | Callable[[str], str], **rest: Any) -> Answer:
    """A proper reply: the text, or what a function makes of the question."""
    def answer(handler: Handler, body: dict[str, Any]) -> None:
        question = body["messages"][-1]["content"]
        handler.send(200, completion(text if isinstance(text, str) else text(question), **rest), {})
    return answer


def status(code: int, **headers: str) -> Answer:
    return raw(b'{"error": {"message": "broken on purpose"}}', code, **headers)


def silent(handler: Handler, _: dict[str, Any]) -> None:
    """No answer until the server ends."""
    handler.server.ended.wait()


def drips(handler: Handler, _: dict[str, Any]) -> None:
    """A whole header, and then a byte every 0.05 seconds until the server ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    _drip(handler, b" ")


def drips_headers(handler: Handler, _: dict[str, Any]) -> None:
    """The same before the header is complete."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(handler, b"a")


def cuts(handler: Handler, _: dict[str, Any]) -> None:
    """Half of a good reply, and the connection is closed."""
    body = completion('{"score": 9}')
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body[: len(body) // 2])
    handler.close_connection = True


def _drip(handler: Handler, byte: bytes) -> None:
    with contextlib.suppress(OSError):
        while not handler.server.ended.wait(0.05):
            handler.wfile.write(byte)
            handler.wfile.flush()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: JudgeServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            number = len(self.server.bodies)
            self.server.bodies.append(body)
            self.server.headers.append(dict(self.headers))
            self.server.paths.append(self.path)
            self.server.now += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.now)
        try:
            with contextlib.suppress(OSError):  # the client may be gone: it has its time limits
                self.server.plan[min(number, len(self.server.plan) - 1)](self, body)
        finally:
            with self.server.lock:
                self.server.now -= 1

    def send(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        with self.server.lock:  # what the client does next must find this one gone
            self.server.now -= 1
        self.send_response(code)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        with self.server.lock:
            self.server.now += 1

    def log_message(self, *_: object) -> None:
        pass


class JudgeServer(ThreadingHTTPServer):
    """Answers the first request by the first entry of the plan, and so on; the last entry answers all that follow."""

    daemon_threads, block_on_close = True, False

    def __init__(self, *plan: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan, self.lock, self.ended = plan, threading.Lock(), threading.Event()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.now = self.most_at_once = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(*plan: Answer) -> Iterator[JudgeServer]:
    server = JudgeServer(*plan)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def within(function: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What a function gives or raises; fails where it hangs."""
    found: list[Any] = []

    def work() -> None:
        try:
            found.append((function(), None))
        except BaseException as error:  # noqa: BLE001 - raised again below
            found.append((None, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, "it hangs"
    value, error = found[0]
    if error is not None:
        raise error
    return value


def block(question: str, name: str) -> str:
    """The text of a block of a judge's question."""
    found = re.search(rf"<<<{name} (\w+)>>>\n(.*?)\n<<<end of {name} \1>>>", question, re.DOTALL)
    assert found, name
    return found[2]
