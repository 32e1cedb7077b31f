"""A sampler: what runs on the other side, in a process of its own or in an actor.

It keeps nothing of a run. Each part names the weights that it is to be written with; a sampler that holds others refuses it.
"""

from __future__ import annotations

import json
import os
import queue
import struct
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from sanmai.cluster.canary import score_tokens
from sanmai.cluster.parts import completion_json, request_of
from sanmai.cluster.published import digest_of, frozen, take
from sanmai.policies.text.asking import SamplingConfig
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.policy import TextPolicy
from sanmai.policies.text.sampler import sample

HEADER = struct.Struct("!Q")
_PR_SET_PDEATHSIG, _SIGKILL = 1, 9


class Worker:
    """Answers a driver's questions, each a mapping with what to "do": begin, load, write."""

    def __init__(self) -> None:
        self.policy: TextPolicy | None = None
        self.holds: str | None = None
        """Digest of the weights that were loaded last and are held."""

    def answer(self, question: Mapping[str, Any], weights: bytes | None = None) -> dict[str, Any]:
        """What the driver is told.

        Args:
            weights: instead of the file that is named, for who shares no folder with the driver.

        Raises:
            InputError, ValueError: it cannot be done, here or anywhere else.
        """
        return getattr(self, f"_{question['do']}")(question, weights)

    def _begin(self, question: Mapping[str, Any], _: bytes | None) -> dict[str, Any]:
        """Load the model: trained as the driver's is, so that the names of what is trained are the same."""
        self.policy = policy = load_policy(ModelConfig(**question["model"]), for_training=True)
        policy.sampling_parts = 1
        policy.cores.has_fast_path = False  # a part is one thread's; a large model's products have all cores
        return {"pid": os.getpid(), "path": policy.path, "frozen": digest_of(frozen(policy)), "stops": sorted(policy.stop_tokens)}

    def _load(self, question: Mapping[str, Any], weights: bytes | None) -> dict[str, Any]:
        policy = self._policy
        self.holds = None
        self.holds = take(policy, weights if weights is not None else Path(question["path"]))
        return {"holds": self.holds, "logp": score_tokens(policy, question["canary"])}

    def _write(self, question: Mapping[str, Any], _: bytes | None) -> dict[str, Any]:
        if self.holds != question["digest"]:
            return {"refused": self.holds}
        requests = [request_of(values) for values in question["requests"]]
        config = SamplingConfig(**question["sampling"])
        done = [completion_json(c) for c in sample(self._policy, requests, config, segment=question["segment"])]
        return {"digest": self.holds, "done": done, "cache_works": self._policy.cache_works}

    @property
    def _policy(self) -> TextPolicy:
        if self.policy is None:
            raise ValueError("the sampler was asked before it was told which model")
        return self.policy


def serve(worker: Worker, questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer questions until they end: then whoever asked is gone, and this process goes, whatever it does."""
    waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read() -> None:
        while (message := read_frame(questions)) is not None:
            waiting.put(message)
        os._exit(0)

    threading.Thread(target=read, daemon=True, name="questions").start()
    while True:
        try:
            answer = worker.answer(waiting.get())
        except Exception as error:  # noqa: BLE001 - the driver decides, and says it
            answer = {"raised": f"{type(error).__name__}: {error}"}
        answers.write(frame(answer))
        answers.flush()


def frame(message: Mapping[str, Any]) -> bytes:
    data = json.dumps(message).encode()
    return HEADER.pack(len(data)) + data


def read_frame(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message; None at the end, also in the middle of one."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (size,) = HEADER.unpack(header)
    data = stream.read(size)
    return json.loads(data) if len(data) == size else None


def end_with_parent() -> None:
    """The kernel ends this process with the one that started it, also while it is stopped or deep in a computation."""
    if sys.platform == "linux":
        import ctypes

        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
