"""Settings of several processes that train together, and of samplers apart from those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from sanmai.config import Config, OnlyWith
from sanmai.policies.text.config import ModelConfig

_OTHER_WAYS = {
    "tensor_parallel": "splitting single products over GPUs", "context_parallel": "splitting single sequences over GPUs",
    "pipeline_parallel": "splitting the layers over GPUs",
}  # fmt: skip


class TrainersConfig(Config):
    trainers: int = Field(1, ge=1, le=1024)
    """Processes that train one policy together, each with a part of its weights, gradient and optimizer state. They are started
    on this machine, one for each GPU with model.device "cuda"; under `torchrun` they are its processes."""
    sharding: Literal["model", "layers"] = "model"
    """What each gathers at a time to compute with: the whole model, or a layer (needs model.fast_path = false)."""
    trainer_deadline_seconds: float = Field(1800.0, gt=0)
    """The run stops when trainers wait for one of them for longer than this; its share of a step's sampling counts, where they
    write it themselves."""

    without_effect = frozenset({"trainers", "sharding", "trainer_deadline_seconds"})
    only_with = (OnlyWith("trainers above 1", lambda c: c.trainers > 1, "sharding", "trainer_deadline_seconds"),)

    @model_validator(mode="before")
    @classmethod
    def _refuse_other_ways(cls, values: Any) -> Any:
        for name, what in _OTHER_WAYS.items() if isinstance(values, Mapping) else ():
            if name in values:
                raise ValueError(f"{name}: {what} is not built; trainers = N spreads weights, gradient and optimizer state")
        return values

    @property
    def num_writers(self) -> int:
        """Parts that trainers cut what they write into, where no setting says so."""
        return max(8, self.trainers)

    def check_trainers(self, model: ModelConfig) -> None:
        """Refuse what trainers cannot do with a model.

        Raises:
            ValueError: its device is one of several, or it would be read past what is gathered.
        """
        if self.trainers == 1:
            return
        if model.device not in ("cpu", "cuda"):
            raise ValueError(
                f"cluster.trainers = {self.trainers} and model.device = {model.device!r}: expected 'cuda', of which each trainer "
                "takes one, or 'cpu'"
            )
        if self.sharding == "layers" and model.fast_path:
            raise ValueError(
                'cluster.sharding = "layers" gathers a layer when it is called, and Sanmai\'s own functions call none: set '
                "model.fast_path = false"
            )


class ClusterConfig(TrainersConfig):
    transport: Literal["none", "processes", "ray", "http"] = "none"
    """Who writes rollouts: this process ("none"), processes that it starts ("processes"), actors on a Ray cluster ("ray"), or
    servers of vLLM ("http")."""
    parts: int = Field(0, ge=0, le=65536)
    """Rollouts of a call, and the slots of sampling.concurrent, are cut into so many parts; a sampler or trainer writes one at a
    time. The bytes of a run depend on this and not on who writes. 0: as many as threads in one process, otherwise 8 or as many as
    trainers."""
    samplers: int = Field(2, ge=1, le=4096)
    """Samplers at work; how many changes no result."""
    threads: int = Field(1, ge=1, le=1024)
    """CPU cores of each sampler. As many as compute one part in a single process give its bytes."""
    devices: tuple[str, ...] = ()
    """Devices of the samplers, in turn ("cuda:1", "cuda:2"); none stated: the policy's."""
    address: str | None = None
    """Of a Ray cluster that runs ("auto", "10.0.0.1:6379"); none: one is started on this machine for the time of the run."""
    gpus: float = Field(0.0, ge=0)
    """GPUs that Ray gives each sampler; 0: it computes on its CPU."""
    urls: tuple[str, ...] = ()
    """vLLM's servers, such as "http://127.0.0.1:8000"; each is a sampler."""
    deadline_seconds: float = Field(600.0, gt=0)
    """A sampler that takes longer over a part or its start is taken for hung: it is ended, and its part goes to another."""
    patience_seconds: float = Field(300.0, gt=0)
    """The run stops when for so long no sampler has been at work or ready for it."""
    tries: int = Field(5, ge=1)
    """The run stops when a part has been the last of so many samplers."""

    staleness: int = Field(0, ge=0, le=16)
    """Steps that rollouts are written ahead of training: 0 waits for each update; with 1 those of step k + 1 are written, by the
    policy of before it, while k is trained. Needs loss.importance_cap."""

    without_effect = TrainersConfig.without_effect | frozenset({
        "samplers", "devices", "address", "gpus", "urls", "deadline_seconds", "patience_seconds", "tries",
    })  # fmt: skip
    only_with = (
        OnlyWith(
            'transport = "processes", "ray" or "http"', lambda c: c.transport != "none", "deadline_seconds", "patience_seconds",
            "tries", "staleness",
        ),
        OnlyWith('transport = "processes" or "ray"', lambda c: c.transport in ("processes", "ray"), "samplers", "threads"),
        OnlyWith('transport = "processes"', lambda c: c.transport == "processes", "devices"),
        OnlyWith('transport = "ray"', lambda c: c.transport == "ray", "address", "gpus"),
        OnlyWith('transport = "http"', lambda c: c.transport == "http", "urls"),
    )  # fmt: skip

    @property
    def is_apart(self) -> bool:
        """Others than this process write."""
        return self.transport != "none"

    @property
    def words(self) -> str:
        """Who trains and writes, in a sentence; "" where this process does both."""
        who = {
            "none": "", "processes": f"{self.samplers} processes", "ray": f"{self.samplers} actors of Ray",
            "http": f"{len(self.urls)} servers",
        }  # fmt: skip
        several = f"{self.trainers} processes train together" if self.trainers > 1 else ""
        if not self.is_apart:
            return f"{several}, and write the rollouts, in {self.num_parts} parts." if several else ""
        ahead = f", up to {self.staleness} steps ahead" if self.staleness else ""
        apart = f"Rollouts are written apart: {who[self.transport]}, {self.num_parts} parts{ahead}."
        return f"{several}. {apart}" if several else apart

    @property
    def num_parts(self) -> int:
        """Parts of a call; 0: as many as threads."""
        return self.parts or (self.num_writers if self.is_apart or self.trainers > 1 else 0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.transport == "http" and not self.urls:
            raise ValueError('transport = "http" needs urls: the servers that write, such as ["http://127.0.0.1:8000"]')
        check_urls(self.urls)
        return self


def check_urls(urls: Sequence[str]) -> None:
    """ValueError where these are no addresses of servers, each once."""
    if odd := [url for url in urls if not url.startswith(("http://", "https://"))]:
        raise ValueError(f"urls: {odd[0]!r} does not begin with http:// or https://")
    if len({url.rstrip("/") for url in urls}) < len(urls):
        raise ValueError("urls names a server twice")
