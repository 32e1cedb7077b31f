"""Samplers as actors on a Ray cluster, which places them; weights go through its object store, so that hosts share no folder.

An actor that dies is replaced by a new one here, not by Ray: a restarted actor is empty, and refuses every call until it is up.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sanmai.cluster.config import ClusterConfig
from sanmai.cluster.links import Lost
from sanmai.cluster.published import Publication
from sanmai.cluster.worker import Worker
from sanmai.extras import needs
from sanmai.scratch import scratch

_STORE_BYTES = 256 << 20


def require_ray() -> Any:
    """Ray. Raises InputError: it is not installed."""
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise needs("cluster.transport = 'ray', unlike 'processes',", "cluster") from None


class Actor:
    """What Ray runs: a Worker whose errors are answers."""

    def __init__(self) -> None:
        self.worker = Worker()

    def answer(self, question: Mapping[str, Any], weights: bytes | None = None) -> dict[str, Any]:
        try:
            return self.worker.answer(question, weights)
        except Exception as error:  # noqa: BLE001 - the driver decides, and says it
            return {"raised": f"{type(error).__name__}: {error}"}


class Actors:
    """The connection to Ray that the samplers share, made when the first one is asked for."""

    def __init__(self, config: ClusterConfig) -> None:
        """Raises InputError: Ray is not installed."""
        self.ray, self._config = require_ray(), config
        self._lock = threading.Lock()
        # The kernel ends Ray's own processes with the thread that started them: it must outlive the samplers' threads.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="ray")
        self._kept = contextlib.ExitStack()
        self._is_connected = False
        self._weights: dict[str, Any] = {}

    def start(self, seconds: float) -> Any:
        """A new actor. Raises Lost: no Ray is there."""
        with self._lock:
            try:
                self._starter.submit(self._connect).result(timeout=seconds)
                options: dict[str, Any] = {"num_cpus": self._config.threads, "max_restarts": 0, "max_task_retries": 0}
                if self._config.gpus:
                    options["num_gpus"] = self._config.gpus
                return self.ray.remote(**options)(Actor).remote()
            except (self.ray.exceptions.RayError, ConnectionError, OSError, RuntimeError, TimeoutError) as error:
                raise Lost(f"Ray: {_said(error)}") from None

    def weights(self, publication: Publication) -> Any:
        """A reference to a publication's bytes in the object store, where they are put once."""
        with self._lock:
            if publication.digest not in self._weights:
                self._weights = dict(list(self._weights.items())[-2:])
                self._weights[publication.digest] = self.ray.put(publication.path.read_bytes())
            return self._weights[publication.digest]

    def close(self) -> None:
        with self._lock:
            if self._is_connected:
                self._weights = {}
                self.ray.shutdown()
                self._is_connected = False
            self._kept.close()
            self._starter.shutdown(wait=False)

    def _connect(self) -> None:
        if self._is_connected:
            return
        options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
        if self._config.address is not None:
            options["address"] = self._config.address
        else:
            folder = self._kept.enter_context(scratch(Path("/tmp") if os.path.isdir("/tmp") else None))  # sockets: short names
            options |= {
                "address": "local", "num_cpus": self._config.samplers * self._config.threads, "include_dashboard": False,
                "object_store_memory": _STORE_BYTES, "_temp_dir": str(folder), "_node_ip_address": "127.0.0.1",
                "runtime_env": {"env_vars": {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}},
            }  # fmt: skip
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
        self.ray.init(**options)
        self._is_connected = True


class RayLink:
    """One actor."""

    tells_digest = True

    def __init__(self, number: int, actors: Actors, device: str) -> None:
        self.name = f"sampler {number}"
        self._actors, self._ray, self._device = actors, actors.ray, device
        self._actor: Any = None

    def start(self, seconds: float) -> None:
        self.stop()
        self._actor = self._actors.start(seconds)

    def ask(self, question: Mapping[str, Any], seconds: float, publication: Publication | None = None) -> dict[str, Any]:
        actor, errors, asked = self._actor, self._ray.exceptions, dict(question)
        if actor is None:
            raise Lost("it is not running")
        if "model" in asked:
            asked["model"] = {**asked["model"], "device": self._device}
        try:
            weights = self._actors.weights(publication) if publication is not None else None
            return self._ray.get(actor.answer.remote(asked, weights), timeout=seconds)
        except errors.GetTimeoutError:
            raise Lost(f"the actor gave no answer within {seconds:g} s (cluster.deadline_seconds)") from None
        except errors.RayError as error:
            raise Lost(f"Ray: {_said(error)}") from None

    def stop(self) -> None:
        actor, self._actor = self._actor, None
        if actor is not None:
            with contextlib.suppress(self._ray.exceptions.RayError, RuntimeError, ValueError):
                self._ray.kill(actor)

    def interrupt(self) -> None:
        self.fail()

    def fail(self) -> bool:
        actor = self._actor
        if actor is None:
            return False
        with contextlib.suppress(self._ray.exceptions.RayError, RuntimeError, ValueError):
            self._ray.kill(actor)
        return True

    def close(self) -> None:
        self._actors.close()


def _said(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}{': ' + lines[0][:200] if lines else ''}"
