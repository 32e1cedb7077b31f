"""Samplers without a process: a link to a Worker of this process, and one to a function."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from sanmai.cluster.links import Lost
from sanmai.cluster.published import Publication
from sanmai.cluster.worker import Worker

_ONE = threading.Lock()
"""`transformers` loads one model at a time in a process: two threads that do break each other's."""


class InlineLink:
    """Asks a Worker in the thread that asks; what goes over is JSON, as it is with processes."""

    tells_digest = True

    def __init__(self, number: int, make: Callable[[], Worker] = Worker) -> None:
        self.name, self._make = f"sampler {number}", make
        self.num_starts = self.num_written = 0

    def start(self, seconds: float) -> None:
        self.num_starts += 1
        self.worker = self._make()

    def ask(self, question: Mapping[str, Any], seconds: float, publication: Publication | None = None) -> dict[str, Any]:
        if publication is not None:
            question = {**question, "path": str(publication.path)}
        try:
            with _ONE:
                answer = self.worker.answer(json.loads(json.dumps(question)))
        except Exception as error:  # noqa: BLE001 - as worker.serve
            answer = {"raised": f"{type(error).__name__}: {error}"}
        self.num_written += question["do"] == "write"
        return json.loads(json.dumps(answer))

    def stop(self) -> None: ...
    def interrupt(self) -> None: ...
    def fail(self) -> bool:
        return False

    def close(self) -> None: ...


class FakeLink(InlineLink):
    """Answers what a function says of the text of a part; no model anywhere."""

    def __init__(self, number: int, write: Callable[[str], dict[str, Any] | None]) -> None:
        super().__init__(number)
        self._write, self.is_closed = write, threading.Event()
        self.asked: list[str] = []

    def start(self, seconds: float) -> None:
        self.num_starts += 1

    def ask(self, question: Mapping[str, Any], seconds: float, publication: Publication | None = None) -> dict[str, Any]:
        if question["do"] == "begin":
            return {}
        if question["do"] == "load":
            assert publication is not None
            return {"holds": publication.digest, "logp": publication.canary.logp_CT}
        self.asked.append(question["text"])
        answer, end = self._write(question["text"]), time.monotonic() + seconds
        if answer is not None:
            return answer
        while time.monotonic() < end and not self.is_closed.wait(0.01):  # it hangs
            pass
        raise Lost(f"no answer within {seconds:g} s")

    def interrupt(self) -> None:
        self.is_closed.set()
