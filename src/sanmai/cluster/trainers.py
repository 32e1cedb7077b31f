"""Trainers of a run: this process leads, and others hold parts of the policy with it.

On one machine the leader starts the others itself. Under `torchrun`, which sets RANK, WORLD_SIZE and where they meet, every
process is the same command: the first rank runs it, and the others follow (`follows`).

    leader --- tells through a store: "open ...", the size of a call, "close", "end" --- others
           --- the call itself and what is computed together: gloo on a CPU, NCCL between GPUs

The others wait at the store, where a wait has no effect on what is computed; they end with the leader, which holds the store, or
with `torchrun`. What is computed together has a deadline.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

import torch
import torch.distributed as dist

from sanmai.cluster.config import TrainersConfig
from sanmai.cluster.processes import last_line
from sanmai.cluster.shared import Shared
from sanmai.cluster.worker import end_with_parent
from sanmai.policies.team import Team
from sanmai.policies.text.policy import TextPolicy
from sanmai.sandbox import deaf_to_stops
from sanmai.scratch import scratch
from sanmai.train.step import NonFiniteError
from sanmai.types import InputError, RunError

_BOOT = "import sys; sys.path[:0] = {path!r}; from sanmai.cluster.trainers import main; main({folder!r}, {rank}, {size})"
_LOOK_SECONDS = 10.0
_END_SECONDS = 20.0
_START_SECONDS = 300.0


@dataclass(frozen=True)
class Place:
    """Where a trainer stands, and where trainers meet."""

    rank: int
    size: int
    local_rank: int
    local_size: int
    store: dist.Store
    is_torchrun: bool = False

    @classmethod
    def of_torchrun(cls) -> Place:
        """The one that `torchrun` gives this process. Raises InputError where its variables make no sense."""
        try:
            rank, size, local_rank, local_size, port = (
                int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT")
            )
            host = os.environ["MASTER_ADDR"]
        except (KeyError, ValueError) as error:
            raise InputError(f"WORLD_SIZE is set and {error} is not, or no number: start it by torchrun, or unset it") from None
        has_store = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        wait = timedelta(seconds=_START_SECONDS)
        store = dist.TCPStore(host, port, size, is_master=rank == 0 and not has_store, timeout=wait, wait_for_workers=False)
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        return cls(rank, size, local_rank, local_size, dist.PrefixStore(f"sanmai/{attempt}", store), is_torchrun=True)


def torchrun_size() -> int:
    """Processes that `torchrun` has started; 0 where this is none of them."""
    size = os.environ.get("WORLD_SIZE", "")
    return int(size) if size.isdecimal() and "RANK" in os.environ and int(size) > 1 else 0


@functools.cache
def _of_torchrun() -> Leading:
    leading = Leading(Place.of_torchrun())
    atexit.register(leading.tell, "end")
    return leading


def follows() -> bool:
    """Whether this process is one of `torchrun`'s and not the first: it has then done what the first asked, until that ended."""
    if not torchrun_size():
        return False
    if os.environ["RANK"] == "0":
        _of_torchrun()  # from here on the others learn when it ends
        return False
    _follow_torchrun()
    return True


@functools.cache
def _follow_torchrun() -> None:
    """Once: when the leader has ended there is nobody to follow."""
    follow(Place.of_torchrun())


class Leading:
    """The leader's end of the store."""

    def __init__(self, place: Place) -> None:
        self.place, self.count = place, 0
        self.processes: list[subprocess.Popen] = []
        self.logs: list[Path] = []

    def tell(self, message: str) -> None:
        self.place.store.set(str(self.count), message)
        self.count += 1

    def await_all(self) -> None:
        """Until all others have heard what was told last. Raises RunError where one does not."""
        keys = [f"{self.count} {rank}" for rank in range(1, self.place.size)]
        end = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.place.store.wait(keys, timedelta(seconds=1.0))
            except RuntimeError as error:  # not yet
                if why := self.lost(seconds=0.1):
                    raise RunError(f"cluster.trainers = {self.place.size}: {why}") from None
                if time.monotonic() > end:
                    raise RunError(
                        f"cluster.trainers = {self.place.size}: not all have started within {_START_SECONDS:g} s ({error})"
                    ) from None
            else:
                return

    def lost(self, seconds: float = 5.0) -> str:
        """Which trainer has ended; given a moment, for its end is seen by others before it is over."""
        end = time.monotonic() + seconds
        while self.processes and time.monotonic() < end:
            for number, (process, log) in enumerate(zip(self.processes, self.logs, strict=True), start=2):
                if process.poll() is not None:
                    said = last_line(log)
                    how = f"ended with exit code {process.returncode}{f', saying {said}' if said else ''}"
                    return f"trainer {number} of {self.place.size} (process {process.pid}) {how}"
            time.sleep(0.05)
        return ""


