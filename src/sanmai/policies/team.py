"""Trainers that share one policy: processes that each hold a part of what is trained and compute a part of every step.

The first one leads. It runs the recipe, has the run folder and decides everything; the others wait for it. A function that is
marked `together` is called on every one of them with the same arguments when the leader calls it: what differs is `team.rank`.
So a recipe reads as for one process, and nothing but such functions ever waits for another process.

    @together
    def num_weights(policy): return policy.team.sum([...])     # on all, each with its own policy

Arguments travel as pickles between processes of one user that started each other; what every process has one of its own of
(the policy, its optimizer, a snapshot of weights) travels as its name.
"""

from __future__ import annotations

import contextlib
import functools
import io
import pickle
import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from sanmai.policies.cores import available_cores
from sanmai.types import InputError, RunError

Given = ParamSpec("Given")
Owner = TypeVar("Owner")
Result = TypeVar("Result")


class Teller(Protocol):
    """How the leader reaches the others."""

    def tell(self, message: str) -> None:
        """Give all others a message, in order."""
        ...

    def lost(self) -> str:
        """Which of the others has ended and how, as far as can be told; "" where none has."""
        ...


class Team:
    """The trainers of one policy, as one of them sees them."""

    def __init__(self, rank: int, size: int, *, sharding: str, local_rank: int, local_size: int, teller: Teller | None) -> None:
        """Args:
            sharding: "model" or "layers": what is gathered at a time.
            local_rank: its number among those on this machine, of whom there are `local_size`.
            teller: the leader's.
        """
        self.rank, self.size, self.sharding = rank, size, sharding
        self._local_rank, self._local_size, self._teller = local_rank, local_size, teller
        self._shared: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
        self._shared["team"] = self
        self._kept: dict[str, Any] = {"team": self}
        self._num_shared, self._is_acting = 0, False

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def placed(self, settings: Any) -> Any:
        """Settings of a model as this trainer loads it: on its own device, with its share of the machine's cores."""
        change: dict[str, Any] = {}
        if settings.device == "cuda":
            if torch.cuda.device_count() < self._local_size:
                raise InputError(
                    f"model.device = 'cuda' with {self._local_size} trainers on this machine, each of which takes a GPU: it has "
                    f"{torch.cuda.device_count()}"
                )
            change["device"] = f"cuda:{self._local_rank}"
        if settings.threads == 0 and settings.device == "cpu":
            change["threads"] = max(available_cores() // self._local_size, 1)
        return settings.model_copy(update=change)

    def share(self, own: Owner) -> Owner:
        """Something that each trainer has one of its own of, made by the same calls in the same order: it travels as a name."""
        self._num_shared += 1
        name = f"{type(own).__name__} {self._num_shared}"
        self._shared[name] = own
        if not self.leads:
            self._kept[name] = own  # until the leader has let go of its own
        return own

    def sum(self, values: Sequence[float]) -> list[float]:
        """The sums over all trainers, each in order of rank; the same on all."""
        return [sum(own) for own in zip(*self.gather(list(values)), strict=True)]

    def gather(self, own: Result) -> list[Result]:
        """What each trainer has, in order of rank, on all of them."""
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, own)
        return found

    def add_up(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over all trainers."""
        dist.all_reduce(tensor)

    def turns(self, count: int) -> list[tuple[int, bool]]:
        """Which of `count` passes this trainer makes, and whether each counts: all make equally many, so that nobody waits for
        one who has none left. The last ones may have to repeat a pass, whose result is dropped.

        Example:
            of 3 passes and 2 trainers the first has (0, True), (2, True), and the second (1, True), (2, False)
        """
        found = range(self.rank, -(-count // self.size) * self.size, self.size) if count else ()
        return [(min(i, count - 1), i < count) for i in found]

    def run(self, function: Callable[..., Result], args: tuple, named: Mapping[str, Any]) -> Result:
        """Call a function on all trainers; within one that all are in, on this one."""
        if self._is_acting:
            return function(*args, **named)
        if not self.leads:
            raise RuntimeError(f"{function} was called by trainer {self.rank + 1} alone")
        assert self._teller is not None
        try:
            self._say(pickled((function, args, dict(named), sorted(self._shared)), self._shared))
            with self._acting():
                return function(*args, **named)
        except RuntimeError as error:  # PyTorch's of a process that cannot be reached has no class of its own
            if isinstance(error, RunError) or not (why := self._teller.lost() or _unreached(error)):
                raise
            raise LostTrainerError(f"{why}; the last checkpoint is intact: repeat the command to go on from it") from error

    def obey(self, size: int) -> None:
        """Do what the leader said, as one of the others."""
        data = torch.empty(size, dtype=torch.uint8)
        dist.broadcast(data, 0)
        function, args, named, names = unpickled(data.numpy().tobytes(), self._kept)
        for name in self._kept.keys() - set(names):
            del self._kept[name]
        with self._acting():
            function(*args, **named)

    def _say(self, data: bytes) -> None:
        assert self._teller is not None
        self._teller.tell(str(len(data)))
        dist.broadcast(torch.frombuffer(bytearray(data), dtype=torch.uint8), 0)

    @contextlib.contextmanager
    def _acting(self) -> Generator[None]:
        self._is_acting = True
        try:
            yield
        finally:
            self._is_acting = False


class LostTrainerError(RunError):
    """Another trainer has ended, or does not answer."""


def together(function: Callable[Concatenate[Any, Given], Result]) -> Callable[Concatenate[Any, Given], Result]:
    """Called on all trainers at once, where the first argument is a team or has one."""

    @functools.wraps(function)
    def run(owner: Any, /, *args: Given.args, **named: Given.kwargs) -> Result:
        team = owner if isinstance(owner, Team) else getattr(owner, "team", None)
        if team is None or team._is_acting:
            return function(owner, *args, **named)
        return team.run(run, (owner, *args), named)

    return run


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, shared: Mapping[str, Any]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._names = {id(own): name for name, own in shared.items()}

    def persistent_id(self, obj: Any) -> str | None:
        return self._names.get(id(obj))

    def reducer_override(self, obj: Any) -> Any:
        return (_proxy, (dict(obj),)) if isinstance(obj, MappingProxyType) else NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, shared: Mapping[str, Any]) -> None:
        super().__init__(file)
        self._shared = shared

    def persistent_load(self, pid: Any) -> Any:
        return self._shared[pid]


def _proxy(values: dict) -> MappingProxyType:
    return MappingProxyType(values)


def pickled(call: Any, shared: Mapping[str, Any]) -> bytes:
    """A call as bytes, in which what is shared is a name."""
    file = io.BytesIO()
    _Pickler(file, shared).dump(call)
    return file.getvalue()


def unpickled(data: bytes, shared: Mapping[str, Any]) -> Any:
    """The call that `pickled` was given, with what is shared here in place of its names."""
    return _Unpickler(io.BytesIO(data), shared).load()


def _unreached(error: RuntimeError) -> str:
    """Why another trainer could not be reached; "" where this is no error of that."""
    said = str(error)
    if not isinstance(error, dist.DistError) and not any(word in said for word in ("gloo", "NCCL", "Connection", "Timed out")):
        return ""
    if "imed out" in said or "timeout" in said:
        return "a trainer gave no answer in time (cluster.trainer_deadline_seconds)"
    return f"the connection to another trainer was lost ({said.splitlines()[0][:200]})"