class Trainers:
    """The trainers of one run, for as long as it lasts; none where the configuration wants this process alone."""

    def __init__(self, config: TrainersConfig) -> None:
        """Raises InputError: `torchrun` has started another number of processes."""
        self.config = config
        self.team: Team | None = None
        self._kept = contextlib.ExitStack()
        self._leading: Leading | None = None
        self._policy: TextPolicy | None = None
        if (started := torchrun_size()) and started != config.trainers:
            raise InputError(
                f"cluster.trainers = {config.trainers}, and torchrun has started {started} processes: set the one to the other"
            )

    def write_for(self, policy: TextPolicy, parts: int) -> None:
        """From here on the trainers write what is asked of the policy that they share, in so many parts."""
        if policy.team is not None:
            self._policy, policy.sampler = policy, Shared(policy, parts)

    def __enter__(self) -> Self:
        if self.config.trainers > 1:
            try:
                self._start()
            except BaseException:
                self.__exit__(RunError)
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *_: object) -> None:
        """End the others, which have nothing left to do, or which are stuck where something went wrong."""
        if self._policy is not None:
            self._policy.sampler = None
        if self._leading is None:
            return
        leading, self._leading, self.team = self._leading, None, None
        with contextlib.suppress(RuntimeError):  # of a store that is gone
            leading.tell("close" if leading.place.is_torchrun else "end")
        until = time.monotonic() + (_END_SECONDS if kind is None else 0.2)
        for process in leading.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(until - time.monotonic(), 0.01))
            if process.poll() is None:
                process.kill()
                process.wait()
        if dist.is_initialized():
            dist.destroy_process_group()
        self._kept.close()

    def _start(self) -> None:
        config = self.config
        if torchrun_size():
            self._leading = _of_torchrun()
        else:
            folder = self._kept.enter_context(scratch())  # of this user alone, as what is told there must be
            store = dist.FileStore(str(folder / "store"), config.trainers)
            self._leading = Leading(Place(0, config.trainers, 0, config.trainers, store))
            self._start_others(self._leading, folder)
        leading, seconds = self._leading, config.trainer_deadline_seconds
        leading.tell(f"open {config.sharding} {seconds}")
        leading.await_all()
        try:
            self.team = _team(leading.place, leading, leading.count, config.sharding, seconds)
        except RuntimeError as error:
            why = leading.lost() or f"they did not meet: {str(error).splitlines()[0][:200]}"
            raise RunError(f"cluster.trainers = {config.trainers}: {why}") from None

    def _start_others(self, leading: Leading, folder: Path) -> None:
        for rank in range(1, self.config.trainers):
            boot = _BOOT.format(path=[p for p in sys.path if p], folder=str(folder), rank=rank, size=self.config.trainers)
            log = folder / f"trainer-{rank + 1}.log"
            with log.open("ab") as said, deaf_to_stops():
                leading.processes.append(
                    subprocess.Popen([sys.executable, "-c", boot], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
                )
            leading.logs.append(log)


def main(folder: str, rank: int, size: int) -> None:
    """What a process does that the leader has started."""
    end_with_parent()
    code = 1
    try:
        follow(Place(rank, size, rank, size, dist.FileStore(f"{folder}/store", size)))
        code = 0
    except BaseException:  # noqa: BLE001 - it is said, and others wait for the end
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)  # to take down what was imported would be waited for


def follow(place: Place) -> None:
    """Do what the leader says, until it says that this is the end.

    A gradient that is not finite is so for all trainers, and the leader's to deal with. Any other error ends this process, and
    thereby the leader's call.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # who asks to stop asks the leader
        signal.signal(number, signal.SIG_IGN)
    team, count = None, 0
    while (said := _next(place.store, count)) != "end":
        count += 1
        if said.startswith("open"):
            _, sharding, seconds = said.split()
            place.store.set(f"{count} {place.rank}", "here")
            team = _team(place, None, count, sharding, float(seconds))
        elif said == "close":
            team = None
            dist.destroy_process_group()
        elif team is not None:
            with contextlib.suppress(NonFiniteError):
                team.obey(int(said))
    if dist.is_initialized():
        dist.destroy_process_group()


def _next(store: dist.Store, count: int) -> str:
    """The leader's message of that number, however long it takes to come."""
    parent = os.getppid()
    while True:
        try:
            store.wait([str(count)], timedelta(seconds=_LOOK_SECONDS))
            return store.get(str(count)).decode()
        except RuntimeError as error:  # not yet, or who holds the store is gone
            if os.getppid() != parent or isinstance(error, dist.DistNetworkError):
                raise SystemExit(1) from None


def _team(place: Place, teller: Leading | None, count: int, sharding: str, seconds: float) -> Team:
    """Meet the others.

    Args:
        count: messages so far, which tells this meeting from earlier ones.
        seconds: the deadline of what is computed together.
    """
    has_gpus = torch.cuda.device_count() >= place.local_size  # else they train on the CPU, or are refused when they load
    backend = "cpu:gloo,cuda:nccl" if has_gpus else "gloo"
    if has_gpus:
        torch.cuda.set_device(place.local_rank)
    with _on_loopback(not place.is_torchrun):
        dist.init_process_group(
            backend, store=dist.PrefixStore(f"group {count}", place.store), rank=place.rank, world_size=place.size,
            timeout=timedelta(seconds=seconds),
        )  # fmt: skip
    return Team(
        place.rank, place.size, sharding=sharding, local_rank=place.local_rank, local_size=place.local_size, teller=teller
    )


@contextlib.contextmanager
def _on_loopback(is_local: bool) -> Generator[None]:
    """Within, what is opened between processes of one machine is not seen from outside."""
    name = "GLOO_SOCKET_IFNAME"
    before = os.environ.get(name)
    if is_local and sys.platform == "linux" and Path("/sys/class/net/lo").exists():
        os.environ[name] = "lo"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
